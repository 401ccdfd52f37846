"""One database, SQLite or PostgreSQL: the only place that opens a transaction or commits.

Writers. On SQLite one thread takes all work that waits and commits it together, each piece in a savepoint
of its own, so that one `fsync` serves many and a refusal takes nothing else with it. On PostgreSQL a few
threads take one piece (or one joined group) each. Work that lost a race (deadlock, serialization, a unique
key that another replica took first) is run again from its start.

Guarantee: when the future of a piece of work gives a result, that work is on disk.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

T = TypeVar("T")
C = TypeVar("C")
R = TypeVar("R")
Joined = Callable[[Session, list[C]], Sequence[R]]

TOGETHER = 256
"""At most so many pieces of work share one commit."""
TRIES = 6
WRITERS_ON_POSTGRES = 4
READERS = 4


class Stale(Exception):
    """The row is not as it was read: the work is run again on what is there now."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """One piece of work that waits: alone, or joined with all that wait for the same function."""

    work: Callable[..., Any]
    command: Any
    is_joined: bool
    future: Future[Any]


def engine_for(url: str) -> Engine:
    """An engine whose transactions begin as this product needs them.

    `sqlite:///file` gets WAL, `synchronous=FULL`, foreign keys and `BEGIN IMMEDIATE` for writers (pysqlite's own
    BEGIN keeps a savepoint's rows after an outer rollback). `postgresql://` is spoken through psycopg.
    """
    if url.startswith(("postgresql://", "postgres://")):
        return create_engine(
            "postgresql+psycopg://" + url.split("://", 1)[1],
            pool_size=WRITERS_ON_POSTGRES + READERS,
            pool_pre_ping=True,
        )
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=READERS + 2,
        connect_args={"check_same_thread": False, "timeout": 30},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-16000",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


class Database:
    """Runs work in transactions; `write` and `write_joined` commit, `read` never does."""

    def __init__(self, url: str) -> None:
        self.engine = engine_for(url)
        self._reading = self.engine.execution_options(reads=True)
        self._waiting: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._is_sqlite = self.engine.dialect.name == "sqlite"
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._writers = [
            threading.Thread(target=self._write_loop, name=f"writer-{number}", daemon=True)
            for number in range(1 if self._is_sqlite else WRITERS_ON_POSTGRES)
        ]
        for writer in self._writers:
            writer.start()

    def write(self, work: Callable[[Session], T]) -> Future[T]:
        """Runs `work(session)` in a transaction. The future has its result after the commit, or its error
        after the rollback of this work alone."""
        return self._put(_Piece(work, None, False, Future()))

    def write_joined(self, work: Joined[C, R], command: C) -> Future[R]:
        """Like `write`, but all commands that wait for the same `work` are given to it as one list;
        `work` returns one result per command, an exception instance for a command that it refuses."""
        return self._put(_Piece(work, command, True, Future()))

    def read(self, work: Callable[[Session], T]) -> Future[T]:
        """Runs `work(session)` on a snapshot beside the writers; nothing it writes is kept."""
        return self._readers.submit(self.read_now, work)

    def read_now(self, work: Callable[[Session], T]) -> T:
        """`read` in the calling thread."""
        with self._reading.connect() as connection, connection.begin() as transaction:
            result = work(_session(connection))
            transaction.rollback()
            return result

    def close(self) -> None:
        """Finishes the work that waits and closes all connections."""
        for _ in self._writers:
            self._waiting.put(None)
        for writer in self._writers:
            writer.join()
        self._readers.shutdown()
        self.engine.dispose()

    def _put(self, piece: _Piece) -> Future[Any]:
        self._waiting.put(piece)
        return piece.future

    def _write_loop(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, is_last = self._take_more(first)
            for pieces in [batch] if self._is_sqlite else _apart(batch):
                _commit_together(self.engine, pieces)
            if is_last:
                return

    def _take_more(self, first: _Piece) -> tuple[list[_Piece], bool]:
        """What else waits: all of it where one thread writes; on PostgreSQL only a joined group shares a commit."""
        batch = [first]
        if not self._is_sqlite and not first.is_joined:
            return batch, False
        while len(batch) < TOGETHER:
            try:
                piece = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
            if piece is None:
                return batch, True
            batch.append(piece)
        return batch, False


def _session(connection: Connection) -> Session:
    return Session(connection, autoflush=False, expire_on_commit=False, join_transaction_mode="rollback_only")


def _apart(batch: list[_Piece]) -> list[list[_Piece]]:
    """Joined work of one kind together, everything else alone: short transactions do not lock each other."""
    return list(_grouped(batch))


def _grouped(batch: Iterable[_Piece]) -> Iterable[list[_Piece]]:
    groups: dict[Callable[..., Any], list[_Piece]] = {}
    for piece in batch:
        if piece.is_joined:
            groups.setdefault(piece.work, []).append(piece)
        else:
            yield [piece]
    yield from groups.values()


Outcome = tuple[_Piece, Any, BaseException | None]


def _commit_together(engine: Engine, batch: list[_Piece]) -> None:
    """One commit for the whole batch; a batch that failed as a whole is run piece by piece."""
    try:
        outcomes = _attempt(engine, batch)
    except Exception as fault:
        if len(batch) == 1:
            outcomes = [(batch[0], None, fault)]
        else:
            for piece in batch:
                _commit_together(engine, [piece])
            return
    for piece, result, error in outcomes:
        _settle(piece.future, result, error)


def _settle(future: Future[Any], result: Any, error: BaseException | None) -> None:
    if not future.set_running_or_notify_cancel():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _attempt(engine: Engine, batch: list[_Piece]) -> list[Outcome]:
    for tries_left in reversed(range(TRIES)):
        try:
            with engine.begin() as connection:
                return [outcome for group in _grouped(batch) for outcome in _run_group(connection, group)]
        except (OperationalError, IntegrityError, Stale) as fault:
            if not tries_left or not _lost_a_race(fault):
                raise
    raise AssertionError("unreachable")


def _lost_a_race(fault: Exception) -> bool:
    """Whether running again can help: another writer was first, or PostgreSQL chose this one as the victim."""
    if isinstance(fault, Stale | IntegrityError):
        return True
    return getattr(getattr(fault, "orig", None), "sqlstate", None) in ("40001", "40P01")


def _run_group(connection: Connection, group: list[_Piece]) -> list[Outcome]:
    """The group's outcomes. An error that is this work's own is its outcome; a lost race is everybody's."""
    try:
        with connection.begin_nested():
            return _results(group, _session(connection))
    except (OperationalError, IntegrityError, Stale):
        raise
    except Exception as fault:
        if len(group) == 1:
            return [(group[0], None, fault)]
        return [outcome for piece in group for outcome in _run_group(connection, [piece])]


def _results(group: list[_Piece], session: Session) -> list[Outcome]:
    first = group[0]
    if not first.is_joined:
        return [(first, first.work(session), None)]
    answers = first.work(session, [piece.command for piece in group])
    return [
        (piece, None, answer) if isinstance(answer, BaseException) else (piece, answer, None)
        for piece, answer in zip(group, answers, strict=True)
    ]
