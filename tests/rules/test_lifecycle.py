"""What may be done in which state, and the words for what may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rules.lifecycle import CLOSED, HELD, MOVES, OPEN, Action, Found, State, ago, check
from bot.rules.refusals import Refused
from store.models import CLOSED as CLOSED_IN_STORE
from store.models import STATES

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def found(state: State, *, by: str = "Ada", minutes: int = 3) -> Found:
    return Found("C-12", state, NOW - timedelta(minutes=minutes), by)


def refusal(action: Action, state: State, *, to: State | None = None) -> Refused:
    with pytest.raises(Refused) as raised:
        check(action, found(state), to=to, now=NOW)
    return raised.value


def test_the_table_and_the_database_know_the_same_states() -> None:
    assert {state.value for state in State} == {*STATES, *CLOSED_IN_STORE}
    assert {state.value for state in CLOSED} == set(CLOSED_IN_STORE)


ALWAYS = (Action.NOTE, Action.RELEASE)


@pytest.mark.parametrize("action", [action for action in Action if action not in (*ALWAYS, Action.REOPEN)])
@pytest.mark.parametrize("state", sorted(CLOSED))
def test_a_closed_case_takes_only_notes_and_releases_until_it_is_reopened(action: Action, state: State) -> None:
    refused = refusal(action, state)
    assert refused.code == "closed"
    assert refused.text.endswith("by Ada 3 min ago; reopen it with a reason.")


def test_a_refusal_says_how_it_was_closed() -> None:
    assert refusal(Action.ESCALATE, State.RESOLVED).text.startswith("C-12 was resolved by Ada")
    assert refusal(Action.ESCALATE, State.FAILED).text.startswith("C-12 was given up by Ada")


@pytest.mark.parametrize("state", sorted(OPEN - {State.CLOSING}))
def test_an_open_case_is_not_reopened(state: State) -> None:
    assert refusal(Action.REOPEN, state).code == "not_closed"


def test_a_case_that_is_closing_is_not_resolved_once_more_but_may_be_stopped() -> None:
    refused = refusal(Action.RESOLVE, State.CLOSING)
    assert refused.code == "closing"
    assert refused.text == (
        "C-12 is closing: its checks are asked, and its thread will say what came of them. "
        "`/case reopen C-12 why` stops that."
    )
    check(Action.REOPEN, found(State.CLOSING), now=NOW)
    check(Action.FAIL, found(State.CLOSING), now=NOW)


def test_nobody_waits_for_a_customer_before_somebody_has_the_case() -> None:
    refused = refusal(Action.SET_STATE, State.QUEUED, to=State.WAITING_FOR_CUSTOMER)
    assert refused.text == "Nobody has C-12 yet; acknowledge it first."


@pytest.mark.parametrize("to", [State.QUEUED, State.CLOSING, State.RESOLVED, State.FAILED])
def test_a_person_chooses_only_among_the_states_of_work(to: State) -> None:
    refused = refusal(Action.SET_STATE, State.IN_PROGRESS, to=to)
    assert "choose one of: in progress, manual review, waiting for customer, waiting for systems" in refused.text


def test_the_state_that_it_has_is_no_change() -> None:
    refused = refusal(Action.SET_STATE, State.MANUAL_REVIEW, to=State.MANUAL_REVIEW)
    assert refused.text == "C-12 is manual review already."


@given(actions=st.lists(st.tuples(st.sampled_from(Action), st.sampled_from(State)), max_size=30))
def test_no_walk_leaves_the_table(actions: list[tuple[Action, State]]) -> None:
    state = State.QUEUED
    for action, to in actions:
        move = MOVES[action]
        try:
            check(action, found(state), to=to if move.to else None, now=NOW)
        except Refused:
            continue
        assert state in move.origins
        if move.to:
            assert to in move.to
            state = to
        changes_nothing = action in (Action.NOTE, Action.RELEASE)
        assert changes_nothing or state not in CLOSED or action in (Action.RESOLVE, Action.FAIL)


def test_a_lease_runs_out_only_where_somebody_has_the_case() -> None:
    assert MOVES[Action.LAPSE].origins == HELD


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=3, seconds=59), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=2, hours=23), "2 d ago"),
    ],
)
def test_how_long_ago_in_its_largest_unit(passed: timedelta, words: str) -> None:
    assert ago(NOW - passed, now=NOW) == words
