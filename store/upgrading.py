"""Runs migrations with Alembic. Apart from `store.migrate`, because loading Alembic takes longer than all of a start
that has nothing to migrate."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from store.migrate import MIGRATIONS, SchemaTooNew, revision_of


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Runs the migrations up to `revision` that the database does not have yet, in the caller's transaction. Raises
    `SchemaTooNew`, and changes nothing, when a newer version was there."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    _refuse_newer(connection, ScriptDirectory.from_config(config))
    command.upgrade(config, revision)


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    there = revision_of(connection)
    if there is not None and there not in known:
        raise SchemaTooNew(
            f"the database is at schema {there}, which this version does not know: a newer version of Pointsman "
            "migrated it. Run that version, or give this one the backup from before."
        )
