"""Migrations run on databases that are in use: with rows in them, twice, at once, and after newer ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlmodel import SQLModel

from store import audit
from store.database import Database
from store.engines import engine_for
from store.migrate import MIGRATIONS, SchemaDiffers, SchemaTooNew, migrate, newest
from store.upgrading import upgrade

SAMPLES = Path(__file__).parent / "samples"
ROOT = MIGRATIONS.parent.parent
REVISIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[Engine]:
    engine = engine_for(empty_database_url)
    yield engine
    engine.dispose()


def statements(revision: str) -> list[str]:
    """The rows that a database at this revision may hold."""
    lines = (SAMPLES / f"{revision}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")).split(";\n")


def fill(connection: Connection, revision: str) -> None:
    for statement in statements(revision):
        connection.exec_driver_sql(statement.rstrip(";"))


def rows(connection: Connection) -> dict[str, int]:
    count = {}
    for table in inspect(connection).get_table_names():
        count[table] = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    return count


def test_each_migration_keeps_the_rows_that_were_there(engine: Engine) -> None:
    kept: dict[str, int] = {}
    for revision in REVISIONS:
        with engine.begin() as connection:
            upgrade(connection, revision)
            assert {table: count for table, count in rows(connection).items() if table in kept} == kept
            fill(connection, revision)
            kept = rows(connection)
    assert not [table for table, count in kept.items() if count == 0]


def test_the_chains_of_the_samples_hold_after_all_migrations(engine: Engine, empty_database_url: str) -> None:
    with engine.begin() as connection:
        for revision in REVISIONS:
            upgrade(connection, revision)
            fill(connection, revision)
    database = Database(empty_database_url)
    assert database.read_now(lambda session: list(audit.verify(session))) == []
    database.close()


def test_the_newest_revision_is_known_without_alembic() -> None:
    assert newest() == REVISIONS[-1]


def test_every_migration_has_its_sample() -> None:
    assert sorted(file.stem for file in SAMPLES.glob("*.sql")) == sorted(REVISIONS)


def test_migrating_again_changes_nothing(engine: Engine, empty_database_url: str) -> None:
    migrate(empty_database_url)
    with engine.begin() as connection:
        for revision in REVISIONS:
            fill(connection, revision)
        before = rows(connection)
    migrate(empty_database_url)
    with engine.begin() as connection:
        assert rows(connection) == before


def test_a_failing_migration_leaves_nothing_behind(engine: Engine, empty_database_url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE timers (mine integer)"))
    with pytest.raises(Exception, match="timers"):
        migrate(empty_database_url)
    assert inspect(engine).get_table_names() == ["timers"]


def test_a_database_of_a_newer_version_is_refused_and_left_alone(engine: Engine, empty_database_url: str) -> None:
    migrate(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="at schema 9999, which this version does not know"):
        migrate(empty_database_url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["9999"]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE notes RENAME COLUMN author TO writer", "table notes lacks author and has writer"),
        ("ALTER TABLE notes ADD COLUMN mine integer", "table notes has mine, which it does not know"),
        ("DROP TABLE notes", "table notes lacks at, author, case_id"),
    ],
)
def test_a_database_that_only_says_that_it_is_at_this_version_is_refused(
    engine: Engine, empty_database_url: str, statement: str, said: str
) -> None:
    migrate(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    with pytest.raises(SchemaDiffers) as differs:
        migrate(empty_database_url)
    assert said in str(differs.value)
    assert f"at schema {REVISIONS[-1]}" in str(differs.value)


def test_two_replicas_that_start_at_once_migrate_once(engine: Engine, empty_database_url: str) -> None:
    command = [sys.executable, "-c", "import sys; from store.migrate import migrate; migrate(sys.argv[1])"]
    replicas = [
        subprocess.Popen([*command, empty_database_url], stderr=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)
    ]
    told = [replica.communicate()[1] for replica in replicas]
    assert [replica.returncode for replica in replicas] == [0, 0, 0], told
    assert set(SQLModel.metadata.tables) <= set(inspect(engine).get_table_names())
