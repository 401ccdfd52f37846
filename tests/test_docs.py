"""What the documentation shows of commands is what they print."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bot.cli import main
from tests.conftest import EXAMPLE_COMPANY

DOCS = Path(__file__).parents[1] / "docs"
REFUND, RENEWAL, TICKETS = "workflows/refund.yml", "workflows/renewal-notice.yml", "schemas/refund-requested.v1.json"


def shown(command: str) -> list[str]:
    """What the documentation shows of a command, at each place."""
    blocks = re.findall(r"^```\n(.*?)^```$", (DOCS / "policy.md").read_text(encoding="utf-8"), re.M | re.S)
    return [block.partition("\n")[2] for block in blocks if block.startswith(f"$ {command}\n")]


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with the company's folder, as it is in force and as it is worked on."""
    for name in ("main/policy", "policy"):
        shutil.copytree(EXAMPLE_COMPANY, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(file: str, *replacements: tuple[str, str]) -> None:
    path = Path("policy", file)
    text = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("somewhere")
def test_faults_are_told_as_they_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    change(REFUND, ("steward: revenue-ops", "steward: revenue-opps"), ("  within: 10m", "  within: 10min"))
    change(RENEWAL, ("expect: event.account_status", "expect: evnt.account_status"))
    assert main(["check", "policy"]) == 1
    assert capsys.readouterr().out == shown("pointsman check policy")[0]


@pytest.mark.usefixtures("somewhere")
def test_warnings_are_told_as_they_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    change("team.yml", ("- {after: 1h, to: accountable}", "- {after: 1h, to: on_call}"))
    assert main(["check", "policy"]) == 0
    assert capsys.readouterr().out == shown("pointsman check policy")[1]


@pytest.mark.usefixtures("somewhere")
def test_a_difference_is_told_as_it_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    change(REFUND, ("  within: 10m", "  within: 5m"), ("title: Refunds", "title: Refunds of today"))
    change(TICKETS, ('"amount_cents"]', '"amount_cents", "ticket_id"]'))
    assert main(["contracts", "diff", "main/policy", "policy"]) == 1
    [text] = shown("pointsman contracts diff main/policy policy")
    assert capsys.readouterr().out == text
    assert main(["contracts", "diff", "main/policy", "policy", "--format", "github"]) == 1
    [annotation] = re.findall(r"`(::error [^`]*)`", (DOCS / "policy.md").read_text(encoding="utf-8"))
    assert annotation in capsys.readouterr().out.splitlines()


def test_each_test_that_shows_a_guarantee_is_there() -> None:
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", (DOCS / "guarantees.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (DOCS.parent / file).read_text(encoding="utf-8"), test
