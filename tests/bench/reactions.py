"""How soon something happens: a click is answered, a timer is fired, a piece of work is committed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import sleep

from bot.clock import SystemClock
from tests.bench.clicks import answer_times
from tests.bench.figures import Figure, Raw, Target, percentile
from tests.bench.filling import make_due
from tests.bench.intake import loaded
from tests.bench.processes import told_by
from tests.bench.reading import ask
from tests.bench.service import service

CLICKS = 300
WARM_UP = 50
TIMES_RAW = 3
DUE = 1_000
DUE_IN = timedelta(seconds=8)
"""Time for the service to start before they are due."""
GIVEN_UP_AFTER = timedelta(seconds=20)
LOOK_EVERY = 0.005


def clicks(file: Path, slack: str, raw_port: int) -> Iterator[Figure]:
    """A click on Acknowledge, signature to answer, beside a Bolt listener that does nothing."""
    names = [f"C-{number}" for number in range(1, CLICKS + WARM_UP + 1)]
    told_at = f"{slack}/bench/told"
    raw = answer_times(raw_port, names, told_at=told_at)[WARM_UP:]
    with service(f"sqlite:///{file}", slack) as running:
        loaded(running.port, "lists", len(names) // 100 + 1)
        sleep(1)
        ours = answer_times(running.port, names, told_at=told_at)[WARM_UP:]
    (taken,), *_ = ask(file, "SELECT count(*) FROM cases WHERE acknowledged_by = 'U0ADA'")
    if taken != len(names):
        raise RuntimeError(f"{taken} of {len(names)} clicks took their case")
    part = Raw("Bolt, a listener that does nothing", percentile(raw, 0.5))
    target = Target("≤", round(TIMES_RAW * part.value, 2))
    yield Figure("a click that takes a case, answered and on disk, p50", percentile(ours, 0.5), "ms", target, part)
    part = Raw("Bolt, a listener that does nothing", percentile(raw, 0.99))
    yield Figure("the same, p99", percentile(ours, 0.99), "ms", None, part)


def timers(file: Path, slack: str, count: int) -> Iterator[Figure]:
    """A thousand windows that pass in the same instant, fired by the service's own scheduler; looked at from outside,
    so that what counts is the commit. `file` has `count` timers of the future already."""
    memory = told_by("tests.bench.raw", "jobs", "memory")
    stored = told_by("tests.bench.raw", "jobs", f"sqlite:///{file.with_name('jobs.db')}")
    due_at = SystemClock().now() + DUE_IN
    due = make_due(file, DUE, due_at)
    with service(f"sqlite:///{file}", slack):
        late, last = [], DUE
        while last and SystemClock().now() < due_at + GIVEN_UP_AFTER:
            ((left,),) = ask(file, "SELECT count(*) FROM timers WHERE due_at = ?", due)
            seconds = (SystemClock().now() - due_at).total_seconds()
            late += [seconds] * (last - int(str(left)))
            last = int(str(left))
            sleep(LOOK_EVERY)
    words = f"{DUE:,} timers due in one instant among {count:,}, late until committed"
    yield Figure(f"{words}, p50", percentile(late, 0.5), "s", None, Raw("APScheduler, memory store", memory["p50"]))
    yield Figure("the same, p99", percentile(late, 0.99), "s", Target("≤", 1), Raw("the same", memory["p99"]))
    yield Figure("the same, p99", percentile(late, 0.99), "s", None, Raw("APScheduler, SQL store", stored["p99"]))
    passed = "SELECT count(*) FROM audit_entries WHERE body LIKE '%\"window.passed\"%' GROUP BY chain"
    fired = [int(str(times)) for (times,) in ask(file, passed)]
    yield Figure("the same: dropped", DUE - len(fired), "", Target("≤", 0))
    yield Figure("the same: fired twice", sum(times > 1 for times in fired), "", Target("≤", 0))


def commits(folder: Path) -> Iterator[Figure]:
    """Group commit alone."""
    raw = told_by("tests.bench.raw", "commits", str(folder))["per_second"]
    ours = told_by("tests.bench.commits", str(folder))["per_second"]
    part = Raw("sqlite3, one row a commit", raw)
    yield Figure("group commit alone, one row a piece, 64 waiting", ours, "/s", None, part)
