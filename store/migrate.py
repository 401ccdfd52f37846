"""Brings a database to the schema of this code, however many processes start at once."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from store.engines import engine_for

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x706F696E74736D6E
"""The advisory lock of PostgreSQL that a migration takes; any number of its own would do."""


class SchemaTooNew(Exception):
    """The database was migrated by a newer version of the product."""


def migrate(database_url: str) -> None:
    """Brings the database to the schema of this code, in one transaction under a lock; does nothing when it is there
    already. Raises `SchemaTooNew`, and changes nothing, when a newer version was there."""
    engine = engine_for(database_url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            if revision_of(connection) != newest():
                import_module("store.upgrading").upgrade(connection)
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
