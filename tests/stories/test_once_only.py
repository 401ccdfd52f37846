"""What a step asked may have happened, and nobody knows: it is not asked again under another key, whatever comes
between the request and the next try."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from bot.desk.runs.calling import LEASE
from bot.desk.runs.stepping import Room, claim
from bot.desk.runs.undoing import StopRun, stop_run
from bot.desk.sending_again import AskReplay, AskRetry, ask_replay, ask_retry
from bot.rules.actors import SYSTEM, person
from bot.rules.refusals import Refused
from bot.sandbox.company.systems import Mode
from runbooks.calls import Answer, Caller
from store.run_models import RunStep
from tests.stories.company import FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_delivered_by_runbook import RUNBOOK, asked, failed_at_the_second_step
from tests.stories.test_events import REFUND, send
from tests.stories.test_run_steps import ASK, LOOK, ended, tries
from tests.stories.test_runs import requests, run, runs
from tests.stories.test_sending_again import LOST

OUTER = """
runbook: outer
title: Refund by another runbook
steps:
  - {name: inner, run: refund-in-steps}
"""


@pytest.fixture
def folder(folder: Path) -> Path:
    """The example company, whose refunds have one more runbook: the one that a story writes."""
    workflow = folder / "workflows" / "refund.yml"
    workflow.write_text(workflow.read_text().replace("runbooks: [refund-callback]", "runbooks: [try-it]", 1))
    return folder


@pytest.fixture
def stage(empty_stage: Stage) -> Stage:
    """A service starts on it when the runbook is written."""
    return empty_stage


async def delivers(stage: Stage, folder: Path, runbook: str) -> None:
    """Refunds are delivered by a runbook."""
    tries(folder, LOOK % "")
    (folder / "runbooks" / "refund-in-steps.yml").write_text(RUNBOOK)
    (folder / "runbooks" / "outer.yml").write_text(OUTER)
    contract = folder / "workflows" / "refund.yml"
    text = contract.read_text()
    begin, end = text.index("deliver:"), text.index("outcome:")
    contract.write_text(f"{text[:begin]}deliver:\n  runbook: {runbook}\n\n{text[end:]}")
    await stage.start()


def generations(stage: Stage, name: str) -> list[int]:
    """How often the key of each step of this name was changed, plus one."""
    wanted = select(col(RunStep.generation)).where(col(RunStep.name) == name).order_by(col(RunStep.id))
    return list(stage.database.read_now(lambda session: session.execute(wanted).scalars().all()))


async def lost_note(stage: Stage) -> str:
    """The refund is made, and what became of the note is not known."""
    stage.company["helpdesk"].mode = Mode.FAIL
    await send(stage, "refund", REFUND)
    await stage.settle()
    stage.company["helpdesk"].mode = Mode.OK
    return next(case.ref for case in stage.cases() if case.failure_mode == "delivery_failed")


async def test_a_refusal_after_a_try_of_unknown_result_ends_the_tries(stage: Stage, folder: Path) -> None:
    tries(folder, ASK % ", retry: {attempts: 3, first: 10s}")
    await stage.start()
    stage.company["billing"].mode = Mode.FAIL
    await run(stage, await stage.report(**LOST), "try-it")
    stage.company["billing"].mode = Mode.OK
    await stage.advance(seconds=10)
    await stage.advance(minutes=5)
    assert [each.status for each in requests(stage)] == [503, 404]
    state, because = ended(stage)
    assert (state, because[:24]) == ("failed", "ask: it answered 404; wh")
    assert "whether it happened is not known" in because
    assert generations(stage, "ask") == [1]


async def test_what_changes_nothing_is_tried_again_whatever_came_before(stage: Stage, folder: Path) -> None:
    tries(folder, LOOK % ", retry: {attempts: 3, first: 10s}")
    await stage.start()
    stage.company["billing"].mode = Mode.FAIL
    await run(stage, await stage.report(**LOST), "try-it")
    stage.company["billing"].mode = Mode.OK
    await stage.advance(minutes=1)
    assert [each.status for each in requests(stage)] == [503, 404, 404]


@on_both_engines
async def test_a_denial_in_between_does_not_make_it_known(stage: Stage, folder: Path) -> None:
    await delivers(stage, folder, "refund-in-steps")
    ref = await lost_note(stage)
    stage.company["helpdesk"].refuses = 401
    await stage.press(FAY, "Retry", on=ref)
    stage.company["helpdesk"].refuses = None
    await stage.advance(minutes=30)
    await stage.press(FAY, "Retry", on=ref)
    assert generations(stage, "note") == [1]
    assert asked(stage) == [("/refunds", 201), ("/tickets", 503), ("/tickets", 401), ("/tickets", 201)]


def stopped_in_flight(stage: Stage) -> Callable[..., Awaitable[Answer]]:
    """The system does what it is asked, and the run is stopped before its answer is there."""
    really = Caller.send

    async def sent(caller: Caller, *args: Any, **named: Any) -> Answer:
        answer = await really(caller, *args, **named)
        if args[0].name == "helpdesk":
            await stage.service.desk.run(stop_run, StopRun(1, 1), actor=person(FAY))
        return answer

    return sent


@on_both_engines
async def test_what_was_on_its_way_when_its_run_was_stopped_is_not_asked_under_a_second_key(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await delivers(stage, folder, "refund-in-steps")
    ref = await failed_at_the_second_step(stage)
    with monkeypatch.context() as patched:
        patched.setattr(Caller, "send", stopped_in_flight(stage))
        await stage.press(FAY, "Retry", on=ref)
    assert runs(stage)[0].state == "stopped"
    assert "run.answered_late" in stage.actions(ref)
    assert asked(stage) == [("/refunds", 201), ("/tickets", 422), ("/tickets", 201)]
    await stage.service.desk.run(ask_retry, AskRetry(stage.case(ref).id), actor=person(FAY))
    await stage.settle()
    assert generations(stage, "note") == [2]
    assert len(stage.company["helpdesk"].kept) == 1
    assert runs(stage)[0].state == "done"
    assert stage.broken() == []


def taken_over_in_flight(stage: Stage) -> Callable[..., Awaitable[Answer]]:
    """The answer of the first note takes so long that another process takes the run over, and dies."""
    really, notes = Caller.send, [1]

    async def sent(caller: Caller, *args: Any, **named: Any) -> Answer:
        answer = await really(caller, *args, **named)
        if args[2].path == "/tickets" and notes:
            notes.pop()
            stage.clock.advance(LEASE)
            assert await stage.service.desk.run(claim, Room(1), actor=SYSTEM)
            stage.clock.advance(LEASE)
        return answer

    return sent


@on_both_engines
async def test_what_comes_after_another_took_the_run_over_is_kept_and_changes_nothing(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await delivers(stage, folder, "refund-in-steps")
    monkeypatch.setattr(Caller, "send", taken_over_in_flight(stage))
    await send(stage, "refund", REFUND)
    await stage.advance(seconds=10)
    assert asked(stage) == [("/refunds", 201), ("/tickets", 201), ("/tickets", 201)]
    assert (runs(stage)[0].state, len(stage.company["helpdesk"].kept)) == ("done", 1)
    assert stage.broken() == []


@on_both_engines
async def test_a_runbook_that_another_carried_out_goes_on_where_it_failed(stage: Stage, folder: Path) -> None:
    await delivers(stage, folder, "outer")
    ref = await failed_at_the_second_step(stage)
    assert [each.state for each in runs(stage)] == ["failed", "failed"]
    await stage.press(FAY, "Retry", on=ref)
    await stage.advance(minutes=1)
    assert [each.state for each in runs(stage)] == ["done", "done"]
    assert asked(stage) == [("/refunds", 201), ("/tickets", 422), ("/tickets", 201)]
    assert stage.broken() == []


async def test_what_is_not_known_of_a_runbook_under_it_goes_under_the_same_key(stage: Stage, folder: Path) -> None:
    await delivers(stage, folder, "outer")
    ref = await lost_note(stage)
    await stage.press(FAY, "Retry", on=ref)
    await stage.advance(minutes=1)
    assert generations(stage, "note") == [1]
    assert runs(stage)[0].state == "done"


async def test_what_a_runbook_under_it_did_is_not_done_twice_without_a_yes(stage: Stage, folder: Path) -> None:
    await delivers(stage, folder, "outer")
    ref = await failed_at_the_second_step(stage)
    with pytest.raises(Refused, match="may do it twice"):
        await stage.service.desk.run(ask_replay, AskReplay(stage.case(ref).id), actor=person(FAY))
