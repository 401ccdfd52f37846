"""What an engine does to a transaction from outside: locks, lost connections, full disks, failing commits."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from store import engines
from store.database import CommitUnknown, Database
from store.together import TRIES
from tests.postgres import TEMPLATE, Postgres
from tests.store.seeds import held_up, keys, write_key


@pytest.fixture
def postgres_database(postgres: Postgres) -> Any:
    with postgres.temporary(template=TEMPLATE) as url:
        database = Database(url)
        yield database
        database.close()


def file_of(database: Database) -> Path:
    return Path(str(database.engine.url.database))


def break_connection(database: Database, backend: int) -> None:
    with psycopg.connect(database.engine.url.set(drivername="postgresql").render_as_string(False)) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def backend_of(session: Session) -> int:
    return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_work_whose_connection_is_lost_before_its_commit_is_run_again(postgres_database: Database) -> None:
    runs = []

    def work(session: Session) -> str:
        runs.append(1)
        write_key("a")(session)
        if len(runs) == 1:
            break_connection(postgres_database, backend_of(session))
        return write_key("b")(session)

    assert postgres_database.write(work).result() == "b"
    assert len(runs) == 2
    assert keys(postgres_database) == ["a", "b"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_connection_lost_at_the_commit_is_told_and_nothing_is_run_again(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    runs = []
    dialect = postgres_database.engine.dialect
    commit = dialect.do_commit

    def lose(connection: Any) -> None:
        monkeypatch.undo()
        if committed:
            commit(connection)
        break_connection(postgres_database, connection.dbapi_connection.info.backend_pid)
        connection.execute("SELECT 1")

    def work(session: Session) -> str:
        runs.append(1)
        return write_key("a")(session)

    monkeypatch.setattr(dialect, "do_commit", lose)
    with pytest.raises(CommitUnknown):
        postgres_database.write(work).result()
    assert len(runs) == 1
    assert keys(postgres_database) == (["a"] if committed else [])


def test_a_deadlock_is_nobodys_fault(postgres_database: Database) -> None:
    for key in ("a", "b"):
        postgres_database.write(write_key(key)).result()
    both = threading.Barrier(2, timeout=10)

    def touch(first: str, second: str) -> Any:
        runs: list[int] = []

        def work(session: Session) -> int:
            runs.append(1)
            update = text("UPDATE requests SET digest = digest || 'x' WHERE key = :key")
            session.execute(update, {"key": first})
            if len(runs) == 1:
                both.wait()
            session.execute(update, {"key": second})
            return len(runs)

        return work

    one, other = postgres_database.write(touch("a", "b")), postgres_database.write(touch("b", "a"))
    assert one.result() + other.result() > 2
    digests = text("SELECT digest FROM requests")
    assert postgres_database.read_now(lambda s: s.execute(digests).scalars().all()) == ["xx", "xx"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "LOCK_WAIT", 0)


@pytest.fixture
def locked(impatient: None, sqlite_database: Database) -> Any:
    """Another process that is in the middle of a transaction."""
    other = sqlite3.connect(file_of(sqlite_database), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def test_a_file_that_another_process_holds_is_tried_again(locked: Any, sqlite_database: Database) -> None:
    tries = []

    def let_go_at_the_third(*_: Any) -> None:
        tries.append(1)
        if len(tries) == 3:
            locked.execute("ROLLBACK")

    event.listen(sqlite_database.engine, "checkout", let_go_at_the_third)
    assert sqlite_database.write(write_key("a")).result() == "a"
    assert len(tries) == 3


def test_a_file_that_stays_locked_fails_all_who_wait_and_runs_nothing(locked: Any, sqlite_database: Database) -> None:
    tries: list[Any] = []
    event.listen(sqlite_database.engine, "checkout", lambda *_: tries.append(1))
    future = sqlite_database.write(write_key("a"))
    with pytest.raises(OperationalError, match="database is locked"):
        future.result()
    assert len(tries) == TRIES
    locked.execute("ROLLBACK")
    assert keys(sqlite_database) == []


def test_a_commit_that_fails_fails_all_that_shared_it(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = sqlite_database.engine.dialect
    commit = dialect.do_commit
    broken: list[int] = []

    def out_of_order(connection: Any) -> None:
        if broken:
            raise sqlite3.OperationalError("disk I/O error")
        commit(connection)

    monkeypatch.setattr(dialect, "do_commit", out_of_order)
    with held_up(sqlite_database):
        futures = [sqlite_database.write(write_key(str(number))) for number in range(3)]
        sqlite_database.write(lambda _: broken.append(1))
    wait(futures)
    assert [str(future.exception()).partition("\n")[0] for future in futures] == [
        "(sqlite3.OperationalError) disk I/O error"
    ] * 3
    broken.clear()
    assert sqlite_database.write(write_key("after")).result() == "after"
    assert keys(sqlite_database) == ["after"]


def test_a_full_disk_fails_who_needs_more_and_spares_the_others(sqlite_database: Database) -> None:
    def fill(session: Session) -> None:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        write_key("x" * 1_000_000)(session)

    with held_up(sqlite_database):
        small, large = sqlite_database.write(write_key("small")), sqlite_database.write(fill)
        after = sqlite_database.write(write_key("after"))
    assert "full" in str(large.exception())
    assert (small.result(), after.result()) == ("small", "after")
    assert keys(sqlite_database) == ["after", "small"]
