"""Writes that are settled by the database: rows that may be there already, and changes of what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, col

from store.database import Stale
from store.models import Case
from store.rows import Unless, insert_rows


def add_new(
    session: Session, model: Any, rows: Sequence[Mapping[str, Any]], *, unique: Sequence[str], among: str | None = None
) -> None:
    """Inserts the rows; one whose `unique` columns are taken (among the rows where the SQL `among` holds) is left
    as it is."""
    insert_rows(session, model, rows, unless=Unless(tuple(unique), among))


def change(session: Session, case: Case, **values: Any) -> None:
    """Changes a case that is as it was read; `case` then shows the new values. Raises `Stale` when another
    transaction changed it in between."""
    values["version"] = case.version + 1
    seen = update(Case).where(col(Case.id) == case.id, col(Case.version) == case.version)
    if session.execute(seen.values(**values).execution_options(synchronize_session=False)).rowcount != 1:  # type: ignore[attr-defined]
        raise Stale(f"case {case.id} is no longer at version {case.version}")
    for name, value in values.items():
        set_committed_value(case, name, value)


def strike(session: Session, key: Any, keys: Sequence[Any], **values: Any) -> int:
    """Sets these columns of all rows with these keys, whatever was there; returns how many rows that were."""
    if not keys:
        return 0
    of_these = update(key.class_).where(key.in_(keys)).values(**values)
    return int(session.execute(of_these.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]
