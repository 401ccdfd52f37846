"""Rows in bulk: inserts whose SQL is made once and which write many rows in one step, and rows locked by their keys.

SQLAlchemy makes the SQL and converts the values; what is spared is its work for each call and each row, and, on
SQLite, giving up the interpreter's lock once for each row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from store.written import wrote_to

MOST_AT_ONCE = 64
MOST_PARAMETERS = 30_000
"""SQLite takes 32,766 in one statement, PostgreSQL 65,535."""
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_SHAPE = re.compile(r"(?P<head>.+? VALUES )(?P<row>\(.+?\))(?P<tail>| ON CONFLICT .+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Unless:
    """A row is left out where its `unique` columns are taken, among the rows for which the SQL `among` holds."""

    unique: tuple[str, ...]
    among: str | None = None


@dataclass(frozen=True, slots=True)
class _Insert:
    head: str
    row: str
    tail: str
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    converted: tuple[tuple[int, Callable[[Any], Any]], ...]
    constants: Mapping[str, Any]
    width: int

    def sql(self, count: int) -> str:
        return f"{self.head}{', '.join([self.row] * count)}{self.tail}"

    def parameters(self, rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
        parameters: list[Any] = []
        for row in rows:
            start = len(parameters)
            parameters += self.values({**self.constants, **row} if self.constants else row)
            for place, convert in self.converted:
                parameters[start + place] = convert(parameters[start + place])
        return tuple(parameters)


def insert_rows(
    session: Session, model: Any, rows: Sequence[Mapping[str, Any]], *, unless: Unless | None = None
) -> None:
    """Inserts the rows, which all have the same keys; what they leave out gets the model's default."""
    if not rows:
        return
    connection = session.connection()
    insert = _made(connection.dialect, model.__table__, tuple(rows[0]), unless)
    wrote_to(connection, model.__tablename__)
    for part in _parts(rows, MOST_PARAMETERS // insert.width):
        connection.exec_driver_sql(insert.sql(len(part)), insert.parameters(part))


def _parts(rows: Sequence[Mapping[str, Any]], most: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The rows in parts of 1, 2, 4… so that there are few different statements, which drivers keep prepared."""
    start, size = 0, MOST_AT_ONCE
    while size > most:
        size //= 2
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        yield rows[start : start + size]
        start += size


@lru_cache(maxsize=512)
def _made(dialect: Dialect, table: Table, names: tuple[str, ...], unless: Unless | None) -> _Insert:
    compiled: Any = _statement(dialect, table, unless).compile(dialect=dialect, column_keys=list(names))
    order = compiled.positiontup or _PLACEHOLDER.findall(compiled.string)
    shape = _SHAPE.fullmatch(_PLACEHOLDER.sub("%s", compiled.string))
    assert shape, compiled.string
    converters = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in order]
    return _Insert(
        shape["head"],
        shape["row"],
        shape["tail"],
        itemgetter(*order),
        tuple((place, convert) for place, convert in enumerate(converters) if convert),
        {column.name: column.default.arg for column in compiled.insert_prefetch},
        len(order),
    )


def _statement(dialect: Dialect, table: Table, unless: Unless | None) -> Any:
    own: Any = sqlite if dialect.name == "sqlite" else postgresql
    statement = own.insert(table).inline()
    if unless is None:
        return statement
    where = text(unless.among) if unless.among else None
    return statement.on_conflict_do_nothing(index_elements=list(unless.unique), index_where=where)


def lock_rows(session: Session, select: str, keys: Iterable[str | int]) -> Sequence[Any]:
    """The rows of a SELECT in which `AMONG` stands for "is one of `keys`", locked in its order until the commit: on
    SQLite there is one writer, on PostgreSQL each row is."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        sql, parameter = select.replace("AMONG", "IN (SELECT value FROM json_each(?))"), json.dumps(list(keys))
        return connection.exec_driver_sql(sql, (parameter,)).all()
    return connection.exec_driver_sql(f"{select.replace('AMONG', '= ANY(%s)')} FOR UPDATE", (list(keys),)).all()
