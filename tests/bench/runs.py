"""Runbooks under load: runs of three requests each, what a step costs beyond its request, and runs that go on after a
kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from urllib.request import Request, urlopen

from sqlalchemy import select
from sqlmodel import Session

from bot.clock import SystemClock
from store.contract_models import Trigger
from store.engines import engine_for
from store.run_models import Run
from tests.bench.events import PATH, folder, receiver
from tests.bench.figures import Figure, Raw, Target
from tests.bench.filling import copy_rows, stored, writing
from tests.bench.load import event
from tests.bench.processes import told_by
from tests.bench.reading import ask
from tests.bench.service import TOKEN, Running, service

RUNS = 1_000
STEPS = 3
ALONE = 100
APART = timedelta(milliseconds=60)
DUE_IN = timedelta(seconds=5)
"""Time for the service to start before they are due."""
PATIENCE = 60.0
LOOK_EVERY = 0.01
KILLED_AFTER = 300
"""Requests that have arrived when the service is killed: then all runs are due and many are under way."""
RUNBOOK = """\
runbook: three
title: Three requests
steps:
  - {name: a, request: {connector: helpdesk, method: POST, path: "/a/{{ event.order_id }}", json: {step: a}}}
  - {name: b, request: {connector: helpdesk, method: POST, path: "/b/{{ event.order_id }}", json: {step: b}}}
  - {name: c, request: {connector: helpdesk, method: POST, path: "/c/{{ event.order_id }}", json: {step: c}}}
"""
USED = "exceptions: {other: {runbooks: [three]}}\n"
_ENDED = "SELECT count(*) FROM runs WHERE ended_at IS NOT NULL"
_DONE = "SELECT count(*) FROM runs WHERE state = 'done'"
_TOOK = "SELECT started_at, ended_at FROM runs"


def carried_out(place: Path, slack: str) -> Iterator[Figure]:
    """A thousand runs that are due at once, until the last one is done; a hundred one after another; a thousand with a
    kill in between."""
    policy = folder(place / "policy-of-runs")
    (policy / "runbooks" / "three.yml").write_text(RUNBOOK)
    orders = policy / "workflows" / "orders.yml"
    orders.write_text(orders.read_text() + USED)
    with receiver() as url:
        raw = told_by("tests.bench.raw", "requests", url)
        yield _many(_Stage(place / "runs.db", policy, slack, url), raw["per_second"] / STEPS)
        yield _alone(_Stage(place / "alone.db", policy, slack, url), raw["p50"] * 1000)
    with receiver() as url:
        yield from _killed(_Stage(place / "killed.db", policy, slack, url))


class _Stage:
    """A database, the policy, and the system that the requests go to."""

    def __init__(self, file: Path, policy: Path, slack: str, url: str) -> None:
        self.file, self.policy, self.slack, self.url = file, policy, slack, url

    @contextmanager
    def service(self) -> Iterator[Running]:
        """The service on it."""
        environment = {"HELPDESK_URL": self.url}
        with service(f"sqlite:///{self.file}", self.slack, policy=self.policy, environment=environment) as running:
            yield running

    def fill(self, count: int, due_at: datetime, *, apart: timedelta = timedelta(0), series: str) -> None:
        """So many runs, each of an event of its own, due then or `apart`."""
        with self.service() as running:
            _send_one(running)
        seconds = f"{apart.total_seconds():.3f} * (i - 2)"
        due = f"strftime('%Y-%m-%dT%H:%M:%f000+00:00', '{stored(due_at)}', '+' || ({seconds}) || ' seconds')"
        self._write_first(due_at)
        with writing(self.file) as connection:
            content = f"json_set(content, '$.order_id', '{series}-' || i)"
            copy_rows(connection, "events", "id", {"id": "i", "content": content}, count + 1)
            copy_rows(connection, "runs", "id", {"id": "i", "event_id": "i", "due_at": due}, count + 1)
            connection.execute("DELETE FROM runs WHERE id = 1")

    def _write_first(self, at: datetime) -> None:
        """The run that the others are copies of."""
        engine = engine_for(f"sqlite:///{self.file}")
        with Session(engine) as session:
            trigger = session.execute(select(Trigger)).scalar_one()
            run = Run(
                id=1,
                event_id=trigger.event_id,
                workflow=trigger.workflow,
                runbook="three",
                cause="pressed",
                policy_digest=trigger.policy_digest,
                asked_by="U0ADA",
                asked_at=at,
                state="running",
            )
            session.add(run)
            session.commit()
        engine.dispose()

    def count(self, question: str) -> int:
        """What a query counts."""
        ((found,),) = ask(self.file, question)
        return int(str(found))

    def wait_for(self, count: int) -> None:
        """Until so many runs are over. Raises `RuntimeError` when that takes too long."""
        until = perf_counter() + PATIENCE
        while (ended := self.count(_ENDED)) < count:
            if perf_counter() > until:
                raise RuntimeError(f"{ended} of {count} runs are over")
            sleep(LOOK_EVERY)
        if (done := self.count(_DONE)) != count:
            raise RuntimeError(f"{done} of {count} runs are done")


def _send_one(running: Running) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    with urlopen(Request(f"{running.url}{PATH}", json.dumps(event(1)).encode(), headers), timeout=10) as answer:
        answer.read()


def _many(stage: _Stage, raw: float) -> Figure:
    due_at = SystemClock().now() + DUE_IN
    stage.fill(RUNS, due_at, series="many")
    with stage.service():
        stage.wait_for(RUNS)
    took = [_seconds(start, due_at) for start, _ in ask(stage.file, _TOOK)]
    last = max(_seconds(end, due_at) for _, end in ask(stage.file, _TOOK))
    beside = Raw("aiohttp, the same requests, nothing kept", raw)
    note = f"begun within {max(took):.2f} s"
    return Figure(f"runs of {STEPS} requests, {RUNS:,} due at once", RUNS / last, "/s", Target("≥", 150), beside, note)


def _alone(stage: _Stage, raw: float) -> Figure:
    stage.fill(ALONE, SystemClock().now() + DUE_IN, apart=APART, series="alone")
    with stage.service():
        stage.wait_for(ALONE)
    steps = [
        (datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(start))).total_seconds() * 1000 / STEPS
        for start, end in ask(stage.file, _TOOK)
    ]
    beside = Raw("the request alone, p50", raw)
    return Figure(
        "a step beyond its request, p50, one run at a time", median(steps) - raw, "ms", Target("≤", 5), beside
    )


def _killed(stage: _Stage) -> Iterator[Figure]:
    stage.fill(RUNS, SystemClock().now() + DUE_IN, series="killed")
    asked = "SELECT count(*) FROM run_attempts"
    with stage.service() as running:
        until = perf_counter() + PATIENCE
        while stage.count(asked) < KILLED_AFTER and perf_counter() < until:
            sleep(0.001)
        running.process.kill()
        running.process.wait()
    ((killed_at,),) = ask(stage.file, "SELECT max(at) FROM run_attempts")
    left = [str(run) for (run,) in ask(stage.file, "SELECT id FROM runs WHERE ended_at IS NULL")]
    started = SystemClock().now()
    with stage.service() as running:
        ready_at = started + timedelta(seconds=running.took)
        stage.wait_for(RUNS)
    first = (
        "SELECT min(a.at) FROM run_attempts a JOIN run_steps s ON s.id = a.step_id "
        f"WHERE a.at > ? AND s.run_id IN ({', '.join(left)}) GROUP BY s.run_id"
    )
    late = [_seconds(at, ready_at) for (at,) in ask(stage.file, first, killed_at)]
    with urlopen(f"{stage.url}/twice", timeout=5) as answer:
        twice = int(answer.read())
    words = f"{len(left):,} runs under way at kill -9, gone on after the restart: the last"
    yield Figure(words, max(late), "s", Target("≤", 5))
    yield Figure("the same: requests under two keys", twice, "", Target("≤", 0))


def _seconds(at: object, since: datetime) -> float:
    return (datetime.fromisoformat(str(at)) - since).total_seconds()
