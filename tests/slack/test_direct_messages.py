"""What somebody writes to the bot directly is read as `/case` is, and answered where it was written."""

from __future__ import annotations

import pytest
from sqlmodel import Session

from bot.sandbox.workspace import BOT_USER
from store.models import Case
from tests.slack.conftest import ADA, BEN, GUEST, World


async def said_back(world: World, user: str, text: str, *, thread_ts: str | None = None) -> str:
    """The one answer to what somebody writes in their direct message with the bot."""
    before = len(world.slack.dms(user))
    await world.slack.post(user, BOT_USER, text, thread_ts=thread_ts)
    await world.settled()
    [answer] = world.slack.dms(user)[before:]
    assert answer.thread_ts == thread_ts
    return answer.shown


async def test_the_words_of_case_are_carried_out_and_answered_there(world: World) -> None:
    case = await world.opened()
    assert "Refund R-1 failed" in await said_back(world, ADA, "list all")
    assert "You have it now" in await said_back(world, ADA, f"<@{BOT_USER}> ack {case.ref}")
    assert (await world.case(case.id)).acknowledged_by == ADA
    assert "who is told" in await said_back(world, ADA, f"assign {case.ref} <@{BEN}>")
    assert (await world.case(case.id)).assignee == BEN
    assert world.slack.ephemerals(ADA) == []


async def test_what_is_not_understood_or_not_allowed_is_said_there(world: World) -> None:
    case = await world.opened()
    assert "/case help" in await said_back(world, ADA, "good morning")
    assert "Which case?" in await said_back(world, ADA, "ack")
    assert "What is wrong?" in await said_back(world, ADA, "open")
    assert "You cannot acknowledge it" in await said_back(world, GUEST, f"ack {case.ref}")


async def test_an_answer_stays_in_the_thread_of_what_was_written(world: World) -> None:
    case = await world.opened()
    root = await world.slack.post(ADA, BOT_USER, "help")
    await world.settled()
    assert case.ref in await said_back(world, ADA, f"show {case.ref}", thread_ts=root.ts)


async def test_a_case_is_opened_from_there_and_has_no_thread_there(world: World) -> None:
    assert "You opened it" in await said_back(world, ADA, "open the export hangs")

    def read(session: Session) -> Case:
        return session.get_one(Case, 1)

    case = await world.context.desk.read(read)
    assert (case.title, case.opened_by) == ("the export hangs", ADA)
    assert not case.channel.startswith("D")


async def test_what_slack_delivers_twice_is_answered_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case, send = await world.opened(), world.slack.delivery.send_event
    monkeypatch.setattr(world.slack.delivery, "send_event", lambda envelope: [send(envelope), send(envelope)])
    assert "Your note" in await said_back(world, ADA, f"note {case.ref} restarted it")
    assert case.ref in await said_back(world, ADA, f"show {case.ref}")
    assert "/case help" in await said_back(world, ADA, "good morning")


async def test_what_is_edited_is_not_said_again(world: World) -> None:
    case = await world.opened()
    await said_back(world, ADA, f"show {case.ref}")
    asked = world.slack.messages(world.slack.dms(ADA)[0].channel)[0]
    await world.slack.edit(ADA, BOT_USER, asked.ts, f"resolve {case.ref}")
    await world.settled()
    assert len(world.slack.dms(ADA)) == 1
    assert (await world.case(case.id)).is_open


@pytest.mark.parametrize("marked", [{"bot_id": "B0OTHER"}, {"subtype": "reminder_add"}])
async def test_what_no_person_wrote_is_let_pass(
    world: World, monkeypatch: pytest.MonkeyPatch, marked: dict[str, str]
) -> None:
    send = world.slack.delivery.send_event
    monkeypatch.setattr(
        world.slack.delivery, "send_event", lambda envelope: send(envelope | {"event": envelope["event"] | marked})
    )
    await world.slack.post(ADA, BOT_USER, "help")
    await world.settled()
    assert world.slack.dms(ADA) == []
