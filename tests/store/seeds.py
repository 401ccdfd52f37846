"""Rows as the tests of the store need them: valid, and only what matters said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session, col

from store.database import Database
from store.models import Case, PolicyVersion, SeenRequest

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
POLICY = "0" * 64


def put_policy(session: Session, files: dict[str, str] | None = None) -> None:
    """The policy that cases name."""
    session.execute(insert(PolicyVersion), [{"digest": POLICY, "files": files or {}, "recorded_at": AT}])


def case_row(case_id: int, **values: Any) -> dict[str, Any]:
    """An open case."""
    return {
        "id": case_id,
        "workflow": "renewal-notice",
        "failure_mode": "crm_stale",
        "title": f"Renewal {case_id} is stale",
        "source": "hubspot",
        "risk": "medium",
        "priority": "P2",
        "state": "queued",
        "route": "owner_queue",
        "route_rule": "default",
        "owner": "revenue-ops",
        "match_key": f"v1:{case_id}",
        "fingerprint": f"v1:{case_id}",
        "policy_digest": POLICY,
        "opened_at": AT,
        "opened_by": "hubspot",
        "last_seen_at": AT,
        "acknowledge_due_at": AT,
        "resolve_due_at": AT,
        "response_from_at": AT,
        "channel": "C0REVOPS",
    } | values


def put_case(database: Database, case_id: int, **values: Any) -> None:
    """Commits a case, under a policy that is there."""

    def work(session: Session) -> None:
        if session.get(PolicyVersion, POLICY) is None:
            put_policy(session)
        session.execute(insert(Case), [case_row(case_id, **values)])

    database.write(work).result()


def write_key(key: str) -> Callable[[Session], str]:
    """Work with one row: a request that was seen. A second one of the same key breaks the primary key."""

    def work(session: Session) -> str:
        session.execute(insert(SeenRequest), [{"key": key, "at": AT}])
        return key

    return work


def keys(database: Database) -> list[str]:
    """The keys that are on disk."""
    return database.read_now(lambda s: sorted(s.execute(select(col(SeenRequest.key))).scalars()))


@contextmanager
def held_up(database: Database) -> Iterator[None]:
    """Keeps every writer busy, so that what is written inside waits, and on SQLite goes together."""
    opened = threading.Event()
    started: list[threading.Event] = []
    holding: list[Future[Any]] = []
    for _ in database._writers:
        begun = threading.Event()
        holding.append(database.write(lambda _, begun=begun: (begun.set(), opened.wait(10))))  # type: ignore[misc]
        started.append(begun)
    for begun in started:
        assert begun.wait(10)
    try:
        yield
    finally:
        opened.set()
        for each in holding:
            each.result(10)
