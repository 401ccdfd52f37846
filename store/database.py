"""One database, SQLite or PostgreSQL: the only place that opens a transaction or commits.

Writers. On SQLite one thread takes all work that waits and commits it together, each piece in a savepoint of its
own, so that one `fsync` serves many and a fault takes nothing else with it. On PostgreSQL a few threads take one
piece each: short transactions do not lock each other. Work that lost a race (deadlock, serialization, a unique key
that another replica took first) is run again from its start: work has no effect but on its session.

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
from store.together import TOGETHER, CommitUnknown, Piece, Stale, Waiting, carry_out, session_on
from store.written import Written, note_writes

__all__ = ["CommitUnknown", "Database", "Stale", "engine_for"]

T = TypeVar("T")


class Database:
    """Runs work in transactions; `write` commits, `read` never does."""

    def __init__(self, url: str) -> None:
        self.engine = engine_for(url)
        self._reading = reading(self.engine)
        note_writes(self.engine)
        one_writer = self.engine.dialect.name == "sqlite"
        self._waiting = Waiting(together=TOGETHER if one_writer else 1)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._writers = [
            threading.Thread(target=self._write_loop, name=f"writer-{number}", daemon=True)
            for number in range(1 if one_writer else WRITERS_ON_POSTGRES)
        ]
        for writer in self._writers:
            writer.start()

    def write(self, work: Callable[[Session], T]) -> Written[T]:
        """Runs `work(session)` in a transaction. The future has its result after the commit, or its error
        after the rollback of this work alone. Cancelled before a writer took it, it is not run at all; later,
        cancelling has no effect."""
        piece = Piece(work)
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
        while pieces := self._waiting.take():
            try:
                carry_out(self.engine, pieces)
            except BaseException as fault:  # whatever it was, those who wait are told and the thread lives on
                _fail_the_rest(pieces, fault)


def _fail_the_rest(pieces: Sequence[Piece], fault: BaseException) -> None:
    for piece in pieces:
        if not piece.future.done():
            piece.future.set_exception(fault)
