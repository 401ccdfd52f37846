"""Brings a database to the schema of this code, however many processes start at once."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

import store.audit_models
import store.closing_models
import store.contract_models
import store.models
import store.run_models
import store.serving_models
import store.watch_models  # noqa: F401
from store.engines import engine_for

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x706F696E74736D6E
"""The advisory lock of PostgreSQL that a migration takes; any number of its own would do."""


COLUMNS = {
    "sqlite": "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'",
    "postgresql": """
        SELECT t.relname, c.attname FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
        WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p')
        AND c.attnum > 0 AND NOT c.attisdropped""",
}


class SchemaTooNew(Exception):
    """The database was migrated by a newer version of the product."""


class SchemaDiffers(Exception):
    """The database says that it has the schema of this code, and has not."""


def migrate(database_url: str) -> None:
    """Brings the database to the schema of this code, in one transaction under a lock; does nothing when it is there
    already. Raises `SchemaTooNew`, and changes nothing, when a newer version was there, and `SchemaDiffers` when the
    tables are not those of this code all the same."""
    engine = engine_for(database_url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            if revision_of(connection) != newest():
                import_module("store.upgrading").upgrade(connection)
            check_columns(connection)
    finally:
        engine.dispose()


def newest() -> str:
    """The revision of the schema of this code: migrations are files `NNNN_name.py`, each after the one before."""
    return max(path.stem for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at; None: no migration ever ran."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def check_columns(connection: Connection) -> None:
    """Passes where each table has the columns that the code reads and writes. Raises `SchemaDiffers` that names the
    first table that has not. One query: it is asked at each start."""
    there: dict[str, set[str]] = {}
    for table, column in connection.execute(text(COLUMNS[connection.dialect.name])):
        there.setdefault(table, set()).add(column)
    for name, table in SQLModel.metadata.tables.items():
        meant, found = {column.name for column in table.columns}, there.get(name, set())
        if meant != found:
            raise SchemaDiffers(_difference(name, sorted(meant - found), sorted(found - meant)))


def _difference(table: str, missing: list[str], unknown: list[str]) -> str:
    said = [f"lacks {', '.join(missing)}"] if missing else []
    said += [f"has {', '.join(unknown)}, which it does not know"] if unknown else []
    return (
        f"the database says that it is at schema {newest()}, but it is not that of this version: table {table} "
        f"{' and '.join(said)}. A version in development made it: name a new database, or go back to a backup."
    )
