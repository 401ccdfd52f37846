"""`make bench`: one table of figures, each beside its target and its raw part in the same run. Nothing here is a test:
the figures are those of the machine that it runs on."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import psycopg
from psycopg.sql import SQL, Identifier

from store.migrate import migrate
from tests.bench import events, growth, intake, reactions, runs, sizes, windows
from tests.bench.figures import Figure, table
from tests.bench.processes import free_port, running
from tests.bench.service import workspace
from tests.postgres import TEMPLATE
from tests.postgres import running as postgres

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


def main() -> None:
    """Measures all, and prints the table."""
    start = perf_counter()
    figures: list[Figure] = []
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            for figure in _measured(Path(name)):
                figures.append(figure)
                print(f"{perf_counter() - start:4.0f} s  {figure.what}", file=sys.stderr, flush=True)
    finally:
        print(table(figures))
    print(f"\n{os.cpu_count()} cores, Python {sys.version.split()[0]}, {perf_counter() - start:.0f} s in all")


def _measured(folder: Path) -> Iterator[Figure]:
    with ExitStack() as stack:
        slack, raw_port = stack.enter_context(workspace()), free_port()
        ready = f"http://127.0.0.1:{raw_port}/readyz"
        stack.enter_context(running("tests.bench.raw", "serve", str(raw_port), ready=ready))
        for kind in intake.AMOUNTS:
            yield from intake.accepted(kind, f"sqlite:///{folder / kind}.db", slack, raw_port)
        yield from intake.kept_after_kill(folder / "kill.db", slack)
        yield from intake.alike_are_one(folder / "alike.db", slack)
        yield from events.delivered(folder, slack, raw_port)
        yield from events.validated(folder)
        yield from runs.carried_out(folder, slack)
        yield from reactions.clicks(folder / "clicks.db", slack, raw_port)
        yield from reactions.commits(folder)
        yield from sizes.memory(folder / "open.db", slack)
        yield from reactions.timers(folder / "open.db", slack, sizes.OPEN)
        yield from windows.outcome_windows(folder / "windows.db", slack)
        yield from sizes.readiness(folder / "closed.db", slack)
        yield from growth.grown(folder, slack)
        yield from _on_postgres(slack, raw_port)


def _on_postgres(slack: str, raw_port: int) -> Iterator[Figure]:
    """The same taking-in on PostgreSQL, as durable as it is by default (the tests' own server is not)."""
    with postgres(prepare=migrate) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            for setting in DURABLE:
                admin.execute(SQL("ALTER SYSTEM SET {} = on").format(Identifier(setting)))
            admin.execute("SELECT pg_reload_conf()")
        for kind in ("single", "joined"):
            with server.temporary(template=TEMPLATE) as url:
                yield from intake.accepted(kind, url, slack, raw_port, engine="PostgreSQL")


if __name__ == "__main__":
    main()
