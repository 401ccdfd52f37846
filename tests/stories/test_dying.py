"""The process dies between a commit and what must leave, and between what has left and its record, at the places
there are (`AT_EVERY_PLACE`: at each). The next one goes on, and at the end the story is as if nobody had died."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest

from bot.sandbox.workspace import Reply
from tests.stories.company import BILLING, FAY
from tests.stories.mortal import Fate, places
from tests.stories.stage import Stage

T = TypeVar("T")
LOST: dict[str, Any] = {"workflow": "refund", "failure_mode": "outcome_missing", "title": "No callback for refund re_1"}
LOST["event"] = {"refund_id": "re_1"}
PLACES = 58
"""At not more than so many places something is done that the next service has to know of; they are counted below."""


class MortalStage(Stage):
    """A stage whose services may die; another one is started two minutes later."""

    fate: Fate

    async def _know_people(self) -> None:
        await self._until_death(super()._know_people())

    async def _goes_on(self) -> bool:
        goes_on = await self._until_death(super()._goes_on())
        if goes_on is not None:
            return goes_on
        self.fate.death.clear()
        await self.restart(minutes=2)
        return True

    async def _until_death(self, doing: Coroutine[Any, Any, T]) -> T | None:
        """What it comes to; None if a service dies before."""
        going_on, death = asyncio.ensure_future(doing), asyncio.ensure_future(self.fate.death.wait())
        await asyncio.wait({going_on, death}, return_when=asyncio.FIRST_COMPLETED)
        death.cancel()
        if not self.fate.death.is_set():
            return await going_on
        going_on.cancel()
        return None


async def _reported(stage: Stage) -> str:
    """The automation sends its report until it is taken, as automations do."""
    while True:
        try:
            status, answer = await stage.post(LOST, Idempotency_Key="re_1")
        except aiohttp.ClientError:
            status, answer = 0, {}
        await stage.settle()
        if status == 202:
            return str(answer["case"])


async def _insist(stage: Stage, do: Callable[[], Awaitable[Reply]], is_done: Callable[[], bool]) -> None:
    """Somebody does it again until it is done, as people do."""
    while not is_done():
        await do()
        await stage.settle()


async def _story(stage: Stage) -> str:
    """Opened, escalated to a direct message, acknowledged, and resolved when its check holds."""
    ref = await _reported(stage)
    stage.completes("re_1")
    await stage.advance(minutes=25)
    click = partial(stage.slack.click, FAY, text="Acknowledge", channel=BILLING, ts=stage.card(ref).ts)
    await _insist(stage, click, lambda: stage.case(ref).acknowledged_by == FAY)
    await stage.advance(minutes=4)
    command = partial(stage.slack.command, FAY, BILLING, f"/case resolve {ref} fixed")
    await _insist(stage, command, lambda: stage.case(ref).state in ("closing", "resolved"))
    await stage.advance(minutes=4)
    return ref


ONCE = ("case.opened", "window.passed", "case.escalated", "case.acknowledged", "case.closing", "case.resolved")
CLOSED = [":hourglass_flowing_sand:", ":white_check_mark:", ":notebook:"]
AS_IF_NOBODY_HAD_DIED: dict[str, Any] = {
    "messages twice": 0,
    "cards": 1,
    "card says resolved": True,
    "direct messages": 1,
    "lines": [":warning:", ":rotating_light:", ":eyes:", *CLOSED],
    "on record": dict.fromkeys(ONCE, 1),
    "broken": [],
}


def _ended(stage: Stage, ref: str) -> dict[str, Any]:
    keys = stage.keys()
    return {
        "messages twice": len(keys) - len(set(keys)),
        "cards": len(stage.cards(BILLING)),
        "card says resolved": "*Resolved*" in stage.card(ref).shown,
        "direct messages": len(stage.dms(FAY)),
        "lines": [line.split(" ")[0] for line in stage.thread(ref)],
        "on record": {action: stage.actions(ref).count(action) for action in ONCE},
        "broken": stage.broken(),
    }


@pytest.fixture
def folder(folder: Path) -> Path:
    """The company without reminders: they leave as other lines do."""
    team = folder / "team.yml"
    team.write_text(team.read_text().replace("  thread_workflow:", "  remind_at: []\n  thread_workflow:"))
    return folder


@pytest.fixture
def stage_kind() -> type[Stage]:
    """A stage on which services die."""
    return MortalStage


async def _told(stage: Stage, fate: Fate) -> dict[str, Any]:
    """How the story ends."""
    assert isinstance(stage, MortalStage)
    stage.fate = fate
    with fate.rules():
        await stage.start()
        ended = _ended(stage, await _story(stage))
        await stage.stop()
    return ended


@pytest.mark.parametrize("n", places(PLACES))
async def test_a_death_at_any_place_changes_nothing(empty_stage: Stage, n: int) -> None:
    assert await _told(empty_stage, Fate(n)) == AS_IF_NOBODY_HAD_DIED


async def test_these_are_all_the_places_to_die_at(empty_stage: Stage) -> None:
    fate = Fate(never := 10_000)
    assert await _told(empty_stage, fate) == AS_IF_NOBODY_HAD_DIED
    assert PLACES - 16 < never - fate.left <= PLACES
