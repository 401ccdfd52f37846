"""The two windows of a case, in the business time of its owner: when it is due, what it is reminded of, and why then.

The resolution clock stands still in some states. Its window is recomputed from the record of states: an instant that
lay ahead when the clock stopped lies as much counted time ahead when it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.rules.routing import Terms
from runbooks.calendars import Calendar, add, business_time, explain, intervals
from runbooks.lengths import Length
from runbooks.team import Windows

CLOSED = ("resolved", "failed")
EIGHT_HOURS = Length(business_minutes=480)
SHORTEST_LEASE = timedelta(minutes=1)


def due(calendar: Calendar, *, start: datetime, within: Length) -> datetime:
    """When a window that starts at `start` has passed, in UTC."""
    return add(calendar, start, within)


def lengths_for(terms: Terms, priority: str, priorities: Mapping[Any, Windows]) -> Windows:
    """How long both windows are at a priority. The contract's own windows belong to the priority that the contract
    gives: a case that a person put to another priority has the windows of that one."""
    if priority == terms.priority:
        return Windows(acknowledge=terms.acknowledge_within, resolve=terms.resolve_within)
    return priorities[priority]


@dataclass(frozen=True, slots=True)
class StateAt:
    """A case came into a state."""

    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """The clock stood still in a state; `end_at` None: it still does."""

    state: str
    start_at: datetime
    end_at: datetime | None


def clock_record(opened_at: datetime, record: Sequence[StateAt], stills: Sequence[str]) -> tuple[datetime, list[Pause]]:
    """From when the resolution clock runs (the opening, or the last reopening) and where it stood still since: in the
    states `stills`. `record` is in the order of time and begins after the opening."""
    start, pauses, state = opened_at, [], ""
    still: StateAt | None = None
    for change in record:
        if still:
            pauses.append(Pause(still.state, still.at, change.at))
        if state in CLOSED and change.state not in CLOSED:
            start, pauses = change.at, []
        still = change if change.state in stills else None
        state = change.state
    if still:
        pauses.append(Pause(still.state, still.at, None))
    return start, pauses


@dataclass(frozen=True, slots=True)
class Window:
    """From when a window runs, when its reminders are and when it has passed. `stands_still`: it does not run now,
    and its instants are those of the moment in which it stopped."""

    start_at: datetime
    reminders: tuple[datetime, ...]
    due_at: datetime
    stands_still: bool = False


def window(
    calendar: Calendar, *, start: datetime, within: Length, shares: Sequence[float] = (), pauses: Sequence[Pause] = ()
) -> Window:
    """A window of the length `within`, with reminders at shares of its counted time (in hours for a length in
    business time, on the clock for others)."""
    hours = calendar if within.is_business else None
    end = due(calendar, start=start, within=within)
    total = _counted(hours, start, end)
    moments = [_later(hours, start, total * share) for share in sorted(shares)]
    shifted = [_shifted(hours, at, pauses) for at in (*moments, end)]
    return Window(start, tuple(shifted[:-1]), shifted[-1], bool(pauses) and pauses[-1].end_at is None)


def window_until(calendar: Calendar, *, start: datetime, due_at: datetime, shares: Sequence[float] = ()) -> Window:
    """A window that ends at a date that somebody gave, with reminders at shares of the business time before it."""
    total = business_time(calendar, start, due_at)
    return Window(start, tuple(_later(calendar, start, total * share) for share in sorted(shares)), due_at)


def _counted(hours: Calendar | None, start: datetime, end: datetime) -> timedelta:
    return business_time(hours, start, end) if hours else end - start


def _later(hours: Calendar | None, start: datetime, left: timedelta) -> datetime:
    """The moment at which so much counted time has passed since `start`."""
    if hours is None:
        return start + left
    for opens, closes in intervals(hours, start):
        if left <= closes - opens:
            return opens + left
        left -= closes - opens
    raise AssertionError("a calendar opens again and again")


def _shifted(hours: Calendar | None, at: datetime, pauses: Sequence[Pause]) -> datetime:
    """Where an instant has gone because the clock stood still before it."""
    for pause in pauses:
        if pause.start_at >= at or pause.end_at is None:
            return at
        at = _later(hours, pause.end_at, _counted(hours, pause.start_at, at))
    return at


@dataclass(frozen=True, slots=True)
class Step:
    """What a window's timer does next: a reminder, or (number = count of reminders) say that it has passed."""

    number: int
    at: datetime


def next_step(window: Window, *, after: int, now: datetime) -> Step:
    """The first reminder from number `after` on that lies ahead, or else the end. Reminders whose time has gone by
    are skipped; the end is due even when it is long past."""
    for number, at in enumerate(window.reminders):
        if number >= after and at > now:
            return Step(number, at)
    return Step(len(window.reminders), max(window.due_at, window.start_at))


def lease_window(calendar: Calendar, *, now: datetime, resolve_within: Length, lasts: Length | None) -> timedelta:
    """How long an acknowledgement holds from `now`: as the policy says, or else the shorter of 8 business hours and
    half of the resolution window (half of its business time, if it is in business time); at least a minute."""
    if lasts is not None:
        return add(calendar, now, lasts) - now
    hours = calendar if resolve_within.is_business else None
    whole = _counted(hours, now, add(calendar, now, resolve_within))
    end = min(add(calendar, now, EIGHT_HOURS), _later(hours, now, whole / 2))
    return max(end - now, SHORTEST_LEASE)


def why_due(calendar: Calendar, *, start: datetime, within: Length, pauses: Sequence[Pause] = ()) -> tuple[str, ...]:
    """ "Why is it due then?": from when which length runs, what was not counted and why, and when that ends. Times are
    those of the calendar's zone."""
    found = window(calendar, start=start, within=within, pauses=pauses)
    lines = [f"{within} from {_wall(calendar, start)}"]
    lines += [_pause_words(calendar, pause) for pause in pauses if pause.start_at < found.due_at]
    if within.is_business:
        lines += [
            f"not counted: {_wall(calendar, each.start)} to {_wall(calendar, each.end)} ({each.why})"
            for each in explain(calendar, start, found.due_at)
            if not each.counted
        ]
    last = "stands still now; was due" if found.stands_still else "due"
    return (*lines, f"{last} {_wall(calendar, found.due_at)}")


def _pause_words(calendar: Calendar, pause: Pause) -> str:
    until = _wall(calendar, pause.end_at) if pause.end_at else "now"
    return f"stood still: {_wall(calendar, pause.start_at)} to {until} ({pause.state.replace('_', ' ')})"


def _wall(calendar: Calendar, at: datetime) -> str:
    return at.astimezone(calendar.timezone).strftime("%a %Y-%m-%d %H:%M %Z")
