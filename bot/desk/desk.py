"""The one door: whatever happens to a case is a command to one desk function, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Sized
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlmodel import Session

from bot.clock import Clock
from bot.desk.joining import Joining
from bot.desk.policies import Policies
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM, Actor
from bot.rules.pressure import Load
from bot.rules.refusals import Refused
from store.database import Database
from store.together import savepoint
from store.written import Written

C = TypeVar("C")
R = TypeVar("R")
S = TypeVar("S", bound=Sized)
Act = Callable[[Tx, C], R]
JoinedAct = Callable[[Tx, Sequence[C]], Sequence[R]]


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A refusal that was recorded; a value, so that its audit entry is committed."""

    refused: Refused


class Desk:
    """Runs commands. `on_commit` is called after each one, in the event loop's thread, with the tables that it wrote
    to: something may be owed."""

    def __init__(self, database: Database, clock: Clock, policies: Policies) -> None:
        self.database = database
        self.clock = clock
        self.policies = policies
        self.on_commit: Callable[[frozenset[str]], None] = lambda tables: None
        self._joined: dict[Any, Joining[Any, Any]] = {}

    async def run(self, act: Act[C, R], command: C, *, actor: Actor) -> R:
        """The result of `act(tx, command)`, after its commit. What `act` refuses is rolled back, recorded in
        the audit log, and raised here as `Refused`."""
        written = self.database.write(lambda session: self._act(session, act, command, actor))
        try:
            result = await asyncio.wrap_future(written)
        except asyncio.CancelledError:
            self._tell_when(written, asyncio.get_running_loop())
            raise
        self._committed(written.tables)
        if isinstance(result, _Refusal):
            raise result.refused
        return result

    async def run_joined(self, act: JoinedAct[S, R], command: S) -> R:
        """Like `run` for a set-based function, which refuses nothing: the commands that wait are given to it
        together, and it returns one result for each. It names its actors itself."""
        joining = self._joined.get(act)
        if joining is None:
            joining = self._joined[act] = Joining(lambda commands: self._write_joined(act, commands), self._committed)
        result: R = await joining.run(command)
        return result

    async def read(self, query: Callable[[Session], R]) -> R:
        """The result of `query(session)` on a snapshot; it takes no part in writing."""
        return await asyncio.wrap_future(self.database.read(query))

    def load(self) -> Load:
        """What was handed to `run_joined` and waits for its commit: all of it, and the longest wait."""
        now = asyncio.get_running_loop().time()
        loads = [joining.load(now) for joining in self._joined.values()]
        return Load(sum(each.waiting for each in loads), max((each.waited for each in loads), default=0.0))

    def _tell_when(self, written: Written[Any], loop: asyncio.AbstractEventLoop) -> None:
        """Nobody waits for the result any more, but it is committed all the same, and what it owes has to leave."""

        def tell(_: object) -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile: the next start sees what is owed
                loop.call_soon_threadsafe(self._committed, written.tables)

        written.add_done_callback(tell)

    def _act(self, session: Session, act: Act[C, R], command: C, actor: Actor) -> R | _Refusal:
        tx = Tx(session, self.clock.now(), actor, self.policies)
        try:
            with savepoint(session.connection(), "act"):
                result = act(tx, command)
                tx.flush()
                return result
        except Refused as refused:
            refusal = Tx(session, tx.now, actor, self.policies)
            case_id = getattr(command, "case_id", None)
            refusal.record(
                "refused",
                case_id=refused.case_id or case_id,
                asked=act.__name__,
                code=refused.code,
                because=refused.text,
            )
            refusal.flush()
            return _Refusal(refused)

    def _write_joined(self, act: JoinedAct[Any, R], commands: Sequence[Any]) -> Written[Sequence[R]]:
        return self.database.write(lambda session: self._act_joined(session, act, commands))

    def _committed(self, tables: frozenset[str]) -> None:
        self.on_commit(tables)

    def _act_joined(self, session: Session, act: JoinedAct[Any, R], commands: Sequence[Any]) -> Sequence[R]:
        tx = Tx(session, self.clock.now(), SYSTEM, self.policies)
        results = act(tx, commands)
        tx.flush()
        return results
