"""Quarantine as people use it: what they ask to see of it, and the forms that they send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from bot.desk import quarantine
from bot.desk.quarantine import Drop, Look, Release, StillHeld
from bot.rules.refusals import Refused
from bot.rules.repair import Mending, Unfit, as_wanted
from bot.slack import quarantine as views
from bot.slack.asking import Asker, Body, Form, chosen
from bot.slack.edge import Edge
from bot.slack.facts import names
from bot.slack.guard import FieldRefused, Told
from bot.slack.parts import Block
from bot.slack.quarantine import SET, SOME, Listing
from bot.slack.reading import allowed, find_named, unknown_name
from bot.slack.values import case_id_of
from store.queries.quarantine import Wanted, held_by_workflow, held_of_cases, list_held


async def list_held_events(edge: Edge, asker: Asker, of: str | None) -> Told:
    """What is in quarantine: everywhere, or of a workflow. Raises `Refused`."""
    return views.listed_told(await _listing(edge, asker, of))


async def workflow_view(edge: Edge, asker: Asker, workflow: str) -> Block:
    """What is in quarantine of a workflow, as a modal. Raises `Refused`."""
    return views.list_form(await _listing(edge, asker, workflow))


async def _listing(edge: Edge, asker: Asker, of: str | None) -> Listing:
    await allowed(edge, asker)
    policies = edge.context.policies

    def reading(session: Session) -> Listing:
        policy = policies.in_force(session)
        by_workflow = held_by_workflow(session)
        contract = find_named(policy.workflows, of, lambda contract: contract.title) if of else None
        workflow = contract.workflow if contract else of
        if workflow and contract is None and workflow not in by_workflow:
            raise unknown_name(workflow, list(policy.workflows))
        shown = list_held(session, Wanted(views.ROWS, workflow=workflow))
        cases = held_of_cases(session, {held.trigger.case_id for held in shown if held.trigger.case_id})
        known = names(session, policy, ())
        if workflow:
            by_workflow = {workflow: by_workflow.get(workflow, 0)}
        return Listing(known.workflows.get(workflow or "", workflow or "All"), shown, by_workflow, cases, known)

    return await edge.context.desk.read(reading)


async def case_view(edge: Edge, asker: Asker, form: Form) -> Block:
    """The form that releases some or all of a case. Raises `Refused`."""
    case_id = case_id_of(form.case)
    await allowed(edge, asker, case_id)
    policies, now = edge.context.policies, edge.context.clock.now()

    def reading(session: Session) -> Block:
        shown = list_held(session, Wanted(views.CHOSEN, case_id=case_id))
        count = held_of_cases(session, [case_id]).get(case_id, 0)
        look = quarantine.look(session, policies, shown[0].event.id, now=now) if shown else None
        taken = {each.pointer: each.came_as for each in look.wrong if each.came_as} if look else {}
        return views.case_form(form, shown, count, taken)

    return await edge.context.desk.read(reading)


async def event_view(edge: Edge, asker: Asker, form: Form) -> Block:
    """The form that shows one event and mends it. Raises `Refused`."""
    await allowed(edge, asker, case_id_of(form.case))
    return views.event_form(form, await _look(edge, form.event))


async def _look(edge: Edge, event_id: int) -> Look:
    policies, now = edge.context.policies, edge.context.clock.now()
    return await edge.context.desk.read(lambda session: quarantine.look(session, policies, event_id, now=now))


async def release_one(edge: Edge, asker: Asker, view: Body, form: Form) -> Told | None:
    """Mends one event and lets it through. What was written wrong is told beside its field. Raises `Refused`."""
    look = await _look(edge, form.event)
    written = {pointer: text for pointer in _pointers(view) if (text := chosen(view, SET + pointer))}
    places = {each.pointer: each.place for each in look.wrong}
    values = {pointer: _read(pointer, text, places.get(pointer, {})) for pointer, text in written.items()}
    taken = {pointer: came_as for pointer, came_as in form.names.items() if pointer not in values}
    command = Release(case_id_of(form.case), (form.event,), Mending(values, taken), request_key=asker.key)
    try:
        return await edge.run(asker, quarantine.release, command)
    except StillHeld as still:
        raise _beside(still, _pointers(view)) from None


async def release_many(edge: Edge, asker: Asker, view: Body, form: Form) -> Told | None:
    """Lets some or all events of a case through. Raises `Refused`."""
    events = _chosen(view, "events")
    if chosen(view, "which") == SOME and not events:
        raise FieldRefused("none_chosen", "Choose the events that are to be released.", field="events")
    among = tuple(int(each) for each in events) if chosen(view, "which") == SOME else None
    taken = form.names if _chosen(view, "names") else {}
    command = Release(case_id_of(form.case), among, Mending(names=taken), request_key=asker.key)
    return await edge.run(asker, quarantine.release, command)


async def drop_one(edge: Edge, asker: Asker, view: Body, form: Form) -> Told | None:
    """Drops one event. Raises `Refused`."""
    command = Drop(case_id_of(form.case), form.event, chosen(view, "reason"), request_key=asker.key)
    return await edge.run(asker, quarantine.drop, command)


def _read(pointer: str, text: str, place: Mapping[str, Any]) -> Any:
    try:
        return as_wanted(text, place)
    except Unfit as unfit:
        raise FieldRefused("unfit", str(unfit), field=SET + pointer) from None


def _beside(still: StillHeld, pointers: list[str]) -> Refused:
    """The refusal beside the first field that is wrong, or else beside the first that there is."""
    wrong = next((pointer for pointer in pointers if pointer in still.wrong), None)
    if wrong:
        return FieldRefused(still.code, f"It stays in quarantine: {still.wrong[wrong]}.", field=SET + wrong)
    return FieldRefused(still.code, still.text, field=SET + pointers[0]) if pointers else still


def _pointers(view: Body) -> list[str]:
    named = [str(block.get("block_id") or "") for block in view["blocks"] if block["type"] == "input"]
    return [block_id.removeprefix(SET) for block_id in named if block_id.startswith(SET)]


def _chosen(view: Body, block_id: str) -> list[str]:
    state: Mapping[str, Any] = (view.get("state") or {}).get("values", {}).get(block_id, {})
    held: Mapping[str, Any] = next(iter(state.values()), {})
    return [str(each["value"]) for each in held.get("selected_options") or ()]
