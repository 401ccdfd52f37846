"""Which database an address names, and how its connections are set up."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from store.database import Database
from store.engines import engine_for


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgres_is_spoken_through_psycopg(scheme: str) -> None:
    engine = engine_for(f"{scheme}://pointsman:secret@db.acme.test/pointsman?sslmode=require")
    assert engine.url.drivername == "postgresql+psycopg"
    assert engine.url.query == {"sslmode": "require"}


@pytest.mark.parametrize("address", ["mysql://pointsman:secret@db/x", "pointsman.db", "", "oracle+psycopg://x"])
def test_another_database_is_refused_without_telling_its_password(address: str) -> None:
    with pytest.raises(ValueError, match="DATABASE_URL has to begin with sqlite:/// or postgresql://") as refused:
        engine_for(address)
    assert "secret" not in str(refused.value)


def test_sqlite_keeps_what_it_says_and_holds_references(sqlite_database: Database) -> None:
    asked = ("journal_mode", "synchronous", "foreign_keys")
    with sqlite_database.engine.connect() as connection:
        told = [connection.execute(text(f"PRAGMA {pragma}")).scalar_one() for pragma in asked]
    assert told == ["wal", 2, 1]


def test_a_file_is_made_where_its_folder_is(tmp_path: Path) -> None:
    with engine_for(f"sqlite:///{tmp_path / 'new.db'}").begin() as connection:
        connection.execute(text("CREATE TABLE t (n integer)"))
    assert (tmp_path / "new.db").is_file()
