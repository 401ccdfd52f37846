"""When somebody who is to be told is told another way than by Slack, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.rules.instants import in_utc
from bot.rules.saying import What
from bot.rules.texts import clean_line

AFTER = timedelta(minutes=2)
"""So long Slack has to be away."""
ASKS_EVERY = timedelta(seconds=30)
"""A message that has another way waits no longer for its next try."""
BY_LADDER = frozenset(
    {What.ESCALATED, What.OPENED_ON_CALL, What.REMINDED, What.EXHAUSTED, What.AUTO_FIX_GAVE_UP, What.DEAD_LETTER}
)
"""What a ladder, or a route that begins with one, owes to a person. The rest can wait for Slack."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A direct message as it is told elsewhere. `link` leads to the case in Slack."""

    what: str
    ref: str
    title: str
    priority: str
    workflow: str
    owner: str
    people: tuple[str, ...]
    acknowledge_due_at: datetime
    resolve_due_at: datetime
    is_acknowledged: bool
    link: str
    away_since: datetime


def may_go(what: str, away_since: datetime | None, now: datetime) -> bool:
    """Whether it goes another way now."""
    return what in BY_LADDER and away_since is not None and now - away_since >= AFTER


def next_try(again_at: datetime, *, away_since: datetime, now: datetime) -> datetime:
    """When a message that has another way is tried again: at the latest at the moment from which on it may take it,
    and from then on soon."""
    opens_at = away_since + AFTER
    return min(again_at, opens_at if opens_at > now else now + ASKS_EVERY)


def subject(letter: Letter) -> str:
    """One line that says whom it is about."""
    return clean_line(f"[{letter.priority}] {letter.ref} {_said(letter.what)}: {letter.title}")


def body(letter: Letter) -> str:
    """The letter in plain text."""
    window = f"to be resolved by {in_utc(letter.resolve_due_at)}"
    if not letter.is_acknowledged:
        window = f"to be acknowledged by {in_utc(letter.acknowledge_due_at)}, {window}"
    return "\n".join(
        (
            f"{letter.ref} {clean_line(letter.title)}",
            f"{letter.priority} · {letter.workflow} · {letter.owner} · {window}",
            "",
            f"For {', '.join(letter.people)}: {_said(letter.what)}. Please take it: {letter.link}",
            "",
            f"You get this because Slack has been away since {in_utc(letter.away_since)}. "
            "Nothing is lost: the case's card and thread are brought up to date when it is back.",
            "",
        )
    )


def _said(what: str) -> str:
    return {
        What.ESCALATED: "escalated to you",
        What.OPENED_ON_CALL: "opened, and you are on call",
        What.REMINDED: "its time is running out",
        What.EXHAUSTED: "everybody was told, and nobody has it",
        What.AUTO_FIX_GAVE_UP: "its runbook gave up",
        What.DEAD_LETTER: "Slack does not take its messages",
    }[What(what)]
