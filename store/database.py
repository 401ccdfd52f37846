"""One database, SQLite or PostgreSQL: the only place that opens a transaction or commits.

Writers. On SQLite one thread takes all work that waits and commits it together, each piece in a savepoint
of its own, so that one `fsync` serves many and a refusal takes nothing else with it. On PostgreSQL a few
threads take one piece (or one joined group) each. Work that lost a race (deadlock, serialization, a unique
key that another replica took first) is run again from its start: work has no effect but on its session.

Guarantee: when the future of a piece of work gives a result, that work is on disk. When it gives an error, the
work had no effect; only after `CommitUnknown` it may have had.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sqlmodel import Session

from store.engines import READERS, WRITERS_ON_POSTGRES, engine_for, reading
from store.together import CommitUnknown, Group, Piece, Stale, Waiting, carry_out, session_on

__all__ = ["CommitUnknown", "Database", "Stale", "engine_for"]

T = TypeVar("T")
C = TypeVar("C")
R = TypeVar("R")
Joined = Callable[[Session, list[C]], Sequence[R]]


class Database:
    """Runs work in transactions; `write` and `write_joined` commit, `read` never does."""

    def __init__(self, url: str) -> None:
        self.engine = engine_for(url)
        self._reading = reading(self.engine)
        one_writer = self.engine.dialect.name == "sqlite"
        self._waiting = Waiting(mixed=one_writer)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._writers = [
            threading.Thread(target=self._write_loop, name=f"writer-{number}", daemon=True)
            for number in range(1 if one_writer else WRITERS_ON_POSTGRES)
        ]
        for writer in self._writers:
            writer.start()

    def write(self, work: Callable[[Session], T]) -> Future[T]:
        """Runs `work(session)` in a transaction. The future has its result after the commit, or its error
        after the rollback of this work alone. Cancelled before a writer took it, it is not run at all; later,
        cancelling has no effect."""
        piece = Piece(work)
        self._waiting.put(piece)
        return piece.future

    def write_joined(self, work: Joined[C, R], command: C) -> Future[R]:
        """Like `write`, but all commands that wait for the same `work` are given to it as one list;
        `work` returns one result per command, an exception instance for a command that it refuses."""
        piece = Piece(work, command, is_joined=True)
        self._waiting.put(piece)
        return piece.future

    def read(self, work: Callable[[Session], T]) -> Future[T]:
        """Runs `work(session)` on one snapshot, beside the writers; nothing it writes is kept."""
        return self._readers.submit(self.read_now, work)

    def read_now(self, work: Callable[[Session], T]) -> T:
        """`read` in the calling thread."""
        with self._reading.connect() as connection, connection.begin() as transaction:
            result = work(session_on(connection))
            transaction.rollback()
            return result

    def close(self) -> None:
        """Finishes the work that waits and closes all connections; work that comes later is refused with
        `RuntimeError`."""
        self._waiting.close()
        for writer in self._writers:
            writer.join()
        self._readers.shutdown()
        self.engine.dispose()

    def _write_loop(self) -> None:
        while groups := self._waiting.take():
            try:
                carry_out(self.engine, groups)
            except BaseException as fault:  # whatever it was, those who wait are told and the thread lives on
                _fail_the_rest(groups, fault)


def _fail_the_rest(groups: Sequence[Group], fault: BaseException) -> None:
    for group in groups:
        for piece in group:
            if not piece.future.done():
                piece.future.set_exception(fault)
