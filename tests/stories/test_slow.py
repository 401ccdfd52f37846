"""Slack waits three seconds for an answer. It has one in two, however slow the database or Slack itself is; what was
asked for goes on, and the person hears how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from bot.slack import guard
from tests.stories.company import BILLING, FAY, GUS, REVOPS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage

NOT_YET = "Not recorded yet"
LIMIT = guard.LIMIT


@pytest.fixture
def as_with_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is due when it really is."""
    monkeypatch.setattr(guard, "LIMIT", LIMIT)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is due in a tenth of the time, so that the story is told in a tenth of the time."""
    monkeypatch.setattr(guard, "LIMIT", 0.2)


@contextmanager
def _somebody_else_writes(stage: Stage) -> Iterator[None]:
    """A transaction of another process that does not end: on SQLite it holds the file, on PostgreSQL the cases."""
    with stage.database.engine.connect() as connection, connection.begin() as transaction:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT id FROM cases FOR UPDATE"))
        yield
        transaction.rollback()


async def _timed(doing: Awaitable[Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return await doing, time.monotonic() - began


@pytest.fixture
async def opened(stage: Stage) -> str:
    """A case that was there before it became slow."""
    return await stage.report(failure_mode="other")


@pytest.mark.usefixtures("as_with_slack")
@on_both_engines
async def test_while_the_database_is_held_every_request_is_answered_in_time(stage: Stage, opened: str) -> None:
    card = stage.card(opened)
    await stage.press(FAY, "Resolve", on=opened)
    asked = [
        stage.slack.click(GUS, card, text="Acknowledge"),
        stage.slack.command(GUS, REVOPS, f"/case note {opened} Billing knows."),
        stage.slack.submit(FAY, given={"reason": "fixed"}),
    ]
    with _somebody_else_writes(stage):
        answers = await asyncio.gather(*map(_timed, asked))
        assert all(answer.ok for answer, _ in answers)
        assert max(took for _, took in answers) < 3
        assert NOT_YET in stage.told(GUS)
        assert stage.case(opened).state == "queued"
    await stage.settle()
    told = "\n".join(message.shown for message in stage.slack.ephemerals(GUS))
    assert "Billing knows." in told
    assert "You resolved it" in stage.told(FAY)
    assert stage.case(opened).state == "resolved"


@pytest.mark.usefixtures("hurried")
@on_both_engines
async def test_a_click_that_took_long_is_told_when_it_is_recorded(stage: Stage, opened: str) -> None:
    with _somebody_else_writes(stage):
        assert (await stage.slack.click(FAY, stage.card(opened), text="Acknowledge")).ok
        await stage.slack.until(lambda: NOT_YET in stage.told(FAY))
    await stage.settle()
    assert "You have it now, until" in stage.told(FAY)
    assert stage.case(opened).acknowledged_by == FAY


@pytest.mark.usefixtures("hurried")
async def test_a_refusal_that_took_long_is_told_too(stage: Stage, opened: str) -> None:
    with _somebody_else_writes(stage):
        assert (await stage.slack.click(ZOE, stage.card(opened), text="Acknowledge")).ok
    await stage.settle()
    assert "You cannot acknowledge it" in stage.told(ZOE)


@pytest.mark.usefixtures("hurried")
async def test_an_event_that_took_long_is_asked_for_again_and_kept_once(stage: Stage, opened: str) -> None:
    ts = stage.card(opened).ts
    with _somebody_else_writes(stage):
        await stage.slack.post(FAY, BILLING, "Billing knows.", thread_ts=ts)
        await stage.slack.until(lambda: any(reply.status == 503 for _, _, reply in stage.slack.delivery.attempts))
    await stage.settle()
    assert stage.actions(opened).count("case.heard") == 1


@pytest.mark.usefixtures("hurried")
async def test_while_slack_is_slow_clicks_are_answered_and_told(stage: Stage, opened: str) -> None:
    card = stage.card(opened)
    stage.slack.faults.delay("*", 0.5)
    answer, took = await _timed(stage.slack.click(FAY, card, text="Acknowledge"))
    assert answer.ok
    assert took < 0.5
    await stage.settle()
    assert "You have it now, until" in stage.told(FAY)
    assert "*State*\nIn progress" in stage.card(opened).shown


async def test_a_form_is_opened_before_what_it_shows_is_looked_up(stage: Stage) -> None:
    root = await stage.say(ZOE, "C0SUPPORT", "A customer was charged twice.")
    stage.slack.faults.delay("conversations.replies", 0.3)
    assert (await stage.slack.shortcut(ZOE, "open_case", channel=root.channel, ts=root.ts)).ok
    await stage.slack.until(lambda: stage.slack.views(ZOE))
    assert "Looking it up" in stage.form(ZOE).shown
    await stage.settle()
    assert "What is wrong?" in stage.form(ZOE).shown
