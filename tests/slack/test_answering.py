"""Slack is answered in time, and nobody is left without a result."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import delete

from bot.desk import cases
from bot.desk.commands import Acknowledge, AddNote
from bot.rules.actors import SYSTEM
from bot.rules.refusals import Refused
from bot.sandbox.workspace import BOT_USER
from bot.slack import acts, guard
from bot.slack.app import SlackEdge, SlackFault
from bot.slack.asking import Asker, of_click
from bot.slack.directory import refresh_people
from bot.slack.facts import names
from store.models import Person
from tests.slack.conftest import ADA, BEN, GUEST, REVOPS, SHARED, STRANGER, ZOE, World


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of two seconds, without two seconds."""
    monkeypatch.setattr(guard, "LIMIT", 0.05)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Acknowledging takes until this is set."""
    free = threading.Event()

    def slow(tx: Any, command: Any) -> Any:
        free.wait(10)
        return cases.acknowledge(tx, command)

    monkeypatch.setattr(acts, "ACTS", {**acts.ACTS, Acknowledge: slow})
    return free


@pytest.mark.usefixtures("impatient")
async def test_a_click_whose_commit_takes_long_is_answered_and_told_twice(world: World, held: threading.Event) -> None:
    case = await world.opened()
    reply = await world.slack.click(ADA, world.card(case), text="Acknowledge")
    assert reply.ok
    await world.slack.until(lambda: world.slack.ephemerals(ADA))
    assert "Not recorded yet" in world.told(ADA)
    held.set()
    await world.settled()
    assert "You have it now, until" in world.told(ADA)
    assert (await world.case(case.id)).acknowledged_by == ADA


@pytest.mark.usefixtures("impatient")
async def test_a_command_whose_commit_takes_long_is_answered_too(world: World, held: threading.Event) -> None:
    case = await world.opened()
    reply = await world.slack.command(ADA, REVOPS, f"/case ack {case.ref}")
    assert "Not recorded yet" in str(reply.text)
    held.set()
    await world.settled()
    assert "You have it now, until" in world.told(ADA)


@pytest.mark.usefixtures("impatient")
async def test_an_event_that_is_not_recorded_in_time_is_asked_for_again_and_counts_once(
    world: World, held: threading.Event
) -> None:
    case = await world.opened()
    await world.slack.react(ADA, REVOPS, case.card_ts or "", "eyes")
    await world.slack.settle()
    assert [reply.status for _, _, reply in world.slack.delivery.attempts].count(503) == 4
    held.set()
    await world.settled()
    assert (await world.case(case.id)).acknowledged_by == ADA
    _card, *lines = world.slack.thread(REVOPS, case.card_ts or "")
    assert len([line for line in lines if "has it" in line.shown]) == 1


async def test_a_slow_slack_delays_no_answer(world: World) -> None:
    case = await world.opened()
    world.slack.faults.delay("chat.postEphemeral", 0.3)
    world.slack.faults.delay("views.open", 0.3)
    reply = await asyncio.wait_for(world.slack.click(ADA, world.card(case), text="Resolve"), 0.25)
    assert reply.ok
    await world.settled()
    assert world.slack.views(ADA)[-1].callback_id == "form.resolve"


async def test_what_there_is_to_say_is_looked_up_after_the_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, free = await world.opened(), threading.Event()

    def slow(*given: Any) -> Any:
        free.wait(10)
        return names(*given)

    monkeypatch.setattr("bot.slack.edge.names", slow)
    reply = await asyncio.wait_for(world.slack.click(ADA, world.card(case), text="Acknowledge"), 1)
    assert reply.ok
    assert (await world.case(case.id)).acknowledged_by == ADA
    assert world.slack.ephemerals(ADA) == []
    free.set()
    await world.settled()
    assert [message.shown for message in world.slack.ephemerals(ADA)] == [world.told(ADA)]
    assert "You have it now, until" in world.told(ADA)


async def test_a_fault_of_ours_gives_a_reference(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case = await world.opened()

    def broken(tx: Any, command: Any) -> Any:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(acts, "ACTS", {**acts.ACTS, Acknowledge: broken})
    await world.press(ADA, case, "Acknowledge")
    assert "our fault" in world.told(ADA)
    assert "secret" not in world.told(ADA)


async def test_twenty_who_click_at_once_have_one_winner_and_all_are_told(world: World) -> None:
    case = await world.opened()
    card = world.card(case)
    team = [ADA, BEN, "U0CLEO", "U0DEE", "U0ELI"]
    await asyncio.gather(*(world.slack.click(team[n % 5], card, text="Acknowledge") for n in range(20)))
    await world.settled()
    winner = (await world.case(case.id)).acknowledged_by
    assert all(len(world.slack.ephemerals(user)) == 4 for user in team)
    losers = [user for user in team if user != winner]
    assert all("You have it" not in message.shown for user in losers for message in world.slack.ephemerals(user))


async def test_the_same_request_delivered_twice_is_carried_out_and_told_once(world: World) -> None:
    case = await world.opened()
    asker = Asker(ADA, "T0ACME", "slack:click:the-same", REVOPS)
    for _ in range(2):
        told = await acts.carry_out(world.edge.edge, asker, AddNote(case.id, "once"))
    assert told is None
    await world.settled()
    assert len([line for line in world.slack.thread(REVOPS, case.card_ts or "") if "once" in line.shown]) == 1


async def test_when_slack_cannot_say_who_somebody_is_only_those_whom_a_role_lists_may_act(world: World) -> None:
    case = await world.opened()
    facing = SlackEdge(world.context, world.client)
    await facing.identify()
    edge = facing.edge
    await world.context.desk.run(lambda tx, _: _forget(tx), None, actor=SYSTEM)
    world.slack.faults.fail_next("users.info", "internal_error", times=10)
    listed = await edge.actor(Asker(BEN, "T0ACME", "k"))
    assert not listed.is_ours
    told = await guard.in_words(acts.carry_out(edge, Asker(BEN, "T0ACME", "k1"), Acknowledge(case.id)))
    assert told is not None
    assert "You have it" in told.text
    with pytest.raises(Refused, match=r"Slack did not say who you are\. Try again in a moment\."):
        await acts.carry_out(edge, Asker("U0ZOE", "T0ACME", "k2"), AddNote(case.id, "me too"))


def _forget(tx: Any) -> None:
    tx.session.execute(delete(Person))


@pytest.mark.parametrize("user", [STRANGER, ZOE])
async def test_before_slack_has_said_which_workspace_is_ours_nobody_passes_for_one_of_us(
    world: World, user: str
) -> None:
    world.slack.faults.fail_next("auth.test", "internal_error", times=50)
    case = await world.opened()
    moved = await world.client.chat_postMessage(channel=SHARED, blocks=world.card(case).blocks, text="shared")
    await world.slack.click(user, channel=SHARED, ts=str(moved["ts"]), action_id="case.more", value="note")
    await world.settled()
    refused = await world.slack.submit(user, given={"text": "hello"})
    words = "Slack has not said which workspace this is. Try again in a moment."
    assert words in (refused.errors or {})["text"]
    world.slack.faults.clear()
    again = await world.slack.submit(user, given={"text": "hello"})
    assert again.ok == (user == ZOE)


async def test_people_of_the_policy_are_kept_with_what_slack_says_of_them(world: World) -> None:
    assert await refresh_people(world.context, world.client) == 5
    ada = await world.context.desk.read(lambda session: session.get_one(Person, ADA))
    assert (ada.name, ada.email, ada.team_id, ada.is_guest) == ("Ada Lovelace", "ada@acme.test", "T0ACME", False)


async def test_a_guest_is_known_as_one(world: World) -> None:
    await world.edge.identify()
    actor = await world.edge.edge.actor(Asker(GUEST, "T0ACME", "k"))
    assert (actor.is_ours, actor.why_not_ours) == (False, "guests")


async def test_somebody_is_asked_about_once_in_a_while(world: World) -> None:
    await world.edge.identify()
    before = len(world.slack.called("users.info"))
    for _ in range(5):
        await world.edge.edge.actor(Asker("U0ZOE", "T0ACME", "k"))
    assert len(world.slack.called("users.info")) == before + 1


async def test_requests_with_a_wrong_signature_are_refused(world: World) -> None:
    assert world.client.session is not None
    assert world.slack.request_url is not None
    async with world.client.session.post(world.slack.request_url, data=b"payload={}") as answer:
        assert answer.status == 401


async def test_socket_mode_does_the_same(world: World) -> None:
    case = await world.opened()
    await world.edge.connect(world.slack.app.app_token)
    await world.slack.until(lambda: world.slack.sockets.connected)
    assert world.edge.is_connected
    await world.press(ADA, case, "Acknowledge")
    assert (await world.case(case.id)).acknowledged_by == ADA
    assert "You have it now, until" in world.told(ADA)
    await world.slack.post(ADA, REVOPS, f"<@{BOT_USER}> help")
    await world.settled()
    assert "/case" in world.told(ADA)


async def test_a_wrong_app_token_is_a_clear_error_at_once(world: World) -> None:
    with pytest.raises(SlackFault, match="SLACK_APP_TOKEN"):
        await world.edge.connect("xapp-wrong")


async def test_a_wrong_bot_token_is_a_clear_error_at_once(world: World) -> None:
    client = world.client
    client.token = "xoxb-wrong"
    with pytest.raises(SlackFault, match="SLACK_BOT_TOKEN"):
        await SlackEdge(world.context, client).identify()


def test_who_asks_is_read_from_the_actors_own_workspace() -> None:
    body = {"user": {"id": "U1", "team_id": "TEXT"}, "team": {"id": "T0ACME"}, "trigger_id": "1", "actions": []}
    assert of_click(body).team == "TEXT"
