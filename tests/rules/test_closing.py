"""What resolving a case takes, and when one closes by itself."""

from __future__ import annotations

import pytest

from bot.rules.closing import decision_missing, heals


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
