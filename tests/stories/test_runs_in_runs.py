"""A runbook that carries out another one: who may say yes to that, and what becomes of it when the first is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.desk.cases import resolve
from bot.desk.commands import Resolve
from bot.desk.runs.approvals import Approve, approve
from bot.desk.runs.proposals import DoIt, do_it
from tests.stories.company import FAY, GUS
from tests.stories.conftest import on_both_engines
from tests.stories.gate import change
from tests.stories.stage import Stage
from tests.stories.test_approvals import do, refused
from tests.stories.test_runs import requests, runs, steps
from tests.stories.test_sending_again import LOST, REFUND

ASK = "{name: ask, request: {connector: billing, method: POST, path: '/refunds/re_1/callback'}}"
TAGS = """{name: tags, request: {connector: helpdesk, method: PATCH, path: /tickets/T-1, json: {tier: gold}},
     undo: {request: {connector: helpdesk, method: PATCH, path: /tickets/T-1, json: {tier: none}}}}"""
WAITS = "{name: waits, pause: 30m}"
INNER = "{name: inner, run: inner}"


@pytest.fixture
def folder(folder: Path) -> Path:
    """The example company, whose lost refunds are tried first by a runbook that carries out another one."""
    first = "runbooks: [outer]\n    auto_fix: {runbook: outer, give_up_after: 5m}"
    change(folder, "workflows/refund.yml", ("P1\n    owner: billing", "P1\n    owner: billing\n    " + first))
    change(folder, "workflows/refund.yml", ("    resolve_within: 2h\n    runbooks: [refund-callback]\n", ""))
    return folder


@pytest.fixture
def stage(empty_stage: Stage) -> Stage:
    """A service starts on it when the runbooks are written."""
    empty_stage.company["billing"].kept["re_1"] = REFUND | {"state": "completed"}
    return empty_stage


def book(folder: Path, name: str, *steps: str, more: str = "") -> None:
    """Writes a runbook."""
    lines = "".join(f"  - {step}\n" for step in steps)
    (folder / "runbooks" / f"{name}.yml").write_text(f"runbook: {name}\ntitle: The {name}\n{more}steps:\n{lines}")


def states(stage: Stage) -> list[str]:
    """Where the runs are, the first one first."""
    return [each.state for each in runs(stage)]


@on_both_engines
async def test_what_a_run_carries_out_is_stopped_when_its_time_has_run_out(stage: Stage, folder: Path) -> None:
    book(folder, "inner", WAITS, ASK)
    book(folder, "outer", INNER)
    await stage.start()
    await stage.report(**LOST)
    await stage.advance(minutes=6)
    assert states(stage) == ["failed", "stopped"]
    assert [each.because for each in runs(stage)] == ["its time ran out"] * 2
    assert steps(stage) == {"inner": "failed", "waits": "failed"}
    await stage.advance(hours=1)
    assert requests(stage) == []
    assert stage.broken() == []


@on_both_engines
async def test_what_was_done_is_taken_back_when_the_time_has_run_out(stage: Stage, folder: Path) -> None:
    book(folder, "inner", TAGS, WAITS)
    book(folder, "outer", INNER, more="on_failure: undo\n")
    await stage.start()
    ref = await stage.report(**LOST)
    await stage.advance(minutes=6)
    assert states(stage) == ["undone", "undone"]
    assert steps(stage) == {"inner": "undone", "tags": "undone", "waits": "failed"}
    assert [each.request["json"] for each in requests(stage)] == [{"tier": "gold"}, {"tier": "none"}]
    assert stage.case(ref).route != "auto_fix"


async def test_what_a_fix_carries_out_does_not_go_on_when_the_case_is_closed(stage: Stage, folder: Path) -> None:
    book(folder, "inner", "{name: waits, pause: 2m}", ASK)
    book(folder, "outer", INNER)
    await stage.start()
    ref = await stage.report(**LOST)
    await do(stage, resolve, Resolve(int(ref.removeprefix("C-")), "fixed"), FAY)
    assert not stage.case(ref).is_open
    await stage.advance(minutes=3)
    assert states(stage) == ["stopped", "stopped"]
    assert requests(stage) == []


async def test_who_said_do_it_cannot_say_yes_to_what_a_step_carries_out(stage: Stage, folder: Path) -> None:
    book(folder, "inner", ASK, more="approval: {by: [billing, steward]}\n")
    book(folder, "outer", INNER, more="mode: shadow\n")
    await stage.start()
    await stage.report(**LOST)
    assert states(stage) == ["proposed"]
    await do(stage, do_it, DoIt(1, 1), FAY)
    assert states(stage) == ["running", "approving"]
    assert "You asked for it" in await refused(stage, approve, Approve(1, 2), FAY)
    assert requests(stage) == []
    await do(stage, approve, Approve(1, 2), GUS)
    assert len(requests(stage)) == 1
