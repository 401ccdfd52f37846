"""What differs between the two engines: how a transaction begins, and what an error of the driver means."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

WRITERS_ON_POSTGRES = 4
READERS = 4
LOCK_WAIT = 10.0
"""Seconds that SQLite waits for another process to finish its transaction."""
CONNECT_WAIT = 10
"""Seconds until a PostgreSQL server that does not answer counts as gone."""

_SQLITE_TAKEN = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_SQLITE_RACES = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
)
# Serialization failure, deadlock, unique key, foreign key (PostgreSQL's manual, appendix A).
_POSTGRES_RACES = ("40001", "40P01", "23505", "23503")


def engine_for(url: str) -> Engine:
    """An engine whose transactions begin as this product needs them.

    `sqlite:///file` gets WAL, `synchronous=FULL`, foreign keys and `BEGIN IMMEDIATE` for writers (pysqlite's own
    BEGIN keeps a savepoint's rows after an outer rollback). `postgresql://` is spoken through psycopg.
    Raises `ValueError` for an address of anything else.
    """
    kind = url.partition(":")[0].partition("+")[0]
    if kind in ("postgresql", "postgres"):
        return _postgres(make_url(url).set(drivername="postgresql+psycopg"))
    if kind == "sqlite":
        return _sqlite(make_url(url))
    raise ValueError(f"DATABASE_URL has to begin with sqlite:/// or postgresql://, not with {kind}:")


def _postgres(url: URL) -> Engine:
    wait = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_WAIT}
    return create_engine(
        url, pool_size=WRITERS_ON_POSTGRES + READERS, pool_pre_ping=True, connect_args=wait, hide_parameters=True
    )


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=READERS + 2,
        connect_args={"check_same_thread": False, "timeout": LOCK_WAIT},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-4000",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def reading(engine: Engine) -> Engine:
    """The engine for transactions that only read: one snapshot each, beside the writers."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(reads=True)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def lost_a_race(fault: DBAPIError) -> bool:
    """Whether the same work can succeed when it is run again from its start: another writer was first, the engine
    chose this one as the victim, or the connection was lost (that it was not while committing is for the caller to
    know)."""
    if fault.connection_invalidated:
        return True
    if isinstance(fault.orig, sqlite3.Error):
        code = getattr(fault.orig, "sqlite_errorcode", 0)
        return code in _SQLITE_RACES or code & 0xFF in _SQLITE_TAKEN
    return getattr(fault.orig, "sqlstate", None) in _POSTGRES_RACES
