"""`pointsman` as others start it: a process of its own, in a folder and an environment of its own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 30.0
"""Seconds until what a process should have done counts as not done; on an idle machine it takes one."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process left behind."""

    code: int
    out: str
    err: str


def pointsman(*arguments: str, folder: Path, **environment: str) -> Ended:
    """Runs a command to its end, in `folder`."""
    command = [sys.executable, "-m", "bot", *arguments]
    ended = subprocess.run(
        command, cwd=folder, env=_environment(environment), capture_output=True, text=True, timeout=PATIENCE * 2
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@dataclass
class Running:
    """A process that runs, and what it has said so far (standard output and error)."""

    process: asyncio.subprocess.Process
    said: list[str] = field(default_factory=list)

    async def says(self, pattern: str) -> re.Match[str]:
        """Waits for the next line with this in it."""
        async with asyncio.timeout(PATIENCE):
            while line := await self._line():
                if found := re.search(pattern, line):
                    return found
        raise AssertionError(f"it ended without saying {pattern!r}:\n{''.join(self.said)}")

    async def ends(self, number: signal.Signals | None = None) -> int:
        """Sends it the signal and waits for its end; its exit code."""
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            while await self._line():
                pass
            return await self.process.wait()

    async def _line(self) -> str:
        assert self.process.stdout
        line = (await self.process.stdout.readline()).decode()
        self.said.append(line)
        return line


@asynccontextmanager
async def running(*arguments: str, folder: Path, **environment: str) -> AsyncIterator[Running]:
    """A command that runs until it is told to stop; nothing of it is left at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", *arguments),
        cwd=folder,
        env=_environment(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _environment(said: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **said}
