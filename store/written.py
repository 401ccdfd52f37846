"""Which tables a transaction wrote to: by this it is known who may have something to do after its commit."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event

T = TypeVar("T")

_TABLES = "tables written to"


class Written(Future[T]):
    """The result of work that is committed, and the names of the tables that its transaction wrote to."""

    tables: frozenset[str] = frozenset()


def note_writes(engine: Engine) -> None:
    """From now on each connection of the engine knows what it writes to. SQL that is no statement of SQLAlchemy's
    is not seen: who sends it says `wrote_to`."""
    event.listen(engine, "after_cursor_execute", _note)


def wrote_to(connection: Connection, table: str) -> None:
    """The connection's transaction wrote to this table."""
    connection.info.setdefault(_TABLES, set()).add(table)


def tables_written(connection: Connection) -> frozenset[str]:
    """The tables written to since the last time that this was asked."""
    return frozenset(connection.info.pop(_TABLES, ()))


def _note(connection: Connection, _cursor: Any, _sql: str, _given: Any, context: Any, _many: bool) -> None:
    if context.isinsert or context.isupdate or context.isdelete:
        wrote_to(connection, context.compiled.statement.table.name)
