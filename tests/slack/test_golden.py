"""What people see, as golden files; and Slack's own rules hold for each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.workspace import check_blocks, check_view
from tests.slack.drawings import messages, views
from tests.slack.policy_drawings import proposals

GOLDEN = Path(__file__).parent / "golden"
MESSAGES, VIEWS = {**messages(), **proposals()}, views()


def same_as_golden(name: str, drawn: dict[str, Any]) -> bool:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(drawn, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("POINTSMAN_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_as_it_was_and_as_slack_wants_it(name: str) -> None:
    assert check_blocks(MESSAGES[name]["blocks"], "message") == []
    assert 0 < len(MESSAGES[name]["text"]) <= 3000
    assert same_as_golden(name, MESSAGES[name])


@pytest.mark.parametrize("name", VIEWS)
def test_view_is_as_it_was_and_as_slack_wants_it(name: str) -> None:
    assert check_view(VIEWS[name]) == []
    assert same_as_golden(name, VIEWS[name])


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(MESSAGES) | set(VIEWS)


@pytest.mark.parametrize("name", [*MESSAGES, *VIEWS])
def test_text_from_outside_wakes_nobody_and_turns_nothing_round(name: str) -> None:
    text = json.dumps(MESSAGES.get(name) or VIEWS[name], ensure_ascii=False)
    assert "\u202e" not in text
    assert "<!channel>" not in "".join(_live(MESSAGES.get(name) or VIEWS[name]))
    assert "<!here>" not in "".join(_live(MESSAGES.get(name) or VIEWS[name]))


def _live(node: Any) -> list[str]:
    """The texts in which Slack reads mentions."""
    if isinstance(node, list):
        return [text for item in node for text in _live(item)]
    if not isinstance(node, dict):
        return []
    own = [node["text"]] if isinstance(node.get("text"), str) and node.get("type") != "plain_text" else []
    return own + [text for value in node.values() for text in _live(value)]
