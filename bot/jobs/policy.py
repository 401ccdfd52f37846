"""Watches the policy folder, and proposes what it has become."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

from bot.desk.comparing import compare
from bot.desk.desk import Desk
from bot.desk.policing import Proposal, Verdict, examine, propose
from bot.rules.actors import SYSTEM
from runbooks.policy import PolicyFaults, digest_of, read_folder

log = logging.getLogger(__name__)

LOOKS = 5
"""Another replica may change the policy in force while the folder is compared with it: so often it is done anew."""
UNHEEDED = (Verdict.FAULTY, Verdict.DECIDED, Verdict.LOOK_AGAIN)

Stamp = tuple[tuple[str, int, int], ...]


class PolicyWatch:
    """Proposes the folder when it has changed and stands still: its files' times and sizes are the same in two looks,
    so that a folder that is being written is not read in part. Without a folder it only follows the database."""

    def __init__(self, desk: Desk, folder: Path | None) -> None:
        self._desk = desk
        self._folder = folder
        self._proposed: Stamp | None = None
        self._seen: Stamp | None = None
        self._digest: str | None = None

    async def tick(self) -> int:
        """Follows the policy in force, which another replica may have changed, and proposes the folder if it is due.
        Returns how many proposals that were."""
        proposed = await self._look() if self._folder else 0
        await self._desk.read(self._desk.policies.in_force)
        return proposed

    async def propose_now(self) -> Verdict | None:
        """Reads the folder and proposes it, changed or not: at the start and on SIGHUP. None: there is no folder."""
        if self._folder is None:
            return None
        self._proposed = self._seen = await asyncio.to_thread(_stamp, self._folder)
        verdict = await self._propose(await asyncio.to_thread(read_proposal, self._folder))
        level = logging.WARNING if verdict in UNHEEDED else logging.INFO
        log.log(level, "policy proposed", extra={"verdict": verdict.value})
        await self._desk.read(self._desk.policies.in_force)
        return verdict

    async def _propose(self, proposal: Proposal) -> Verdict:
        """Compares the folder with the policy in force, beside the writers, and proposes it. It is a changed one if
        this process has seen it otherwise; what was changed while nobody looked is not known."""
        digest = digest_of(proposal.files)
        proposal = replace(proposal, is_changed=self._digest not in (None, digest))
        self._digest = digest
        verdict = Verdict.LOOK_AGAIN
        for _ in range(LOOKS):
            verdict = await self._desk.run(propose, await self._compared(proposal), actor=SYSTEM)
            if verdict is not Verdict.LOOK_AGAIN:
                break
        return verdict

    async def _compared(self, proposal: Proposal) -> Proposal:
        policy, policies, now = proposal.policy, self._desk.policies, self._desk.clock.now()
        if policy is None:
            return proposal
        policies.keep(policy)
        compared = await self._desk.read(lambda session: compare(session, policies, policy, now=now))
        return replace(proposal, compared=compared)

    async def _look(self) -> int:
        assert self._folder is not None
        stamp = await asyncio.to_thread(_stamp, self._folder)
        stands_still, self._seen = stamp == self._seen, stamp
        if stamp == self._proposed or not stands_still:
            return 0
        await self.propose_now()
        return 1


def read_proposal(folder: Path) -> Proposal:
    """What the folder proposes as it is now."""
    try:
        return examine(read_folder(folder))
    except PolicyFaults as raised:
        return Proposal({}, raised.faults)


def _stamp(folder: Path) -> Stamp:
    """Path, time and size of each file; a file that goes away meanwhile counts as gone."""
    stamps = []
    for path in sorted(folder.rglob("*")):
        try:
            status = path.stat()
        except OSError:
            continue
        stamps.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(stamps)
