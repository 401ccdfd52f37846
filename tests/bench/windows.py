"""Outcomes that stay away: a hundred thousand are waited for, a thousand windows pass in the same second."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import sleep
from urllib.request import Request, urlopen

from bot.clock import SystemClock
from tests.bench.figures import Figure, Raw, Target, percentile
from tests.bench.filling import copy_rows, stored, writing
from tests.bench.processes import told_by
from tests.bench.reading import ask
from tests.bench.service import TOKEN, service

OPEN = 100_000
DUE = 1_000
DUE_IN = timedelta(seconds=10)
"""Time for the service to start before they are due."""
GIVEN_UP_AFTER = timedelta(seconds=20)
LOOK_EVERY = 0.005
_WAITING = "SELECT count(*) FROM expected WHERE state = 'waiting' AND due_at = ?"
EVENT = {"refund_id": "re_1", "customer_id": "cus_1", "amount_cents": 1200}


def outcome_windows(file: Path, slack: str) -> Iterator[Figure]:
    """How late the cases of what is missing are committed."""
    memory = told_by("tests.bench.raw", "jobs", "memory")
    _prepare(file, slack)
    due_at = SystemClock().now() + DUE_IN
    _fill(file, stored(due_at))
    late, last = [], DUE
    with service(f"sqlite:///{file}", slack):
        while last and SystemClock().now() < due_at + GIVEN_UP_AFTER:
            ((left,),) = ask(
                file, "SELECT count(*) FROM expected WHERE state = 'waiting' AND due_at = ?", stored(due_at)
            )
            seconds = (SystemClock().now() - due_at).total_seconds()
            late += [seconds] * (last - int(str(left)))
            last = int(str(left))
            sleep(LOOK_EVERY)
    words = f"{DUE:,} outcomes missing in one instant among {OPEN:,}, cases committed late"
    raw = Raw("APScheduler, memory store", memory["p99"])
    yield Figure(f"{words}, p99", percentile(late, 0.99), "s", Target("≤", 1), raw)
    yield Figure("the same: dropped", DUE - len(late), "", Target("≤", 0))


def _prepare(file: Path, slack: str) -> None:
    """A database with one event, which is taken for delivered."""
    with service(f"sqlite:///{file}", slack) as running:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        request = Request(f"{running.url}/v1/events/refund", json.dumps(EVENT).encode(), headers)
        with urlopen(request, timeout=10) as answer:
            answer.read()


def _fill(file: Path, due: str) -> None:
    later = f"'{stored(SystemClock().now() + timedelta(days=30))}'"
    is_due = f"CASE WHEN i <= {DUE + 1} THEN '{due}' ELSE {later} END"
    with writing(file) as connection:
        connection.execute("DELETE FROM deliveries")
        connection.execute("UPDATE triggers SET state = 'delivered'")
        connection.execute(
            "INSERT INTO expected (event_id, workflow, key, state, since_at, due_at, policy_digest) "
            f"SELECT event_id, workflow, identity, 'waiting', received_at, {later}, policy_digest FROM triggers"
        )
        copy_rows(connection, "events", "id", {"id": "i"}, OPEN)
        named = {"event_id": "i", "identity": "'re_' || i", "subject": "'cus_' || i"}
        copy_rows(connection, "triggers", "event_id", named, OPEN)
        copy_rows(connection, "expected", "event_id", {"event_id": "i", "key": "'re_' || i", "due_at": is_due}, OPEN)
