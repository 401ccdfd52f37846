"""Keys taken before the rows are written, so that rows that point to each other go in one statement each."""

from __future__ import annotations

from typing import Any
from uuid import uuid4  # noqa: TID251

from sqlalchemy import text
from sqlmodel import Session


def take(session: Session, model: Any, count: int) -> range | list[int]:
    """`count` ids for `model`, ascending, used by nobody else.

    SQLite has one writer, so the next one is the highest plus one; PostgreSQL takes them from the sequence."""
    table = model.__table__
    if session.get_bind().dialect.name == "sqlite":
        highest = session.connection().exec_driver_sql(f"SELECT coalesce(max(id), 0) FROM {table.name}").scalar_one()  # noqa: S608
        return range(highest + 1, highest + 1 + count)
    sequence = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
    return sorted(session.execute(sequence, {"table": table.name, "count": count}).scalars())


def new_key(*parts: object) -> str:
    """A key that nobody else has, and that says what it is for."""
    return ":".join([*map(str, parts), uuid4().hex])
