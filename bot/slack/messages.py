"""The messages about a case that are not its card: lines of its thread, notices in channels, direct messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from bot.desk.runs.asked import Asked
from bot.rules.lifecycle import State
from bot.rules.saying import What
from bot.slack.cards import ACKNOWLEDGE, CLOSE_ANYWAY, ESCALATE, RESOLVE, Drawn, before, ending, mark
from bot.slack.facts import CardFacts
from bot.slack.lines import sentence
from bot.slack.parts import Block, actions, button, context, detail, section
from bot.slack.postmortems import line_blocks
from bot.slack.runs_asked import asked_blocks
from bot.slack.values import block_id, seen
from bot.slack.words import Names, date, link, quote
from store.models import Case

RESOLVING = ("Resolve", RESOLVE, "primary")
BUTTONS: Mapping[str, tuple[tuple[str, str, str | None], ...]] = {
    What.CLOSING_REFUSED: (RESOLVING, ("Close anyway…", CLOSE_ANYWAY, None)),
    What.PLEASE_CONFIRM: (RESOLVING,),
}
MATTER = 600
"""Characters of the detail in a direct message; the card has more."""


def line(case: Case, payload: Mapping[str, Any], known: Names, now: datetime, *, asked: Asked | None = None) -> Drawn:
    """A line of history, in the case's own thread; where somebody has to go on from it, with the buttons for that until
    it is decided."""
    what = str(payload.get("what"))
    said = sentence(what, payload, known)
    value = seen(case, now)
    buttons = [button(text, action, value, style=style) for text, action, style in BUTTONS.get(what, ())]
    is_waiting = case.is_open and (asked is None or asked.is_open)
    row = [actions(buttons, block_id=block_id(case, now))] if buttons and is_waiting else []
    return Drawn(
        said, (section(said), *row, *asked_blocks(case, payload, asked, known), *line_blocks(case, payload, known))
    )


def notice(case: Case, payload: Mapping[str, Any], known: Names, url: str | None) -> Drawn:
    """A line about a case for a channel that is not its own."""
    what = str(payload.get("what"))
    said = _from_thread(case, known) if what == What.OPENED_FROM_THREAD else sentence(what, payload, known)
    told = f"{mark(case)} *{case.priority}* {_named(case, url)}: {said}"
    return Drawn(told, (section(told),))


def _from_thread(case: Case, known: Names) -> str:
    by, role = known.person(case.opened_by), known.role(case.owner)
    return f"{by} opened it from a thread, for {role}. To be acknowledged by {date(case.acknowledge_due_at)}."


def page(
    facts: CardFacts,
    payload: Mapping[str, Any],
    url: str | None,
    now: datetime,
    *,
    reader: str,
    asked: Asked | None = None,
) -> Drawn:
    """A direct message to somebody who is to act: what, why them, by when, and the buttons for it. Where something is
    `asked` about a run, the buttons are those that answer it."""
    case = facts.case
    title = f"{mark(case)} *{case.priority}* {_named(case, url)}"
    why = _why(facts, payload)
    blocks = [section(title), *_matter(case), section(why), context(_due(facts, reader))]
    if asked:
        blocks += asked_blocks(case, payload, asked, facts.names)
    elif case.is_open:
        buttons = [button("Escalate", ESCALATE, seen(case, now))]
        if _can_be_taken(case, reader):
            buttons.insert(0, button("Acknowledge", ACKNOWLEDGE, seen(case, now), style="primary"))
        if payload.get("what") == What.PLEASE_CONFIRM and case.state != State.CLOSING:
            buttons.insert(0, button("Resolve", RESOLVE, seen(case, now), style="primary"))
        blocks.append(actions(buttons, block_id=block_id(case, now)))
    return Drawn(f"{before(case)}{case.priority} {case.ref} {quote(case.title, 200)}: {why}", tuple(blocks))


def _can_be_taken(case: Case, reader: str) -> bool:
    """Whether nobody has acknowledged it, or only somebody else who gave it to the reader."""
    return not case.acknowledged_at or (case.assignee == reader and case.acknowledged_by != reader)


def _matter(case: Case) -> Iterator[Block]:
    """What somebody needs who was woken by this and has not seen the card."""
    if case.detail.strip() not in ("", case.title.strip()):
        yield detail(case.detail, MATTER)
    if case.is_open and case.next_step:
        yield section(f"*What to do:* {quote(case.next_step, 1000)}")


def _named(case: Case, url: str | None) -> str:
    label = f"{case.ref} {case.title}"
    return link(url, label) if url else f"*{quote(label, 150)}*"


REASONS = {
    "opened_on_call": "It goes to the person on call at once.",
    "unacknowledged": "Nobody has acknowledged it in time.",
    "unresolved": "It is not resolved in time.",
    "by_hand": "Somebody asked for you now.",
}


def _why(facts: CardFacts, payload: Mapping[str, Any]) -> str:
    what = str(payload.get("what"))
    said = REASONS.get(str(payload.get("ladder")), REASONS.get(what, sentence(what, payload, facts.names)))
    if not payload.get("role"):
        return said
    because = f" ({quote(str(payload['because']), 200)})" if payload.get("because") else ""
    told_for = f"You are told for *{facts.names.role(str(payload['role']))}*{because}."
    if "\n" in said:
        return f"{said}\n{told_for}"
    return f"{said} {told_for}" if said.endswith((".", "!", "?")) else f"{said}. {told_for}"


def _due(facts: CardFacts, reader: str) -> str:
    case = facts.case
    if not case.is_open:
        return ending(facts)
    holder = case.assignee or case.acknowledged_by
    if case.acknowledged_by:
        has_it = "You have it" if holder == reader else f"{facts.names.person(holder)} has it"
        return f"{has_it}. To be resolved by {date(case.resolve_due_at)}."
    was = "It was to be acknowledged" if case.response_breached_at else "To be acknowledged"
    return f"{was} by {date(case.acknowledge_due_at)}. To be resolved by {date(case.resolve_due_at)}."
