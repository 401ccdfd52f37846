"""Looks for what should have happened and has not, and tells an outside watch that all is well only when it is."""

from __future__ import annotations

import logging

from sqlmodel import Session

from bot.desk import auditor, turns
from bot.desk.auditor import EVERY, TURN, Looked
from bot.desk.desk import Desk
from bot.desk.overdue import of_chain, overdue
from bot.desk.turns import Mine, Overtaken
from bot.rules.actors import SYSTEM
from bot.rules.auditor import Found
from runbooks.calls import Caller
from runbooks.connectors import Connector, Resolved
from runbooks.filling import Filled
from store.rechecking import Slice, recheck

log = logging.getLogger(__name__)

PINGS_WITHIN = 10.0


class Auditor:
    """The loop of this process. Any number of processes may run one on the same database: one at a time looks, each
    minute. `heartbeat` is an address that misses us."""

    def __init__(self, desk: Desk, caller: Caller, heartbeat: str | None = None) -> None:
        self._desk = desk
        self._caller = caller
        self._heartbeat = heartbeat
        self._since = self._looked_at = desk.clock.now()
        self._is_heard = True

    async def tick(self) -> int:
        """Looks once, if it is its turn; how much was found. Not in the first minute of a process, nor after one in
        which it stood still or the clock was put forward: then all that became due meanwhile is done."""
        now = self._desk.clock.now()
        if now - self._looked_at > EVERY:
            self._since = now
        self._looked_at = now
        if now - self._since < EVERY or not await self._desk.read(lambda session: turns.is_due(session, TURN, now)):
            return 0
        mine = await self._desk.run(turns.claim, TURN, actor=SYSTEM)
        return await self._look(mine) if mine else 0

    async def _look(self, mine: Mine) -> int:
        found, slice_ = await self._desk.read(lambda session: self._seen(session, mine.cursor))
        try:
            await self._desk.run(auditor.looked, Looked(mine, found, slice_), actor=SYSTEM)
        except Overtaken:
            return 0
        if not found:
            await self._beat()
        else:
            log.error("what should have happened has not", extra={"count": len(found), "first": found[0].about})
        return len(found)

    def _seen(self, session: Session, cursor: str) -> tuple[list[Found], Slice]:
        slice_ = recheck(session, cursor)
        found = overdue(session, self._desk.clock.now())
        return [*found, *(of_chain(each) for _, each in slice_.broken if of_chain(each) not in found)], slice_

    async def _beat(self) -> None:
        """Asks the heartbeat's address. Whether it is heard is for the other side to say; here it is logged once."""
        if self._heartbeat is None:
            return
        connector = Connector(name="heartbeat", base_url="https://heartbeat", private=True)
        origin, path = _parted(self._heartbeat)
        resolved = Resolved("heartbeat", origin, {}, (path,) if len(path) > 8 else ())
        filled = Filled("GET", path, {}, None)
        answer = await self._caller.send(connector, resolved, filled, timeout=PINGS_WITHIN, headers={}, most=1024)
        is_heard = answer.status is not None and answer.status < 300
        if self._is_heard and not is_heard:
            log.warning("the heartbeat is not heard", extra={"because": answer.error or f"it answered {answer.status}"})
        self._is_heard = is_heard


def _parted(address: str) -> tuple[str, str]:
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", f"{slash}{path}" or "/"
