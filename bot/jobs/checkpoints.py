"""Looks at the audit chains that have changed, signs all of them as one, and writes that to a file outside."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk import checkpoints, turns
from bot.desk.checkpoints import TURN, Keep, Sign
from bot.desk.desk import Desk
from bot.desk.findings import keep_found
from bot.desk.turns import Mine, Overtaken
from bot.rules.actors import SYSTEM
from bot.rules.auditor import Found, Kind
from store import checkpoint_file, leaves
from store.audit_models import Checkpoint
from store.checkpoints import last_number
from store.leaves import Look

log = logging.getLogger(__name__)


def _look(after: str, session: Session) -> Look | None:
    return leaves.look(session, after)


def _block_root(block: int, session: Session) -> str:
    return leaves.block_root(session, block)


class RolledBack(Exception):
    """The database does not have what the file has: it is not the one that it was."""


class Checkpoints:
    """The loop of this process. Any number of processes may run one on the same database: one at a time looks and
    signs, and each writes its own file. Without a key nothing is signed, and the chains are looked at all the same."""

    def __init__(self, desk: Desk, key: Ed25519PrivateKey | None, file: Path | None) -> None:
        self._desk = desk
        self._key = key
        self._file = file
        self._written: str | None = None
        self._is_known = False
        self._complaint = ""

    async def tick(self) -> int:
        """Does what is due; how many chains were looked at."""
        now = self._desk.clock.now()
        count = 0
        if await self._desk.read(lambda session: turns.is_due(session, TURN, now)):
            mine = await self._desk.run(turns.claim, TURN, actor=SYSTEM)
            count = await self._round(mine) if mine else 0
        if self._file:
            await self._write(self._file)
        return count

    async def _round(self, mine: Mine) -> int:
        count, after = 0, ""
        try:
            while look := await self._desk.read(partial(_look, after)):
                mine = await self._desk.run(checkpoints.keep_looked, Keep(mine, look.looked), actor=SYSTEM)
                count, after = count + len(look.looked), look.after
            roots = await self._roots() if self._key else []
            await self._desk.run(checkpoints.sign, Sign(mine, roots, self._key), actor=SYSTEM)
        except Overtaken:
            log.warning("another process took over looking at the audit log")
        return count

    async def _roots(self) -> list[tuple[int, str]]:
        """The stretches of leaves that changed, each read by itself."""
        stale = await self._desk.read(lambda session: leaves.stale_blocks(session, last_number(session)))
        return [(block, await self._desk.read(partial(_block_root, block))) for block in stale]

    async def _write(self, file: Path) -> None:
        """Appends what the file does not have yet. A file that cannot be written is tried again, and told once."""
        try:
            if not self._is_known:
                self._written, self._is_known = await asyncio.to_thread(checkpoint_file.last_body, file), True
            complaint = await self._desk.read(lambda session: self._append(session, file))
        except RolledBack as rolled_back:
            complaint = str(rolled_back)
            found = Found(Kind.BROKEN, f"broken:{file}:{complaint}", f"audit log, {file}: {complaint}")
            if complaint != self._complaint:
                await self._desk.run(keep_found, [found], actor=SYSTEM)
        except OSError as fault:
            complaint, self._is_known = f"it cannot be written: {fault.strerror}", False
        if complaint and complaint != self._complaint:
            log.error("the file of checkpoints is not kept", extra={"file": str(file), "because": complaint})
        self._complaint = complaint

    def _append(self, session: Session, file: Path) -> str:
        """Writes what is new. Raises `RolledBack`, and `OSError`."""
        written = checkpoint_file.number_of(self._written) if self._written else 0
        mine = select(col(Checkpoint.body)).where(col(Checkpoint.number) == written)
        if written and session.execute(mine).scalar() != self._written:
            raise RolledBack(f"the database does not have its checkpoint {written}: it was rolled back, or is another")
        if checkpoint_file.is_behind(session, written):
            checkpoint_file.append(file, checkpoint_file.lines_after(session, written))
            newest = select(col(Checkpoint.body)).where(col(Checkpoint.number) == last_number(session))
            self._written = session.execute(newest).scalar_one()
        return ""
