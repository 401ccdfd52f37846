"""When a system is left alone: after so many results in a row that nobody knows, or when it refuses who we are. What
goes there is held then, but for one delivery now and again that asks whether it is back (Nygard, Release It!, circuit
breaker)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

OPENS_AFTER = 5
FIRST_PROBE = timedelta(seconds=30)
LONGEST_PROBE = timedelta(minutes=5)
UNKNOWN_CREDENTIALS = (401, 403)


class State(StrEnum):
    """How a connector is: everything goes there, it does not answer, or it refuses our credentials."""

    CLOSED = "closed"
    OPEN = "open"
    REFUSED = "refused"


class Heard(StrEnum):
    """What a result says of the system, whatever it says of the event."""

    ANSWER = "answer"
    BUSY = "busy"
    NOTHING = "nothing"
    DENIAL = "denial"


class Then(StrEnum):
    """What follows for those who look after the system."""

    NOTHING = "nothing"
    SHUT_OFF = "shut_off"
    STILL_OFF = "still_off"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of a connector. `failures`: results in a row that are not known, each of another event than the one
    before (`failed_event`); beyond `OPENS_AFTER` they are probes."""

    state: State = State.CLOSED
    failures: int = 0
    failed_event: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The circuit after a result. `probe_in`: when to ask again, if that is another time than before."""

    circuit: Circuit
    then: Then = Then.NOTHING
    probe_in: timedelta | None = None


def heard_in(status: int | None) -> Heard:
    """What an answer with this status says; None: there was none, or the connection was lost."""
    if status in UNKNOWN_CREDENTIALS:
        return Heard.DENIAL
    if status is None or status >= 500:
        return Heard.NOTHING
    return Heard.BUSY if status == 429 else Heard.ANSWER


def step(
    before: Circuit,
    heard: Heard,
    *,
    event_id: int,
    is_probe: bool,
    denied_before: bool = False,
    is_down: bool = False,
) -> Step:
    """The circuit after a result. While it is not closed only a probe's result counts: what was under way when it was
    shut off says nothing of later. One event alone never opens it: its own path may be what is slow. Nor does one that
    is refused again after others went through (`denied_before`): it alone may be what is forbidden. Of a system that
    is down by its health path (`is_down`) one result is enough."""
    if before.state is State.CLOSED:
        heard = Heard.ANSWER if heard is Heard.DENIAL and denied_before else heard
        return _shut(before, event_id) if heard is Heard.NOTHING and is_down else _closed(before, heard, event_id)
    if heard is Heard.DENIAL and before.state is State.OPEN:
        return Step(Circuit(State.REFUSED), Then.SHUT_OFF, LONGEST_PROBE)
    if not is_probe:
        return Step(before)
    if heard in (Heard.ANSWER, Heard.BUSY):
        return Step(Circuit(), Then.BACK)
    if before.state is State.REFUSED:
        return Step(before, Then.STILL_OFF, LONGEST_PROBE)
    after = replace(before, failures=before.failures + 1, failed_event=event_id)
    return Step(after, Then.STILL_OFF, probe_in(after.failures))


def _closed(before: Circuit, heard: Heard, event_id: int) -> Step:
    match heard:
        case Heard.ANSWER:
            return Step(Circuit())
        case Heard.BUSY:
            return Step(before)
        case Heard.DENIAL:
            return Step(Circuit(State.REFUSED), Then.SHUT_OFF, LONGEST_PROBE)
        case Heard.NOTHING if event_id == before.failed_event:
            return Step(before)
        case Heard.NOTHING:
            failures = before.failures + 1
            if failures < OPENS_AFTER:
                return Step(Circuit(State.CLOSED, failures, event_id))
            return _shut(before, event_id)


def _shut(before: Circuit, event_id: int | None) -> Step:
    failures = before.failures + 1
    return Step(Circuit(State.OPEN, failures, event_id), Then.SHUT_OFF, probe_in(failures))


def goes_down(before: Circuit) -> Step:
    """The circuit when the system's health path says that it is down: nothing goes there any more if an event was in
    vain already. Without one everything still goes: the health path alone may be what is wrong."""
    if before.state is not State.CLOSED or not before.failures:
        return Step(before)
    return Step(Circuit(State.OPEN, before.failures, before.failed_event), Then.SHUT_OFF, probe_in(before.failures))


def probe_in(failures: int) -> timedelta:
    """How long an open circuit waits after so many failures: twice as long after each probe, up to `LONGEST_PROBE`."""
    doublings = min(max(failures - OPENS_AFTER, 0), 10)
    return min(FIRST_PROBE * (1 << doublings), LONGEST_PROBE)
