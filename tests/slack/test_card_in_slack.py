"""The card in Slack: posted once, edited in place, its buttons answered."""

from __future__ import annotations

from bot.sandbox.workspace import check_blocks
from tests.slack.conftest import ADA, BEN, REVOPS, World


async def test_a_reported_exception_becomes_one_card_in_its_owners_channel(world: World) -> None:
    case = await world.opened("Refund R-1 failed")
    [card] = world.slack.messages(REVOPS)
    assert card.ts == case.card_ts
    assert "Refund R-1 failed" in card.shown
    assert card.buttons == ["Acknowledge", "Retry", "Replay", "Escalate", "Resolve"]
    assert check_blocks(card.blocks, "message") == []
    assert card.mentions == []


async def test_acknowledging_is_told_and_shown_in_place(world: World) -> None:
    case = await world.opened()
    await world.press(ADA, case, "Acknowledge")
    after = await world.case(case.id)
    assert (after.state, after.acknowledged_by) == ("in_progress", ADA)
    assert "You have it now, until" in world.told(ADA)
    assert "Acknowledge" not in world.card(after).buttons
    assert [message.ts for message in world.slack.messages(REVOPS)] == [case.card_ts]


async def test_who_comes_second_is_told_who_has_it(world: World) -> None:
    case = await world.opened()
    card = world.card(case)
    assert (await world.slack.click(ADA, card, action_id="case.acknowledge")).ok
    assert (await world.slack.click(BEN, card, action_id="case.acknowledge")).ok
    await world.settled()
    assert "Ada" in world.told(BEN)
