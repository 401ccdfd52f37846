"""What is taken in a second, what is still there after a kill, and what is one case."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.figures import Figure, Raw, Target
from tests.bench.load import report
from tests.bench.processes import cpu_seconds, succeeds, told_by
from tests.bench.reading import ask
from tests.bench.service import TOKEN, Running, service

AMOUNTS = {"single": 15_000, "lists": 300, "joined": 15_000}
WORDS = {
    "single": "exceptions accepted, own case each, one a request, 64 connections",
    "lists": "exceptions accepted, own case each, lists of 100",
    "joined": "exceptions joined to an open case, one a request, 64 connections",
}
TARGETS = {"single": 3_000, "lists": 8_000, "joined": 4_000}
SHARE = 25
ACCEPTED = 400
SENDERS = 16
ALIKE = 300


def loaded(port: int, kind: str, amount: int) -> Any:
    """What the load client tells of one kind of load."""
    return told_by("tests.bench.load", str(port), kind, "--token", TOKEN, "--amount", str(amount))


def accepted(kind: str, database_url: str, slack: str, bare_port: int, *, engine: str = "SQLite") -> Iterator[Figure]:
    """Accepted in a second, beside a handler that only parses the same JSON."""
    bare = loaded(bare_port, kind, AMOUNTS[kind])["reports_per_second"]
    with service(database_url, slack) as running:
        loaded(running.port, "joined", 200)
        before = cpu_seconds(running.process.pid)
        told = loaded(running.port, kind, AMOUNTS[kind])
        used = cpu_seconds(running.process.pid) - before
    if set(told["statuses"]) != {"202"}:
        raise RuntimeError(f"not all were accepted: {told['statuses']}")
    target = Target("≥", TARGETS[kind]) if engine == "SQLite" else None
    note = f"p50 {told['p50_ms']} ms, p99 {told['p99_ms']} ms; {used / told['reports'] * 1e6:.0f} µs of CPU each"
    raw = Raw("aiohttp, parses the same JSON", bare)
    yield Figure(f"{WORDS[kind]}, {engine}", told["reports_per_second"], "/s", target, raw, note)
    if kind == "single" and engine == "SQLite":
        share = told["reports_per_second"] / bare * 100
        yield Figure("the same, of what the bare handler takes", share, "%", Target("≥", SHARE))


@dataclass(slots=True)
class _Crash:
    """What was accepted before the process was killed, by the subject that each report named."""

    subjects: list[str] = field(default_factory=list)

    async def send(self, running: Running, first: int) -> None:
        """Reports, one after another, until nobody answers any more; the kill comes with the last of so many."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            for number in range(first, 1_000_000, SENDERS):
                body = report(number) | {"dedup_key": f"crash-{number}"}
                try:
                    async with session.post(f"{running.url}/v1/exceptions", json=body) as answer:
                        if answer.status == 202:
                            self.subjects.append(str(body["subject"]))
                except aiohttp.ClientError:
                    return
                if len(self.subjects) >= ACCEPTED:
                    running.process.kill()


def kept_after_kill(file: Path, slack: str) -> Iterator[Figure]:
    """At least 400 accepted, more on their way, kill -9, and started again: what is there, and what is there twice."""
    url, crash = f"sqlite:///{file}", _Crash()

    async def all_send(running: Running) -> None:
        await asyncio.gather(*(crash.send(running, first) for first in range(SENDERS)))

    with service(url, slack) as running:
        asyncio.run(all_send(running))
    with service(url, slack):
        rows = ask(file, "SELECT c.subject, count(*) FROM cases c JOIN exceptions e ON e.case_id = c.id GROUP BY 1")
    found = {str(subject): int(str(count)) for subject, count in rows}
    lost = sum(subject not in found for subject in crash.subjects)
    doubled = sum(count > 1 for count in found.values())
    holds = succeeds("bot", "audit", "verify", environment={"DATABASE_URL": url})
    note = f"{len(crash.subjects)} accepted; the audit chains {'hold' if holds else 'DO NOT HOLD'}"
    yield Figure("accepted, then kill -9 and a restart: lost", lost, "", Target("≤", 0), note=note)
    yield Figure("the same: there twice", doubled, "", Target("≤", 0))


def alike_are_one(file: Path, slack: str) -> Iterator[Figure]:
    """Identical reports over 64 connections: one case that counts them."""
    with service(f"sqlite:///{file}", slack) as running:
        loaded(running.port, "joined", ALIKE)
    (cases, occurrences), *_ = ask(file, "SELECT count(*), max(occurrences) FROM cases")
    note = f"it counts {occurrences}"
    yield Figure(f"{ALIKE} identical exceptions at once: cases", int(str(cases)), "", Target("≤", 1), note=note)
