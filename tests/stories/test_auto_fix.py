"""A runbook goes first when a case opens: it fixes it and the case closes through its checks, or the case takes its
route with all that was tried."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.desk.cases import acknowledge, fail, hand_off, reopen, resolve
from bot.desk.commands import Acknowledge, Fail, HandOff, Reopen, Resolve
from bot.rules.actors import person
from bot.sandbox.company.systems import Mode
from tests.conftest import MONDAY
from tests.stories.company import ADA, BEN, DEE, REVOPS
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage, moment
from tests.stories.test_events import send
from tests.stories.test_runs import runs, steps
from tests.stories.test_undo import SILVER

DUE = {
    "account_id": "acc-1",
    "account_status": "active",
    "renewal_date": "2026-12-23",
    "contact_email": "kim@customer.example",
    "sent_at": "2026-11-23T09:00:00Z",
}
SILENT: dict[str, Any] = {
    "workflow": "renewal-notice",
    "failure_mode": "outcome_missing",
    "title": "No outcome came for acc-1",
    "subject": "acc-1",
    "event": DUE,
}
CONTRACT = Path("workflows") / "renewal-notice.yml"
FIX = "auto_fix: {runbook: resend-if-missing, give_up_after: 20m}"


async def outcome(stage: Stage, state: str = "sent", *, kept: str = "sent") -> None:
    """Marketing tells what became of the notice, and keeps something."""
    stage.company["marketing"].kept["acc-1"] = {"due": "2026-12-23", "state": kept}
    headers = {"Authorization": f"Bearer {stage.environment['MONITORS_SOURCE_TOKEN']}"}
    body = {"account_id": "acc-1", "renewal_date": "2026-12-23", "state": state}
    async with stage.http.post(f"{stage.service.url}/v1/outcomes/renewal-notice", json=body, headers=headers) as came:
        assert came.status == 202, await came.text()
    await stage.settle()


async def do(stage: Stage, act: Any, command: Any, by: str = BEN) -> None:
    """Somebody acts."""
    await stage.service.desk.run(act, command, actor=person(by))
    await stage.settle()


def states(stage: Stage) -> list[str]:
    """Where each run is."""
    return [run.state for run in runs(stage)]


def in_folder(folder: Path, path: Path, old: str, new: str) -> None:
    """Changes a file of the policy."""
    text = (folder / path).read_text()
    assert old in text
    (folder / path).write_text(text.replace(old, new))


@on_both_engines
async def test_a_fix_that_works_closes_the_case_through_its_checks_and_pages_nobody(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    assert stage.company["marketing"].last == "POST /notices → 202"
    case = stage.case(ref)
    assert (case.route, case.state) == ("auto_fix", "queued")
    assert "Not yet: a runbook goes first" in stage.card(ref).shown
    assert f"It has until {moment(minutes=20)}" in stage.card(ref).shown
    await outcome(stage)
    assert (stage.case(ref).state, stage.case(ref).resolution) == ("resolved", "fixed")
    assert (states(stage), steps(stage)) == (["done"], {"send": "done", "came": "done"})
    assert "the account has its notice" in stage.card(ref).shown
    assert "post_mortem.owed" in stage.actions(ref)
    assert stage.dms(BEN) == []
    assert stage.broken() == []


@on_both_engines
async def test_a_fix_that_fails_takes_the_route_with_what_it_tried_and_the_response_window_begins_then(
    stage: Stage,
) -> None:
    ref = await stage.report(**SILENT)
    await stage.advance(minutes=9)
    assert stage.case(ref).route == "auto_fix"
    assert stage.dms(BEN) == []
    await stage.advance(minutes=2)
    case = stage.case(ref)
    assert (case.route, case.state, states(stage)) == ("on_call", "queued", ["failed"])
    assert case.acknowledge_due_at == MONDAY + timedelta(minutes=10) + timedelta(hours=2)
    (told,) = stage.dms(BEN)
    for words in ("was tried first and did not help", "send: done", "came: failed: nothing came in time"):
        assert words in told
        assert words in stage.thread(ref)[-1]
    assert "did not go through" in stage.card(ref).shown
    assert "case.route_taken" in stage.actions(ref)
    await stage.advance(hours=2)
    assert stage.case(ref).response_breached_at is not None
    assert stage.broken() == []


async def test_one_that_has_had_its_time_gives_up(empty_stage: Stage, folder: Path) -> None:
    in_folder(folder, CONTRACT, "give_up_after: 20m", "give_up_after: 3m")
    await empty_stage.start()
    ref = await empty_stage.report(**SILENT)
    await empty_stage.advance(minutes=3)
    assert empty_stage.case(ref).route == "on_call"
    assert "its time ran out" in empty_stage.dms(BEN)[-1]


async def test_a_case_whose_route_is_the_queue_is_told_in_its_channel(empty_stage: Stage, folder: Path) -> None:
    in_folder(folder, CONTRACT, "    route: on_call                  # where", "    route: owner_queue  # where")
    await empty_stage.start()
    ref = await empty_stage.report(**SILENT)
    await empty_stage.advance(minutes=11)
    assert empty_stage.case(ref).route == "owner_queue"
    assert empty_stage.dms(BEN) == []
    assert "It is in the queue of Revenue Ops now" in empty_stage.notices(REVOPS)[-1]


@on_both_engines
async def test_a_check_that_fails_after_the_fix_keeps_the_case_open_and_takes_its_route(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    await outcome(stage, kept="bounced")
    case = stage.case(ref)
    assert (case.state, case.route, states(stage)) == ("queued", "on_call", ["done"])
    assert "it is not closed, for a check does not hold" in stage.dms(BEN)[-1]


async def test_a_close_that_is_refused_when_the_fix_is_over_leaves_somebody_waited_for(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    stage.company["marketing"].mode = Mode.FAIL
    await do(stage, resolve, Resolve(int(ref.removeprefix("C-")), "fixed"))
    assert stage.case(ref).state == "closing"
    stage.company["marketing"].mode = Mode.OK
    await outcome(stage, kept="bounced")
    assert states(stage) == ["done"]
    await stage.advance(minutes=1)
    case = stage.case(ref)
    assert (case.state, case.route) == ("queued", "on_call")
    assert case.acknowledge_due_at > stage.clock.now()


async def test_what_a_person_has_to_confirm_goes_to_the_owner(empty_stage: Stage, folder: Path) -> None:
    in_folder(folder, CONTRACT, "for: [delivery_failed, missed]", "for: [delivery_failed, missed, outcome_missing]")
    in_folder(folder, Path("runbooks") / "resend-if-missing.yml", "steps:\n", f"steps:\n{SILVER}")
    await empty_stage.start()
    ref = await empty_stage.report(**SILENT)
    await outcome(empty_stage)
    case = empty_stage.case(ref)
    assert (case.state, case.route) == ("queued", "on_call")
    assert "fixed, please confirm" in empty_stage.dms(BEN)[-1]
    assert case.acknowledge_due_at == MONDAY + timedelta(hours=2)
    assert "Fixed, please confirm" in empty_stage.card(ref).shown
    await empty_stage.press(BEN, "Undo", on=ref)
    assert "was taken back" in empty_stage.card(ref).shown
    assert "Fixed, please confirm" not in empty_stage.card(ref).shown


@on_both_engines
async def test_an_outcome_that_comes_by_itself_closes_the_case_through_its_checks_too(stage: Stage) -> None:
    stage.company["marketing"].mode = Mode.LOSE_CALLBACKS
    await send(stage, "renewal-notice", DUE)
    await stage.advance(minutes=15)
    (case,) = stage.cases()
    assert (case.failure_mode, case.route) == ("outcome_missing", "auto_fix")
    await outcome(stage)
    case = stage.case(case.ref)
    assert (case.state, case.resolution, states(stage)) == ("resolved", "fixed", ["done"])
    assert "case.closing" in stage.actions(case.ref)
    assert steps(stage) == {"send": "done", "came": "overtaken"}


async def test_a_fix_whose_answer_comes_after_the_outcome_has_not_failed(stage: Stage) -> None:
    marketing = stage.company["marketing"]
    marketing.mode = Mode.LOSE_CALLBACKS
    await send(stage, "renewal-notice", DUE)
    marketing.mode = Mode.FAIL
    await stage.advance(minutes=15)
    assert steps(stage) == {"send": "waiting"}
    marketing.mode = Mode.OK
    await outcome(stage)
    assert (stage.case("C-1").state, steps(stage)) == ("resolved", {"send": "overtaken"})
    shown = stage.card("C-1").shown
    assert "*send*: not waited for any more: what send sent is on its way all the same" in shown
    assert ":x:" not in shown
    await stage.press(BEN, "Evidence", on="C-1")
    assert "it answered *503*" in stage.form(BEN).shown


async def test_whoever_has_taken_the_case_is_told_that_it_is_fixed_and_closes_it(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    await do(stage, acknowledge, Acknowledge(1))
    await outcome(stage)
    assert (stage.case(ref).state, stage.case(ref).route) == ("in_progress", "on_call")
    assert "You have the case: look, and press Resolve" in stage.dms(BEN)[-1].replace("*", "")


async def test_whoever_has_taken_the_case_is_told_what_was_tried_and_nobody_else_is(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    await do(stage, acknowledge, Acknowledge(1), by=ADA)
    await stage.advance(minutes=11)
    assert stage.case(ref).state == "in_progress"
    assert "did not help" in stage.dms(ADA)[-1]
    assert stage.dms(BEN) == []


@on_both_engines
async def test_a_case_that_is_closed_meanwhile_stops_its_fix(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    await do(stage, fail, Fail(1, "The customer has left us."))
    (run,) = runs(stage)
    assert (run.state, run.because) == ("stopped", "C-1 was closed meanwhile")
    assert "C-1 was closed meanwhile" in "\n".join(stage.thread(ref))
    await outcome(stage)
    assert stage.case(ref).state == "failed"


async def test_a_hand_off_gives_it_to_people_and_the_fix_goes_on(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    await do(stage, hand_off, HandOff(1, "customer-success"))
    case = stage.case(ref)
    assert (case.route, states(stage)) == ("on_call", ["running"])
    assert case.acknowledge_due_at == MONDAY + timedelta(hours=2)
    assert len(stage.dms(DEE)) == 1
    await outcome(stage)
    assert stage.case(ref).state == "resolved"


@on_both_engines
async def test_a_further_occurrence_and_an_opening_again_begin_no_second_fix(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    assert await stage.report(**SILENT) == ref
    assert len(runs(stage)) == 1
    await outcome(stage)
    await do(stage, reopen, Reopen(1, "The notice is in the wrong language."))
    assert (stage.case(ref).route, len(runs(stage))) == ("on_call", 1)
    assert len(stage.dms(BEN)) == 1


@pytest.fixture
def three_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with twenty, in a seventh of the time."""
    monkeypatch.setattr("bot.rules.auto_fix.MOST_AN_HOUR", 3)
    monkeypatch.setattr("bot.desk.runs.autofix.MOST_AN_HOUR", 3)


@on_both_engines
async def test_beyond_its_hourly_budget_a_workflow_s_fixes_are_held_and_its_owner_is_told_once(
    empty_stage: Stage, folder: Path, three_an_hour: None
) -> None:
    stage = empty_stage
    in_folder(folder, CONTRACT, "give_up_after: 20m", "give_up_after: 2h")
    await stage.start()
    for n in range(3 + 2):
        assert (await stage.post(SILENT | {"subject": f"acc-{n}"}))[0] == 202
    await stage.settle()
    assert states(stage).count("held") == 2
    first, held = runs(stage)[0], runs(stage)[-1]
    assert held.due_at == first.asked_at + timedelta(hours=1)
    assert len([line for line in stage.notices(REVOPS) if "are held" in line]) == 1
    assert "auto-fixes of this workflow began within the hour" in stage.card(stage.cases()[-1].ref).shown
    await stage.advance(minutes=61)
    assert "held" not in states(stage)
    assert runs(stage)[-1].started_at is not None


async def test_one_that_is_held_for_longer_than_it_has_takes_its_route(stage: Stage, three_an_hour: None) -> None:
    for n in range(3 + 1):
        await stage.post(SILENT | {"subject": f"acc-{n}"})
    await stage.settle()
    last = stage.cases()[-1]
    assert (last.route, states(stage)[-1]) == ("auto_fix", "held")
    await stage.advance(minutes=20)
    assert (stage.case(last.ref).route, states(stage)[-1]) == ("on_call", "failed")
    assert "before it could begin" in "".join(stage.dms(BEN))


@on_both_engines
async def test_in_shadow_it_proposes_and_its_clock_stands_still(stage: Stage) -> None:
    stage.company["crm"].kept["con-1"] = {"tier": "gold"}
    await send(stage, "support-triage", {"ticket_id": "t-1", "contact_id": "con-1", "subject": "Help"})
    await stage.settle()
    (case,) = stage.cases()
    await stage.advance(minutes=30)
    assert (case.failure_mode, stage.case(case.ref).route) == ("missing_context", "auto_fix")
    assert states(stage) == ["proposed"]
    assert "Its time stands still" in stage.card(case.ref).shown


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run trips over a fault of our own."""

    def trip(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bot.desk.runs.stepping.overtaken", trip)


@pytest.mark.usefixtures("poisoned")
@on_both_engines
async def test_a_fix_that_trips_over_a_fault_of_our_own_takes_its_route(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    assert (stage.case(ref).route, states(stage)) == ("on_call", ["failed"])
    assert "a fault of our own" in stage.dms(BEN)[-1]
