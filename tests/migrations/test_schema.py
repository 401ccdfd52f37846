"""What the migrations make is what the models say, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, Inspector, inspect, text
from sqlmodel import SQLModel

import store.audit_models
import store.closing_models
import store.contract_models
import store.run_models
import store.serving_models
import store.watch_models  # noqa: F401
from store.engines import engine_for
from store.migrate import migrate
from tests.postgres import Postgres

ALEMBICS = "alembic_version"


@pytest.fixture
def migrated(empty_database_url: str) -> Iterator[Engine]:
    migrate(empty_database_url)
    engine = engine_for(empty_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def modelled(engine_name: str, request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Engine]:
    """A database made from the models, without migrations."""
    if engine_name == "sqlite":
        engine = engine_for(f"sqlite:///{tmp_path / 'modelled.db'}")
        SQLModel.metadata.create_all(engine)
        yield engine
        engine.dispose()
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.temporary() as url:
        engine = engine_for(url)
        SQLModel.metadata.create_all(engine)
        yield engine
        engine.dispose()


def test_nothing_is_left_for_a_migration_to_do(migrated: Engine) -> None:
    with migrated.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_each_table_is_as_its_model_says(migrated: Engine, modelled: Engine) -> None:
    made, meant = _tables(migrated), _tables(modelled)
    assert made.keys() == meant.keys()
    for table in meant:
        assert made[table] == meant[table], table


def test_the_description_sees_checks_and_partial_indexes(modelled: Engine) -> None:
    cases = str(_tables(modelled)["cases"])
    assert "closed_with_state" in cases
    assert "thread_ts IS NOT NULL" in cases


def _tables(engine: Engine) -> dict[str, dict[str, Any]]:
    with engine.begin() as connection:
        inspector = inspect(connection)
        names = set(inspector.get_table_names()) - {ALEMBICS}
        return {name: _described(inspector, connection, name) for name in sorted(names)}


def _described(inspector: Inspector, connection: Connection, table: str) -> dict[str, Any]:
    return {
        "columns": [column | {"type": str(column["type"])} for column in inspector.get_columns(table)],
        "key": inspector.get_pk_constraint(table),
        "references": _sorted(inspector.get_foreign_keys(table)),
        "unique": _sorted(inspector.get_unique_constraints(table)),
        "checks": _sorted(inspector.get_check_constraints(table)),
        "indexes": _index_definitions(connection, table),
    }


def _sorted(constraints: Any) -> list[Any]:
    return sorted(constraints, key=lambda constraint: str(constraint["name"]))


def _index_definitions(connection: Connection, table: str) -> list[str]:
    """The engine's own text of each index, with its condition."""
    if connection.dialect.name == "sqlite":
        query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table AND sql IS NOT NULL"
    else:
        query = "SELECT indexdef FROM pg_indexes WHERE tablename = :table"
    return sorted(connection.execute(text(query), {"table": table}).scalars())
