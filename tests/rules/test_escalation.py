"""Ladders: who is told when, what is due at which step, and that every ladder ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rules.escalation import Due, next_due, resumes_at, role_named, rungs, what_is_due
from runbooks.calendars import build_calendar
from runbooks.lengths import parse_length
from runbooks.team import LadderStep, Role

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ALWAYS = build_calendar("UTC", {"mon-sun": "00:00-24:00"})
LADDER = (
    LadderStep(to="on_call"),
    LadderStep(to="backup", after=parse_length("30m")),
    LadderStep(to="accountable", after=parse_length("30m"), repeat=2),
)
RUNGS = rungs(LADDER)
BILLING = Role(name="billing", title="Billing", channel="C0BILLING", calendar="always", backup="ops")
ALONE = Role(name="billing", title="Billing", channel="C0BILLING", calendar="always")


def test_a_repeated_step_is_told_once_more_for_each_repeat() -> None:
    assert [rung.to for rung in RUNGS] == ["on_call", "backup", "accountable", "accountable", "accountable"]
    assert [(rung.number, rung.of) for rung in RUNGS] == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_a_repeat_without_a_distance_tells_nobody_twice_in_one_moment() -> None:
    assert len(rungs([LadderStep(to="on_call", repeat=5)])) == 1


@pytest.mark.parametrize(
    ("to", "role"),
    [
        ("on_call", "billing"),
        ("backup", "ops"),
        ("accountable", "success"),
        ("steward", "data"),
        ("finance", "finance"),
    ],
)
def test_a_step_means_a_role(to: str, role: str) -> None:
    assert role_named(to, owner=BILLING, accountable="success", steward="data") == role


def test_an_owner_without_backup_has_none_to_tell() -> None:
    assert role_named("backup", owner=ALONE, accountable="success", steward="data") is None


def due(step: int, *, minutes: int, is_breached: bool) -> Due:
    """What is due `minutes` after the window's end, with two reminders before it."""
    return what_is_due(
        step=step, reminders=2, due_at=NOW - minutes * MINUTE, is_breached=is_breached, ladder=RUNGS, now=NOW
    )


@pytest.mark.parametrize(
    ("step", "minutes", "is_breached", "expected"),
    [
        (0, -60, False, Due(reminds=True)),
        (1, -10, False, Due(reminds=True)),
        (1, 0, False, Due(passes=True, rung=0)),  # the reminder came too late
        (2, 0, False, Due(passes=True, rung=0)),
        (3, 30, True, Due(rung=1)),
        (3, -5, False, Due(rung=1)),  # by hand before the end; now the next one
        (3, 0, False, Due(passes=True, rung=1)),
        (7, 0, False, Due(passes=True)),  # the ladder was climbed by hand before the end
        (7, 90, True, Due()),
    ],
)
def test_what_is_due_follows_from_the_step(step: int, minutes: int, is_breached: bool, expected: Due) -> None:
    assert due(step, minutes=minutes, is_breached=is_breached) == expected


@pytest.mark.parametrize(
    ("done", "is_breached", "ends_in", "wait"),
    [(0, True, 0, 0), (1, True, 0, 30), (1, False, 10, 10), (1, False, 90, 30), (5, False, 90, 90)],
)
def test_the_next_rung_is_due_at_its_distance_or_at_the_end(
    done: int, is_breached: bool, ends_in: int, wait: int
) -> None:
    at = next_due(RUNGS, done, calendar=ALWAYS, now=NOW, due_at=NOW + ends_in * MINUTE, is_breached=is_breached)
    assert at == NOW + wait * MINUTE


def test_after_the_last_rung_nothing_is_due() -> None:
    assert next_due(RUNGS, 5, calendar=ALWAYS, now=NOW, due_at=NOW, is_breached=True) is None


@pytest.mark.parametrize(("step", "resumed"), [(0, 2), (1, 2), (2, 2), (3, 3), (6, 6), (7, 2)])
def test_a_lease_that_ran_out_goes_on_with_the_next_rung_and_begins_again_when_there_is_none(
    step: int, resumed: int
) -> None:
    assert resumes_at(step, reminders=2, ladder=RUNGS) == resumed


STEPS = st.builds(
    LadderStep,
    to=st.sampled_from(["on_call", "backup", "accountable"]),
    after=st.integers(1, 90).map(lambda minutes: parse_length(f"{minutes}m")),
    repeat=st.integers(0, 4),
)


@given(ladder=st.lists(STEPS, max_size=5), reminders=st.integers(0, 3))
def test_every_ladder_is_climbed_rung_by_rung_and_ends(ladder: list[LadderStep], reminders: int) -> None:
    climbed, told, step, is_breached = rungs(ladder), [], reminders, False
    now: datetime | None = NOW
    while now is not None:
        what = what_is_due(step=step, reminders=reminders, due_at=NOW, is_breached=is_breached, ladder=climbed, now=now)
        is_breached |= what.passes
        if what.rung is not None:
            told.append(what.rung)
            step = reminders + what.rung + 1
        now = next_due(climbed, step - reminders, calendar=ALWAYS, now=now, due_at=NOW, is_breached=is_breached)
    assert told == list(range(len(climbed)))
