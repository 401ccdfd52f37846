"""A contract's `deliver: {runbook: NAME}`: several steps for each event, and the case of one that failed goes on at the
step that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlmodel import col

from bot.desk.events import take_in
from bot.desk.judging import Arrival, OfDrill
from bot.desk.sending_again import AskReplay, ask_replay
from bot.rules.actors import person, source
from bot.rules.refusals import Refused
from bot.sandbox.company.systems import Mode
from store.contract_models import Expected, Trigger
from store.run_models import RunStep
from tests.stories.company import FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_events import REFUND, send
from tests.stories.test_runs import requests, runs, steps

RUNBOOK = """
runbook: refund-in-steps
title: Refund and write it down
steps:
  - name: refund
    request:
      connector: billing
      method: POST
      path: /refunds
      json: {refund_id: "{{ event.refund_id }}", amount_cents: "{{ event.amount_cents }}"}
    expect: response.status in [200, 201, 202]
  - name: note
    request: {connector: helpdesk, method: POST, path: /tickets, json: {lead: "{{ event.refund_id }}", team: billing}}
    expect: response.status == 201
"""
DELIVER = """deliver:
  runbook: refund-in-steps

"""


@pytest.fixture
def folder(folder: Path) -> Path:
    """Refunds are delivered by a runbook."""
    (folder / "runbooks" / "refund-in-steps.yml").write_text(RUNBOOK)
    contract = folder / "workflows" / "refund.yml"
    text = contract.read_text()
    begin, end = text.index("deliver:"), text.index("outcome:")
    contract.write_text(text[:begin] + DELIVER + text[end:])
    return folder


def state(stage: Stage) -> str:
    """Where the first event is."""
    wanted = select(col(Trigger.state)).where(col(Trigger.event_id) == 1)
    found: str = stage.database.read_now(lambda session: session.execute(wanted).scalar_one())
    return found


def asked(stage: Stage) -> list[tuple[str, int | None]]:
    """What the steps asked, and the status of each answer."""
    return [(each.request["path"], each.status) for each in requests(stage)]


async def failed_at_the_second_step(stage: Stage) -> str:
    """The refund is made, and the help desk refuses the note."""
    stage.company["helpdesk"].refuses = 422
    await send(stage, "refund", REFUND)
    await stage.settle()
    stage.company["helpdesk"].refuses = None
    (case,) = stage.cases()
    return case.ref


@on_both_engines
async def test_each_step_is_done_in_its_order_and_then_the_outcome_is_awaited(stage: Stage) -> None:
    assert await send(stage, "refund", REFUND) == (202, {"event": "E-1", "status": "accepted"})
    await stage.settle()
    assert asked(stage) == [("/refunds", 201), ("/tickets", 201)]
    assert steps(stage) == {"refund": "done", "note": "done"}
    assert state(stage) == "delivered"
    expected = stage.database.read_now(lambda session: session.get_one(Expected, 1))
    assert expected.state == "waiting"
    assert stage.cases() == []
    assert stage.broken() == []


@on_both_engines
async def test_a_step_that_fails_is_a_case_and_retry_goes_on_there(stage: Stage) -> None:
    ref = await failed_at_the_second_step(stage)
    assert (stage.case(ref).failure_mode, state(stage)) == ("delivery_failed", "failed")
    assert "note: it answered 422" in stage.card(ref).shown
    assert "*refund*" in stage.card(ref).shown
    await stage.press(FAY, "Retry", on=ref)
    assert asked(stage) == [("/refunds", 201), ("/tickets", 422), ("/tickets", 201)]
    assert state(stage) == "delivered"
    assert [each.state for each in runs(stage)] == ["done"]
    assert "is done" in stage.thread(ref)[-1]
    assert stage.broken() == []


@on_both_engines
async def test_an_event_whose_run_cannot_even_be_read_is_a_case(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def trip(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("bot.desk.runs.stepping.load", trip)
        await send(stage, "refund", REFUND)
        await stage.settle()
    (case,) = stage.cases()
    assert (case.failure_mode, case.subject, state(stage)) == ("delivery_failed", "cus_1", "failed")
    assert "refund-in-steps: a fault of our own (ZeroDivisionError)" in stage.card(case.ref).shown
    await stage.press(FAY, "Retry", on=case.ref)
    assert (state(stage), asked(stage)) == ("delivered", [("/refunds", 201), ("/tickets", 201)])


@on_both_engines
async def test_what_may_have_happened_is_retried_under_the_same_key(stage: Stage) -> None:
    stage.company["helpdesk"].mode = Mode.FAIL
    await send(stage, "refund", REFUND)
    await stage.settle()
    stage.company["helpdesk"].mode = Mode.OK
    ref = next(case.ref for case in stage.cases() if case.failure_mode == "delivery_failed")
    await stage.press(FAY, "Retry", on=ref)
    generations = select(col(RunStep.generation)).order_by(col(RunStep.id))
    assert list(stage.database.read_now(lambda session: session.execute(generations).scalars().all())) == [1, 1]
    assert state(stage) == "delivered"


@on_both_engines
async def test_replay_begins_anew_once_somebody_has_said_that_it_may_do_it_twice(stage: Stage) -> None:
    ref = await failed_at_the_second_step(stage)
    case_id = stage.case(ref).id
    with pytest.raises(Refused, match="may do it twice"):
        await stage.service.desk.run(ask_replay, AskReplay(case_id), actor=person(FAY))
    stage.company["billing"].kept.clear()
    await stage.service.desk.run(ask_replay, AskReplay(case_id, confirmed=True), actor=person(FAY))
    await stage.settle()
    assert [each.state for each in runs(stage)] == ["failed", "done"]
    assert asked(stage)[2:] == [("/refunds", 201), ("/tickets", 201)]
    assert state(stage) == "delivered"


async def test_nothing_of_a_drill_leaves(stage: Stage) -> None:
    drill = Arrival(source("drill"), "refund", REFUND, OfDrill(1))
    await stage.service.desk.run(take_in, [drill], actor=source("drill"))
    await stage.settle()
    assert (runs(stage), state(stage)) == ([], "accepted")


async def test_an_event_of_a_contract_in_shadow_is_not_delivered(empty_stage: Stage, folder: Path) -> None:
    contract = folder / "workflows" / "refund.yml"
    contract.write_text(contract.read_text() + "\nrollout: {mode: shadow}\n")
    await empty_stage.start()
    await send(empty_stage, "refund", REFUND)
    assert (runs(empty_stage), state(empty_stage)) == ([], "shadowed")


async def test_a_run_that_was_stopped_goes_on_at_another_press_of_retry(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    (folder / "runbooks" / "refund-in-steps.yml").write_text(f"{RUNBOOK}  - {{name: breath, pause: 10m}}\n")
    await stage.start()
    ref = await failed_at_the_second_step(stage)
    for button in ("Retry", "Stop", "Retry"):
        await stage.press(FAY, button, on=ref)
    assert [each.state for each in runs(stage)] == ["running"]
    await stage.advance(minutes=10)
    assert state(stage) == "delivered"
    assert asked(stage) == [("/refunds", 201), ("/tickets", 422), ("/tickets", 201)]
