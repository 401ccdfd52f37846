"""The process dies while a runbook is carried out, at the places there are (`AT_EVERY_PLACE`: at each): the run goes on
from the step that it was at, and no request is made under two keys."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

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


def _is_as_if_nobody_had_died(stage: Stage) -> None:
    (only,) = runs(stage)
    assert (only.state, only.because) == ("done", "all its steps are done")
    assert len(stage.company["helpdesk"].kept) == 1
    for system in ("billing", "helpdesk"):
        assert len(stage.company[system].answers) <= 2
    (case,) = stage.cases()
    steps = [action for action in stage.actions(case.ref) if action == "run.step_done"]
    assert len(steps) == 4
    assert stage.actions(case.ref).count("run.done") == 1
    assert stage.broken() == []


async def _told(stage: Stage, n: int) -> Fate:
    assert isinstance(stage, MortalStage)
    stage.fate = Fate(n)
    with stage.fate.rules():
        await stage.start()
        await _story(stage)
        _is_as_if_nobody_had_died(stage)
        await stage.stop()
    return stage.fate


@pytest.mark.parametrize("n", places(PLACES))
async def test_a_death_at_any_place_of_a_run_changes_nothing(empty_stage: Stage, n: int) -> None:
    await _told(empty_stage, n)


async def test_these_are_all_the_places_to_die_at_in_a_run(empty_stage: Stage) -> None:
    never = 10_000
    assert PLACES - 16 < never - (await _told(empty_stage, never)).left <= PLACES
