"""What a person types: each command, what it says, and its exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from sqlalchemy import text
from sqlmodel import Session

from bot.cli import main
from bot.desk import intake
from bot.desk.desk import Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.rules.actors import source
from bot.slack.manifest import manifest
from bot.starter import STARTER, write_starter
from tests.processes import ROOT, pointsman

COMMANDS = [
    "demo",
    "run",
    "init",
    "check",
    "contracts diff",
    "schema",
    "manifest",
    "migrate",
    "doctor",
    "audit verify",
    "audit export",
]


def test_without_a_command_it_shows_its_help(tmp_path: Path) -> None:
    for arguments in ([], ["audit"]):
        ended = pointsman(*arguments, folder=tmp_path)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("usage: pointsman")
        assert "commands:" in ended.err


@pytest.mark.parametrize("command", ["", "audit", *COMMANDS])
def test_each_command_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: pointsman {command}".rstrip())
    assert len(told.splitlines()) > 4


def test_a_word_that_is_no_command_is_told_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rum"])
    assert ended.value.code == 2
    assert "'rum' (choose from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("rum", "run"), ("chekc", "check"), ("DOCTOR", "doctor"), ("audit verfy", "verify"), ("audit exprot", "export")],
)
def test_a_mistyped_word_is_told_with_the_nearest_command(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(typed.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"did you mean '{meant}'?\n")


@pytest.mark.parametrize("typed", ["xyzzy", "audit xyzzy", "run --wrong", "demo --port many"])
def test_a_word_that_is_like_none_is_given_no_other_meaning(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(typed.split())
    assert "did you mean" not in capsys.readouterr().err


def test_a_starter_folder_is_checked_clean(tmp_path: Path) -> None:
    written = pointsman("init", "my policy", folder=tmp_path)
    assert written.code == 0
    assert written.out.splitlines()[-1] == "  pointsman check 'my policy'"
    checked = pointsman("check", "my policy", folder=tmp_path)
    assert (checked.code, checked.err) == (0, "")
    assert checked.out == "ok: 1 workflow, 1 runbook, 2 roles, 1 connector, 1 source\n"


def test_a_starter_folder_changes_no_file_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "team.yml").write_text("mine")
    assert main(["init", str(tmp_path)]) == 0
    assert (tmp_path / "team.yml").read_text() == "mine"
    assert f"wrote {tmp_path / 'connectors.yml'}" in capsys.readouterr().out
    assert write_starter(tmp_path) == []
    assert main(["init", str(tmp_path)]) == 0
    assert "nothing to write" in capsys.readouterr().out


def test_a_starter_folder_is_the_whole_of_it(tmp_path: Path) -> None:
    written = write_starter(tmp_path / "a" / "b")
    assert {path.relative_to(tmp_path / "a" / "b") for path in written} == {
        path.relative_to(STARTER) for path in STARTER.rglob("*") if path.is_file()
    }


def test_where_it_cannot_write_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.startswith(f"pointsman: cannot write {tmp_path / 'file'}")


PLANTED = [
    ("workflows/orders.yml", "steward: operations", "steward: operatons", 'did you mean "operations"?'),
    ("workflows/orders.yml", "source_of_record: shop", "source_of_record: shpo", "shop"),
    ("workflows/orders.yml", "priority: P3", "priority: P7", "P1"),
    ("workflows/orders.yml", "risk: medium", "rsik: medium", "risk"),
    ("team.yml", "timezone: Europe/London         #", "timezone: Europe/Londn         #", "Europe/London"),
    ("team.yml", "on_call: operations-on-call", "on_call: operations-oncall", "operations-on-call"),
    ("runbooks/send-again.yml", "replay: {}", "reply: {}", "replay"),
    ("connectors.yml", "token: AUTOMATIONS_TOKEN", "tokn: AUTOMATIONS_TOKEN", "token"),
]


@pytest.mark.parametrize(("file", "good", "bad", "hint"), PLANTED, ids=[bad for _, _, bad, _ in PLANTED])
def test_a_planted_fault_is_told_with_its_place_and_what_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, good: str, bad: str, hint: str
) -> None:
    write_starter(tmp_path)
    before = (tmp_path / file).read_text()
    assert good in before
    (tmp_path / file).write_text(before.replace(good, bad, 1))
    assert main(["check", str(tmp_path)]) == 1
    line = before[: before.index(good)].count("\n") + 1
    told = capsys.readouterr().out.splitlines()
    assert all(re.match(r"[a-z/-]+\.yml:\d+:\d+: ", each) for each in told)
    assert any(each.startswith(f"{file}:{line}:") and hint in each for each in told), told


def test_check_needs_no_environment_and_tells_all_faults(tmp_path: Path) -> None:
    write_starter(tmp_path / "p")
    for name in ("team.yml", "connectors.yml"):
        (tmp_path / "p" / name).write_text("a: [\n")
    ended = pointsman("check", "p", folder=tmp_path, PORT="wrong", DATABASE_URL="wrong", SLACK_BOT_TOKEN_FILE="/none")
    assert (ended.code, ended.err) == (1, "")
    assert {line.partition(":")[0] for line in ended.out.splitlines()} >= {"team.yml", "connectors.yml"}


def test_what_is_left_to_the_defaults_is_noted_after_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_starter(tmp_path)
    [contract] = (tmp_path / "workflows").iterdir()
    contract.write_text(contract.read_text().replace("  other:", "  odd:"))
    assert main(["check", str(tmp_path)]) == 0
    ok, note = capsys.readouterr().out.splitlines()
    assert ok.startswith("ok: 1 workflow")
    assert note.startswith(f"note: workflows/{contract.name}:")
    assert "no route for schema_drift, duplicate" in note


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none")]) == 1
    assert "none:1:1: cannot be read: No such file or directory" in capsys.readouterr().out


def test_the_schemas_are_printed_as_one_object(tmp_path: Path) -> None:
    ended = pointsman("schema", folder=tmp_path)
    assert ended.code == 0
    schemas: dict[str, Any] = json.loads(ended.out)
    assert len(schemas) >= 4
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("url", [None, "https://ops.acme.test/pointsman"])
def test_the_manifest_is_printed_as_yaml(tmp_path: Path, url: str | None) -> None:
    ended = pointsman("manifest", *(["--url", url] if url else []), folder=tmp_path)
    assert ended.code == 0
    assert YAML(typ="safe").load(ended.out) == manifest(url)


def test_the_manifest_of_the_tree_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest"]) == 0
    read = YAML(typ="safe").load
    assert read(capsys.readouterr().out) == read((ROOT / "manifest.yml").read_text())


@pytest.mark.parametrize("url", ["http://ops.acme.test", "ops.acme.test", "https://", "https://[", "https://a.test?b"])
def test_an_address_that_slack_cannot_call_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manifest", "--url", url]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("pointsman: --url: ")


def test_migrate_makes_the_database_and_does_it_once(tmp_path: Path, empty_database_url: str) -> None:
    for _ in range(2):
        ended = pointsman("migrate", folder=tmp_path, DATABASE_URL=empty_database_url)
        assert (ended.code, ended.out, ended.err) == (0, "the database is at this version\n", "")
    verified = pointsman("audit", "verify", folder=tmp_path, DATABASE_URL=empty_database_url)
    assert (verified.code, verified.out) == (0, "ok: nothing is recorded yet\n")


async def test_a_database_of_a_newer_version_is_left_alone(desk: Desk, database_url: str, tmp_path: Path) -> None:
    _write(desk, "UPDATE alembic_version SET version_num = 'of_tomorrow'")
    ended = pointsman("migrate", folder=tmp_path, DATABASE_URL=database_url)
    assert ended.code == 2
    assert ended.err.startswith("pointsman: DATABASE_URL: the database is at schema of_tomorrow")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("command", ["run", "migrate", "doctor"])
async def test_a_database_of_another_schema_under_this_versions_name_is_told(
    desk: Desk, database_url: str, tmp_path: Path, command: str
) -> None:
    _write(desk, "ALTER TABLE notes RENAME COLUMN author TO writer")
    ended = pointsman(command, folder=tmp_path, DATABASE_URL=database_url)
    assert ended.code != 0
    [told] = [line for line in (ended.out + ended.err).splitlines() if "DATABASE_URL" in line]
    assert "it is not that of this version: table notes lacks author and has writer" in told
    assert "name a new database, or go back to a backup" in told


WRONG_DATABASES = {
    "mysql://localhost/x": "it has to begin with sqlite:/// or postgresql://",
    "pointsman.db": "it has to begin with sqlite:/// or postgresql://",
    "sqlite:///": "name a file",
    "sqlite:///:memory:": "name a file",
    "sqlite:////no/such/folder/x.db": "unable to open database file",
    "postgresql://ada:hunter2@127.0.0.1:1/x": "Connection refused",
    "postgresql://ada:hunter2@host:port/x": "this is not an address",
}


@pytest.mark.parametrize(("url", "words"), WRONG_DATABASES.items())
def test_a_database_that_cannot_be_used_is_one_line_without_its_password(
    url: str, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert main(["migrate"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("pointsman: DATABASE_URL: ")
    assert words in told
    assert "hunter2" not in told
    assert len(told.splitlines()) == 1


def _write(desk: Desk, *statements: str) -> None:
    """What only somebody with the database in their hands can do."""

    def work(session: Session) -> None:
        for statement in statements:
            session.execute(text(statement))

    desk.database.write(work).result()


async def _two_cases(desk: Desk) -> None:
    for title in ("One", "Two"):
        report = Report(by=source("monitors"), workflow="refund", title=title)
        for _ in range(2):
            await desk.run_joined(intake.report, Submission((report,)))


async def test_a_log_that_nobody_changed_holds(desk: Desk, database_url: str, tmp_path: Path) -> None:
    await _two_cases(desk)
    for arguments, count in (
        ([], "4 in 2 chains"),
        (["--case", "C-1"], "2 in 1 chain"),
        (["--case", "2"], "2 in 1 chain"),
    ):
        ended = pointsman("audit", "verify", *arguments, folder=tmp_path, DATABASE_URL=database_url)
        assert (ended.code, ended.out, ended.err) == (0, f"ok: every entry holds ({count})\n", "")


TAMPERED = {
    "edited": "UPDATE audit_entries SET body = replace(body, 'joined', 'closed') WHERE chain = 'case:1' AND seq = 2",
    "removed": "DELETE FROM audit_entries WHERE chain = 'case:1' AND seq = 1",
}


@pytest.mark.parametrize("statement", TAMPERED.values(), ids=TAMPERED.keys())
async def test_an_entry_that_somebody_changed_is_named(
    desk: Desk, engine_name: str, database_url: str, tmp_path: Path, statement: str
) -> None:
    await _two_cases(desk)
    _write(desk, *_without_triggers(desk, engine_name), statement)
    ended = pointsman("audit", "verify", folder=tmp_path, DATABASE_URL=database_url)
    assert ended.code == 1
    [line] = ended.out.splitlines()
    assert re.match(r"case:1 entry [12]: ", line)
    other = pointsman("audit", "verify", "--case", "C-2", folder=tmp_path, DATABASE_URL=database_url)
    assert other.code == 0


def _without_triggers(desk: Desk, engine_name: str) -> list[str]:
    if engine_name == "postgres":
        return ["ALTER TABLE audit_entries DISABLE TRIGGER USER"]
    query = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entries'")
    names = desk.database.read_now(lambda session: session.execute(query).scalars().all())
    return [f'DROP TRIGGER "{name}"' for name in names]


@pytest.mark.parametrize(
    ("ref", "words"),
    [("C-9", "there is no case C-9"), ("refund", "'refund' is not the name of a case"), ("C-", "such as C-17")],
)
async def test_a_case_that_is_none_is_told(
    sqlite_desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, ref: str, words: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{sqlite_desk.database.engine.url.database}")
    assert main(["audit", "verify", "--case", ref]) == 2
    assert words in capsys.readouterr().err


async def test_the_log_is_exported_line_by_line(desk: Desk, database_url: str, tmp_path: Path) -> None:
    await _two_cases(desk)
    ended = pointsman("audit", "export", folder=tmp_path, DATABASE_URL=database_url)
    said = [json.loads(line) for line in ended.out.splitlines()]
    assert ended.code == 0
    of_case = [line for line in said if (line["kind"], line["chain"]) == ("entry", "case:1")]
    assert [json.loads(entry["body"])["action"] for entry in of_case] == ["case.opened", "exception.joined"]
    assert of_case[1]["prev_hash"] == of_case[0]["hash"]


def test_whoever_reads_only_the_first_line_gets_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m bot schema | head -1"
    ended = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("{\n", "")


@pytest.mark.parametrize("command", [["audit", "verify"], ["audit", "export"], ["doctor"]])
def test_looking_makes_no_database(tmp_path: Path, command: list[str]) -> None:
    ended = pointsman(*command, folder=tmp_path)
    assert ended.code == (1 if command == ["doctor"] else 2)
    assert "there is no database at sqlite:///pointsman.db; `pointsman migrate` makes one" in ended.out + ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_says_a_line_of_each_thing(tmp_path: Path) -> None:
    write_starter(tmp_path / "p")
    ended = pointsman("doctor", folder=tmp_path, POINTSMAN_POLICY="p")
    assert ended.code == 1
    assert all(line.startswith(("ok  ", "!!  ")) for line in ended.out.splitlines())
    assert pointsman("doctor", folder=tmp_path, PORT="wrong").code == 2
