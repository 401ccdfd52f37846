"""What an outcome says by its contract, and what it does to the event that waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.rules.outcomes import Meaning, Then, read, settle
from runbooks.contracts import OutcomeRule
from runbooks.lengths import Length
from runbooks.templates import compile_expression, compile_text

DONE, FAILED, WAITING, UNCLEAR = Meaning


def rule(done: str = "outcome.state == 'completed'", failed: str | None = "outcome.state == 'rejected'") -> OutcomeRule:
    return OutcomeRule(
        id=compile_text("{{ outcome.refund_id }}:{{ outcome.part }}"),
        done=compile_expression(done),
        failed=compile_expression(failed) if failed else None,
        within=Length(seconds=600),
    )


def outcome(**said: Any) -> dict[str, Any]:
    return {"outcome": {"refund_id": "re_1", "part": 1} | said}


@pytest.mark.parametrize(
    ("said", "meaning", "because"),
    [
        ({"state": "completed"}, DONE, "outcome.state == 'completed'"),
        ({"state": "rejected"}, FAILED, "outcome.state == 'rejected'"),
        ({"state": "pending"}, WAITING, "outcome.state == 'completed' is false"),
        ({}, WAITING, "outcome.state is missing"),
    ],
)
def test_an_outcome_says_done_or_failed_or_that_more_is_to_come(
    said: dict[str, Any], meaning: Meaning, because: str
) -> None:
    found = read(rule(), outcome(**said))
    assert (found.key, found.meaning, found.because, found.fault) == ("re_1:1", meaning, because, None)


def test_what_is_done_and_failed_at_once_failed() -> None:
    assert read(rule(failed="outcome.state == 'completed'"), outcome(state="completed")).meaning is FAILED


def test_a_contract_without_failed_knows_no_failure() -> None:
    assert read(rule(failed=None), outcome(state="rejected")).meaning is WAITING


def test_the_facts_are_what_the_conditions_looked_at() -> None:
    assert read(rule(), outcome(state="rejected", iban="DE00")).facts == {"outcome.state": "rejected"}


def test_an_outcome_without_its_id_belongs_to_nobody_and_says_why() -> None:
    found = read(rule(), {"outcome": {"refund_id": "re_1", "state": "completed"}})
    assert (found.key, found.because, found.fault) == (None, "outcome.part is missing", None)


@pytest.mark.parametrize("name", ["done", "failed"])
def test_a_condition_that_gives_no_yes_or_no_is_a_fault_of_the_policy(name: str) -> None:
    found = read(rule(**{name: "outcome.state"}), outcome(state="completed"))
    assert found.meaning is UNCLEAR
    assert found.key == "re_1:1"
    assert found.fault is not None
    assert found.fault.startswith(f"outcome.{name}: outcome.state gives a text")


@pytest.mark.parametrize(
    ("state", "meaning", "becomes", "told", "then"),
    [
        ("waiting", DONE, "done", "done", Then.CLOSE),
        ("waiting", FAILED, "failed", "failed", Then.REPORT),
        ("waiting", WAITING, "waiting", "waiting", Then.NOTHING),
        ("waiting", UNCLEAR, "waiting", "unclear", Then.NOTHING),
        ("missing", DONE, "late", "late", Then.CLOSE),
        ("missing", FAILED, "failed", "failed", Then.REPORT),
        ("missing", WAITING, "missing", "waiting", Then.TELL),
        ("done", DONE, "done", "done", Then.NOTHING),
        ("done", FAILED, "failed", "failed", Then.REPORT),
        ("done", WAITING, "done", "waiting", Then.NOTHING),
        ("late", DONE, "late", "done", Then.NOTHING),
        ("late", FAILED, "failed", "failed", Then.REPORT),
        ("failed", DONE, "failed", "done", Then.TELL),
        ("failed", FAILED, "failed", "failed", Then.REPORT),
        ("failed", WAITING, "failed", "waiting", Then.NOTHING),
    ],
)
def test_what_an_outcome_does_to_the_event_that_waits_for_it(
    state: str, meaning: Meaning, becomes: str, told: str, then: Then
) -> None:
    found = settle(state, meaning, is_late=False)
    assert (found.state, found.status, found.then) == (becomes, told, then)


def test_what_comes_after_the_window_is_late_even_where_nobody_has_looked_yet() -> None:
    found = settle("waiting", DONE, is_late=True)
    assert (found.state, found.status, found.then) == ("late", "late", Then.CLOSE)
