"""The second click, the same click again, and twenty at once: it is done once, and everybody is told the truth."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.workspace import BOT_USER, User
from tests.stories.company import FAY, GUS, SUPPORT, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage

CROWD = [f"U0CROWD{number:02}" for number in range(20)]


@pytest.fixture
def folder(folder: Path) -> Path:
    """The company, with a crowd in its billing role."""
    team = folder / "team.yml"
    team.write_text(team.read_text().replace("[U0FAY, U0GUS]", f"[U0FAY, U0GUS, {', '.join(CROWD)}]"))
    return folder


@pytest.fixture
def sent(empty_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Everything that Slack sends to the service."""
    payloads: list[dict[str, Any]] = []
    delivery = empty_stage.slack.delivery
    event, interaction = delivery.send_event, delivery.send_interaction

    def send_event(envelope: dict[str, Any]) -> None:
        payloads.append(envelope)
        event(envelope)

    async def send_interaction(payload: dict[str, Any]) -> Any:
        payloads.append(payload)
        return await interaction(payload)

    monkeypatch.setattr(delivery, "send_event", send_event)
    monkeypatch.setattr(delivery, "send_interaction", send_interaction)
    return payloads


@on_both_engines
async def test_of_twenty_clicks_at_once_one_wins_and_nineteen_are_told_who(empty_stage: Stage) -> None:
    people = empty_stage.slack.workspace.users
    people.update({user: User(user, user.lower(), f"Person {user[-2:]}") for user in CROWD})
    stage = empty_stage
    await stage.start()
    ref = await stage.report()
    card = stage.card(ref)
    replies = await asyncio.gather(*(stage.slack.click(user, card, text="Acknowledge") for user in CROWD))
    assert all(reply.ok for reply in replies)
    await stage.settle()
    winner = stage.case(ref).acknowledged_by
    assert winner in CROWD
    assert "You have it now, until" in stage.told(winner)
    for loser in set(CROWD) - {winner}:
        assert f"was taken by Person {winner[-2:]} just now" in stage.told(loser)
    assert stage.actions(ref).count("case.acknowledged") == 1
    assert stage.actions(ref).count("refused") == 19
    assert len([line for line in stage.thread(ref) if "has it until" in line]) == 1
    assert stage.broken() == []


async def test_the_same_click_delivered_twice_is_once(stage: Stage, sent: list[dict[str, Any]]) -> None:
    ref = await stage.report(failure_mode="outcome_missing")
    await stage.press(FAY, "Escalate", on=ref)
    before = stage.actions(ref), stage.thread(ref), len(stage.slack.ephemerals(FAY))
    assert (await stage.slack.delivery.send_interaction(sent[-1])).ok
    await stage.settle()
    assert (stage.actions(ref), stage.thread(ref), len(stage.slack.ephemerals(FAY))) == before
    assert len(stage.dms(FAY)) == 1


async def test_the_same_event_delivered_again_is_once(stage: Stage, sent: list[dict[str, Any]]) -> None:
    root = await stage.say(ZOE, SUPPORT, "Charged twice.")
    await stage.say(FAY, SUPPORT, f"<@{BOT_USER}> open Charged twice", thread=root.ts)
    await stage.say(ZOE, SUPPORT, "They called again.", thread=root.ts)
    before = stage.actions("C-1"), stage.thread("C-1"), len(stage.slack.ephemerals(FAY))
    for envelope in [each for each in sent if each.get("type") == "event_callback"]:
        reply = await stage.slack.delivery._try_event(envelope, 1, "http_timeout")
        assert reply.ok
    await stage.settle()
    assert (stage.actions("C-1"), stage.thread("C-1"), len(stage.slack.ephemerals(FAY))) == before
    assert len(stage.cases()) == 1


async def test_a_form_that_is_sent_twice_opens_one_case(stage: Stage, sent: list[dict[str, Any]]) -> None:
    await stage.use_shortcut(FAY, "open_case_global")
    assert (await stage.fill_in(FAY, title="The export is empty")).ok
    assert (await stage.slack.delivery.send_interaction(sent[-1])).ok
    await stage.settle()
    assert len(stage.cases()) == 1


async def test_two_impatient_clicks_on_replay_send_once(stage: Stage) -> None:
    refund = {"refund_id": "re_1", "customer_id": "cus_1", "amount_cents": 1200}
    ref = await stage.report(event=refund, event_key="re_1")
    card = stage.card(ref)
    replies = await asyncio.gather(*(stage.slack.click(FAY, card, text="Replay") for _ in range(3)))
    assert all(reply.ok for reply in replies)
    await stage.settle()
    assert stage.actions(ref).count("delivery.replay_asked") == 1
    assert stage.company["billing"].requests == 2


async def test_an_idempotency_key_makes_a_repeat_answer_as_the_first_did(stage: Stage) -> None:
    body = {"workflow": "refund", "title": "Refund re_1 was not taken"}
    first = await stage.post(body, Idempotency_Key="k-1")
    again = await stage.post(body, Idempotency_Key="k-1")
    assert first == again
    assert first[0] == 202
    status, answer = await stage.post(body | {"title": "Something else"}, Idempotency_Key="k-1")
    assert (status, len(stage.cases())) == (422, 1)
    assert "Idempotency-Key" in answer["detail"]


async def test_acknowledging_one_s_own_case_again_renews_it(stage: Stage) -> None:
    ref = await stage.report()
    card = stage.card(ref)
    await stage.press(GUS, "Acknowledge", on=ref)
    await stage.advance(minutes=10)
    stale = {"action_id": "case.acknowledge", "type": "button", "block_id": card.blocks[-1]["block_id"]}
    value = f'{{"case":"{ref}","version":1,"drawn":0}}'
    await stage.slack.act(GUS, card, {**stale, "value": value})
    await stage.settle()
    assert "You still have it, until" in stage.told(GUS)
    assert stage.actions(ref).count("case.acknowledged") == 1
