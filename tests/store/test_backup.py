"""Backups are made while others write, hold together, and go back only where nobody works."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlmodel import Session

from bot.cli import main
from store import audit
from store.database import Database
from tests.store.seeds import AT, keys, write_key


@pytest.fixture
def url(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the database, as the service has it."""
    url = str(sqlite_database.engine.url)
    monkeypatch.setenv("DATABASE_URL", url)
    return url


def _write(database: Database, number: int) -> None:
    entry = audit.NewEntry(audit.DESK, "written", {}, {"number": number})

    def work(session: Session) -> None:
        write_key(f"{number:06}")(session)
        audit.append(session, [entry], at=AT)

    database.write(work).result()


def test_a_backup_is_of_one_moment_while_others_write(sqlite_database: Database, url: str, tmp_path: Path) -> None:
    written, stop = [0], threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            _write(sqlite_database, written[0])
            written[0] += 1

    for _ in range(20):
        _write(sqlite_database, written[0])
        written[0] += 1
    writing = threading.Thread(target=go_on)
    writing.start()
    try:
        before = written[0]
        assert main(["backup", str(tmp_path / "backup.db")]) == 0
        after = written[0]
    finally:
        stop.set()
        writing.join()
    assert stat.S_IMODE((tmp_path / "backup.db").stat().st_mode) == 0o600
    backup = Database(f"sqlite:///{tmp_path / 'backup.db'}")
    found = keys(backup)
    assert before <= len(found) <= after + 1
    assert found == [f"{number:06}" for number in range(len(found))]
    assert backup.read_now(lambda session: list(audit.verify(session))) == []
    assert backup.read_now(audit.count) == (len(found), 1)
    backup.close()


def test_a_backup_goes_back_in_the_place_of_what_was_there(
    sqlite_database: Database, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup, file = tmp_path / "backup.db", Path(url.removeprefix("sqlite:///"))
    _write(sqlite_database, 1)
    main(["backup", str(backup)])
    _write(sqlite_database, 2)
    assert main(["restore", str(backup)]) == 2
    assert "is in use" in capsys.readouterr().err
    assert keys(sqlite_database) == ["000001", "000002"]
    sqlite_database.close()
    assert main(["restore", str(backup)]) == 0
    assert main(["audit", "verify"]) == 0
    for name, wanted in ((file, ["000001"]), (file.with_name(f"{file.name}.before-1"), ["000001", "000002"])):
        opened = Database(f"sqlite:///{name}")
        assert keys(opened) == wanted
        opened.close()
    assert sorted(path.name for path in tmp_path.glob("*.part")) == []


def test_no_backup_is_written_over(sqlite_database: Database, url: str, tmp_path: Path) -> None:
    (tmp_path / "backup.db").write_text("mine")
    assert main(["backup", str(tmp_path / "backup.db")]) == 2
    assert (tmp_path / "backup.db").read_text() == "mine"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "at schema 9999, which this version does not know"),
        ("DROP TABLE alembic_version", "is no database of Pointsman"),
        (None, "is no database of Pointsman"),
    ],
)
def test_what_cannot_be_read_is_not_put_back(
    sqlite_database: Database,
    url: str,
    tmp_path: Path,
    spoil: str | None,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backup = tmp_path / "backup.db"
    main(["backup", str(backup)])
    if spoil:
        with closing(sqlite3.connect(backup)) as connection, connection:
            connection.execute(spoil)
    else:
        backup.write_bytes(b"not a database" * 1000)
    sqlite_database.close()
    before = Path(url.removeprefix("sqlite:///")).read_bytes()
    assert main(["restore", str(backup)]) == 2
    assert said in capsys.readouterr().err
    assert Path(url.removeprefix("sqlite:///")).read_bytes() == before


def test_postgresql_is_left_to_its_own_tools(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@host/name")
    assert main(["backup", str(tmp_path / "backup.db")]) == 2
    assert "pg_dump" in capsys.readouterr().err
