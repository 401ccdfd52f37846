"""What many cases cost: memory, and the time until the service is ready."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from tests.bench.figures import Figure, Raw, Target
from tests.bench.filling import fill_closed, fill_open, prepare
from tests.bench.intake import loaded
from tests.bench.processes import resident_mb, run_code
from tests.bench.service import TOKEN, Running, service

OPEN = 100_000
CLOSED = 1_000_000
IMPORTS = "import bot.main"
PARTS = "import aiohttp, sqlmodel, slack_bolt"
REQUESTS = 500
MOST_MB = 200
MOST_SECONDS = 2


def memory(file: Path, slack: str) -> Iterator[Figure]:
    """Memory with many open cases. Leaves the database as it filled it for what is measured next."""
    prepare(file, slack)
    fill_open(file, OPEN)
    alone = Raw("the same imports, no data", float(run_code(f"{IMPORTS}; {_OWN_MB}")))
    with service(f"sqlite:///{file}", slack) as running:
        at_start = resident_mb(running.process.pid)
        _ask_around(running)
        after = resident_mb(running.process.pid)
    target = Target("≤", MOST_MB)
    yield Figure(f"memory with {OPEN:,} open cases, ready", at_start, "MB", target, alone)
    yield Figure(f"the same after {REQUESTS} reports and 20 lists", after, "MB", target, alone)


_OWN_MB = "from tests.bench.processes import resident_mb; print(resident_mb())"


def _ask_around(running: Running) -> None:
    loaded(running.port, "single", REQUESTS)
    for path in ("/v1/cases?limit=500", "/metrics") * 20:
        asked = urllib.request.Request(running.url + path, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            body = answer.read()
    assert b"pointsman_open_cases" in body


def readiness(file: Path, slack: str) -> Iterator[Figure]:
    """From the start of the process until it is ready, with many closed cases behind it."""
    prepare(file, slack)
    with service(f"sqlite:///{file}", slack) as running:
        with_one = running.took
    fill_closed(file, CLOSED)
    start = perf_counter()
    run_code(PARTS)
    imports = perf_counter() - start
    with service(f"sqlite:///{file}", slack) as running:
        took = running.took
    raw = Raw("python -c 'import aiohttp, sqlmodel, slack_bolt'", imports)
    note = f"with one case: {with_one:.2f} s"
    yield Figure(f"ready after start with {CLOSED:,} closed cases", took, "s", Target("≤", MOST_SECONDS), raw, note)
