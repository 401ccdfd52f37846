"""Runs the migrations: on the connection that `store.migrate` hands over, or for their authors on `-x url=…`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

import store.audit_models
import store.closing_models
import store.contract_models
import store.run_models
import store.watch_models  # noqa: F401
from store.engines import engine_for


def run(connection: Connection) -> None:
    """All in one transaction, which both engines can roll back."""
    context.configure(connection=connection, target_metadata=SQLModel.metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


handed_over = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    with engine_for(context.get_x_argument(as_dictionary=True)["url"]).begin() as own:
        run(own)
