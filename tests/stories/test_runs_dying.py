"""The process dies while a runbook is carried out, at the places there are (`AT_EVERY_PLACE`: at each): the run goes on
from the step that it was at, and no request is made under two keys."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.stories.mortal import Fate, places
from tests.stories.stage import Stage
from tests.stories.test_dying import MortalStage
from tests.stories.test_run_steps import ASK, LOOK, PAID, tries
from tests.stories.test_runs import run, runs
from tests.stories.test_sending_again import LOST

REPORT = {"workflow": "refund", "failure_mode": "delivery_failed", **LOST}
PLACES = 38
"""At not more than so many places something is done that the next service has to know of; they are counted below."""
WRITE = "- {name: write, request: {connector: helpdesk, method: POST, path: /tickets, json: {asked: '{{ asker }}'}}}"


@pytest.fixture
def folder(folder: Path) -> Path:
    """The company, with a runbook that asks, looks, waits and writes."""
    workflow = folder / "workflows" / "refund.yml"
    workflow.write_text(workflow.read_text().replace("runbooks: [refund-callback]", "runbooks: [try-it]", 1))
    tries(folder, ASK % "", LOOK % "", "- {name: breath, pause: 1m}", WRITE)
    return folder


@pytest.fixture
def stage_kind() -> type[Stage]:
    """A stage on which services die."""
    return MortalStage


async def _story(stage: Stage) -> None:
    """A refund that was not taken, and a runbook on it; who pressed presses again when nobody answered."""
    stage.company["billing"].kept["re_1"] = PAID
    while not stage.cases():
        with suppress(aiohttp.ClientError):
            await stage.post(REPORT, Idempotency_Key="re_1")
        await stage.settle()
    while not runs(stage):
        with suppress(asyncio.CancelledError):
            await run(stage, stage.cases()[0].ref, "try-it")
    await stage.advance(minutes=3)


AS_IF_NOBODY_HAD_DIED: dict[str, Any] = {
    "runs": [("done", "all its steps are done")],
    "tickets": 1,
    "asked under a third key": [],
    "cases": 1,
    "steps done": 4,
    "runs done": 1,
    "broken": [],
}


def _ended(stage: Stage) -> dict[str, Any]:
    actions = stage.actions(stage.cases()[0].ref)
    return {
        "runs": [(each.state, each.because) for each in runs(stage)],
        "tickets": len(stage.company["helpdesk"].kept),
        "asked under a third key": [name for name in ("billing", "helpdesk") if len(stage.company[name].answers) > 2],
        "cases": len(stage.cases()),
        "steps done": actions.count("run.step_done"),
        "runs done": actions.count("run.done"),
        "broken": stage.broken(),
    }


async def _told(stage: Stage, fate: Fate) -> dict[str, Any]:
    """How the story ends."""
    assert isinstance(stage, MortalStage)
    stage.fate = fate
    with fate.rules():
        await stage.start()
        await _story(stage)
        ended = _ended(stage)
        await stage.stop()
    return ended


@pytest.mark.parametrize("n", places(PLACES))
async def test_a_death_at_any_place_of_a_run_changes_nothing(empty_stage: Stage, n: int) -> None:
    assert await _told(empty_stage, Fate(n)) == AS_IF_NOBODY_HAD_DIED


async def test_these_are_all_the_places_to_die_at_in_a_run(empty_stage: Stage) -> None:
    fate = Fate(never := 10_000)
    assert await _told(empty_stage, fate) == AS_IF_NOBODY_HAD_DIED
    assert PLACES - 16 < never - fate.left <= PLACES
