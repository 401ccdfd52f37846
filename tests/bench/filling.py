"""Databases as full as they get: one case that the service opened, copied by SQL, in seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep

from bot.clock import SystemClock
from tests.bench.intake import loaded
from tests.bench.reading import ask
from tests.bench.service import service

BREACH_STEP = 2
"""The step of a response timer at which its window has passed, with the two reminders of the example company."""
PLACE = "'1764000000.' || i"
OTHER = {"id": "i", "title": "'Lead ' || i", "match_key": "'v1:' || i", "thread_ts": PLACE, "card_ts": PLACE}
CLOSED = OTHER | {"state": "'resolved'", "closed_at": "opened_at", "resolution": "'fixed'"}
POSTED_WITHIN = 10


def prepare(file: Path, slack: str) -> None:
    """Makes a database with the policy in force and one case whose card is posted, by the service itself."""
    with service(f"sqlite:///{file}", slack) as running:
        loaded(running.port, "joined", 1)
        for _ in range(POSTED_WITHIN * 10):
            if ask(file, "SELECT 1 FROM cases WHERE card_ts IS NOT NULL"):
                return
            sleep(0.1)
    raise RuntimeError("the card of the first case was not posted")


def fill_open(file: Path, count: int) -> None:
    """So many open cases, each with its report and with the timer of its resolution, in a month."""
    later = f"'{stored(SystemClock().now() + timedelta(days=30))}'"
    with writing(file) as connection:
        connection.execute("DELETE FROM timers WHERE kind <> 'resolution'")
        copy_rows(connection, "cases", "id", OTHER, count)
        copy_rows(connection, "exceptions", "case_id", {"id": "NULL", "case_id": "i"}, count)
        copy_rows(connection, "timers", "case_id", {"case_id": "i", "due_at": later}, count)


def fill_closed(file: Path, count: int) -> None:
    """So many closed cases, each with its report."""
    with writing(file) as connection:
        copy_rows(connection, "cases", "id", CLOSED, count)
        copy_rows(connection, "exceptions", "case_id", {"id": "NULL", "case_id": "i"}, count)


def make_due(file: Path, count: int, due_at: datetime) -> str:
    """The response windows of so many cases pass at this instant; returns how that is stored."""
    due = stored(due_at)
    with writing(file) as connection:
        connection.execute("UPDATE cases SET acknowledge_due_at = ? WHERE id BETWEEN 2 AND ?", (due, count + 1))
        own = {"case_id": "i", "kind": "'response'", "due_at": f"'{due}'", "step": str(BREACH_STEP)}
        copy_rows(connection, "timers", "case_id", own, count + 1)
    return due


def copy_rows(connection: sqlite3.Connection, table: str, key: str, own: Mapping[str, str], count: int) -> None:
    """Copies the row of case 1 for the cases 2 to `count`; `own` are the SQL expressions of what differs, with `i`
    the number of the case."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(own.get(column, column) for column in columns)
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM n, (SELECT * FROM {table} WHERE {key} = 1)",
        (count,),
    )


@contextmanager
def writing(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are committed at the end, all of them in the main file."""
    with closing(sqlite3.connect(file, timeout=30)) as connection, connection:
        connection.execute("PRAGMA cache_size=-200000")
        yield connection
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def stored(instant: datetime) -> str:
    """An instant as SQLite keeps it."""
    return instant.isoformat(timespec="microseconds")
