"""Runs on cards and their forms, as golden files; and Slack's own rules hold for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.workspace import check_blocks, check_view
from bot.slack.runs import START, RunsShown
from tests.slack import test_golden
from tests.slack.drawings_of_runs import BOOKS, RUNS, messages, views

GOLDEN = Path(__file__).parent / "golden_runs"
MESSAGES, VIEWS = messages(), views()


@pytest.fixture(autouse=True)
def of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_golden, "GOLDEN", GOLDEN)


@pytest.mark.parametrize("name", MESSAGES)
def test_card_is_as_it_was_and_as_slack_wants_it(name: str) -> None:
    assert check_blocks(MESSAGES[name]["blocks"], "message") == []
    assert len(json.dumps(MESSAGES[name]["blocks"], ensure_ascii=False)) < 20_000
    assert test_golden.same_as_golden(name, MESSAGES[name])


@pytest.mark.parametrize("name", VIEWS)
def test_form_is_as_it_was_and_as_slack_wants_it(name: str) -> None:
    assert check_view(VIEWS[name]) == []
    assert test_golden.same_as_golden(name, VIEWS[name])


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(MESSAGES) | set(VIEWS)


@pytest.mark.parametrize("name", [*MESSAGES, *VIEWS])
def test_text_from_outside_wakes_nobody_and_turns_nothing_round(name: str) -> None:
    drawn = MESSAGES.get(name) or VIEWS[name]
    live = "".join(test_golden._live(drawn))
    assert "\u202e" not in json.dumps(drawn, ensure_ascii=False)
    assert "<!channel>" not in live
    assert "<@U0ADA>" not in live


@pytest.mark.parametrize("name", MESSAGES)
def test_the_cases_own_buttons_are_there_however_much_there_is_to_say(name: str) -> None:
    assert "case.more" in json.dumps(MESSAGES[name])


def test_more_runbooks_than_are_in_sight_are_in_the_menu() -> None:
    pressed, chosen = _offered(MESSAGES["card_offering"])
    assert len(pressed) == len(START)
    assert len(pressed) + len(chosen) == len(BOOKS)


def test_a_runbook_that_is_under_way_is_not_offered_again() -> None:
    assert "callback" in [book.name for book in RunsShown(BOOKS, RUNS["done"]).startable]
    assert "callback" not in [book.name for book in RunsShown(BOOKS, RUNS["waiting"]).startable]


def _offered(drawn: dict[str, Any]) -> tuple[list[str], list[str]]:
    elements = [element for block in drawn["blocks"] for element in block.get("elements", ()) if "action_id" in element]
    pressed = [element["action_id"] for element in elements if element["action_id"] in START]
    menu = next(element for element in elements if element["action_id"] == "case.more")
    return pressed, [option["value"] for option in menu["options"] if option["value"].startswith("run:")]
