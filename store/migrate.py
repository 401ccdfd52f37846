"""Brings a database to the schema of this code, however many processes start at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

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
            upgrade(connection)
    finally:
        engine.dispose()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Runs the migrations up to `revision` that the database does not have yet, in the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    _refuse_newer(connection, ScriptDirectory.from_config(config))
    command.upgrade(config, revision)


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    for revision in MigrationContext.configure(connection).get_current_heads():
        if revision not in known:
            raise SchemaTooNew(
                f"the database is at schema {revision}, which this version does not know: a newer version of Pointsman "
                "migrated it. Run that version, or give this one the backup from before."
            )
