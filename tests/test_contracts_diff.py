"""`pointsman contracts diff`: what changes between two folders, for people, machines and GitHub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bot.cli import main
from tests.conftest import EXAMPLE_COMPANY

REFUND = "workflows/refund.yml"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A copy of the example company's folder, to be changed."""
    return Path(shutil.copytree(EXAMPLE_COMPANY, tmp_path / "new"))


def write(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def diff(new: Path, *options: str) -> int:
    return main(["contracts", "diff", str(EXAMPLE_COMPANY), str(new), *options])


def shorten(folder: Path) -> None:
    write(folder, REFUND, "  within: 10m", "  within: 5m")


def test_the_same_folder_has_no_changes(new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(new) == 0
    assert capsys.readouterr().out == "no changes\n"
    assert diff(new, "--format", "github") == 0
    assert capsys.readouterr().out == ""


def test_what_breaks_without_a_higher_version_is_a_fault(new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shorten(new)
    assert diff(new) == 1
    heading, change, needs, count = capsys.readouterr().out.splitlines()
    assert heading == "workflow refund, version 1"
    assert change.startswith("  BREAKS  workflows/refund.yml:")
    assert change.endswith(": outcome.within: window shortened: 10m → 5m")
    assert needs == "!! refund breaks something and is at version 1: write version: 2 or higher"
    assert count == "1 change, 1 breaking"


def test_with_a_higher_version_it_is_told_and_passes(new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shorten(new)
    write(new, REFUND, "version: 1", "version: 2")
    assert diff(new) == 0
    assert "workflow refund, version 1 → 2" in capsys.readouterr().out


def test_what_breaks_in_the_team_has_no_version_and_passes(new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(new, "team.yml", "members: [U0FAY, U0GUS]", "members: [U0FAY]")
    assert diff(new) == 0
    assert "BREAKS  team.yml:" in capsys.readouterr().out


def test_machines_are_told_the_same(new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shorten(new)
    assert diff(new, "--format", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["breaking"], told["needs_higher_version"]) == (1, ["refund"])
    [change] = told["changes"]
    assert (change["part"], change["path"], change["file"]) == ("workflow refund", "outcome.within", REFUND)
    assert change["breaking"] is True


def test_github_annotates_the_lines(new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shorten(new)
    write(new, REFUND, "title: Refunds", "title: 50% of Refunds")
    write(new, "team.yml", "members: [U0FAY, U0GUS]", "members: [U0FAY]")
    assert diff(new, "--format", "github") == 1
    window, wording, team, needs = capsys.readouterr().out.splitlines()
    line = (new / REFUND).read_text().splitlines().index("  within: 5m") + 1
    file = (new / REFUND).as_posix()
    assert window.startswith(f"::error file={file},line={line},title=workflow refund::outcome.within: window shortened")
    assert wording.startswith(f"::notice file={file},line=3,")
    assert "50%25 of Refunds" in wording
    assert team.startswith("::warning file=")
    assert needs.startswith(f"::error file={file},line=2,title=workflow refund::refund breaks something")


def test_a_folder_that_cannot_be_read_is_told_with_its_faults(
    new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(new, REFUND, "steward: revenue-ops", "steward: revenue-opps")
    assert diff(new) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "workflows/refund.yml:" in told.err
    assert 'did you mean "revenue-ops"?' in told.err
    assert diff(tmp_path / "nowhere") == 2
    assert "nowhere cannot be read" in capsys.readouterr().err
