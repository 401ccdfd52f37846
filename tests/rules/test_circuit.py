"""When a system is left alone, when it is asked again, and when all goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rules.circuit import OPENS_AFTER, Circuit, Heard, State, Step, Then, heard_in, probe_in, step

OPEN = Circuit(State.OPEN, OPENS_AFTER, 5)
REFUSED = Circuit(State.REFUSED)
MINUTES_5 = timedelta(minutes=5)


def after(*heard: Heard, events: list[int] | None = None) -> Circuit:
    """The circuit after these results, each of another event unless `events` says which."""
    circuit = Circuit()
    for at, each in enumerate(heard):
        circuit = step(circuit, each, event_id=events[at] if events else at, is_probe=False).circuit
    return circuit


@pytest.mark.parametrize(
    ("status", "heard"),
    [
        (None, Heard.NOTHING),
        (500, Heard.NOTHING),
        (503, Heard.NOTHING),
        (429, Heard.BUSY),
        (401, Heard.DENIAL),
        (403, Heard.DENIAL),
        (200, Heard.ANSWER),
        (404, Heard.ANSWER),
        (409, Heard.ANSWER),
        (422, Heard.ANSWER),
    ],
)
def test_what_a_status_says_of_the_system(status: int | None, heard: Heard) -> None:
    assert heard_in(status) is heard


def test_it_opens_after_five_failures_in_a_row() -> None:
    assert after(*[Heard.NOTHING] * 4).state is State.CLOSED
    assert after(*[Heard.NOTHING] * 5).state is State.OPEN


def test_an_answer_in_between_begins_the_count_anew() -> None:
    assert after(*[Heard.NOTHING] * 4, Heard.ANSWER, *[Heard.NOTHING] * 4).state is State.CLOSED


def test_being_told_to_wait_is_neither_a_failure_nor_an_answer() -> None:
    assert after(*[Heard.NOTHING] * 4, *[Heard.BUSY] * 9).state is State.CLOSED
    assert after(*[Heard.NOTHING] * 4, Heard.BUSY, Heard.NOTHING).state is State.OPEN


def test_one_event_that_fails_again_and_again_opens_it_for_nobody() -> None:
    assert after(*[Heard.NOTHING] * 50, events=[1] * 50) == Circuit(State.CLOSED, 1, 1)
    assert after(*[Heard.NOTHING] * 5, events=[1, 2, 1, 2, 1]).state is State.OPEN


@pytest.mark.parametrize(
    ("before", "heard", "is_probe", "expected"),
    [
        (OPEN, Heard.ANSWER, True, Step(Circuit(), Then.BACK)),
        (OPEN, Heard.BUSY, True, Step(Circuit(), Then.BACK)),
        (OPEN, Heard.ANSWER, False, Step(OPEN)),
        (OPEN, Heard.NOTHING, False, Step(OPEN)),
        (
            OPEN,
            Heard.NOTHING,
            True,
            Step(Circuit(State.OPEN, OPENS_AFTER + 1, 9), Then.STILL_OFF, timedelta(seconds=60)),
        ),
        (OPEN, Heard.DENIAL, True, Step(REFUSED, Then.SHUT_OFF, MINUTES_5)),
        (OPEN, Heard.DENIAL, False, Step(REFUSED, Then.SHUT_OFF, MINUTES_5)),
        (REFUSED, Heard.DENIAL, True, Step(REFUSED, Then.STILL_OFF, MINUTES_5)),
        (REFUSED, Heard.NOTHING, True, Step(REFUSED, Then.STILL_OFF, MINUTES_5)),
        (REFUSED, Heard.DENIAL, False, Step(REFUSED)),
        (REFUSED, Heard.ANSWER, False, Step(REFUSED)),
        (REFUSED, Heard.ANSWER, True, Step(Circuit(), Then.BACK)),
        (Circuit(), Heard.DENIAL, False, Step(REFUSED, Then.SHUT_OFF, MINUTES_5)),
        (Circuit(State.CLOSED, 4, 1), Heard.ANSWER, False, Step(Circuit())),
    ],
)
def test_each_step(before: Circuit, heard: Heard, is_probe: bool, expected: Step) -> None:
    assert step(before, heard, event_id=9, is_probe=is_probe) == expected


def test_one_event_that_is_refused_again_while_others_go_through_is_refused_alone() -> None:
    taken = step(Circuit(), Heard.DENIAL, event_id=1, is_probe=False, denied_before=True)
    assert taken == Step(Circuit())
    still = step(REFUSED, Heard.DENIAL, event_id=1, is_probe=True, denied_before=True)
    assert still.circuit.state is State.REFUSED


def test_it_is_asked_after_thirty_seconds_and_half_as_often_each_time() -> None:
    seconds = [probe_in(OPENS_AFTER + failed).total_seconds() for failed in range(6)]
    assert seconds == [30, 60, 120, 240, 300, 300]
    assert probe_in(10_000) == MINUTES_5


@given(st.lists(st.tuples(st.sampled_from(list(Heard)), st.integers(1, 3), st.booleans()), max_size=60))
def test_it_is_told_exactly_when_it_is_shut_off_and_when_it_is_back(results: list[tuple[Heard, int, bool]]) -> None:
    circuit = Circuit()
    for heard, event_id, is_probe in results:
        taken = step(circuit, heard, event_id=event_id, is_probe=is_probe)
        was_closed, is_closed = circuit.state is State.CLOSED, taken.circuit.state is State.CLOSED
        assert (taken.then is Then.BACK) == (is_closed and not was_closed)
        assert (taken.then is Then.SHUT_OFF) == (taken.circuit.state is not circuit.state and not is_closed)
        assert (taken.probe_in is not None) == (taken.then in (Then.SHUT_OFF, Then.STILL_OFF))
        circuit = taken.circuit
