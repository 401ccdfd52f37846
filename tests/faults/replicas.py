"""`pointsman run` as processes that are killed, stopped and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.processes import ROOT

READY_WITHIN = 60.0
LOOKS_EVERY = 0.05
STOPS_WITHIN = 15.0


@dataclass
class Replica:
    """One process at one address, and what it has said, in a file. `ended`: how often it ended without being told."""

    port: int
    log: Path
    environment: Mapping[str, str]
    ended: int = 0
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether there is a process, stopped or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the process; it is not ready yet."""
        told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": str(self.port), **self.environment}
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "bot", "run"]
            self._process = subprocess.Popen(command, cwd=self.log.parent, env=told, stdout=log, stderr=log)
        self.starts += 1

    def kill(self) -> None:
        """Ends it as a power cut would: nothing is put in order."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """It stands still, with its sockets and connections open."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it stood."""
        self._send(signal.SIGCONT)

    def stop(self) -> int:
        """Asks it to stop; its exit code."""
        assert self._process
        self._send(signal.SIGTERM)
        try:
            return self._process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            return -1

    def revive(self) -> None:
        """Starts it again if it has ended by itself, as a supervisor does."""
        if not self.is_running:
            self.ended += 1
            self.start()

    async def ready(self, http: aiohttp.ClientSession, within: float = READY_WITHIN) -> bool:
        """Waits until it says that it is able to work."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not await self._is_ready(http):
                    self.revive()
                    await asyncio.sleep(LOOKS_EVERY)
                return True
        return False

    async def _is_ready(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
