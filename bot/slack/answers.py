"""What is answered to what was typed, and the Home tab: pure blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.desk.health import ConnectorNow
from bot.slack.cards import mark
from bot.slack.commands import USAGE
from bot.slack.guard import Told
from bot.slack.parts import Block, button, context, divider, header, section, within_budget
from bot.slack.postmortems import owed_blocks
from bot.slack.quarantine import OF_WORKFLOW
from bot.slack.queues import Cases, OnCallNow
from bot.slack.systems import system_line
from bot.slack.words import Names, date, link, quote, spoken
from store.models import Case

Links = Mapping[int, str]
"""The address of each case's card, by the case's id; a card that is not posted yet has none."""

HOME_BLOCKS = 100
HOME_WORKFLOWS = 10
HOME_SYSTEMS = 15


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """Everything that the Home tab shows to one person."""

    mine: Cases
    roles: Sequence[tuple[str, Cases]]
    on_call: Sequence[OnCallNow]
    late: int
    names: Names
    held: Mapping[str, int] = field(default_factory=dict)
    """How many events are in quarantine, of the workflows that the person's roles look after."""
    to_write: Sequence[tuple[Case, str, datetime]] = ()
    """The post-mortems that the person's roles owe: of which case, why, and since when."""
    connectors: Sequence[ConnectorNow] = ()
    overdue: int = 0
    """What we ourselves did late."""


def cases_told(title: str, cases: Cases, names: Names, links: Links) -> Told:
    """A list of cases, as the answer to a slash command."""
    if not cases.shown:
        return Told(f"{title}: nothing is open.", (section(f"*{title}*: nothing is open."),))
    blocks = [section(f"*{title}* ({cases.count})"), *_rows(cases, names, links)]
    return Told(f"{title}: {cases.count} open", tuple(within_budget(blocks)))


def help_told(oncall: bool = False) -> Told:
    """What can be typed."""
    if oncall:
        lines = ["oncall", "oncall role", "oncall override role @somebody 2h"]
        text = "\n".join(f"• `/{line}`" for line in lines)
    else:
        text = "`/case` alone is your own queue.\n" + "\n".join(f"• `/case {each}`" for each in USAGE.values())
        text += (
            "\nIn a thread mention me instead (`open`, `ack`, `resolve`, `note`, `show` …), or use an emoji: "
            ":rotating_light: opens a case, :eyes: takes it, :white_check_mark: offers to resolve it. "
            "`/oncall` says who is on call."
        )
    return Told(text, (section(text),))


def on_call_told(rows: Sequence[OnCallNow], names: Names) -> Told:
    """Who is on call."""
    text = "\n".join(_on_call_row(row, names) for row in rows)
    return Told(text, (section(text),))


def home(facts: HomeFacts, links: Links) -> Block:
    """The Home tab."""
    blocks = [header("Yours"), *_queue(facts.mine, facts, links, "Nothing is waiting for you.")]
    for role, cases in facts.roles:
        queue = _queue(cases, facts, links, "Nothing else is in its queue.")
        blocks += [header(facts.names.roles.get(role, role)), *queue]
    if facts.to_write:
        blocks += [header("Post-mortems to write"), *owed_blocks(facts.to_write)]
    if facts.held:
        blocks += [header("In quarantine"), *_held(facts)]
    blocks += [
        divider(),
        header("On call now"),
        section("\n".join(_on_call_row(row, facts.names) for row in facts.on_call)),
    ]
    if facts.connectors:
        blocks += [header("Systems"), section("\n".join(map(system_line, facts.connectors[:HOME_SYSTEMS])))]
    blocks.append(context(f"Missed deadlines in the last 7 days: *{facts.late}*", _own_lateness(facts.overdue)))
    return {"type": "home", "blocks": within_budget(blocks, most=HOME_BLOCKS, characters=30_000)}


def _own_lateness(count: int) -> str:
    """How punctual Pointsman itself was."""
    return f"Pointsman itself: *{count:,} late* in 7 days"


def _held(facts: HomeFacts) -> list[Block]:
    return [
        section(
            f":lock: *{facts.names.workflow(workflow)}*: {count:,} not delivered until somebody releases them",
            accessory=button("Look", OF_WORKFLOW, workflow),
        )
        for workflow, count in list(facts.held.items())[:HOME_WORKFLOWS]
    ]


def _queue(cases: Cases, facts: HomeFacts, links: Links, empty: str) -> list[Block]:
    if not cases.shown:
        return [section(empty)]
    rows = _rows(cases, facts.names, links)
    hidden = cases.count - len(cases.shown)
    return [*rows, context(f"… and {hidden} more: `/case list`")] if hidden else rows


def _rows(cases: Cases, names: Names, links: Links) -> list[Block]:
    return [section(_row(case, names, links.get(case.id))) for case in cases.shown]


def _row(case: Case, names: Names, url: str | None) -> str:
    title = f"{case.ref} {case.title}"
    named = link(url, title) if url else f"*{case.ref}* {quote(case.title, 150)}"
    holder = case.assignee or case.acknowledged_by
    who = f" → {names.person(holder)}" if holder else ""
    late = " ⚠️" if case.response_breached_at or case.resolution_breached_at else ""
    sos = " :sos: everybody was told" if case.exhausted else ""
    return (
        f"{mark(case)} {case.priority} {named}{late}{sos}\n"
        f"{spoken(case.state)} · {names.role(case.owner)}{who} · to be resolved by {date(case.resolve_due_at)}"
    )


def _on_call_row(row: OnCallNow, names: Names) -> str:
    if row.person is None:
        return f"• *{quote(row.role.title, 80)}*: {row.because}"
    return f"• *{quote(row.role.title, 80)}*: {names.person(row.person)} ({quote(row.because, 150)})"
