"""Work that shares a commit: who waits, who goes together, and what becomes of each.

One commit serves all that go together. Each piece has a savepoint, so that what fails takes nothing else with it;
what may have failed only because of the moment, or of its company, is rolled back and then tried alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

from sqlalchemy import Connection, Engine, Transaction
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session

from store.engines import lost_a_race
from store.written import Written, tables_written

TOGETHER = 256
"""At most so many pieces of work share one commit."""
TRIES = 6


class Stale(Exception):
    """The row is not as it was read: the work is run again on what is there now."""


class CommitUnknown(Exception):
    """The connection was lost during the commit: whether the work took effect is for the caller to find out."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work, and the future of who waits for it."""

    work: Callable[[Session], Any]
    future: Written[Any] = field(default_factory=Written)


Outcome = tuple[Piece, Any, BaseException | None]


class Waiting:
    """The work that waits. Any thread puts; writers take at most `together` pieces, to be carried out together."""

    def __init__(self, *, together: int) -> None:
        self._together = together
        self._pieces: deque[Piece] = deque()
        self._changed = Condition()
        self._is_closed = False

    def put(self, piece: Piece) -> None:
        """Lets the piece wait for a writer. Raises `RuntimeError` after `close`."""
        with self._changed:
            if self._is_closed:
                raise RuntimeError("the database is closed: nothing is written any more")
            self._pieces.append(piece)
            self._changed.notify()

    def take(self) -> list[Piece]:
        """What goes together next, without what was cancelled meanwhile; waits for it. Empty: closed and done."""
        while pieces := self._next():
            running = [piece for piece in pieces if piece.future.set_running_or_notify_cancel()]
            if running:
                return running
        return []

    def close(self) -> None:
        """Lets writers finish what waits, and takes nothing more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _next(self) -> list[Piece]:
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._is_closed)
            return [self._pieces.popleft() for _ in range(min(self._together, len(self._pieces)))]


class _EverybodysFault(Exception):
    """The transaction itself could not begin or commit: nobody's work is to blame, and nobody's is known to be done."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault


def carry_out(engine: Engine, pieces: Sequence[Piece]) -> None:
    """Runs the pieces in one transaction and settles each future: with its result after the commit, or with its
    error after the rollback of this work alone. Work is run again only if it certainly did not commit."""
    try:
        outcomes, apart = _tried(engine, pieces)
    except _EverybodysFault as everybodys:
        outcomes, apart = [(piece, None, everybodys.fault) for piece in pieces], []
    except Exception as fault:
        alone = len(pieces) == 1
        outcomes, apart = ([(pieces[0], None, fault)], []) if alone else ([], list(pieces))
    for piece, result, error in outcomes:
        _settle(piece.future, result, error)
    for piece in apart:
        carry_out(engine, [piece])


def _settle(future: Future[Any], result: Any, error: BaseException | None) -> None:
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _tried(engine: Engine, pieces: Sequence[Piece]) -> tuple[list[Outcome], list[Piece]]:
    for _ in range(TRIES - 1):
        try:
            return _transaction(engine, pieces)
        except (DBAPIError, Stale, _EverybodysFault) as fault:
            if not _may_be_run_again(fault, alone=len(pieces) == 1):
                raise
    return _transaction(engine, pieces)


def _may_be_run_again(fault: Exception, *, alone: bool) -> bool:
    """In company only what is everybody's is tried again: the guilty one has to go first."""
    if isinstance(fault, _EverybodysFault):
        return isinstance(fault.fault, DBAPIError) and lost_a_race(fault.fault)
    return alone and (isinstance(fault, Stale) or (isinstance(fault, DBAPIError) and lost_a_race(fault)))


def _transaction(engine: Engine, pieces: Sequence[Piece]) -> tuple[list[Outcome], list[Piece]]:
    with _connected(engine) as connection:
        tables_written(connection)
        transaction = _begin(connection)
        try:
            outcomes, apart = _run(connection, pieces)
        except BaseException:
            _roll_back(connection, transaction)
            raise
        _commit(connection, transaction)
        tables = tables_written(connection)
        for piece, _, _ in outcomes:
            piece.future.tables = tables
        return outcomes, apart


def _connected(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except DBAPIError as fault:
        raise _EverybodysFault(fault) from fault


def _begin(connection: Connection) -> Transaction:
    try:
        return connection.begin()
    except DBAPIError as fault:
        raise _EverybodysFault(fault) from fault


def _roll_back(connection: Connection, transaction: Transaction) -> None:
    try:
        if transaction.is_active:
            transaction.rollback()
    except DBAPIError:
        connection.invalidate()


def _commit(connection: Connection, transaction: Transaction) -> None:
    try:
        transaction.commit()
    except DBAPIError as fault:
        lost = CommitUnknown("the connection to the database was lost while it committed")
        connection.invalidate()  # SQLAlchemy would give it back to the pool with its transaction open
        raise _EverybodysFault(lost if fault.connection_invalidated else fault) from fault


def _run(connection: Connection, pieces: Sequence[Piece]) -> tuple[list[Outcome], list[Piece]]:
    """The outcomes of what stays in this transaction, and what has to go apart. An error of the driver that may
    have ended the transaction is raised."""
    if len(pieces) == 1:
        return [_outcome(connection, pieces[0])], []
    outcomes: list[Outcome] = []
    apart: list[Piece] = []
    for piece in pieces:
        try:
            with savepoint(connection, "piece"):
                outcomes.append(_outcome(connection, piece))
        except (IntegrityError, Stale):
            apart.append(piece)
        except DBAPIError:
            raise
        except Exception as fault:
            outcomes.append((piece, None, fault))
    return outcomes, apart


def _outcome(connection: Connection, piece: Piece) -> Outcome:
    return piece, piece.work(session_on(connection)), None


@contextmanager
def savepoint(connection: Connection, name: str) -> Iterator[None]:
    """What is raised within takes back what was written within. As `Connection.begin_nested`, which compiles its
    statements anew each time and costs more than the work; a session's objects are not taken back."""
    connection.exec_driver_sql(f"SAVEPOINT {name}")
    try:
        yield
    except BaseException:
        if not connection.invalidated:
            connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {name}")
            connection.exec_driver_sql(f"RELEASE SAVEPOINT {name}")
        raise
    connection.exec_driver_sql(f"RELEASE SAVEPOINT {name}")


def session_on(connection: Connection) -> Session:
    """A session in the connection's transaction: it flushes only when told, and leaves the commit to its owner."""
    return Session(connection, autoflush=False, expire_on_commit=False, join_transaction_mode="rollback_only")
