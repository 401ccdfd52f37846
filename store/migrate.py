"""Brings a database to the schema of this code."""

from __future__ import annotations

from sqlmodel import SQLModel

import store.models  # noqa: F401
from store.database import engine_for


def migrate(database_url: str) -> None:
    """Brings the database to the schema of this code; does nothing when it is there already."""
    engine = engine_for(database_url)
    with engine.begin() as connection:
        SQLModel.metadata.create_all(connection)
    engine.dispose()
