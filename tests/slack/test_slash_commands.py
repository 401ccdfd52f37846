"""What is typed is answered, to whoever typed it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.sandbox.workspace import check_blocks
from tests.slack.conftest import ADA, BEN, CLEO, DEE, GUEST, REVOPS, SHARED, World


async def typed(world: World, user: str, text: str, channel: str = REVOPS) -> str:
    reply = await world.slack.command(user, channel, text)
    assert reply.ok, reply
    await world.settled()
    assert check_blocks(reply.blocks or [], "message") == []
    return world.told(user)


async def test_case_alone_is_the_persons_own_queue(world: World) -> None:
    mine, _ = await world.opened("mine"), await world.opened("not mine")
    await world.press(BEN, mine, "Acknowledge")
    said = await typed(world, BEN, "/case")
    assert "C-1 mine" in said
    assert "not mine" not in said


async def test_what_nobody_has_is_in_the_queue_of_the_person_on_call(world: World) -> None:
    taken, _ = await world.opened("taken"), await world.opened("free")
    await world.press(BEN, taken, "Acknowledge")
    said = await typed(world, ADA, "/case")
    assert "C-2 free" in said
    assert "taken" not in said


@pytest.mark.parametrize("of", ["ops", "Revenue Ops", "refund", "all"])
async def test_lists(world: World, of: str) -> None:
    await world.opened("one of them")
    assert "one of them" in await typed(world, BEN, f"/case list {of}")


async def test_an_unknown_list_gets_the_nearest_name(world: World) -> None:
    assert "`success`" in await typed(world, BEN, "/case list sucess")


async def test_show_says_what_the_card_says(world: World) -> None:
    case = await world.opened()
    said = await typed(world, DEE, f"/case show {case.ref}")
    assert "Ask billing" in said
    assert "Open the card" in said


async def test_acts_by_command(world: World) -> None:
    case = await world.opened()
    assert "You have it now, until" in await typed(world, ADA, "/case ack c-1")
    await typed(world, ADA, f"/case assign C-1 <@{CLEO}|cleo>")
    assert (await world.case(case.id)).assignee == CLEO
    assert "silenced" in await typed(world, ADA, "/case snooze C-1 30m")
    await typed(world, ADA, "/case note C-1 5 &lt; 6")
    assert "5 &lt; 6" in world.slack.thread(REVOPS, case.card_ts or "")[-1].shown
    await typed(world, ADA, "/case resolve C-1 worked-around by hand")
    assert (await world.case(case.id)).state == "resolved"
    await typed(world, ADA, "/case reopen C-1 it is still wrong")
    await typed(world, ADA, "/case fail C-1 the vendor is gone for good")
    assert (await world.case(case.id)).state == "failed"


async def test_escalating_by_command(world: World) -> None:
    await world.opened()
    await typed(world, BEN, "/case escalate C-1")
    assert len(world.slack.dms(ADA)) == 1


async def test_running_by_command_asks_first_too(world: World) -> None:
    await world.opened()
    reply = await world.slack.command(ADA, REVOPS, "/case run C-1 replay")
    assert reply.ok
    await world.settled()
    assert "twice" in world.slack.views(ADA)[-1].shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/case resove C-1", "`resolve`"),
        ("/case ack", "Which case?"),
        ("/case ack C-99", "There is no case C-99"),
        ("/case help", "/case snooze C-12 2h"),
        ("/oncall nobodys", "There are: ops, success"),
        ("/oncall override ops", "Write `/oncall`"),
    ],
)
async def test_a_wrong_word_gets_the_right_one(world: World, text: str, said: str) -> None:
    assert said in await typed(world, ADA, text)


async def test_who_is_on_call(world: World) -> None:
    said = await typed(world, BEN, "/oncall")
    assert "Ada Lovelace" in said
    assert "Dee Dee" in said
    assert "Ada" not in await typed(world, BEN, "/oncall success")


async def test_somebody_takes_over_a_rota(world: World) -> None:
    assert "Ben Hur" in await typed(world, ADA, f"/oncall override ops <@{BEN}|ben> 2h")
    said = await typed(world, ADA, "/oncall ops")
    assert "Ben Hur* (override of ops-on-call)" in said
    world.clock.advance(timedelta(hours=3))
    assert "Ada Lovelace" in await typed(world, ADA, "/oncall ops")


async def test_guests_see_nothing(world: World) -> None:
    await world.opened("a secret")
    for text in ("/case list all", "/case show C-1", "/oncall"):
        said = await typed(world, GUEST, text, SHARED)
        assert "only where a role lists" in said
        assert "secret" not in said


async def test_the_home_tab_shows_queues_and_who_is_on_call(world: World) -> None:
    case = await world.opened("for the queue")
    await world.press(ADA, case, "Acknowledge")
    await world.slack.open_home(ADA)
    await world.settled()
    home = world.slack.home(ADA)
    assert home is not None
    assert home.shown.count("for the queue") == 1
    assert "Dee Dee" in home.shown
    assert "last 7 days: *0*" in home.shown


async def test_the_home_tab_of_a_guest_is_empty(world: World) -> None:
    await world.opened("a secret")
    await world.slack.open_home(GUEST)
    await world.settled()
    home = world.slack.home(GUEST)
    assert home is not None
    assert "secret" not in home.shown


async def test_a_rota_is_not_given_to_a_bot(world: World) -> None:
    assert "is a bot or has left" in await typed(world, ADA, "/oncall override ops <@U0POINTSMAN> 2h")
    assert "Ada Lovelace" in await typed(world, ADA, "/oncall ops")
