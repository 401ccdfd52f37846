"""Runbooks as people use them: started from the card, the menu or by a command, looked at, and answered."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session

from bot.desk.runs import offering, reading
from bot.desk.runs.offering import LookAtRunbook, Offered
from bot.desk.runs.reading import Evidence
from bot.desk.runs.starting import InputsRefused, StartRun, start
from bot.rules.refusals import Refused
from bot.slack import modals, runs_forms
from bot.slack.asking import Asker, Body, Form, heard_at, ticked
from bot.slack.edge import Edge
from bot.slack.facts import names
from bot.slack.guard import FieldsRefused, Told
from bot.slack.parts import Block
from bot.slack.reading import allowed
from bot.slack.runs import Pressed, RunsShown
from bot.slack.runs_forms import CONFIRMED, INPUT
from bot.slack.values import case_id_of
from bot.slack.words import Names


async def typed(edge: Edge, asker: Asker, case_id: int, runbook: str) -> Told | None:
    """Starts what was named, or opens its form. Raises `Refused` with the runbooks that there are."""
    offered = await _offered(edge, asker, case_id, runbook)
    if not offered.has_form:
        return await begin(edge, asker, case_id, offered.runbook.name)
    if asker.trigger_id is None:
        how = f"press its button on the card of {offered.ref}, or type `/case run {offered.ref} {offered.runbook.name}`"
        raise Refused("needs_form", f"{offered.runbook.title} asks for something first: {how}.")
    form = heard_at(asker, Form(offered.ref, verb=offered.runbook.name))
    return await edge.ask(asker, await _form(edge, form, offered))


async def begin(edge: Edge, asker: Asker, case_id: int, runbook: str) -> Told | None:
    """Starts a runbook that asks nothing, once for the asker's request. Raises `Refused`."""
    return await edge.run(asker, start, StartRun(case_id, runbook, request_key=asker.key))


async def start_view(edge: Edge, asker: Asker, pressed: Pressed) -> Block:
    """The form of a runbook. Raises `Refused`."""
    offered = await _offered(edge, asker, case_id_of(pressed.case), pressed.runbook)
    return await _form(edge, heard_at(asker, Form(offered.ref, verb=offered.runbook.name)), offered)


async def sent(edge: Edge, asker: Asker, view: Body, form: Form) -> Told | None:
    """Starts what was filled in; what is wrong is told beside its field. Raises `Refused`."""
    inputs, confirmed = runs_forms.filled_in(view), bool(ticked(view, CONFIRMED))
    command = StartRun(case_id_of(form.case), form.verb, inputs, confirmed=confirmed, request_key=asker.key)
    try:
        return await edge.run(asker, start, command)
    except InputsRefused as refused:
        there = {str(block.get("block_id") or "") for block in view["blocks"]}
        wrong = {f"{INPUT}{name}": f"{why[:1].upper()}{why[1:]}." for name, why in refused.wrong.items()}
        if wrong.keys() <= there:
            raise FieldsRefused(refused.code, refused.text, wrong) from None
        raise


async def _offered(edge: Edge, asker: Asker, case_id: int, runbook: str) -> Offered:
    command = LookAtRunbook(case_id, runbook)
    return await edge.context.desk.run(offering.look_at_runbook, command, actor=await edge.actor(asker))


async def _form(edge: Edge, form: Form, offered: Offered) -> Block:
    policies = edge.context.policies
    known = await edge.context.desk.read(lambda session: names(session, policies.in_force(session), ()))
    return runs_forms.start_form(form, offered, known)


async def evidence_view(edge: Edge, asker: Asker, pressed: Pressed) -> Block:
    """A page of what a run asked and was answered. Raises `Refused`."""
    await allowed(edge, asker, case_id_of(pressed.case))
    policies = edge.context.policies

    def reading_it(session: Session) -> tuple[Evidence | None, Names]:
        found = reading.evidence(session, policies, pressed.run, page=pressed.page, size=runs_forms.PAGE)
        people = RunsShown(runs=[found.seen]).people if found else ()
        return found, names(session, policies.in_force(session), people)

    found, known = await edge.context.desk.read(reading_it)
    if found is None:
        return modals.told("Evidence", "That run is not there any more.")
    return runs_forms.evidence_form(pressed.case, found, pressed.page, known)


async def reason_view(edge: Edge, asker: Asker, form: Form, callback_id: str) -> Block:
    """Why not; who may say so is judged when it is sent. Raises `Refused`."""
    await allowed(edge, asker, case_id_of(form.case))
    policies = edge.context.policies
    seen = await edge.context.desk.read(lambda session: reading.find_run(session, policies, form.run))
    return runs_forms.reason_form(form, callback_id, seen.runbook.title if seen else "")


def once_a_drawing(asker: Asker, action: str, pressed: Pressed) -> Asker:
    """The asker of what a double click must not do twice: one person's clicks on one drawing are one request."""
    what = f"{pressed.case}:{pressed.runbook or pressed.run}:{pressed.step}:{pressed.version}:{pressed.drawn}"
    return replace(asker, key=f"slack:click:{asker.user}:{action}:{what}")
