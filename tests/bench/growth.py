"""What a thousand times as many cases cost: lists, the Home tab, claims, intake and what goes for its age, at 1,000,
100,000 and 1,000,000 cases, 200 of them open."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from sqlmodel import Session

from bot.clock import SystemClock
from bot.desk import deliveries, outbox, timers
from bot.desk.letting_go import EVENTS
from bot.desk.policies import Policies
from bot.desk.pruning import PRUNABLE
from bot.slack.reading import _home_facts
from store.database import Database
from tests.bench.figures import Figure, Raw, Target
from tests.bench.filling import fill_closed, prepare, writing
from tests.bench.intake import loaded
from tests.bench.service import TOKEN, Running, service

SIZES = (1_000, 100_000, 1_000_000)
OPEN = 200
TIMES = 20
REPORTS = 400
AT_MOST = 3.0
"""So many times as long may the largest take as the smallest: caches are colder, and trees one level deeper."""
LISTS = {
    "the latest cases": "/v1/cases?limit=50",
    "open cases": "/v1/cases?state=open&limit=50",
    "cases of a workflow and a state": "/v1/cases?workflow=refund&state=resolved&limit=50",
    "a case, whole": "/v1/cases/C-500",
}


def grown(folder: Path, slack: str) -> Iterator[Figure]:
    """Each at the largest size, beside itself at the smallest."""
    found = {size: _measured(folder / f"grown-{size}.db", slack, size) for size in SIZES}
    for what, value in found[SIZES[-1]].items():
        raw = Raw(f"with {SIZES[0]:,} cases", found[SIZES[0]][what])
        unit, note = "ms", f"with {SIZES[1]:,}: {found[SIZES[1]][what]:.2f}"
        limit = round(AT_MOST * max(raw.value, 1.0), 2)
        yield Figure(f"{what}, {SIZES[-1]:,} cases", value, unit, Target("≤", limit), raw, note)


def _measured(file: Path, slack: str, size: int) -> Mapping[str, float]:
    prepare(file, slack)
    fill_closed(file, size)
    with writing(file) as connection:
        still = "state = 'queued', closed_at = NULL, resolution = NULL"
        connection.execute(f"UPDATE cases SET {still} WHERE id > ?", (size - OPEN,))
    with service(f"sqlite:///{file}", slack) as running:
        told = {what: _took(lambda path=path: _get(running, path)) for what, path in LISTS.items()}  # type: ignore[misc]
        told["a report that opens a case, p50"] = float(loaded(running.port, "single", REPORTS)["p50_ms"])
    database = Database(f"sqlite:///{file}")
    for what, question in QUESTIONS.items():
        told[what] = _took(lambda question=question: database.read_now(question))  # type: ignore[misc]
    database.close()
    file.unlink()
    return told


def _took(act: Callable[[], Any]) -> float:
    """Milliseconds, the median of a few."""
    times = []
    for _ in range(TIMES):
        start = perf_counter()
        act()
        times.append((perf_counter() - start) * 1000)
    return median(times)


def _get(running: Running, path: str) -> None:
    asked = urllib.request.Request(running.url + path, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        answer.read()


_POLICIES = Policies()
_EDGE: Any = SimpleNamespace(context=SimpleNamespace(policies=_POLICIES))


def _home(session: Session) -> None:
    _home_facts(_EDGE, session, "U0ADA", SystemClock().now())


def _claims(session: Session) -> None:
    now = SystemClock().now()
    timers.some_are_due(session, now)
    timers.next_due(session)
    outbox.next_due(session, kinds=("card", "line", "notice", "page"))
    deliveries.some_are_due(session, now)


def _too_old(session: Session) -> None:
    for each in (*PRUNABLE, *EVENTS):
        each.find(session, SystemClock().now().replace(year=2000), None, 500)


QUESTIONS: Mapping[str, Callable[[Session], None]] = {
    "the Home tab": _home,
    "what is due": _claims,
    "what is too old": _too_old,
}
