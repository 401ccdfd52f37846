"""A run waits for a yes: who is asked, in which order, whose click counts; and what a step asks is answered."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from bot.desk.runs.approvals import Approve, Refuse, approve, refuse
from bot.desk.runs.questions import AnswerQuestion, answer_question
from bot.rules.actors import person
from bot.rules.refusals import Refused
from store.models import Owed
from store.run_models import RunApproval, RunStep
from tests.stories.company import ADA, BEN, CLEO, DEE, FAY, GUS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.gate import change
from tests.stories.stage import Stage
from tests.stories.test_runs import requests, run, runs, steps
from tests.stories.test_sending_again import LOST, REFUND

LARGE = LOST | {"event": REFUND | {"amount_cents": 60_000}}
BY = "by: [accountable, steward]"


async def do(stage: Stage, act: Any, command: Any, by: str) -> Any:
    """Somebody does something at the desk."""
    done = await stage.service.desk.run(act, command, actor=person(by))
    await stage.settle()
    return done


async def refused(stage: Stage, act: Any, command: Any, by: str) -> str:
    """What somebody is told who is refused."""
    with pytest.raises(Refused) as raised:
        await do(stage, act, command, by)
    return raised.value.text


async def asked(stage: Stage, by: str = FAY) -> str:
    """A case on which a large refund's callback is asked for, which takes a yes."""
    stage.company["billing"].kept["re_1"] = REFUND | {"state": "completed"}
    ref = await stage.report(**LARGE)
    await run(stage, ref, "refund-callback", by=by, billing_id="re_1", follow_up="no")
    return ref


def seats(stage: Stage) -> list[tuple[str, str, str | None]]:
    """Which roles were asked, and who answered what."""
    rows = select(RunApproval).order_by(col(RunApproval.seat))
    return stage.database.read_now(
        lambda session: [(row.role, row.answer, row.by) for row in session.execute(rows).scalars()]
    )


def messages(stage: Stage, what: str) -> list[tuple[str, dict[str, Any]]]:
    """Who was sent this as a direct message, and its facts."""
    pages = select(Owed).where(col(Owed.kind) == "page").order_by(col(Owed.id))
    return stage.database.read_now(
        lambda session: [
            (each.channel, each.payload) for each in session.execute(pages).scalars() if each.payload["what"] == what
        ]
    )


def state(stage: Stage) -> str:
    """Where the first run is."""
    return runs(stage)[0].state


@on_both_engines
async def test_nothing_is_carried_out_before_somebody_else_has_said_yes(stage: Stage) -> None:
    ref = await asked(stage)
    assert (state(stage), requests(stage)) == ("approving", [])
    ((who, told),) = messages(stage, "run_approval_asked")
    assert (who, told["by"], told["run"]) == (GUS, FAY, 1)
    assert told["requests"][0] == "ask: POST /refunds/re_1/callback to billing"
    assert "waits for a yes of Billing escalation" in stage.thread(ref)[-1]
    await do(stage, approve, Approve(1, 1), GUS)
    assert state(stage) == "running"
    assert stage.company["billing"].last == "POST /refunds/re_1/callback → 202"
    actions = [action for action in stage.actions(ref) if action.startswith("run.")]
    assert actions[:4] == ["run.asked_for", "run.approval_asked", "run.approved", "run.started"]
    assert stage.broken() == []


async def test_a_small_refund_takes_no_yes_and_neither_does_one_of_unknown_size(stage: Stage) -> None:
    for event in (REFUND, {"refund_id": "re_2"}):
        ref = await stage.report(**LOST | {"event": event, "event_key": event["refund_id"], "title": str(event)})
        await run(stage, ref, "refund-callback", billing_id="re_1", follow_up="no")
    assert {each.state for each in runs(stage)} == {"failed"}
    assert seats(stage) == []


async def test_who_asked_and_who_was_not_asked_are_told_who_can(stage: Stage) -> None:
    await asked(stage)
    assert "You asked for it: somebody else of Billing escalation" in await refused(stage, approve, Approve(1, 1), FAY)
    for stranger in (ADA, DEE, ZOE):
        said = await refused(stage, approve, Approve(1, 1), stranger)
        assert said == "You cannot say yes or no to it: Billing escalation can."
    assert state(stage) == "approving"


@on_both_engines
async def test_the_first_click_wins_and_the_second_is_told(stage: Stage) -> None:
    await asked(stage)
    await stage.advance(hours=1)
    await do(stage, approve, Approve(1, 1, request_key="one"), BEN)
    again = await do(stage, approve, Approve(1, 1, request_key="one"), BEN)
    assert again.repeated
    said = await refused(stage, approve, Approve(1, 1), GUS)
    assert said == "Ben Ortiz said yes just now. Ask billing for the callback again is under way."
    said = await refused(stage, refuse, Refuse(1, 1, "it was paid by hand"), GUS)
    assert said.startswith("Ben Ortiz said yes just now.")
    assert len(requests(stage)) == 1


async def test_the_next_role_is_asked_when_time_runs_out_and_the_first_may_still_answer(stage: Stage) -> None:
    await asked(stage)
    await stage.advance(minutes=59)
    assert seats(stage) == [("billing", "", None)]
    await stage.advance(minutes=1)
    assert seats(stage) == [("billing", "expired", None), ("revenue-ops", "", None)]
    assert [who for who, _ in messages(stage, "run_approval_asked")] == [GUS, BEN]
    await do(stage, approve, Approve(1, 1), GUS)
    assert seats(stage) == [("billing", "yes", GUS), ("revenue-ops", "", None)]
    assert state(stage) == "running"


@on_both_engines
async def test_when_nobody_answers_the_run_is_declined_and_who_asked_is_told(stage: Stage) -> None:
    ref = await asked(stage)
    await stage.advance(hours=2)
    only = runs(stage)[0]
    assert (only.state, only.because, only.due_at) == ("declined", "nobody said yes in time", None)
    assert [who for who, _ in messages(stage, "run_declined")] == [FAY]
    assert any("is not carried out: nobody said yes in time" in line for line in stage.thread(ref))
    said = await refused(stage, approve, Approve(1, 1), GUS)
    assert said == "Ask billing for the callback again is not carried out: nobody said yes in time."
    assert requests(stage) == []
    await run(stage, ref, "refund-callback", billing_id="re_1", follow_up="no")
    assert [each.state for each in runs(stage)] == ["declined", "approving"]


async def test_a_no_takes_a_reason_and_ends_it(stage: Stage) -> None:
    ref = await asked(stage)
    assert "at least 10 characters" in await refused(stage, refuse, Refuse(1, 1, "no"), GUS)
    await do(stage, refuse, Refuse(1, 1, "it was paid by hand on Friday"), GUS)
    assert runs(stage)[0].because == "Gus Petrov said no: it was paid by hand on Friday"
    assert state(stage) == "declined"
    assert [entry["detail"]["reason"] for entry in stage.audit(ref) if entry["action"] == "run.refused"] == [
        "it was paid by hand on Friday"
    ]
    assert [who for who, _ in messages(stage, "run_declined")] == [FAY]
    assert requests(stage) == []


class TestOtherRoles:
    """Runbooks whose approval says something else."""

    @pytest.fixture
    def stage(self, empty_stage: Stage) -> Stage:
        """A service starts on it when the runbook is changed."""
        return empty_stage

    @staticmethod
    async def start(stage: Stage, folder: Path, by: str, more: str = "") -> None:
        change(folder, "runbooks/refund-callback.yml", (BY, by), ("expires: 1h", f"expires: 1h{more}"))
        await stage.start()

    async def test_a_role_that_is_only_who_asked_is_passed_over(self, stage: Stage, folder: Path) -> None:
        change(folder, "runbooks/refund-callback.yml", ("on_call, steward]", "on_call, steward, data-steward]"))
        await self.start(stage, folder, "by: [data-steward, billing]")
        await asked(stage, by=CLEO)
        assert seats(stage) == [("data-steward", "nobody", None), ("billing", "", None)]

    async def test_where_only_who_asked_could_say_yes_it_is_declined_at_once(self, stage: Stage, folder: Path) -> None:
        await self.start(stage, folder, "by: [data-steward]")
        await asked(stage, by=CLEO)
        assert runs(stage)[0].because == "there is nobody who could say yes"

    async def test_two_yeses_are_of_two_people(self, stage: Stage, folder: Path) -> None:
        await self.start(stage, folder, "by: [billing, data-steward]", ", count: 2")
        await asked(stage, by=FAY)
        await do(stage, approve, Approve(1, 1), GUS)
        assert "You said yes already" in await refused(stage, approve, Approve(1, 1), GUS)
        assert seats(stage) == [("billing", "yes", GUS), ("data-steward", "", None)]
        assert requests(stage) == []
        await do(stage, approve, Approve(1, 1), CLEO)
        assert state(stage) == "running"

    async def test_its_time_runs_in_the_hours_of_the_role(self, stage: Stage, folder: Path) -> None:
        change(folder, "runbooks/refund-callback.yml", ("expires: 1h", "expires: 8bh"))
        change(folder, "runbooks/refund-callback.yml", (BY, "by: [data-steward]"))
        await stage.start()
        await asked(stage)
        (due_at,) = [each.due_at for each in runs(stage)]
        assert due_at
        assert due_at - stage.clock.now() > timedelta(hours=20)


@on_both_engines
async def test_a_restart_while_nobody_has_answered_asks_nobody_twice(stage: Stage) -> None:
    await asked(stage)
    await stage.restart(minutes=61)
    assert seats(stage) == [("billing", "expired", None), ("revenue-ops", "", None)]
    assert [who for who, _ in messages(stage, "run_approval_asked")] == [GUS, BEN]
    await do(stage, approve, Approve(1, 1), ADA)
    assert len(requests(stage)) == 1


async def test_on_a_case_that_was_closed_meanwhile_nothing_is_carried_out(stage: Stage) -> None:
    ref = await asked(stage)
    await stage.type(FAY, f"/case fail {ref} the customer withdrew it", channel="C0BILLING")
    assert not stage.case(ref).is_open
    assert "is not carried out: its case was closed" in await refused(stage, approve, Approve(1, 1), GUS)
    assert runs(stage)[0].because == "its case was closed"
    assert requests(stage) == []


# --- a step asks


@pytest.fixture
def asks(folder: Path) -> Path:
    """The callback is asked for after somebody has said yes to the step that asks."""
    ask = "steps:\n  - {name: sure, ask: {who: owner, text: 'Is {{ inputs.billing_id }} paid?'}, timeout: 30m}\n"
    change(folder, "runbooks/refund-callback.yml", ("steps:\n", ask))
    return folder


def question(stage: Stage) -> RunStep:
    """The step that asks."""
    rows = select(RunStep).where(col(RunStep.kind) == "ask")
    found: RunStep = stage.database.read_now(lambda session: session.execute(rows).scalars().one())
    return found


async def start_asking(stage: Stage) -> str:
    await stage.start()
    stage.company["billing"].kept["re_1"] = REFUND | {"state": "completed"}
    ref = await stage.report(**LOST)
    await run(stage, ref, "refund-callback", billing_id="re_1", follow_up="no")
    return ref


@on_both_engines
async def test_after_a_yes_the_run_goes_on_at_once(empty_stage: Stage, asks: Path) -> None:
    stage = empty_stage
    ref = await start_asking(stage)
    assert (steps(stage), requests(stage)) == ({"sure": "waiting"}, [])
    step = question(stage).id or 0
    assert "Billing escalation can" in await refused(stage, answer_question, AnswerQuestion(1, step, yes=True), ADA)
    await do(stage, answer_question, AnswerQuestion(1, step, yes=True), GUS)
    assert steps(stage) == {"sure": "done", "ask": "done", "acknowledged": "waiting"}
    response = question(stage).response or {}
    assert (response["answer"], response["by"]) == ("yes", GUS)
    said = await refused(stage, answer_question, AnswerQuestion(1, step, yes=False), FAY)
    assert said == "Gus Petrov said yes just now."
    assert "run.answered" in stage.actions(ref)


async def test_a_no_fails_the_step(empty_stage: Stage, asks: Path) -> None:
    stage = empty_stage
    await start_asking(stage)
    await do(stage, answer_question, AnswerQuestion(1, question(stage).id or 0, yes=False), GUS)
    assert runs(stage)[0].because == "sure: Gus Petrov said no"
    assert requests(stage) == []


async def test_a_question_that_nobody_answers_fails_when_its_time_is_up(empty_stage: Stage, asks: Path) -> None:
    stage = empty_stage
    await start_asking(stage)
    await stage.advance(minutes=30)
    assert runs(stage)[0].because == "sure: nothing came in time"
    step = question(stage).id or 0
    said = await refused(stage, answer_question, AnswerQuestion(1, step, yes=True), GUS)
    assert said == "Ask billing for the callback again does not wait for this answer any more."


# --- a runbook that another carries out


@pytest.fixture
def nested(folder: Path) -> Path:
    """A runbook that goes first, and carries out another one that takes a yes."""
    first = "runbooks: [outer]\n    auto_fix: {runbook: outer, give_up_after: 5m}"
    change(folder, "workflows/refund.yml", ("P1\n    owner: billing", "P1\n    owner: billing\n    " + first))
    change(folder, "workflows/refund.yml", ("    resolve_within: 2h\n    runbooks: [refund-callback]\n", ""))
    ask = "{name: ask, request: {connector: billing, method: POST, path: '/refunds/re_1/callback'}}"
    inner = f"runbook: inner\ntitle: Inner\napproval: {{by: [billing, steward]}}\nsteps:\n  - {ask}\n"
    (folder / "runbooks" / "inner.yml").write_text(inner)
    (folder / "runbooks" / "outer.yml").write_text(
        "runbook: outer\ntitle: Outer\nsteps:\n  - {name: inner, run: inner}\n"
    )
    return folder


@on_both_engines
async def test_what_a_step_carries_out_takes_its_own_yes_while_the_clock_stands_still(
    empty_stage: Stage, nested: Path
) -> None:
    stage = empty_stage
    await stage.start()
    stage.company["billing"].kept["re_1"] = REFUND | {"state": "completed"}
    await stage.report(**LOST)
    assert [each.state for each in runs(stage)] == ["running", "approving"]
    await stage.advance(minutes=45)
    assert [each.state for each in runs(stage)] == ["running", "approving"]
    assert requests(stage) == []
    left = runs(stage)[0].gives_up_at
    await do(stage, approve, Approve(1, 2), FAY)
    assert [each.state for each in runs(stage)] == ["done", "done"]
    outer = runs(stage)[0]
    assert left
    assert outer.gives_up_at
    assert timedelta(minutes=44) < outer.gives_up_at - left < timedelta(minutes=46)
