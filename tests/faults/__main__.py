"""`python -m tests.faults`: the fault suite, and the table of what was lost and what was doubled."""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.suite import PAUSE, Run, carried_out

ENGINES = ("sqlite", "postgres")


async def _run(run: Run) -> bool:
    running = asyncio.current_task()
    assert running
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    folder = Path(tempfile.mkdtemp(prefix="pointsman-faults-"))
    async with carried_out(run, folder) as report:
        print(report.as_text(run), flush=True)
        if not report.is_clean:
            print(f"what the processes said is in {folder}", flush=True)
        return report.is_clean


def main() -> int:
    """Runs on each engine that is asked for; 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--pause", type=float, default=PAUSE, help="seconds between two things that happen")
    of = parser.parse_args()
    runs = [Run(engine, of.seed, of.kills, of.pause) for engine in of.engine or ENGINES]
    return 0 if all([asyncio.run(_run(run)) for run in runs]) else 1


if __name__ == "__main__":
    sys.exit(main())
