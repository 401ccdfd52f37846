"""What resolving a case takes, and when one closes by itself."""

from __future__ import annotations

from typing import Any

import pytest

from bot.rules.closing import (
    LONGEST_FOUND,
    Found,
    Verdict,
    back_to,
    decision_missing,
    found_in_words,
    heals,
    needed,
    nothing_to_override,
    read_answer,
    to_tick,
    unticked,
    verdict,
)
from runbooks.contracts import Check, Contract, Mode, Owners
from runbooks.templates import compile_expression

HOLDS = compile_expression("case.quarantined == 0")


def check(name: str, *modes: str, confirm: str | None = None) -> Check:
    """A check for these failure modes, or for all."""
    more: dict[str, Any] = {"for": modes}
    return Check(name=name, expect=None if confirm else HOLDS, confirm=confirm, **more)


ALWAYS = check("always")
OF_REFUNDS = check("of refunds", "delivery_failed", "missed")
OF_OTHERS = check("of others", "other")
BY_HAND = check("by hand", confirm="I have looked.")
IN_WORDS = check("in words", "missed", confirm="I have told them.")
CONTRACT = Contract(
    workflow="refund",
    version=1,
    title="Refunds",
    risk="high",
    owners=Owners(accountable="billing", steward="ops"),
    exceptions={"delivery_failed": Mode(), "other": Mode()},
    checks=(ALWAYS, OF_REFUNDS, OF_OTHERS, BY_HAND, IN_WORDS),
    digest="1",
)


@pytest.mark.parametrize(
    ("failure_mode", "decision", "missing"),
    [
        ("conflict", "", "say which is right: source or receiver"),
        ("conflict", "first", "say which is right: source or receiver"),
        ("conflict", "receiver", None),
        ("duplicate", "", "say which is right: first or second"),
        ("duplicate", "second", None),
        ("delivery_failed", "", None),
        ("delivery_failed", "second", None),
    ],
)
def test_where_two_things_differ_somebody_says_which_is_right(
    failure_mode: str, decision: str, missing: str | None
) -> None:
    assert decision_missing(failure_mode, decision) == missing


@pytest.mark.parametrize(
    ("state", "assignee", "reopened", "expected"),
    [
        ("queued", None, 0, True),
        ("queued", "U0ADA", 0, False),
        ("queued", None, 1, False),
        ("in_progress", None, 0, False),
    ],
)
def test_what_nobody_has_taken_closes_by_itself(
    state: str, assignee: str | None, reopened: int, expected: bool
) -> None:
    assert heals(state, assignee=assignee, reopened=reopened) is expected


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("delivery_failed", ["always", "of refunds", "by hand"]),
        ("other", ["always", "of others", "by hand"]),
        ("missed", ["always", "of refunds", "of others", "by hand", "in words"]),
        ("never_heard_of", ["always", "of others", "by hand"]),
    ],
)
def test_a_case_has_the_checks_of_its_mode_and_of_all(mode: str, names: list[str]) -> None:
    assert [check.name for check in needed(CONTRACT, mode)] == names


def test_an_unknown_workflow_has_no_checks() -> None:
    assert needed(None, "other") == ()


@pytest.mark.parametrize(
    ("ticked", "words"),
    [
        ([], "tick: I have looked.; I have told them."),
        (["by hand"], "tick: I have told them."),
        (["in words", "always"], "tick: I have looked."),
    ],
)
def test_what_is_still_to_be_confirmed_is_said(ticked: list[str], words: str) -> None:
    assert to_tick(unticked(CONTRACT.checks, ticked)) == words


@pytest.mark.parametrize(
    ("status", "met", "found", "because"),
    [
        (200, True, Found.PASSED, "it is so"),
        (404, True, Found.PASSED, "it is so"),
        (503, True, Found.PASSED, "it is so"),
        (200, False, Found.FAILED, "it answered 200: it is so"),
        (404, False, Found.FAILED, "it answered 404: it is so"),
        (429, False, Found.UNKNOWN, "it answered 429"),
        (500, False, Found.UNKNOWN, "it answered 500"),
        (401, False, Found.IMPOSSIBLE, "it answered 401: it does not take our credentials"),
        (403, False, Found.IMPOSSIBLE, "it answered 403: it does not take our credentials"),
        (None, False, Found.FAILED, "it is so"),
        (None, True, Found.PASSED, "it is so"),
    ],
)
def test_what_an_answer_means(status: int | None, met: bool, found: Found, because: str) -> None:
    assert read_answer(status, met=met, because="it is so") == (found, because)


def test_what_cannot_be_asked_is_kept_as_unknown() -> None:
    assert {each.state for each in Found} == {"passed", "failed", "unknown"}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["passed", "confirmed"], Verdict.CLOSE),
        ([], Verdict.CLOSE),
        (["passed", "owed"], Verdict.WAIT),
        (["failed", "owed"], Verdict.WAIT),
        (["failed", "passed"], Verdict.REFUSE),
        (["unknown", "confirmed"], Verdict.REFUSE),
        (["unconfirmed", "failed"], Verdict.REFUSE),
        (["unconfirmed", "passed"], Verdict.CONFIRM),
        (["unconfirmed", "owed"], Verdict.WAIT),
    ],
)
def test_what_follows_from_all_checks(states: list[str], expected: Verdict) -> None:
    assert verdict(states) is expected


@pytest.mark.parametrize(
    ("before", "is_acknowledged", "after"),
    [
        ("queued", False, "queued"),
        ("queued", True, "in_progress"),
        ("waiting_for_customer", True, "waiting_for_customer"),
        ("in_progress", True, "in_progress"),
    ],
)
def test_a_case_that_does_not_close_is_where_it_was(before: str, is_acknowledged: bool, after: str) -> None:
    assert back_to(before, is_acknowledged=is_acknowledged) == after


@pytest.mark.parametrize(
    ("checks", "last", "nothing"),
    [
        ((), None, "it has no checks to pass; resolve it"),
        ((ALWAYS,), None, "none of its checks has failed; resolve it, and they are asked"),
        ((ALWAYS,), "withdrawn", "none of its checks has failed; resolve it, and they are asked"),
        ((ALWAYS,), "passed", "none of its checks has failed; resolve it, and they are asked"),
        ((ALWAYS,), "overridden", "none of its checks has failed; resolve it, and they are asked"),
        ((ALWAYS,), "refused", None),
        ((ALWAYS, BY_HAND), None, None),
    ],
)
def test_what_there_is_to_override(checks: tuple[Check, ...], last: str | None, nothing: str | None) -> None:
    assert nothing_to_override(checks, last) == nothing


@pytest.mark.parametrize(
    ("read", "words"),
    [
        ({}, ""),
        ({"response.status": 200}, ""),
        ({"response.status": 200, "response.body.state": "pending"}, 'response.body.state is "pending"'),
        ({"case.quarantined": 2, "event.ok": False}, "case.quarantined is 2, event.ok is false"),
        ({"event.text": "x" * 200}, f'event.text is "{"x" * (LONGEST_FOUND - 1)}…'),
    ],
)
def test_what_a_condition_has_read_is_said_in_short(read: dict[str, object], words: str) -> None:
    assert found_in_words(read) == words
