"""The card of a case: one message, drawn from the row as it is, edited in place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bot.rules.closing import REASONS
from bot.rules.lifecycle import HELD, State
from bot.rules.retention import why_gone
from bot.rules.routing import AUTO_FIX
from bot.rules.sending import Verb
from bot.slack.closings import closing_blocks
from bot.slack.facts import CardFacts, Coming
from bot.slack.parts import (
    TEXT,
    Block,
    actions,
    button,
    context,
    detail,
    fields,
    header,
    section,
    select,
    within_budget,
)
from bot.slack.runs import Pressed, run_blocks, start_buttons, start_menu
from bot.slack.values import block_id, drawn_at, seen
from bot.slack.words import cut, date, one_line, quote, spoken
from store.models import Case, Delivery

MARKS = {
    "queued": "🔴",
    "in_progress": "🔵",
    "waiting_for_systems": "🟡",
    "waiting_for_customer": "🟡",
    "manual_review": "🟣",
    "closing": "🟢",
    "resolved": "✅",
    "failed": "⛔",
}
DRILL = "🧪"
DETAIL = 1500
ROUTED = 400
SENT_BECAUSE = 300
WENT_WELL = ("verifying", "delivered", "already_there")

ACKNOWLEDGE = "case.acknowledge"
RETRY = "case.retry"
REPLAY = "case.replay"
RELEASE = "case.release"
ESCALATE = "case.escalate"
RESOLVE = "case.resolve"
CLOSE_ANYWAY = "case.close_anyway"
REOPEN = "case.reopen"
MENU = "case.more"
MENU_OPEN = (
    ("assign", "Assign to a person"),
    ("hand_off", "Hand off to a role"),
    ("snooze", "Snooze reminders"),
    ("priority", "Change priority"),
    ("note", "Add a note"),
    ("in_progress", "Being worked on"),
    ("waiting_for_customer", "Waiting for the customer"),
    ("waiting_for_systems", "Waiting for a system"),
    ("fail", "Give up"),
    ("audit", "Audit trail"),
)
"""For an open case. A state is offered while somebody has the case, and only one that it is not in."""
MENU_CLOSING = ("reopen", "Do not close it after all")
MENU_CLOSED = (("note", "Add a note"), ("reopen", "Reopen"), ("audit", "Audit trail"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A message: its blocks, and the text for notifications and where blocks cannot be shown."""

    text: str
    blocks: tuple[Block, ...]


def card(facts: CardFacts, now: datetime) -> Drawn:
    """The card as it is at `now`."""
    case = facts.case
    blocks = [
        header(f"{mark(case)} {case.priority} · {case.ref} · {one_line(case.title, 110)}"),
        context(_origin(facts), *_routed(facts)),
        fields(list(_fields(facts))),
        *_words(facts, now),
        actions(_buttons(facts, now), block_id=block_id(case, now)),
        *run_blocks(facts.runs, facts.names, _pressed(facts, now), now, is_open=case.is_open),
    ]
    return Drawn(text_of(facts), tuple(within_budget(blocks)))


def mark(case: Case) -> str:
    """What is seen first of a case: its state, or that it is a drill."""
    return DRILL if case.is_drill else MARKS[case.state]


def before(case: Case) -> str:
    """What plain words begin with: that nobody has to get up for a drill."""
    return f"{DRILL} DRILL " if case.is_drill else ""


def text_of(facts: CardFacts) -> str:
    """The card in plain words: for notifications, and where Slack refuses the blocks."""
    case = facts.case
    who = facts.names.role(case.owner) + (f" → {facts.names.person(facts.person)}" if facts.person else "")
    due = "" if not case.is_open else f", to be resolved by {date(case.resolve_due_at)}"
    said = f"{before(case)}{case.priority} {case.ref} {quote(case.title, 200)}: {spoken(case.state)}, {who}{due}"
    return cut(said, TEXT)


def _origin(facts: CardFacts) -> str:
    case = facts.case
    times = f" · seen {case.occurrences} times, last {date(case.last_seen_at)}" if case.occurrences > 1 else ""
    again = f" · opened again {_times(case.reopened)}" if case.reopened else ""
    workflow = facts.names.workflow(case.workflow)
    by = facts.names.person(case.opened_by)
    return f"{workflow} · {spoken(case.failure_mode)} · opened {date(case.opened_at)} by {by}{times}{again}"


def _routed(facts: CardFacts) -> Iterator[str]:
    """Why it is here, and what of the rules was not met."""
    because = facts.case.route_because
    if facts.case.is_open and because:
        yield f"Route: {spoken(facts.case.route)} · {quote(because, ROUTED)}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _fields(facts: CardFacts) -> Iterator[str]:
    case = facts.case
    yield f"*State*\n{spoken(case.state).capitalize()}"
    yield f"*Owner*\n{_owner(facts)}"
    if case.is_open:
        yield f"*Acknowledge by*\n{_acknowledge_by(case)}"
        yield f"*Resolve by*\n{_resolve_by(facts)}"
    if case.subject:
        yield f"*About*\n{quote(case.subject, 200)}"


def _owner(facts: CardFacts) -> str:
    role = facts.names.role(facts.case.owner)
    if not facts.case.is_open:
        return role
    if not facts.person:
        return f"{role} → nobody yet"
    return f"{role} → {facts.names.person(facts.person)}{' (on call)' if facts.on_call else ''}"


def _acknowledge_by(case: Case) -> str:
    if case.route == AUTO_FIX and not case.acknowledged_at:
        return "Not yet: a runbook goes first"
    if case.acknowledged_at:
        late = " ⚠️ late" if case.response_breached_at else ""
        return f"Done {date(case.acknowledged_at)}{late}"
    return date(case.acknowledge_due_at) + (" ⚠️ *passed*" if case.response_breached_at else "")


def _resolve_by(facts: CardFacts) -> str:
    case = facts.case
    passed = " ⚠️ *passed*" if case.resolution_breached_at else ""
    still = " (stands still)" if "resolution" in facts.still and not passed else ""
    return date(case.resolve_due_at) + passed + still


def _words(facts: CardFacts, now: datetime) -> Iterator[Block]:
    case = facts.case
    if case.is_open and case.next_step:
        yield section(f"*What to do:* {quote(case.next_step, 1000)}")
    if case.detail.strip() not in ("", case.title.strip()):
        yield detail(case.detail, DETAIL)
    if facts.gone:
        yield context(
            f":ghost: E-{case.event_id}, which this is about, {why_gone(facts.gone)}: it cannot be sent again."
        )
    if facts.held:
        events = "1 event is" if facts.held == 1 else f"{facts.held:,} events are"
        yield section(f":lock: *{events} in quarantine*: not delivered until somebody releases them.")
    if facts.behind:
        waits = "1 later event waits" if facts.behind == 1 else f"{facts.behind:,} later events wait"
        about = f" of {quote(case.subject, 200)}" if case.subject else ""
        yield section(f":hourglass: *{waits}* behind this one{about}; closing the case lets them go on without it.")
    if facts.sent:
        yield context(_sent(facts, facts.sent))
    yield from closing_blocks(case, facts.tried, facts.names)
    if not case.is_open:
        yield section(ending(facts))
        return
    if case.exhausted:
        yield section(":sos: *Everybody whom the policy names was told.* Somebody has to take this by hand.")
    going_on = " ".join(_going_on(facts, now))
    if going_on:
        yield context(going_on)


def ending(facts: CardFacts) -> str:
    """How and when a closed case ended."""
    case = facts.case
    assert case.closed_at is not None
    how = "Resolved" if case.state == "resolved" else "Given up"
    late = " ⚠️ later than it was due" if case.resolution_breached_at else ""
    said = f": {quote(REASONS.get(case.resolution, case.resolution), 1000)}" if case.resolution else ""
    return f"*{how}* {date(case.closed_at)}{late}{said}"


UNDER_WAY = ":arrows_counterclockwise: *{verb}*: under way"
SENT = {
    "finding": ":arrows_counterclockwise: *{verb}*: the receiver is asked whether it has it",
    "sending": UNDER_WAY,
    "verifying": ":white_check_mark: *{verb}* went through",
    "delivered": ":white_check_mark: *{verb}* went through",
    "already_there": ":white_check_mark: *{verb}*: nothing was sent, it is there already",
    "refused": ":x: *{verb}* was refused",
    "unknown": ":x: *{verb}*: nobody knows whether it arrived",
    "dead": ":x: *{verb}* was not sent",
}
"""The last Retry or Replay, by the state of its delivery."""


def _sent(facts: CardFacts, last: Delivery) -> str:
    said = SENT.get(last.state, UNDER_WAY).format(verb=last.verb.capitalize())
    status = f", status {last.status}" if last.status else ""
    why = "" if last.state in WENT_WELL else last.because.removeprefix(f"it answered {last.status}").lstrip(": ")
    because = f": {quote(why, SENT_BECAUSE)}" if why else ""
    at = f" · {date(facts.sent_at)}" if facts.sent_at else ""
    return f"{said}{status}{because}{at} · asked by {facts.names.person(last.asked_by)}"


def _going_on(facts: CardFacts, now: datetime) -> Iterator[str]:
    case = facts.case
    if case.acknowledged_by and case.lease_until:
        holder = facts.names.person(case.assignee or case.acknowledged_by)
        yield f"{holder} has it until {date(case.lease_until)}; then it is queued again."
    if case.snoozed_until and case.snoozed_until > now:
        yield f"Reminders are silent until {date(case.snoozed_until)}."
    for coming in facts.coming:
        yield _next(facts, coming)


def _next(facts: CardFacts, coming: Coming) -> str:
    unless = "nobody acknowledges" if coming.ladder == "unacknowledged" else "it is not resolved"
    role = facts.names.role(coming.role)
    who = f"{facts.names.person(coming.person)} (on call for {role})" if coming.person else role
    return f"If {unless}, {who} is told {date(coming.at)}."


def _asks(facts: CardFacts, verb: Verb) -> tuple[str, str] | None:
    """What it will do, said before it does. What may happen twice is asked about in a form, after the click."""
    plan = facts.plans.get(verb)
    return (f"{verb.value.capitalize()} {facts.case.ref}?", plan.words) if plan and not plan.confirm else None


def _buttons(facts: CardFacts, now: datetime) -> list[Block]:
    case, value = facts.case, seen(facts.case, now, moves=_moves(facts))
    menu = select(MENU, [*start_menu(facts.runs), *_menu(case)], placeholder="More…")
    if not case.is_open:
        return [button("Reopen", REOPEN, value), menu]
    buttons = []
    if not case.acknowledged_at:
        buttons.append(button("Acknowledge", ACKNOWLEDGE, value, style="primary"))
    if facts.possible.retry:
        buttons.append(button("Retry", RETRY, value, asks=_asks(facts, Verb.RETRY)))
    if facts.possible.replay:
        buttons.append(button("Replay", REPLAY, value, asks=_asks(facts, Verb.REPLAY)))
    buttons += start_buttons(facts.runs, _pressed(facts, now))
    if facts.held:
        buttons.append(button(f"Quarantine ({facts.held:,})", RELEASE, value))
    buttons.append(button("Escalate", ESCALATE, value))
    if case.state != State.CLOSING:
        buttons.append(button("Resolve", RESOLVE, value))
    return [*buttons, menu]


def _moves(facts: CardFacts) -> int:
    """How far its runs have come: what is pressed after one of them moved is no double click."""
    return sum(each.run.version for each in facts.runs.runs)


def _pressed(facts: CardFacts, now: datetime) -> Pressed:
    """What the buttons about its runbooks carry."""
    return Pressed(facts.case.ref, version=facts.case.version + _moves(facts), drawn=drawn_at(now))


def _menu(case: Case) -> Iterator[tuple[str, str]]:
    choosable = HELD - {State(case.state)} if case.state in HELD else frozenset()
    if case.state == State.CLOSING:
        yield MENU_CLOSING
    for word, label in MENU_OPEN if case.is_open else MENU_CLOSED:
        if word in choosable or word not in HELD:
            yield word, label
