"""What a run did is taken back: by its runbook when a step fails, or by somebody afterwards; and a run is stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.desk.runs.undoing import StopRun, UndoRun, stop_run, undo_run
from bot.sandbox.company.systems import Mode
from tests.stories.company import FAY, GUS
from tests.stories.conftest import on_both_engines
from tests.stories.gate import change
from tests.stories.stage import Stage
from tests.stories.test_approvals import do, refused
from tests.stories.test_events import send
from tests.stories.test_runs import requests, run, runs, steps
from tests.stories.test_sending_again import LOST, REFUND

WRITE = """
  - name: {name}
    request: {{connector: helpdesk, method: PATCH, path: /tickets/T-1, json: {{tier: {name}}}}}
    retry: {{attempts: 2, first: 10s}}
    undo:
      request: {{connector: helpdesk, method: PATCH, path: /tickets/T-1, json: {{tier: "{before}"}}}}
      retry: {{attempts: 3, first: 1m}}
"""
SILVER, GOLD = WRITE.format(name="silver", before="none"), WRITE.format(name="gold", before="silver")
TELL = "  - {name: tell, notify: {to: asker, text: done}}\n"
FAILING = "  - {name: fails, request: {connector: billing, method: POST, path: /refunds/re_9/callback}}\n"
PAID = REFUND | {"state": "completed"}
WAITS = "  - {name: waits, wait_for: {outcome: done, within: 1h}}\n"


@pytest.fixture
def folder(folder: Path) -> Path:
    """The example company, whose refunds have runbooks that a story writes."""
    workflow = folder / "workflows" / "refund.yml"
    workflow.write_text(workflow.read_text().replace("runbooks: [refund-callback]", "runbooks: [try-it, outer]", 1))
    book(folder, "outer", "  - {name: inner, run: try-it}\n" + FAILING)
    return folder


@pytest.fixture
def stage(empty_stage: Stage) -> Stage:
    """A service starts on it when the runbooks are written."""
    return empty_stage


def book(folder: Path, name: str, steps: str, more: str = "") -> None:
    """Writes a runbook."""
    (folder / "runbooks" / f"{name}.yml").write_text(f"runbook: {name}\ntitle: The {name}\n{more}\nsteps:\n{steps}")


async def tried(stage: Stage, folder: Path, steps: str, *, more: str = "", runbook: str = "try-it") -> str:
    """A case on which this runbook was carried out."""
    book(folder, "try-it", steps, more)
    await stage.start()
    ref = await stage.report(**LOST)
    await run(stage, ref, runbook)
    return ref


def tier(stage: Stage) -> str:
    """What the help desk has now."""
    return str(stage.company["helpdesk"].kept["T-1"]["tier"])


def confirmed(stage: Stage, ref: str, button: str) -> str:
    """What Slack asks before a button of the card takes effect."""
    elements = [each for block in stage.card(ref).blocks for each in block.get("elements", ())]
    return next(str(each["confirm"]["text"]["text"]) for each in elements if button in str(each.get("text")))


def undone(stage: Stage) -> list[tuple[str, int | None]]:
    """The requests that took something back, in order."""
    return [(each.request["json"]["tier"], each.status) for each in requests(stage) if each.purpose == "undo"]


def ended(stage: Stage, index: int = 0) -> tuple[str, str]:
    """How a run ended, and why."""
    one = runs(stage)[index]
    return one.state, one.because


@on_both_engines
async def test_finished_steps_are_taken_back_last_first_and_once(stage: Stage, folder: Path) -> None:
    ref = await tried(stage, folder, SILVER + GOLD + TELL)
    assert tier(stage) == "gold"
    await do(stage, undo_run, UndoRun(1, 1, request_key="one"), GUS)
    assert undone(stage) == [("silver", 200), ("none", 200)]
    assert ended(stage) == ("undone", "what it did is taken back")
    assert steps(stage) == {"silver": "undone", "gold": "undone", "tell": "done"}
    assert (await do(stage, undo_run, UndoRun(1, 1, request_key="one"), GUS)).repeated
    said = await refused(stage, undo_run, UndoRun(1, 1), FAY)
    assert said == "Gus Petrov was first. The try-it was taken back: what it did is taken back."
    assert len(undone(stage)) == 2
    actions = [action for action in stage.actions(ref) if "undo" in action or "undone" in action]
    assert actions == ["run.undo_asked", "run.step_undone", "run.step_undone", "run.undone"]
    assert stage.broken() == []


async def test_it_is_refused_with_why(stage: Stage, folder: Path) -> None:
    ref = await tried(stage, folder, FAILING + SILVER)
    said = await refused(stage, undo_run, UndoRun(1, 1), FAY)
    assert said == "Nothing that The try-it did can be taken back. Its runbook does not say how these are: fails."
    assert "You cannot run this on it" in await refused(stage, undo_run, UndoRun(1, 1), "U0ZOE")
    assert await refused(stage, undo_run, UndoRun(1, 7), FAY) == f"{ref} has no run 7."


async def test_on_a_closed_case_it_is_refused(stage: Stage, folder: Path) -> None:
    ref = await tried(stage, folder, SILVER)
    await stage.type(FAY, f"/case fail {ref} nobody can help here", channel="C0BILLING")
    assert "Reopen it with a reason first" in await refused(stage, undo_run, UndoRun(1, 1), FAY)
    assert undone(stage) == []


async def test_a_run_under_way_is_stopped_first(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, SILVER + WAITS)
    assert "stop it first" in await refused(stage, undo_run, UndoRun(1, 1), FAY)
    await do(stage, stop_run, StopRun(1, 1), FAY)
    assert ended(stage) == ("stopped", "Fay Tanaka stopped it")
    assert steps(stage) == {"silver": "done", "waits": "failed"}
    said = await refused(stage, stop_run, StopRun(1, 1), GUS)
    assert said == "The try-it was stopped: Fay Tanaka stopped it."
    await do(stage, undo_run, UndoRun(1, 1), FAY)
    assert (tier(stage), ended(stage)[0]) == ("none", "undone")


async def test_what_a_stopped_run_has_on_its_way_is_said_to_be_unknown(stage: Stage, folder: Path) -> None:
    stage.company["helpdesk"].mode = Mode.FAIL
    await tried(stage, folder, SILVER)
    await do(stage, stop_run, StopRun(1, 1), FAY)
    assert ended(stage) == ("stopped", "Fay Tanaka stopped it; whether silver happened is not known")
    stage.company["helpdesk"].mode = Mode.OK
    await stage.advance(minutes=5)
    assert len(requests(stage)) == 1


async def test_when_a_step_fails_its_runbook_takes_back_what_was_done(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, SILVER + GOLD + FAILING, more="on_failure: undo")
    assert undone(stage) == [("silver", 200), ("none", 200)]
    assert ended(stage) == ("undone", "fails: it answered 404")


@on_both_engines
async def test_a_restart_in_the_middle_goes_on_under_the_same_keys(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, SILVER + GOLD)
    stage.company["helpdesk"].mode = Mode.FAIL
    await do(stage, undo_run, UndoRun(1, 1), FAY)
    before = undone(stage)
    assert (set(before), ended(stage)[0]) == ({("silver", 503)}, "undoing")
    await stage.stop()
    stage.company["helpdesk"].mode = Mode.OK
    await stage.restart(minutes=2)
    assert undone(stage) == [*before, ("silver", 200), ("none", 200)]
    assert ended(stage)[0] == "undone"
    assert [key.partition(":0:")[2] for key in stage.company["helpdesk"].answers] == [
        "silver:1",
        "gold:1",
        "gold:1:undo",
        "silver:1:undo",
    ]


async def test_what_cannot_be_taken_back_is_named_and_the_rest_is_taken_back(stage: Stage, folder: Path) -> None:
    gold = GOLD.replace('/tickets/T-1, json: {tier: "silver"}', '/nowhere, json: {tier: "silver"}')
    await tried(stage, folder, SILVER + gold.replace("attempts: 3", "attempts: 1"))
    await do(stage, undo_run, UndoRun(1, 1), FAY)
    assert ended(stage) == ("failed", "could not be undone: gold")
    assert tier(stage) == "none"
    said = await refused(stage, undo_run, UndoRun(1, 1), FAY)
    assert said == "The try-it: gold could not be taken back; nothing else is left to take back."


@on_both_engines
async def test_with_a_run_what_its_steps_carried_out_is_taken_back(stage: Stage, folder: Path) -> None:
    ref = await tried(stage, folder, SILVER + GOLD + TELL, runbook="outer")
    assert [each.state for each in runs(stage)] == ["failed", "done"]
    said = "It takes back inner: gold and inner: silver, last first. Cannot be taken back: inner: tell."
    assert confirmed(stage, ref, "Undo") == said
    await do(stage, undo_run, UndoRun(1, 1), FAY)
    assert [each.state for each in runs(stage)] == ["undone", "undone"]
    assert tier(stage) == "none"


async def test_a_run_that_another_carried_out_can_be_taken_back_alone(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, SILVER + GOLD, runbook="outer")
    await do(stage, undo_run, UndoRun(1, 2), FAY)
    assert [each.state for each in runs(stage)] == ["failed", "undone"]
    assert "Nothing that The outer did" in await refused(stage, undo_run, UndoRun(1, 1), FAY)


async def test_stopping_a_run_stops_what_its_steps_carry_out(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, SILVER + WAITS, runbook="outer")
    assert [each.state for each in runs(stage)] == ["running", "running"]
    await do(stage, stop_run, StopRun(1, 1), FAY)
    assert [each.state for each in runs(stage)] == ["stopped", "stopped"]
    await stage.advance(hours=2)
    assert [each.state for each in runs(stage)] == ["stopped", "stopped"]


@pytest.mark.parametrize("engine_name", ["postgres"], indirect=True)
async def test_two_services_take_each_step_back_once(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, SILVER + GOLD)
    await stage.start()
    await do(stage, undo_run, UndoRun(1, 1), GUS)
    await stage.advance(minutes=1)
    assert undone(stage) == [("silver", 200), ("none", 200)]
    assert ended(stage)[0] == "undone"


EACH = """
  - name: write
    request: {connector: helpdesk, method: PATCH, path: "/tickets/{{ event.refund_id }}", json: {tier: gold}}
    undo: {request: {connector: helpdesk, method: PATCH, path: "/tickets/{{ event.refund_id }}", json: {tier: none}}}
  - name: ask
    request: {connector: billing, method: POST, path: "/refunds/{{ event.refund_id }}/callback"}
"""


@on_both_engines
async def test_of_several_events_a_failure_takes_back_one_and_a_person_all(stage: Stage, folder: Path) -> None:
    change(folder, "workflows/refund.yml", ("other: {priority: P2,", "other: {priority: P2, runbooks: [each],"))
    book(folder, "each", EACH, "for_each: event\non_failure: undo")
    book(folder, "try-it", TELL)
    await stage.start()
    stage.company["billing"].kept.update({"re_1": PAID, "re_3": PAID})
    misfits = [REFUND | {"refund_id": f"re_{n}", "customer_id": f"c{n}", "amount_cents": "12"} for n in (1, 2, 3)]
    await send(stage, "refund", misfits)
    (case,) = stage.cases()
    await run(stage, case.ref, "each")
    await stage.advance(seconds=10)

    def tiers() -> dict[str, str]:
        return {name: str(kept["tier"]) for name, kept in stage.company["helpdesk"].kept.items()}

    assert tiers() == {"re_1": "gold", "re_2": "none", "re_3": "gold"}
    assert (ended(stage)[0], runs(stage)[0].counts) == ("failed", {"done": 2, "failed": 1})
    said = "It takes back write for each of 2 events, last first. Cannot be taken back: ask."
    assert confirmed(stage, case.ref, "Undo") == said
    await do(stage, undo_run, UndoRun(1, 1), FAY)
    assert tiers() == {"re_1": "none", "re_2": "none", "re_3": "none"}
    assert ended(stage)[0] == "undone"
    assert [each.request["path"][-4:] for each in requests(stage) if each.purpose == "undo"] == ["re_2", "re_3", "re_1"]
