"""Servers under measure run in processes of their own, on the loopback, and are gone afterwards."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

STARTS_WITHIN = 60.0
STOPS_WITHIN = 15.0
LOOK_EVERY = 0.005
PORTS = range(20_000, 30_000)
ROOT = Path(__file__).parent.parent.parent


class Died(Exception):
    """A server went away before it was ready."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, out of those that systems do not give to clients. Raises `OSError`
    when none is found."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port was found")


@contextmanager
def running(
    *arguments: str, ready: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """`python -m …`, from the moment when the address `ready` answers 200; gives the process and the seconds that this
    took. It is told to stop at the end. Raises `Died` when it does not come up."""
    started = perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **(environment or {})},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_until_ready(process, ready, started)
            yield process, perf_counter() - started
        finally:
            stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], address: str, started: float) -> None:
    while process.poll() is None and perf_counter() - started < STARTS_WITHIN:
        if _answers(address):
            return
        sleep(LOOK_EVERY)
    raise Died(f"{process.args!r} did not answer at {address}")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends it: asked first, killed if it does not."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def told_by(*arguments: str) -> Any:
    """What `python -m …` prints, as JSON. Raises `CalledProcessError` when it fails."""
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def succeeds(*arguments: str, environment: Mapping[str, str]) -> bool:
    """Whether `python -m …` exits with 0."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    return done.returncode == 0


def run_code(code: str) -> str:
    """What `python -c …` prints."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def cpu_seconds(pid: int) -> float:
    """The time of processors that a process has used (Linux), whoever else uses them."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int | str = "self") -> float:
    """The memory that a process has, in MB (VmRSS of Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
