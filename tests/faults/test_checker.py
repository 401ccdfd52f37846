"""The checker is seen to fail: what is taken away, put in twice or changed is named, and nothing else is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from store.migrate import migrate
from tests.faults.checker import Evidence, Shown, check, is_clean, table

AT = "2026-11-23T09:00:00.000000+00:00"
STEPS = ("case.opened", "case.noted", "case.escalated", "case.escalated", "case.acknowledged")
PERSON = "U0P0"


def page(step: int) -> str:
    """The key of a direct message, as it is owed."""
    return f"page:1:response:{step}:1.0:{step}:escalated:{PERSON}"


CARD = Shown("C0DESK0", "card:1", "🔵 P1 · C-1 · Order 1 did not arrive")
EVIDENCE = Evidence(
    reports=[("mark-1-", "C-1", 1)],
    events=["ord-1"],
    outcomes=["ord-1"],
    clicks=[(PERSON, "C-1", True)],
    notes=[(PERSON, "C-1", "note-1-", True)],
    asked=[("ord-1", "key-1"), ("ord-1", "key-1")],
    shown=[CARD, Shown(PERSON, page(1), "Escalated"), Shown(PERSON, page(2), "Escalated")],
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database in which all is as the evidence says."""
    migrate(f"sqlite:///{tmp_path / 'small.db'}")
    with closing(sqlite3.connect(tmp_path / "small.db", isolation_level=None)) as connection:
        _fill(connection)
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")  # whoever owns the file can
        yield connection


def _fill(connection: sqlite3.Connection) -> None:
    put: dict[str, dict[str, object]] = {
        "policies": {"digest": "d", "files": "{}", "recorded_at": AT},
        "cases": _case(),
        "exceptions": _of(1, occurrence=1, received_at=AT, source="suite", title="t", detail="mark-1-", links="[]"),
        "notes": _of(1, at=AT, author=PERSON, text="note-1-"),
        "events": {"id": 7, "workflow": "orders", "digest": "d", "content": '{"order_id": "ord-1"}', "received_at": AT},
        "triggers": _trigger(),
        "outcomes": _outcome(),
    }
    for name, row in put.items():
        _insert(connection, name, row)
    for key in (shown.key for shown in EVIDENCE.shown):
        row = {"kind": key.partition(":")[0], "key": key, "channel": "C", "payload": "{}", "while_unacknowledged": 0}
        row |= {"state": "sent", "created_at": AT, "not_before_at": AT, "attempts": 1, "maybe_sent": 0}
        _insert(connection, "outbox", row)
    _write_chain(connection)


def _case() -> dict[str, object]:
    words = ("workflow", "failure_mode", "title", "source", "risk", "route_rule", "match_key", "fingerprint")
    row: dict[str, object] = {**dict.fromkeys(words, "orders"), "id": 1, "priority": "P1", "state": "in_progress"}
    row |= {"route": "owner_queue", "owner": "desk-0", "policy_digest": "d", "opened_by": "suite", "channel": "C0DESK0"}
    row |= {"detail": "", "route_because": "", "occurrences": 1, "exhausted": 0, "reopened": 0, "is_drill": 0}
    moments = ("opened_at", "last_seen_at", "acknowledge_due_at", "resolve_due_at", "response_from_at")
    return row | dict.fromkeys(moments, AT) | {"version": 1}


def _trigger() -> dict[str, object]:
    row = {"event_id": 7, "workflow": "orders", "identity": "ord-1", "digest": "d", "source": "suite"}
    row |= {"state": "delivered", "policy_digest": "d", "contract_version": 1, "is_drill": 0, "seen": 1}
    return row | {"received_at": AT, "last_seen_at": AT}


def _outcome() -> dict[str, object]:
    words = ("workflow", "key", "digest", "meaning", "because", "status", "source")
    row: dict[str, object] = {**dict.fromkeys(words, "x"), "content": '{"order_id": "ord-1"}', "received_at": AT}
    return row | {"state": "matched", "event_id": 7}


def _of(case: int, **row: object) -> dict[str, object]:
    return {"case_id": case, **row}


def _insert(connection: sqlite3.Connection, name: str, row: dict[str, object]) -> None:
    names, places = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {name} ({names}) VALUES ({places})", list(row.values()))


def _write_chain(connection: sqlite3.Connection) -> None:
    head = sha256(b"pointsman:case:1").hexdigest()
    for seq, action in enumerate(STEPS, start=1):
        detail = {"step": seq - 2, "people": [PERSON]} if action == "case.escalated" else {}
        body = json.dumps({"seq": seq, "action": action, "actor": {"id": PERSON}, "detail": detail})
        own = sha256((head + body).encode()).hexdigest()
        row = {"chain": "case:1", "seq": seq, "body": body, "prev_hash": head, "hash": own}
        _insert(connection, "audit_entries", row)
        head = own
    _insert(connection, "audit_heads", {"chain": "case:1", "seq": len(STEPS), "hash": head, "is_changed": 1})


def _found(tmp_path: Path, evidence: Evidence = EVIDENCE) -> str:
    return table(check(f"sqlite:///{tmp_path / 'small.db'}", evidence))


@pytest.mark.usefixtures("database")
def test_where_all_is_as_it_was_answered_nothing_is_named(tmp_path: Path) -> None:
    rows = check(f"sqlite:///{tmp_path / 'small.db'}", EVIDENCE)
    assert is_clean(rows), table(rows)
    assert all(row.count for row in rows)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("DELETE FROM exceptions", "lost: exceptions answered 202, each in one case: mark-1-"),
        ("UPDATE exceptions SET occurrence = 2", "mark-1- was answered C-1 (1) and is in C-1 (2)"),
        ("DELETE FROM triggers", "ord-1 is on record 0 times"),
        ("UPDATE outcomes SET state = 'unmatched'", "lost: outcomes accepted, each matched with its event: ord-1"),
        ("DELETE FROM notes", "lost: notes answered, each in its case and the audit log: U0P0 wrote note-1- in C-1"),
        ("UPDATE cases SET state = 'queued'", "C-1 is queued, and its card shows"),
        ("UPDATE outbox SET state = 'owed' WHERE kind = 'card'", "card:1 is still owed"),
        ("DELETE FROM audit_entries WHERE seq = 5", "U0P0 took C-1"),
        ("DELETE FROM audit_entries WHERE seq = 5", "case:1 does not end with its head"),
        ("DELETE FROM audit_entries WHERE seq = 2", "case:1: entry 3 does not follow entry 1"),
        ("UPDATE audit_entries SET body = replace(body, 'U0P0', 'U0P1') WHERE seq = 3", "case:1: entry 3 was edited"),
    ],
)
def test_what_is_done_to_a_database_is_named(
    tmp_path: Path, database: sqlite3.Connection, change: str, named: str
) -> None:
    database.execute(change)
    assert named in _found(tmp_path)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"asked": []}, "lost: events accepted, each delivered under one key: ord-1"),
        ({"asked": [("ord-1", "a"), ("ord-1", "b")]}, "each delivered under one key: ord-1: 2 times"),
        ({"shown": EVIDENCE.shown[1:]}, "lost: cases, each with one card that shows its state: C-1"),
        ({"shown": [CARD, *EVIDENCE.shown]}, "doubled: messages owed, each shown: card:1: 2 times"),
        ({"shown": EVIDENCE.shown[:-1]}, "lost: people to be told by them, each told: U0P0 of case:1 step 2"),
    ],
)
def test_what_the_world_saw_otherwise_is_named(tmp_path: Path, change: dict[str, object], named: str) -> None:
    assert named in _found(tmp_path, replace(EVIDENCE, **change))  # type: ignore[arg-type]


def test_a_step_of_a_ladder_that_never_came_is_named(tmp_path: Path, database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM audit_entries WHERE seq >= 4")
    assert "lost: steps of ladders that were due, each done: case:1 step 2" in _found(tmp_path)
