"""Shadow: a run says what it would do, a person says Do it or Not this, and how often is a figure."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.desk.cases import fail
from bot.desk.commands import Fail
from bot.desk.runs.approvals import Approve, approve
from bot.desk.runs.foreseeing import Planned, foreseen
from bot.desk.runs.proposals import DoIt, NotThis, accepted_share, do_it, not_this
from bot.sandbox.company.systems import Mode
from bot.sandbox.workspace import Message
from tests.stories.company import BEN, CLEO, DEE, FAY, GUS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_approvals import do, messages, refused, seats
from tests.stories.test_runs import requests, run, runs, steps
from tests.stories.test_sending_again import LOST, REFUND

STEPS = """
  - name: find
    request: {connector: billing, path: "/refunds/{{ event.refund_id }}"}
  - name: write
    request:
      connector: helpdesk
      method: PATCH
      path: /tickets/T-1
      json: {state: "{{ steps.find.response.body.state }}"}
  - name: tell
    notify: {to: owner, text: "It was {{ steps.write.response.body.before }}"}
"""


@pytest.fixture
def folder(folder: Path) -> Path:
    """The example company, whose refunds have one more runbook, in shadow."""
    workflow = folder / "workflows" / "refund.yml"
    workflow.write_text(workflow.read_text().replace("runbooks: [refund-callback]", "runbooks: [try-it]", 1))
    write(folder)
    return folder


@pytest.fixture
def stage(empty_stage: Stage) -> Stage:
    """A service starts on it when the runbook is written."""
    return empty_stage


def write(folder: Path, more: str = "") -> None:
    """Writes the runbook."""
    head = f"runbook: try-it\ntitle: Try it\nmode: shadow\n{more}\nsteps:"
    (folder / "runbooks" / "try-it.yml").write_text(head + STEPS)


async def proposed(stage: Stage, number: int = 1, *, start: bool = True, **inputs: str) -> str:
    """A case on which the runbook has said what it would do."""
    if start:
        await stage.start()
    stage.company["billing"].kept[f"re_{number}"] = REFUND | {"state": "completed"}
    event = REFUND | {"refund_id": f"re_{number}"}
    ref = await stage.report(**LOST | {"event": event, "event_key": f"re_{number}", "title": f"Refund {number}"})
    await run(stage, ref, "try-it", **inputs)
    return ref


def proposing_line(stage: Stage, ref: str) -> Message:
    """The line of the case's thread that says what the run would do."""
    case = stage.case(ref)
    said = stage.slack.thread(case.channel, case.card_ts or "")[1:]
    return next(message for message in said if "would go on now" in message.shown)


def plan(stage: Stage, index: int = 0) -> list[Planned]:
    """What the run says it is going to do."""
    of, policies, now = runs(stage)[index], stage.service.desk.policies, stage.clock.now()
    return stage.database.read_now(lambda session: foreseen(session, policies, of, now=now))


def share(stage: Stage, **ago: float) -> dict[str, Any]:
    """How many proposals were accepted, of how many."""
    since = stage.clock.now() - timedelta(**ago)
    return stage.database.read_now(lambda session: dict(accepted_share(session, "refund", since)))


@on_both_engines
async def test_it_reads_and_then_says_the_very_request_that_it_would_make(stage: Stage, folder: Path) -> None:
    write(folder, "inputs: {whom: {label: Whom it is for, type: user}}")
    ref = await proposed(stage, whom=CLEO)
    assert (runs(stage)[0].state, steps(stage)) == ("proposed", {"find": "done"})
    assert [each.request["method"] for each in requests(stage)] == ["GET"]
    first, second = plan(stage)
    assert first.request == {
        "method": "PATCH",
        "connector": "helpdesk",
        "path": "/tickets/T-1",
        "json": {"state": "completed"},
    }
    assert (first.is_known, second.is_known) == (True, False)
    assert second.words == 'tell owner: It was ‹known once "write" is done›'
    assert "write: PATCH /tickets/T-1 to helpdesk with {" in stage.thread(ref)[-1]
    assert [who for who, _ in messages(stage, "run_proposed")] == [FAY]
    for said in (stage.thread(ref)[-1], stage.dms(FAY)[-1], stage.card(ref).shown):
        assert "Given: Whom it is for: *Cleo Marchetti*" in said


@on_both_engines
async def test_do_it_goes_on_live_from_where_it_stopped(stage: Stage) -> None:
    ref = await proposed(stage)
    await do(stage, do_it, DoIt(1, 1, request_key="one"), GUS)
    assert steps(stage) == {"find": "done", "write": "done", "tell": "done"}
    assert [each.request["method"] for each in requests(stage)] == ["GET", "PATCH"]
    assert stage.company["helpdesk"].kept["T-1"]["state"] == "completed"
    assert (await do(stage, do_it, DoIt(1, 1, request_key="one"), GUS)).repeated
    said = await refused(stage, do_it, DoIt(1, 1), FAY)
    assert said == "Gus Petrov said Do it. Try it is done: all its steps are done."
    assert "run.proposed_accepted" in stage.actions(ref)
    assert stage.broken() == []


async def test_not_this_takes_a_reason_and_nothing_is_carried_out(stage: Stage) -> None:
    ref = await proposed(stage)
    assert "at least 10 characters" in await refused(stage, not_this, NotThis(1, 1, "no"), GUS)
    await do(stage, not_this, NotThis(1, 1, "the ticket is another one"), GUS)
    assert (runs(stage)[0].state, len(requests(stage))) == ("declined", 1)
    assert runs(stage)[0].because == "Gus Petrov said not this: the ticket is another one"
    assert "is not carried out: Gus Petrov said not this" in stage.thread(ref)[-1]
    assert "Try it is not carried out" in await refused(stage, do_it, DoIt(1, 1), FAY)


async def test_only_whom_its_runbook_allows_may_say(stage: Stage) -> None:
    await proposed(stage)
    for stranger in (DEE, ZOE):
        assert "You cannot run this on it" in await refused(stage, do_it, DoIt(1, 1), stranger)
        assert "You cannot run" in await refused(stage, not_this, NotThis(1, 1, "for a good reason"), stranger)
    assert runs(stage)[0].state == "proposed"


async def test_on_a_closed_case_it_is_not_carried_out(stage: Stage) -> None:
    ref = await proposed(stage)
    await stage.type(FAY, f"/case fail {ref} the customer withdrew it", channel="C0BILLING")
    assert "C-1 was closed before anybody answered" in await refused(stage, do_it, DoIt(1, 1), FAY)
    assert len(requests(stage)) == 1


async def test_an_approval_is_asked_for_when_somebody_has_said_do_it(stage: Stage, folder: Path) -> None:
    write(folder, "approval: {by: [billing, data-steward]}")
    await proposed(stage)
    assert (runs(stage)[0].state, seats(stage)) == ("proposed", [])
    await do(stage, do_it, DoIt(1, 1), GUS)
    assert (runs(stage)[0].state, len(requests(stage))) == ("approving", 1)
    assert seats(stage) == [("billing", "nobody", None), ("data-steward", "", None)]
    for asker in (FAY, GUS):
        assert "You asked for it" in await refused(stage, approve, Approve(1, 1), asker)
    await do(stage, approve, Approve(1, 1), CLEO)
    assert steps(stage) == {"find": "done", "write": "done", "tell": "done"}
    assert [each.request["method"] for each in requests(stage)] == ["GET", "PATCH"]


@on_both_engines
async def test_a_proposal_survives_a_restart_and_so_does_taking_its_buttons_away(stage: Stage) -> None:
    ref = await proposed(stage)
    await stage.restart(hours=30)
    assert runs(stage)[0].state == "proposed"
    line = proposing_line(stage, ref)
    assert list(line.buttons) == ["Do it", "Not this…"]
    stage.slack.faults.down()
    await do(stage, do_it, DoIt(1, 1), GUS)
    assert [each.request["method"] for each in requests(stage)] == ["GET", "PATCH"]
    stage.slack.faults.down(False)
    await stage.restart(minutes=6)
    decided = proposing_line(stage, ref)
    assert list(decided.buttons) == []
    assert "UTC>: *Gus Petrov* said yes." in decided.shown
    edits = [call.args["ts"] for call in stage.slack.called("chat.update") if call.answer.get("ok")]
    assert edits.count(line.ts) == 1


@on_both_engines
async def test_the_share_of_proposals_that_were_accepted_is_a_figure(stage: Stage) -> None:
    for number in (1, 2, 3):
        await proposed(stage, number, start=number == 1)
    await do(stage, do_it, DoIt(1, 1), GUS)
    await do(stage, not_this, NotThis(2, 2, "it is another ticket"), GUS)
    await do(stage, fail, Fail(3, "nobody can help here"), GUS)
    assert share(stage, days=1) == {"try-it": (1, 2, 3)}
    assert "*Try it* was refused: Gus Petrov said not this: it is another ticket" in stage.card("C-2").shown
    assert "*Try it* is not carried out: C-3 was closed before anybody answered" in stage.card("C-3").shown
    assert share(stage, days=0) == {}
    headers = {"Authorization": "Bearer token-of-monitors"}
    async with stage.http.get(f"{stage.service.url}/v1/workflows", headers=headers) as response:
        assert response.status == 200
        workflows = {each["workflow"]: each for each in (await response.json())["workflows"]}
    assert workflows["refund"]["proposals"] == [
        {"runbook": "try-it", "mode": "shadow", "days": 30, "accepted": 1, "answered": 2, "proposed": 3}
    ]
    told = await stage.type(BEN, "/case workflows refund")
    assert "1 of 2 proposals of Try it were accepted in 30 days, and nobody answered 1 more" in told


class TestAutoFix:
    """A runbook that goes first, in shadow."""

    @pytest.fixture
    def folder(self, folder: Path) -> Path:
        """The runbook goes first when a refund was not taken, and gives up after two minutes."""
        workflow = folder / "workflows" / "refund.yml"
        first = "runbooks: [try-it]\n    auto_fix: {runbook: try-it, give_up_after: 2m}"
        workflow.write_text(workflow.read_text().replace("runbooks: [try-it]", first, 1))
        return folder

    async def opened(self, stage: Stage) -> str:
        """A case that its runbook has made a proposal for."""
        await stage.start()
        stage.company["billing"].kept["re_1"] = REFUND | {"state": "completed"}
        return await stage.report(**LOST)

    async def test_its_clock_stands_still_while_it_waits_and_the_owner_is_told(self, stage: Stage) -> None:
        await self.opened(stage)
        assert [who for who, _ in messages(stage, "run_proposed")] == [FAY]
        await stage.advance(minutes=30)
        assert runs(stage)[0].state == "proposed"
        stage.company["helpdesk"].mode = Mode.FAIL
        await do(stage, do_it, DoIt(1, 1), FAY)
        left = runs(stage)[0].gives_up_at
        assert runs(stage)[0].waits_for_yes_since is None
        assert left is None or timedelta(0) < left - stage.clock.now() <= timedelta(minutes=2)

    async def test_after_not_this_the_case_takes_its_route(self, stage: Stage) -> None:
        ref = await self.opened(stage)
        assert stage.case(ref).route == "auto_fix"
        await do(stage, not_this, NotThis(1, 1, "it is another ticket"), FAY)
        assert stage.case(ref).route == "owner_queue"
