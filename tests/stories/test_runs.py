"""Runbooks are carried out: step by step, waiting for what has to come, each request once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlmodel import col

from bot.desk.runs.starting import StartRun, start
from bot.rules.actors import person
from store.run_models import Run, RunAttempt, RunStep
from tests.stories.company import FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_sending_again import LOST, REFUND


async def run(stage: Stage, ref: str, runbook: str, *, by: str = FAY, **inputs: Any) -> None:
    """Somebody starts a runbook on a case."""
    command = StartRun(int(ref.removeprefix("C-")), runbook, inputs)
    await stage.service.desk.run(start, command, actor=person(by))
    await stage.settle()


def runs(stage: Stage) -> list[Run]:
    """All runs, in order."""
    return stage.database.read_now(lambda session: list(session.execute(select(Run).order_by(col(Run.id))).scalars()))


def steps(stage: Stage) -> dict[str, str]:
    """The steps that were begun, and where each is."""
    rows = select(col(RunStep.name), col(RunStep.state)).order_by(col(RunStep.id))
    return stage.database.read_now(lambda session: {name: state for name, state in session.execute(rows)})


def requests(stage: Stage) -> list[RunAttempt]:
    """The requests that steps made, in order."""
    wanted = select(RunAttempt).order_by(col(RunAttempt.id))
    return stage.database.read_now(lambda session: list(session.execute(wanted).scalars()))


async def completed(stage: Stage) -> None:
    """Billing calls back."""
    headers = {"Authorization": f"Bearer {stage.environment['MONITORS_SOURCE_TOKEN']}"}
    body = {"refund_id": "re_1", "state": "completed"}
    url = f"{stage.service.url}/v1/outcomes/refund"
    async with stage.http.post(url, json=body, headers=headers) as response:
        assert response.status == 202, await response.text()
    await stage.settle()


@on_both_engines
async def test_a_run_asks_waits_for_the_callback_and_tells_who_asked(stage: Stage) -> None:
    stage.company["billing"].kept["re_1"] = REFUND | {"state": "completed"}
    ref = await stage.report(**LOST)
    await run(stage, ref, "refund-callback", billing_id="re_1", follow_up="yes")
    assert stage.company["billing"].last == "POST /refunds/re_1/callback → 202"
    assert steps(stage) == {"ask": "done", "acknowledged": "waiting"}
    await completed(stage)
    assert steps(stage) == {"ask": "done", "acknowledged": "done", "tell": "done"}
    assert [each.state for each in runs(stage)] == ["done"]
    assert "Refund re_1 is complete." in stage.dms(FAY)[-1]
    assert [action for action in stage.actions(ref) if action.startswith("run.")] == [
        "run.asked_for",
        "run.started",
        "run.step_done",
        "run.step_done",
        "run.step_done",
        "run.done",
    ]
    assert stage.broken() == []
