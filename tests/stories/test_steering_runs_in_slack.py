"""Runs are steered from the card: what one in shadow proposes is done or not, one is stopped, one is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.company import FAY, GUS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_answering_runs_in_slack import message
from tests.stories.test_runs import runs, steps
from tests.stories.test_sending_again import LOST
from tests.stories.test_undo import SILVER, TELL, WAITS, book, confirmed, tier

BUTTON = "button: Try it"
SHADOW = f"{BUTTON}\nmode: shadow"
REQUEST = "PATCH /tickets/T-1 to helpdesk"


@pytest.fixture
def folder(folder: Path) -> Path:
    """The example company, whose refunds have a runbook that a story writes."""
    workflow = folder / "workflows" / "refund.yml"
    workflow.write_text(workflow.read_text().replace("runbooks: [refund-callback]", "runbooks: [try-it]", 1))
    return folder


async def pressed(stage: Stage, folder: Path, of: str, more: str = BUTTON) -> str:
    """A case on which somebody pressed the runbook."""
    book(folder, "try-it", of, more)
    await stage.start()
    ref = await stage.report(**LOST)
    await stage.press(FAY, "Try it", on=ref)
    return ref


@on_both_engines
async def test_a_proposal_is_shown_and_done_at_a_click(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    ref = await pressed(stage, folder, SILVER, SHADOW)
    card = stage.card(ref)
    assert "proposes this and waits for a yes" in card.shown
    assert REQUEST in card.shown
    assert REQUEST in message(stage, FAY, "The try-it").shown
    assert list(message(stage, FAY, "The try-it").buttons) == ["Do it", "Not this…"]
    await stage.press(ZOE, "Do it", on=ref)
    assert "You cannot" in stage.told(ZOE)
    await stage.press(FAY, "Do it", on=ref)
    assert tier(stage) == "silver"
    assert ":white_check_mark: *The try-it* is done" in stage.card(ref).shown
    assert list(message(stage, FAY, "The try-it").buttons) == []
    assert "*Fay Tanaka* said yes." in message(stage, FAY, "The try-it").shown


async def test_a_proposal_that_is_not_wanted_takes_a_reason(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    ref = await pressed(stage, folder, SILVER, SHADOW)
    await stage.press_in_dm(FAY, "Not this…")
    assert set((await stage.fill_in(FAY, reason="no")).errors) == {"reason"}
    assert (await stage.fill_in(FAY, reason="the ticket is closed already")).errors == {}
    assert [run.state for run in runs(stage)] == ["declined"]
    assert "the ticket is closed already" in stage.card(ref).shown
    assert "T-1" not in stage.company["helpdesk"].kept
    assert list(message(stage, FAY, "The try-it").buttons) == []


@on_both_engines
async def test_a_proposal_that_nobody_answered_ends_with_its_case(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    ref = await pressed(stage, folder, SILVER, SHADOW)
    await stage.type(FAY, f"/case fail {ref} nobody can help here", channel="C0BILLING")
    said = "is not carried out: C-1 was closed before anybody answered"
    assert [(run.state, said.endswith(run.because)) for run in runs(stage)] == [("declined", True)]
    assert said in stage.card(ref).shown
    assert not {"Do it", "Not this…"} & {*stage.card(ref).buttons, *message(stage, FAY, "The try-it").buttons}


async def test_what_a_step_proposes_is_on_the_card_as_well(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    book(folder, "inner", SILVER, "mode: shadow")
    ref = await pressed(stage, folder, "  - {name: send, run: inner}\n")
    assert ":bulb: *The inner* proposes this and waits for a yes" in stage.card(ref).shown
    await stage.press(FAY, "Do it", on=ref)
    assert tier(stage) == "silver"
    assert [run.state for run in runs(stage)] == ["done", "done"]
    assert "The inner" not in stage.card(ref).shown


@on_both_engines
async def test_what_was_done_is_taken_back_at_a_click_that_says_what_stays(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    ref = await pressed(stage, folder, SILVER + TELL)
    assert "Undo" in stage.card(ref).buttons
    assert confirmed(stage, ref, "Undo") == "It takes back silver, last first. Cannot be taken back: tell."
    for _ in range(2):
        await stage.slack.click(GUS, stage.card(ref), text="Undo")
    await stage.settle()
    assert tier(stage) == "none"
    card = stage.card(ref)
    assert ":rewind: *The try-it* was taken back" in card.shown
    assert ":rewind: *silver*: taken back" in card.shown
    assert "Undo" not in card.buttons
    assert stage.actions(ref).count("run.undo_asked") == 1
    assert "refused" not in stage.actions(ref)


async def test_a_run_under_way_is_stopped_and_what_was_done_stays(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    ref = await pressed(stage, folder, SILVER + WAITS)
    assert steps(stage) == {"silver": "done", "waits": "waiting"}
    assert "Done already, and it stays so: silver" in confirmed(stage, ref, "Stop")
    await stage.press(FAY, "Stop", on=ref)
    card = stage.card(ref)
    assert "was stopped" in card.shown
    assert "Fay Tanaka stopped it" in card.shown
    assert tier(stage) == "silver"
    assert {"Undo", "Try it"} <= set(card.buttons)
    assert "Stop" not in card.buttons
