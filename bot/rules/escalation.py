"""Reminders and ladders: what a window's timer does when it is due, whom a step means, and when the next one is.

A timer's step counts: first the reminders, then `count of reminders` for the window's end together with the first rung
of its ladder, then one for each further rung. An escalation by hand does the next rung before its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runbooks.calendars import Calendar, add
from runbooks.lengths import Length
from runbooks.team import Ladders, LadderStep, Role


class Ladder(StrEnum):
    """The two ladders, and the window that each belongs to."""

    UNACKNOWLEDGED = "unacknowledged"
    UNRESOLVED = "unresolved"

    @property
    def window(self) -> str:
        """The kind of the timer that climbs it."""
        return "response" if self is Ladder.UNACKNOWLEDGED else "resolution"


LADDER_OF = {ladder.window: ladder for ladder in Ladder}


@dataclass(frozen=True, slots=True)
class Rung:
    """One telling: whom, how long after the one before (None: at once, the first), and its place (from 1) among all."""

    to: str
    after: Length | None
    number: int
    of: int


def rungs(ladder: Sequence[LadderStep]) -> tuple[Rung, ...]:
    """The tellings of a ladder, a repeated step as often as it is repeated. A repeat without a distance would tell
    the same people at the same moment: it counts once."""
    tellings = [step for step in ladder for _ in range(1 + (step.repeat if step.after else 0))]
    return tuple(Rung(step.to, step.after, number, len(tellings)) for number, step in enumerate(tellings, 1))


def rungs_of(ladders: Ladders, ladder: Ladder) -> tuple[Rung, ...]:
    """The tellings of one of a case's ladders."""
    return rungs(ladders.unacknowledged if ladder is Ladder.UNACKNOWLEDGED else ladders.unresolved)


def role_named(to: str, *, owner: Role, accountable: str, steward: str) -> str | None:
    """The role that a step means. None: `backup`, and the owner role has none."""
    named = {"on_call": owner.name, "backup": owner.backup, "accountable": accountable, "steward": steward}
    return named.get(to, to)


@dataclass(frozen=True, slots=True)
class Due:
    """What is due now: a reminder, or the window's passing, or the rung with this place (from 0), or both of these."""

    reminds: bool = False
    passes: bool = False
    rung: int | None = None


def what_is_due(
    *, step: int, reminders: int, due_at: datetime, is_breached: bool, ladder: Sequence[Rung], now: datetime
) -> Due:
    """What the timer at `step` does now. Reminders of a window that has passed meanwhile are skipped."""
    if step < reminders and due_at > now:
        return Due(reminds=True)
    passes = due_at <= now and not is_breached
    done = max(step - reminders, 0)
    return Due(passes=passes, rung=done if done < len(ladder) else None)


def next_due(
    ladder: Sequence[Rung], done: int, *, calendar: Calendar, now: datetime, due_at: datetime, is_breached: bool
) -> datetime | None:
    """When the timer is due again after `done` rungs: at the next rung's distance from now, or earlier at the end of
    a window that has not passed yet. None: it is over."""
    ends = None if is_breached else due_at
    if done >= len(ladder):
        return ends
    after = ladder[done].after
    climbs = add(calendar, now, after) if after else now
    return climbs if ends is None else min(climbs, ends)


def resumes_at(step: int, *, reminders: int, ladder: Sequence[Rung]) -> int:
    """The step at which the unacknowledged ladder goes on when an acknowledgement has run out: the next rung at once,
    the first one if it had not begun; a ladder that was over begins again."""
    done = max(step - reminders, 0)
    return reminders if done >= len(ladder) else reminders + done
