"""Somebody changes the log below its triggers: `verify` finds it and names the entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from store.audit import DESK, NewEntry, append, canonical, chain_of, entry_hash, verify
from store.database import Database
from tests.store.seeds import AT, put_case

CHAIN = chain_of(7)
ENTRIES = 5
Tamper = Callable[[Session], None]


@pytest.fixture
def log(database: Database) -> Database:
    """A case with five entries, between other chains, and without what protects it."""
    put_case(database, 7)
    for chain in (chain_of(6), CHAIN, DESK):
        entries = [NewEntry(chain, "case.noted", {"kind": "system"}, {"number": n}) for n in range(1, ENTRIES + 1)]
        database.write(lambda session, entries=entries: append(session, entries, at=AT)).result()  # type: ignore[misc]
    assert found(database) == []
    database.write(_unprotect).result()
    return database


def _unprotect(session: Session) -> None:
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("CREATE TABLE taken AS SELECT * FROM audit_entries"))
        session.execute(text("DROP TABLE audit_entries"))
        session.execute(text("ALTER TABLE taken RENAME TO audit_entries"))
    else:
        session.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER ALL"))
        session.execute(text("ALTER TABLE audit_entries DROP CONSTRAINT audit_entries_prev_hash_key"))


def found(database: Database, chain: str | None = None) -> list[str]:
    return database.read_now(lambda session: [str(broken) for broken in verify(session, chain=chain)])


def run(statement: str, **values: Any) -> Tamper:
    def tamper(session: Session) -> None:
        session.execute(text(statement), {"chain": CHAIN} | values)

    return tamper


def both(*tampers: Tamper) -> Tamper:
    def tamper(session: Session) -> None:
        for each in tampers:
            each(session)

    return tamper


def renumber(offset: int, *, after: int) -> Tamper:
    """Moves the numbers of all entries after `after`, out of each other's way."""
    move = "UPDATE audit_entries SET seq = seq + :by WHERE chain = :chain AND seq > :after"
    return both(run(move, by=1000, after=after), run(move, by=offset - 1000, after=999))


def forge(seq: int, content: dict[str, Any] | None = None) -> Tamper:
    """Rewrites an entry with another content and a hash that fits it."""

    def tamper(session: Session) -> None:
        query = text("SELECT prev_hash FROM audit_entries WHERE chain = :chain AND seq = :seq")
        before = session.execute(query, {"chain": CHAIN, "seq": seq}).scalar_one()
        body = canonical({"chain": CHAIN, "seq": seq, "action": "case.forged"} | (content or {}))
        change = "UPDATE audit_entries SET body = :body, hash = :hash WHERE chain = :chain AND seq = :seq"
        run(change, seq=seq, body=body, hash=entry_hash(before, body))(session)

    return tamper


def insert(seq: int) -> Tamper:
    """A new entry at this number, which follows the one before it as it should."""

    def tamper(session: Session) -> None:
        query = text("SELECT hash FROM audit_entries WHERE chain = :chain AND seq = :seq")
        before = session.execute(query, {"chain": CHAIN, "seq": seq - 1}).scalar_one()
        body = canonical({"chain": CHAIN, "seq": seq, "action": "case.forged"})
        renumber(1, after=seq - 1)(session)
        new = (
            "INSERT INTO audit_entries (chain, seq, body, prev_hash, hash) VALUES (:chain, :seq, :body, :before, :hash)"
        )
        run(new, seq=seq, body=body, before=before, hash=entry_hash(before, body))(session)

    return tamper


def swap(one: int, other: int) -> Tamper:
    move = "UPDATE audit_entries SET seq = :to WHERE chain = :chain AND seq = :seq"
    return both(run(move, seq=one, to=1000), run(move, seq=other, to=one), run(move, seq=1000, to=other))


def remove(seq: int) -> Tamper:
    return run("DELETE FROM audit_entries WHERE chain = :chain AND seq = :seq", seq=seq)


EDIT = "UPDATE audit_entries SET {column} = {value} WHERE chain = :chain AND seq = :seq"
REMOVE_ALL = run("DELETE FROM audit_entries WHERE chain = :chain")
REMOVE_HEAD = run("DELETE FROM audit_heads WHERE chain = :chain")
CHANGE_HEAD = run("UPDATE audit_heads SET hash = '0' WHERE chain = :chain")
MOVE_TO_OTHER = "UPDATE audit_entries SET chain = 'case:8' WHERE chain = :chain"

EDITED = "it was edited: its content does not fit its hash"
REWRITTEN = "it was rewritten: what comes after it follows another entry"
MISPLACED = "its content names another place in the log: one was inserted, removed or moved"


@pytest.mark.parametrize(
    ("tamper", "seq", "why"),
    [
        (run(EDIT.format(column="body", value="replace(body, 'noted', 'noter')"), seq=3), 3, EDITED),
        (run(EDIT.format(column="hash", value="'0'"), seq=3), 3, EDITED),
        (run(EDIT.format(column="prev_hash", value="'0'"), seq=3), 3, EDITED),
        (run(EDIT.format(column="body", value="body || ' '"), seq=ENTRIES), ENTRIES, EDITED),
        (forge(1), 1, REWRITTEN),
        (forge(3), 3, REWRITTEN),
        (forge(ENTRIES), ENTRIES, "it was rewritten: the head of the chain has another hash"),
        (forge(3, {"chain": "case:6"}), 3, MISPLACED),
        (forge(3, {"seq": 4}), 3, MISPLACED),
        (remove(1), 1, "it is missing"),
        (remove(3), 3, "it is missing"),
        (remove(ENTRIES), ENTRIES, "it is missing: the head of the chain is a later entry"),
        (both(remove(1), renumber(-1, after=1)), 1, MISPLACED),
        (both(remove(3), renumber(-1, after=3)), 3, MISPLACED),
        (REMOVE_ALL, 1, "it is missing, and all after it: the chain has only its head"),
        (both(REMOVE_ALL, REMOVE_HEAD), 1, "it is missing: the case exists, and nothing of its chain"),
        (REMOVE_HEAD, ENTRIES, "the head of the chain, which names it, is missing"),
        (CHANGE_HEAD, ENTRIES, "it was rewritten: the head of the chain has another hash"),
        (swap(2, 3), 2, MISPLACED),
        (swap(1, ENTRIES), 1, MISPLACED),
        (insert(3), 4, MISPLACED),
        (insert(ENTRIES + 1), ENTRIES + 1, "it was inserted: the head of the chain is an earlier entry"),
    ],
)
def test_what_was_done_to_a_chain_is_found_and_named(log: Database, tamper: Tamper, seq: int, why: str) -> None:
    log.write(tamper).result()
    assert found(log) == [f"{CHAIN} entry {seq}: {why}"]
    assert found(log, CHAIN) == found(log)
    assert found(log, chain_of(6)) == []


@pytest.mark.parametrize("body", ["", "not JSON", "[]", "null", '"text"', "{}"])
def test_a_forged_content_that_is_no_entry_is_found(log: Database, body: str) -> None:
    change = "UPDATE audit_entries SET body = :body, hash = :hash WHERE chain = :chain AND seq = :seq"

    def tamper(session: Session) -> None:
        query = text("SELECT prev_hash FROM audit_entries WHERE chain = :chain AND seq = 3")
        before = session.execute(query, {"chain": CHAIN}).scalar_one()
        run(change, seq=3, body=body, hash=entry_hash(before, body))(session)

    log.write(tamper).result()
    assert found(log) == [f"{CHAIN} entry 3: {MISPLACED}"]


def test_a_chain_that_was_moved_is_found_at_both_places(log: Database) -> None:
    log.write(run(MOVE_TO_OTHER)).result()
    assert found(log) == [
        f"case:8 entry 1: {MISPLACED}",
        f"{CHAIN} entry 1: it is missing, and all after it: the chain has only its head",
    ]


def test_each_broken_chain_is_named_once(log: Database) -> None:
    log.write(run("UPDATE audit_entries SET hash = '0' WHERE seq > 2")).result()
    assert [line.partition(": ")[0] for line in found(log)] == [
        f"{chain_of(6)} entry 3",
        f"{CHAIN} entry 3",
        "desk entry 3",
    ]
