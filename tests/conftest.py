"""What all tests stand on: both databases, a clock that only a test moves, and a desk with the example policy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, insert, update
from sqlmodel import Session

from bot.clock import MovableClock
from bot.desk.desk import Desk
from bot.desk.policies import Policies
from runbooks.policy import digest_of, read_folder
from store.database import Database
from store.migrate import migrate
from store.models import PolicyInForce, PolicyVersion
from tests.postgres import TEMPLATE, Postgres, running

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
EXAMPLE_COMPANY = Path(__file__).parent.parent / "runbooks" / "acme"
ENGINES = ("sqlite", "postgres")
UNHURRIED = 60.0
"""Seconds instead of Slack's few, where a test is not about them: a machine that halts for a while fails nothing."""


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """All databases on an engine share what SQLAlchemy compiled, which it keeps by dialect: each test has a database
    of its own, and compiling the same statements for each took a fifth of the whole suite's time."""
    connected: dict[str, Engine] = {}

    def sharing(*given: Any, **named: Any) -> Engine:
        engine = create_engine(*given, **named, query_cache_size=4000)
        if first := connected.get(engine.dialect.name):
            engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
        else:
            event.listen(engine, "connect", lambda *_: connected.setdefault(engine.dialect.name, engine))
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("store.engines.create_engine", sharing)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server of this test process, started when the first test needs it."""
    with running(prepare=migrate) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    file = tmp_path_factory.mktemp("template") / "template.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    """Both engines, one after the other."""
    return str(request.param)


@pytest.fixture
def database_url(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a migrated, empty database of the test's own, on each engine."""
    if engine_name == "sqlite":
        yield _copy(request.getfixturevalue("migrated_file"), tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.temporary(template=TEMPLATE) as url:
        yield url


@pytest.fixture
def empty_database_url(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any table, on each engine."""
    if engine_name == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.temporary() as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database, on each engine."""
    with _opened(database_url) as opened:
        yield opened


@pytest.fixture
def sqlite_database(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty database for what has nothing to do with the engine."""
    with _opened(_copy(migrated_file, tmp_path)) as opened:
        yield opened


@pytest.fixture
def clock() -> MovableClock:
    """Stands at Monday 2026-11-23, 09:00 UTC, until the test moves it."""
    return MovableClock(MONDAY, runs=False)


@pytest.fixture(scope="session")
def policy_files() -> dict[str, str]:
    """The example company's policy folder: its texts by relative path."""
    return read_folder(EXAMPLE_COMPANY)


@pytest.fixture
def desk(database: Database, clock: MovableClock, policy_files: dict[str, str]) -> Desk:
    """A desk on each engine where the example company's policy is in force."""
    put_in_force(database, policy_files, at=clock.now())
    return Desk(database, clock, Policies())


@pytest.fixture
def sqlite_desk(sqlite_database: Database, clock: MovableClock, policy_files: dict[str, str]) -> Desk:
    """The same for what has nothing to do with the engine."""
    put_in_force(sqlite_database, policy_files, at=clock.now())
    return Desk(sqlite_database, clock, Policies())


def put_in_force(database: Database, files: dict[str, str], *, at: datetime) -> str:
    """Records the policy and lets it decide; returns its digest."""
    digest = digest_of(files)

    def work(session: Session) -> None:
        session.execute(insert(PolicyVersion), [{"digest": digest, "files": files, "recorded_at": at}])
        session.execute(insert(PolicyInForce), [{"id": 1, "digest": digest, "since_at": at}])

    database.write(work).result()
    return digest


def change_in_force(database: Database, files: dict[str, str], *, at: datetime) -> str:
    """Another policy decides, without anybody's yes; returns its digest."""
    digest = digest_of(files)

    def work(session: Session) -> None:
        session.execute(insert(PolicyVersion), [{"digest": digest, "files": files, "recorded_at": at}])
        session.execute(update(PolicyInForce).values(digest=digest, since_at=at))

    database.write(work).result()
    return digest


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def _copy(migrated: Path, folder: Path) -> str:
    shutil.copyfile(migrated, folder / "pointsman.db")
    return f"sqlite:///{folder / 'pointsman.db'}"
