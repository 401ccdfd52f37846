"""The states of a case and what may be done in each: one table, and the words for what may not.

queued → in_progress ⇄ waiting_for_systems, waiting_for_customer, manual_review → closing → resolved; or failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from bot.rules.refusals import Refused


class State(StrEnum):
    """Where a case is."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    WAITING_FOR_SYSTEMS = "waiting_for_systems"
    WAITING_FOR_CUSTOMER = "waiting_for_customer"
    MANUAL_REVIEW = "manual_review"
    CLOSING = "closing"
    RESOLVED = "resolved"
    FAILED = "failed"

    @property
    def words(self) -> str:
        """How people read it."""
        return self.value.replace("_", " ")


class Action(StrEnum):
    """What can be done to a case; the value is its verb."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    HAND_OFF = "hand off"
    SET_PRIORITY = "change the priority of"
    SNOOZE = "snooze"
    NOTE = "note"
    SET_STATE = "change the state of"
    RUN = "send again"
    RELEASE = "release events of"
    ESCALATE = "escalate"
    RESOLVE = "resolve"
    FAIL = "fail"
    REOPEN = "reopen"
    LAPSE = "let lapse"


@dataclass(frozen=True, slots=True)
class Move:
    """From which states, and to which; `to` None: the state stays."""

    origins: frozenset[State]
    to: frozenset[State] | None = None


CLOSED = frozenset({State.RESOLVED, State.FAILED})
OPEN = frozenset(State) - CLOSED
HELD = frozenset({State.IN_PROGRESS, State.WAITING_FOR_SYSTEMS, State.WAITING_FOR_CUSTOMER, State.MANUAL_REVIEW})
"""States of a case that somebody has, and that a person may choose."""

_QUEUED = frozenset({State.QUEUED})
_CLOSING = frozenset({State.CLOSING})

MOVES: Mapping[Action, Move] = MappingProxyType(
    {
        Action.ACKNOWLEDGE: Move(OPEN, frozenset({State.IN_PROGRESS})),
        Action.ASSIGN: Move(OPEN),
        Action.HAND_OFF: Move(OPEN, _QUEUED),
        Action.SET_PRIORITY: Move(OPEN),
        Action.SNOOZE: Move(OPEN),
        Action.NOTE: Move(frozenset(State)),
        Action.SET_STATE: Move(HELD, HELD),
        Action.RUN: Move(OPEN),
        Action.RELEASE: Move(frozenset(State)),
        Action.ESCALATE: Move(OPEN),
        Action.RESOLVE: Move(OPEN - _CLOSING, frozenset({State.CLOSING, State.RESOLVED})),
        Action.FAIL: Move(OPEN, frozenset({State.FAILED})),
        Action.REOPEN: Move(CLOSED | _CLOSING, HELD | _QUEUED),
        Action.LAPSE: Move(HELD, _QUEUED),
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """A case as a refusal speaks of it. `since_at`: when it came into its state; `by`: who brought it there."""

    ref: str
    state: State
    since_at: datetime
    by: str


def check(action: Action, found: Found, *, to: State | None = None, now: datetime) -> None:
    """Passes if the table allows `action` (towards `to`). Raises `Refused` that says what would be right."""
    move = MOVES[action]
    if found.state not in move.origins:
        raise _refused(action, found, now)
    if to is not None and move.to is not None and to not in move.to:
        choice = ", ".join(sorted(state.words for state in move.to))
        raise Refused("unknown_state", f"{found.ref} cannot be put to {to.words}; choose one of: {choice}.")
    if action is Action.SET_STATE and to is found.state:
        raise Refused("same_state", f"{found.ref} is {to.words} already.")


def _refused(action: Action, found: Found, now: datetime) -> Refused:
    if found.state in CLOSED:
        since = ago(found.since_at, now=now)
        return Refused(
            "closed", f"{found.ref} was {closed_words(found.state)} by {found.by} {since}; reopen it with a reason."
        )
    if action is Action.REOPEN:
        return Refused("not_closed", f"{found.ref} is open ({found.state.words}); there is nothing to reopen.")
    if action is Action.RESOLVE:
        return Refused(
            "closing",
            f"{found.ref} is closing: its checks are asked, and its thread will say what came of them. "
            f"`/case reopen {found.ref} why` stops that.",
        )
    if found.state is State.QUEUED:
        return Refused("not_acknowledged", f"Nobody has {found.ref} yet; acknowledge it first.")
    return Refused(
        "wrong_state", f"{found.ref} is {found.state.words}: you cannot {action.value} it until that is over."
    )


def closed_words(state: State) -> str:
    """How a closed state reads after "was"."""
    return "given up" if state is State.FAILED else "resolved"


def ago(at: datetime, *, now: datetime) -> str:
    """How long ago something was, in its largest unit: `3 min ago`."""
    passed = max(now - at, timedelta(0))
    for unit, size in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if passed >= size:
            return f"{passed // size} {unit} ago"
    return "just now"
