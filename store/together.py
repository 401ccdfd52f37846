"""Work that shares a commit: who waits, who goes together, and what becomes of each.

One commit serves all that go together. Each group of them has a savepoint, so that what is refused takes nothing
else with it; whatever failed in company is rolled back and then tried alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

from sqlalchemy import Connection, Engine, Transaction
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session

from store.engines import lost_a_race

TOGETHER = 256
"""At most so many pieces of work share one commit."""
TRIES = 6


class Stale(Exception):
    """The row is not as it was read: the work is run again on what is there now."""


class CommitUnknown(Exception):
    """The connection was lost during the commit: whether the work took effect is for the caller to find out."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work: alone, or joined with all that wait for the same function."""

    work: Callable[..., Any]
    command: Any = None
    is_joined: bool = False
    future: Future[Any] = field(default_factory=Future)


Group = list[Piece]
"""Joined pieces of one function, or one piece."""
Company = list[Group]
Outcome = tuple[Piece, Any, BaseException | None]


class Waiting:
    """The work that waits. Any thread puts; writers take what goes together.

    With `mixed`, all that waits goes together. Without, one piece goes alone and only joined work of one function
    goes together: short transactions do not lock each other."""

    def __init__(self, *, mixed: bool) -> None:
        self._mixed = mixed
        self._pieces: deque[Piece] = deque()
        self._changed = Condition()
        self._closed = False

    def put(self, piece: Piece) -> None:
        """Lets the piece wait for a writer. Raises `RuntimeError` after `close`."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the database is closed: nothing is written any more")
            self._pieces.append(piece)
            self._changed.notify()

    def take(self) -> list[Group]:
        """What goes together next, without what was cancelled meanwhile; waits for it. Empty: closed and done."""
        while pieces := self._next():
            running = [piece for piece in pieces if piece.future.set_running_or_notify_cancel()]
            if running:
                return list(_grouped(running))
        return []

    def close(self) -> None:
        """Lets writers finish what waits and takes nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> list[Piece]:
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._closed)
            if not self._pieces:
                return []
            if self._mixed:
                return [self._pieces.popleft() for _ in range(min(TOGETHER, len(self._pieces)))]
            first = self._pieces.popleft()
            return [first, *self._joined_with(first)]

    def _joined_with(self, first: Piece) -> list[Piece]:
        if not first.is_joined:
            return []
        same = [piece for piece in self._pieces if piece.is_joined and piece.work is first.work][: TOGETHER - 1]
        taken = set(map(id, same))
        self._pieces = deque(piece for piece in self._pieces if id(piece) not in taken)
        return same


def _grouped(pieces: Iterable[Piece]) -> Iterable[Group]:
    groups: dict[Callable[..., Any], Group] = {}
    for piece in pieces:
        if piece.is_joined:
            groups.setdefault(piece.work, []).append(piece)
        else:
            yield [piece]
    yield from groups.values()


class _EverybodysFault(Exception):
    """The transaction itself could not begin or commit: nobody's work is to blame, and nobody's is known to be done."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault


def carry_out(engine: Engine, groups: Sequence[Group]) -> None:
    """Runs the groups in one transaction and settles each future: with its result after the commit, or with its
    error after the rollback of this work alone. Work is run again only if it certainly did not commit."""
    try:
        outcomes, apart = _tried(engine, groups)
    except _EverybodysFault as everybodys:
        outcomes, apart = _failed(groups, everybodys.fault), []
    except Exception as fault:
        apart = _each_apart(groups)
        outcomes = [] if apart else _failed(groups, fault)
    for piece, result, error in outcomes:
        _settle(piece.future, result, error)
    for company in apart:
        carry_out(engine, company)


def _each_apart(groups: Sequence[Group]) -> list[Company]:
    """Each group alone; of a group that was alone already each piece, in company; nothing when it was one piece."""
    if len(groups) > 1:
        return [[group] for group in groups]
    return [[[piece] for piece in groups[0]]] if len(groups[0]) > 1 else []


def _failed(groups: Sequence[Group], fault: BaseException) -> list[Outcome]:
    return [(piece, None, fault) for group in groups for piece in group]


def _settle(future: Future[Any], result: Any, error: BaseException | None) -> None:
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _tried(engine: Engine, groups: Sequence[Group]) -> tuple[list[Outcome], list[Company]]:
    for _ in range(TRIES - 1):
        try:
            return _transaction(engine, groups)
        except (DBAPIError, Stale, _EverybodysFault) as fault:
            if not _may_be_run_again(fault, alone=len(groups) == 1):
                raise
    return _transaction(engine, groups)


def _may_be_run_again(fault: Exception, *, alone: bool) -> bool:
    """In company only what is everybody's is tried again: the guilty one has to go first."""
    if isinstance(fault, _EverybodysFault):
        return isinstance(fault.fault, DBAPIError) and lost_a_race(fault.fault)
    return alone and (isinstance(fault, Stale) or (isinstance(fault, DBAPIError) and lost_a_race(fault)))


def _transaction(engine: Engine, groups: Sequence[Group]) -> tuple[list[Outcome], list[Company]]:
    with _connected(engine) as connection:
        transaction = _begin(connection)
        try:
            outcomes, apart = _run(connection, groups)
        except BaseException:
            _roll_back(connection, transaction)
            raise
        _commit(connection, transaction)
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


def _run(connection: Connection, groups: Sequence[Group]) -> tuple[list[Outcome], list[Company]]:
    """The outcomes of what stays in this transaction, and what has to go apart. An error of the driver that may
    have ended the transaction is raised."""
    if len(groups) == 1:
        return _results(connection, groups[0]), []
    outcomes: list[Outcome] = []
    apart: list[Company] = []
    for group in groups:
        try:
            with _savepoint(connection):
                outcomes += _results(connection, group)
        except (IntegrityError, Stale):
            apart.append([group])
        except DBAPIError:
            raise
        except Exception as fault:
            if len(group) == 1:
                outcomes += _failed([group], fault)
            else:
                apart.append([group])
    return outcomes, apart


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    """As `Connection.begin_nested`, which compiles its statements anew each time and costs more than the work."""
    connection.exec_driver_sql("SAVEPOINT piece")
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT piece")
        raise
    finally:
        connection.exec_driver_sql("RELEASE SAVEPOINT piece")


def _results(connection: Connection, group: Group) -> list[Outcome]:
    session = session_on(connection)
    first = group[0]
    if not first.is_joined:
        return [(first, first.work(session), None)]
    answers = first.work(session, [piece.command for piece in group])
    return [
        (piece, None, answer) if isinstance(answer, BaseException) else (piece, answer, None)
        for piece, answer in zip(group, answers, strict=True)
    ]


def session_on(connection: Connection) -> Session:
    """A session in the connection's transaction: it flushes only when told, and leaves the commit to its owner."""
    return Session(connection, autoflush=False, expire_on_commit=False, join_transaction_mode="rollback_only")
