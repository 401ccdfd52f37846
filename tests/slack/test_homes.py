"""A Home tab that is open is shown again when it has changed, for a while, and never more often than Slack takes it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.slack import homes
from bot.slack.reading import look_at_homes
from tests.slack.conftest import ADA, BEN, CLEO, GUEST, SHARED, World


async def opened(world: World, *users: str) -> None:
    for user in users:
        await world.slack.open_home(user)
    await world.settled()


def published(world: World) -> list[str]:
    return [str(call.args["user_id"]) for call in world.slack.called("views.publish")]


def shown(world: World, user: str) -> str:
    home = world.slack.home(user)
    return home.shown if home else ""


async def test_it_shows_the_case_that_came_meanwhile_and_nothing_twice(world: World) -> None:
    await opened(world, ADA)
    await world.opened("Refund R-9 failed")
    assert await look_at_homes(world.edge.edge) == 1
    assert "Refund R-9 failed" in shown(world, ADA)
    assert await look_at_homes(world.edge.edge) == 0
    assert published(world) == [ADA, ADA]


async def test_only_those_who_opened_it_lately(world: World) -> None:
    await opened(world, ADA)
    world.clock.advance(timedelta(minutes=20))
    await opened(world, BEN)
    world.clock.advance(timedelta(minutes=15))
    await world.opened("Refund R-9 failed")
    assert await look_at_homes(world.edge.edge) == 1
    assert published(world) == [ADA, BEN, BEN]


async def test_whoever_acted_is_next_and_the_others_follow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "AT_ONCE", 2)
    await opened(world, ADA, BEN, CLEO)
    case = await world.opened("Refund R-9 failed")
    await world.press(CLEO, case, "Acknowledge")
    before = len(published(world))
    assert await look_at_homes(world.edge.edge) == 2
    assert await look_at_homes(world.edge.edge) == 1
    first, last = published(world)[before:-1], published(world)[-1]
    assert CLEO in first
    assert {*first, last} == {ADA, BEN, CLEO}


async def test_a_rate_limit_holds_all_back_and_loses_none(world: World) -> None:
    await opened(world, ADA, BEN)
    await world.opened("Refund R-9 failed")
    world.slack.faults.fail_next("views.publish", "ratelimited", retry_after=30)
    assert await look_at_homes(world.edge.edge) == 0
    assert await look_at_homes(world.edge.edge) == 0
    world.clock.advance(timedelta(seconds=31))
    assert await look_at_homes(world.edge.edge) == 2
    assert "Refund R-9 failed" in shown(world, ADA)


async def test_a_home_tab_that_slack_does_not_take_holds_up_no_other(world: World) -> None:
    await opened(world, ADA, BEN)
    case = await world.opened("Refund R-9 failed")
    world.slack.faults.fail_next("views.publish", "internal_error")
    assert await look_at_homes(world.edge.edge) == 1
    assert await look_at_homes(world.edge.edge) == 1
    assert case.ref in shown(world, ADA)


async def test_somebody_who_may_not_see_it_is_refused_once(world: World) -> None:
    await opened(world, GUEST)
    await world.opened("Refund R-9 failed")
    assert await look_at_homes(world.edge.edge) == 0
    assert published(world) == [GUEST]
    assert "Refund" not in shown(world, GUEST)
    assert SHARED not in shown(world, GUEST)
