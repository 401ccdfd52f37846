"""Who is on call at a moment: people in turn, handed over at a wall-clock time, with layers and overrides.

A rota keeps its wall clock: 09:00 stays 09:00 over DST. A handoff time that is skipped that night is the next
instant that there is; one that happens twice is its first occurrence. So shifts have no gap and no overlap.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from runbooks.calendars import Calendar, build_calendar, intervals
from runbooks.ical import IcalRota, events
from runbooks.lengths import Length
from runbooks.wallclock import instant, zone

__all__ = [
    "IcalRota",
    "Layer",
    "OnCall",
    "Override",
    "Rota",
    "Shift",
    "build_layer",
    "build_rota",
    "gaps",
    "on_call",
    "shifts",
]

_SHORTEST, _LONGEST = timedelta(hours=1), timedelta(days=366)
_LONGEST_LIST = timedelta(days=2 * 366)
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Layer:
    """People in turn from `starts` (naive, the wall clock of the first handoff), each for `every`.

    With `hours` the layer names somebody only then; at other times the layer below does.
    """

    starts: datetime
    every: timedelta
    people: tuple[str, ...]
    hours: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Rota:
    """Layers in one zone; a later one lies on top of those before it. `windows` are their hours."""

    name: str
    timezone: ZoneInfo
    layers: tuple[Layer, ...]
    windows: tuple[Calendar | None, ...]


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody who takes over for a time, whatever the rota says."""

    start_at: datetime
    end_at: datetime
    person: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A stretch in which one person is on call (UTC), and why that one."""

    start: datetime
    end: datetime
    person: str
    why: str


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call now: since when, until when (UTC), and why: `rota NAME, shift 3`."""

    person: str
    since: datetime
    until: datetime
    why: str


def build_layer(
    *,
    starts: str | datetime,
    every: Length,
    people: Sequence[str],
    hours: Mapping[str, str] | None = None,
) -> Layer:
    """A layer of a rota. Raises ValueError, in words for the author of the policy."""
    length = timedelta(seconds=every.seconds)
    if every.is_business or not _SHORTEST <= length <= _LONGEST:
        raise ValueError(f"every: a rota cannot turn every {every}; write 12h, 1d or 1w (1h to 366d on the clock)")
    if not people:
        raise ValueError("people: a rota needs somebody")
    return Layer(_wall(starts), length, tuple(people), hours)


def build_rota(name: str, timezone: str, layers: Sequence[Layer]) -> Rota:
    """A rota of one or more layers, the lowest first. Raises ValueError, also for hours that cannot be read."""
    if not layers:
        raise ValueError("a rota needs starts, every and people")
    windows = (build_calendar(timezone, layer.hours) if layer.hours else None for layer in layers)
    return Rota(name, zone(timezone), tuple(layers), tuple(windows))


def _wall(starts: str | datetime) -> datetime:
    try:
        found = starts if isinstance(starts, datetime) else datetime.fromisoformat(starts)
    except ValueError:
        raise ValueError(f"starts: {str(starts)[:40]!r} is not a time; write 2026-01-05T09:00") from None
    if found.tzinfo is not None:
        raise ValueError("starts: a time on the wall clock has no offset; write 2026-01-05T09:00")
    if not 1970 <= found.year < 2200:
        raise ValueError(f"starts: {found.year} is not in the years from 1970 to 2199")
    return found


def on_call(rota: Rota | IcalRota, at: datetime, overrides: Sequence[Override] = ()) -> OnCall | None:
    """Who is on call at `at`; None before the rota starts and in its gaps.

    Of several overrides the one that starts later wins, then the later one in the sequence; so do events of a
    calendar. `since` and `until` are when this person takes over, and hands over, for the reason named.
    """
    at = at.astimezone(UTC)
    candidates = _candidates(rota, at, at + _MOMENT, overrides)
    if not candidates:
        return None
    top = candidates[-1]
    whole = shifts(rota, top.start, min(top.end, top.start + _LONGEST_LIST), overrides)
    shift = next((each for each in whole if each.start <= at < each.end), top)
    return OnCall(shift.person, shift.start, shift.end, shift.why)


def shifts(
    rota: Rota | IcalRota, start: datetime, end: datetime, overrides: Sequence[Override] = ()
) -> tuple[Shift, ...]:
    """Who is on call when in [start, end), in order and without overlap, cut to that window.

    Raises ValueError for more than two years at once.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if end - start > _LONGEST_LIST:
        raise ValueError("a list of shifts covers two years at most")
    laid: list[Shift] = []
    for shift in _candidates(rota, start, end, overrides):
        _lay_over(laid, replace(shift, start=max(shift.start, start), end=min(shift.end, end)))
    return tuple(_joined(laid))


def gaps(
    rota: Rota | IcalRota, start: datetime, end: datetime, overrides: Sequence[Override] = ()
) -> tuple[tuple[datetime, datetime], ...]:
    """The stretches of [start, end) in which nobody is on call. Raises ValueError as `shifts` does."""
    at, end = start.astimezone(UTC), end.astimezone(UTC)
    found: list[tuple[datetime, datetime]] = []
    for shift in shifts(rota, start, end, overrides):
        if at < shift.start:
            found.append((at, shift.start))
        at = shift.end
    return (*found, (at, end)) if at < end else tuple(found)


def _candidates(rota: Rota | IcalRota, start: datetime, end: datetime, overrides: Sequence[Override]) -> list[Shift]:
    """Every shift that touches [start, end), uncut, those that win last."""
    found: list[Shift] = []
    if isinstance(rota, IcalRota):
        found += [Shift(*event[:3], f"calendar {rota.name}") for event in events(rota, start, end)]
    else:
        for number in range(len(rota.layers)):
            found += _layer_shifts(rota, number, start, end)
    taken = (each for each in overrides if each.start_at < end and each.end_at > start)
    for each in sorted(taken, key=lambda override: override.start_at):
        stretch = each.start_at.astimezone(UTC), each.end_at.astimezone(UTC)
        found.append(Shift(*stretch, each.person, f"override of {rota.name}"))
    return found


def _layer_shifts(rota: Rota, number: int, start: datetime, end: datetime) -> Iterator[Shift]:
    layer, window = rota.layers[number], rota.windows[number]
    name = f"rota {rota.name}" if number == 0 else f"rota {rota.name}, layer {number + 1}"
    turn = max(_turn_at(rota.timezone, layer, start), 0)
    since = _handoff(rota.timezone, layer, turn)
    while since < end:
        until = _handoff(rota.timezone, layer, turn + 1)
        person = layer.people[turn % len(layer.people)]
        for opens, closes in _open(window, since, until):
            if opens < end and closes > start:
                yield Shift(opens, closes, person, f"{name}, shift {turn + 1}")
        turn, since = turn + 1, until


def _handoff(timezone: ZoneInfo, layer: Layer, turn: int) -> datetime:
    return instant(timezone, layer.starts + turn * layer.every)


def _turn_at(timezone: ZoneInfo, layer: Layer, at: datetime) -> int:
    """The number of the last handoff that is not after `at`; negative before the first."""
    wall = at.astimezone(timezone).replace(tzinfo=None)
    turn = (wall - layer.starts) // layer.every
    while _handoff(timezone, layer, turn) > at:
        turn -= 1
    while _handoff(timezone, layer, turn + 1) <= at:
        turn += 1
    return turn


def _open(window: Calendar | None, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The hours of a layer in [start, end), midnight joined; all of it, if the layer has none."""
    if window is None:
        if start < end:
            yield start, end
        return
    last: tuple[datetime, datetime] | None = None
    for opens, closes in intervals(window, start):
        if last and last[1] != opens:
            yield last
            last = None
        if opens >= end:
            break
        last = (last[0] if last else opens, min(closes, end))
    if last:
        yield last


def _lay_over(laid: list[Shift], top: Shift) -> None:
    """Put one more shift on top of others that are in order and apart; what is under it is cut."""
    first = bisect_right(laid, top.start, key=lambda shift: shift.end)
    last = bisect_left(laid, top.end, key=lambda shift: shift.start)
    under = laid[first:last]
    before = [replace(each, end=top.start) for each in under[:1] if each.start < top.start]
    after = [replace(each, start=top.end) for each in under[-1:] if each.end > top.end]
    laid[first:last] = [*before, top, *after]


def _joined(laid: Iterable[Shift]) -> Iterator[Shift]:
    last: Shift | None = None
    for shift in laid:
        if last and (last.end, last.person, last.why) == (shift.start, shift.person, shift.why):
            last = replace(last, end=shift.end)
            continue
        if last:
            yield last
        last = shift
    if last:
        yield last
