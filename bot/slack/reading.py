"""What people ask to see: lists, one case, the audit trail, the Home tab. Who may not see is refused, on record."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from slack_sdk.errors import SlackApiError
from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk import postmortems
from bot.desk.findings import late_lately
from bot.desk.health import connectors_now
from bot.desk.reading import See, see
from bot.rules.refusals import Refused
from bot.slack import answers, commands, modals, queues
from bot.slack.asking import Asker
from bot.slack.cards import card
from bot.slack.client import undelivered
from bot.slack.edge import Edge
from bot.slack.facts import card_facts, names
from bot.slack.guard import Told
from bot.slack.parts import Block, section
from bot.slack.words import Names, cut, date, is_person, link, listed, quote, spoken
from runbooks.policy import Policy
from store.audit import chain_of
from store.models import AuditEntry, Case
from store.queries.quarantine import held_by_workflow

log = logging.getLogger(__name__)

R = TypeVar("R")
PAGE = 10
LATE_FOR = timedelta(days=7)
HOME_CASES = 8
MACHINE_DETAIL = frozenset(
    {"policy", "match_digest", "title_digest", "subject_digest", "text_digest", "response_digest", "message_ts"}
)
"""Of the audit entries, what only a program reads; `/v1/cases/{ref}/audit` has it."""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
Listing = tuple[str, queues.Cases, Names]


async def show(edge: Edge, asker: Asker, case_id: int) -> Told:
    """One case, as its card shows it, without its buttons."""
    await allowed(edge, asker, case_id)
    now, policies = edge.context.clock.now(), edge.context.policies
    facts = await _read(edge, lambda session: card_facts(session, policies, case_id, now=now))
    drawn = card(facts, now)
    url = (await _links(edge, [facts.case])).get(case_id)
    blocks = [block for block in drawn.blocks if block["type"] != "actions"]
    if url:
        blocks.append(section(link(url, f"Open the card of {facts.case.ref}")))
    return Told(drawn.text, tuple(blocks))


async def list_cases(edge: Edge, asker: Asker, asked: commands.List | commands.Queue) -> Told:
    """The cases that were asked for."""
    await allowed(edge, asker)
    now, policies = edge.context.clock.now(), edge.context.policies

    def listing(session: Session) -> Listing:
        policy = policies.in_force(session)
        if isinstance(asked, commands.Queue):
            on_call_for = queues.on_call_for(session, policy, asker.user, at=now)
            title, found = "Your queue", queues.of_person(session, asker.user, on_call_for=on_call_for)
        else:
            title, found = _listed(session, policy, asked.of)
        return title, found, names(session, policy, _people(found.shown))

    title, found, known = await _read(edge, listing)
    return answers.cases_told(title, found, known, await _links(edge, found.shown))


def _listed(session: Session, policy: Policy, of: str) -> tuple[str, queues.Cases]:
    if of.lower() == "all":
        return "All open cases", queues.of_all(session)
    if role := find_named(policy.team.roles, of, lambda role: role.title):
        return role.title, queues.of_roles(session, [role.name], most=queues.MOST)
    if contract := find_named(policy.workflows, of, lambda contract: contract.title):
        return contract.title, queues.of_workflow(session, contract.workflow)
    raise unknown_name(of, [*policy.team.roles, *policy.workflows])


def find_named(things: Mapping[str, R], said: str, title: Callable[[R], str]) -> R | None:
    """A role or workflow by its name or title, as people write them."""
    wanted = said.strip().lower().replace(" ", "-")
    titles = {title(thing).lower().replace(" ", "-"): thing for thing in things.values()}
    return things.get(wanted) or titles.get(wanted)


def unknown_name(said: str, known: list[str]) -> Refused:
    """There is no role or workflow of this name; what there is."""
    near = commands.nearest_name(said, known)
    meant = f" Did you mean `{near}`?" if near else f" There are: {', '.join(sorted(known)[:20])}."
    return Refused("unknown_name", f"Nothing is called {quote(said, 60)} here.{meant}")


async def on_call(edge: Edge, asker: Asker, role_name: str | None) -> Told:
    """Who is on call: for a role, or for each."""
    await allowed(edge, asker)
    now, policies = edge.context.clock.now(), edge.context.policies

    def reading(session: Session) -> tuple[list[queues.OnCallNow], Names]:
        policy = policies.in_force(session)
        rows = queues.on_call_now(session, policy, at=now)
        if role_name:
            role = find_named(policy.team.roles, role_name, lambda role: role.title)
            if role is None:
                raise unknown_name(role_name, list(policy.team.roles))
            rows = [row for row in rows if row.role.name == role.name]
        return rows, names(session, policy, [row.person for row in rows])

    return answers.on_call_told(*await _read(edge, reading))


async def home(edge: Edge, asker: Asker) -> Block:
    """The Home tab of the person. Raises `Refused`."""
    await allowed(edge, asker)
    now = edge.context.clock.now()
    facts = await _read(edge, lambda session: _home_facts(edge, session, asker.user, now))
    shown = [case for cases in (facts.mine, *(cases for _, cases in facts.roles)) for case in cases.shown]
    links = await _links(edge, shown)
    return answers.home(facts, links)


def _home_facts(edge: Edge, session: Session, user: str, now: datetime) -> answers.HomeFacts:
    policy = edge.context.policies.in_force(session)
    on_call_for = queues.on_call_for(session, policy, user, at=now)
    mine = queues.of_person(session, user, on_call_for=on_call_for, most=HOME_CASES)
    shown = queues.waits_for(user, on_call_for)
    roles = [
        (role.name, queues.of_roles(session, [role.name], besides=shown, most=HOME_CASES))
        for role in queues.roles_of(session, policy, user, at=now)
    ]
    rows = queues.on_call_now(session, policy, at=now)
    people = [*_people([*mine.shown, *(case for _, cases in roles for case in cases.shown)])]
    known = names(session, policy, [*people, *(row.person for row in rows)])
    held = held_by_workflow(session, looked_after(policy, [role for role, _ in roles]))
    owed = postmortems.to_write(session, [role for role, _ in roles], most=HOME_CASES)
    to_write = [(case, row.because, row.owed_at) for case, row in owed]
    systems = connectors_now(session, policy)
    late = queues.late(session, since=now - LATE_FOR)
    overdue = late_lately(session, now)
    return answers.HomeFacts(mine, roles, rows, late, known, held, to_write, systems, overdue)


def looked_after(policy: Policy, roles: Collection[str]) -> list[str]:
    """The workflows that these roles answer for, run, or own the cases of."""
    found = []
    for contract in policy.workflows.values():
        owners = {contract.owners.accountable, contract.owners.steward}
        owners |= {mode.owner for mode in contract.exceptions.values() if mode.owner}
        if owners & set(roles):
            found.append(contract.workflow)
    return found


async def publish_home(edge: Edge, asker: Asker) -> None:
    """Shows the person their Home tab as it is now, and keeps it true for a while."""
    view = await _published(edge, asker, None)
    if view:
        edge.homes.opened(asker, view, at=edge.context.clock.now())


async def look_at_homes(edge: Edge) -> int:
    """Shows those whose turn it is their Home tab again if it has changed; how many that were. What Slack does not take
    is tried again at the next turn."""
    count = 0
    for tab in edge.homes.turn(at=edge.context.clock.now()):
        try:
            view = await _published(edge, tab.asker, tab.shown)
        except Exception as fault:
            log.warning("a Home tab was not shown again", extra={"user": tab.asker.user, "because": repr(fault)})
            wait = undelivered(fault).retry_after if isinstance(fault, SlackApiError) else None
            if wait:
                edge.homes.hold(edge.context.clock.now() + wait)
                break
            continue
        count += view != tab.shown
        tab.shown = view or {}
    return count


async def _published(edge: Edge, asker: Asker, shown: Mapping[str, Any] | None) -> Block | None:
    """The Home tab as it is now, published unless that is what is `shown`. None: the person may not see it any more,
    and is told so in its place."""
    try:
        view = await home(edge, asker)
    except Refused as refused:
        edge.homes.forget(asker.user)
        refusal = {"type": "home", "blocks": [section(quote(refused.text, 1000))]}
        await edge.client.views_publish(user_id=asker.user, view=refusal)
        return None
    if view != shown:
        await edge.client.views_publish(user_id=asker.user, view=view)
    return view


async def audit_page(edge: Edge, asker: Asker, case_id: int, page: int) -> Block:
    """A page of the case's audit trail, as a modal."""
    try:
        await allowed(edge, asker, case_id)
    except Refused as refused:
        return modals.told("Audit trail", quote(refused.text, 1000))
    policies = edge.context.policies

    def reading(session: Session) -> tuple[list[dict[str, Any]], Names]:
        newest = select(col(AuditEntry.body)).where(col(AuditEntry.chain) == chain_of(case_id))
        rows = session.execute(newest.order_by(col(AuditEntry.seq).desc()).offset(page * PAGE).limit(PAGE + 1))
        entries = [json.loads(body) for body in rows.scalars()]
        people = [name for entry in entries for name in _people_of(entry)]
        return entries, names(session, policies.in_force(session), people)

    entries, known = await _read(edge, reading)
    lines = [entry_line(entry, known) for entry in entries[:PAGE]]
    return modals.audit(modals.Entries(f"C-{case_id}", lines, page, len(entries) > PAGE))


def entry_line(entry: Mapping[str, Any], known: Names) -> str:
    """An audit entry in words."""
    at = date(datetime.fromisoformat(entry["at"]))
    action = spoken(str(entry["action"]).removeprefix("case.").replace(".", " "))
    head = f"*{entry['seq']}* · {at} · {known.person(entry['actor'].get('id'))} · *{action}*"
    told = {key: value for key, value in entry["detail"].items() if value and key not in MACHINE_DETAIL}
    detail = [f"{spoken(key)}: {_said(value, known)}" for key, value in told.items()]
    return cut("\n".join([head, *(" · ".join(detail[at : at + 3]) for at in range(0, len(detail), 3))]), 900)


def _people_of(entry: Mapping[str, Any]) -> Iterator[str]:
    """Who did it, and who is named in it."""
    yield str(entry["actor"].get("id"))
    for value in entry["detail"].values():
        yield from (each for each in (value if isinstance(value, list) else [value]) if _is_person(each))


def _said(value: Any, known: Names) -> str:
    if isinstance(value, list):
        return cut(listed([_said(each, known) for each in value]), 300)
    if isinstance(value, dict) and "check" in value:
        return quote(f"{value['check']} {value['state']}", 160)
    if _is_person(value):
        return known.person(value)
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return date(datetime.fromisoformat(value))
    return quote(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 160)


def _is_person(value: Any) -> bool:
    return isinstance(value, str) and is_person(value)


async def allowed(edge: Edge, asker: Asker, case_id: int | None = None) -> None:
    """Passes for those who may see cases, and this one. Raises `Refused`."""
    actor = await edge.actor(asker)
    if not actor.is_ours:
        await edge.context.desk.run(see, See(case_id), actor=actor)
    if case_id is not None and await _read(edge, lambda session: session.get(Case, case_id)) is None:
        raise Refused("no_such_case", f"There is no case C-{case_id}; `/case list` shows those that are open.")


async def addressed(edge: Edge, case: Case, before: str) -> str:
    """The case by its name, with a link to its card."""
    url = await edge.links.of(case.channel, case.card_ts)
    label = f"{case.ref} {case.title}"
    return f"{before} {link(url, label) if url else f'*{quote(label, 150)}*'}"


async def _read(edge: Edge, query: Callable[[Session], R]) -> R:
    return await edge.context.desk.read(query)


async def _links(edge: Edge, cases: Iterable[Case]) -> dict[int, str]:
    """The addresses of these cases' cards."""
    posted = {case.id: case for case in cases if case.card_ts}
    found = await asyncio.gather(*(edge.links.of(case.channel, case.card_ts or "") for case in posted.values()))
    return {case_id: url for case_id, url in zip(posted, found, strict=True) if url}


def _people(cases: Iterable[Case]) -> list[str | None]:
    return [person for case in cases for person in (case.assignee, case.acknowledged_by)]
