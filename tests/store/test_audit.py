"""The audit log: what is written is what is hashed, and chains grow at one end only."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col

from store import audit
from store.audit import DESK, NewEntry, append, canonical, chain_of, genesis, read, verify
from store.database import Database
from store.models import AuditHead
from tests.store.seeds import AT

SAFE = 2**53 - 1
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)
ACTOR = {"kind": "person", "id": "U0ADA"}


def entry(chain: str, number: int = 0) -> NewEntry:
    return NewEntry(chain, "case.noted", ACTOR, {"number": number})


def write(database: Database, *entries: NewEntry) -> None:
    database.write(lambda session: append(session, entries, at=AT)).result()


def export(session: Session) -> list[dict[str, Any]]:
    """All entries of all chains."""
    chains = session.execute(select(col(AuditHead.chain)).order_by(col(AuditHead.chain))).scalars().all()
    return [each for chain in chains for each in read(session, chain)]


def broken(database: Database) -> list[str]:
    return database.read_now(lambda session: [str(each) for each in verify(session)])


@given(VALUES)
def test_canonical_is_what_rfc_8785_says(value: Any) -> None:
    assert canonical(value).encode() == rfc8785.dumps(value)


@given(VALUES)
def test_canonical_loses_nothing(value: Any) -> None:
    assert json.loads(canonical(value), parse_int=float) == value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (SAFE + 1, "safe integer"),
        ({"n": [-SAFE - 1]}, "safe integer"),
        (math.nan, "nan"),
        ([math.inf], "inf"),
        ("\ud800", "surrogate pair"),
        ({"key \udfff": 1}, "surrogate pair"),
        (["\ud800", 1.5], "non-UTF-8|surrogate pair"),
        ({1: 2}, "keys must be strings"),
        ({"at": AT}, "unsupported type"),
        (b"bytes", "unsupported type"),
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any, why: str) -> None:
    with pytest.raises(rfc8785.CanonicalizationError, match=why):
        canonical(value)


def test_entries_are_read_as_they_were_written(database: Database) -> None:
    write(database, entry(DESK, 1), NewEntry(DESK, "policy.in_force", ACTOR, {"say": 'Müller "☃" \u0000 \U0001f6a8'}))
    entries = database.read_now(lambda session: read(session, DESK))
    assert [each["seq"] for each in entries] == [1, 2]
    assert entries[1]["detail"] == {"say": 'Müller "☃" \u0000 \U0001f6a8'}
    assert entries[1]["at"] == "2026-11-23T09:00:00.000000+00:00"
    assert entries[1]["actor"] == ACTOR
    assert entries[0]["prev_hash"] == genesis(DESK)
    assert entries[1]["prev_hash"] == entries[0]["hash"]


def test_the_hash_can_be_made_again_from_what_is_exported(database: Database) -> None:
    write(database, entry("case:1", 1), entry("case:1", 2), entry(DESK))
    exported = database.read_now(export)
    assert [(each["chain"], each["seq"]) for each in exported] == [("case:1", 1), ("case:1", 2), (DESK, 1)]
    for each in exported:
        digest = each.pop("hash")
        before = each.pop("prev_hash")
        assert hashlib.sha256(before.encode() + rfc8785.dumps(each)).hexdigest() == digest


def test_a_chain_goes_on_over_transactions_and_in_one(database: Database) -> None:
    write(database, NewEntry("case:1", "case.opened", ACTOR, {}, is_first=True), entry("case:1"))
    write(database, entry("case:2"), entry("case:1"), entry("case:2"))
    lengths = {chain: len(database.read_now(lambda s, c=chain: read(s, c))) for chain in ("case:1", "case:2")}  # type: ignore[misc]
    assert lengths == {"case:1": 3, "case:2": 2}
    assert broken(database) == []


def test_a_chain_cannot_begin_twice(database: Database) -> None:
    first = NewEntry("case:1", "case.opened", ACTOR, {}, is_first=True)
    write(database, first)
    with pytest.raises(DBAPIError):
        write(database, first)
    assert broken(database) == []


def test_nothing_is_written_with_no_entries(database: Database) -> None:
    write(database)
    assert database.read_now(export) == []


@pytest.fixture
def replicas(database_url: str) -> Iterator[list[Database]]:
    databases = [Database(database_url) for _ in range(4)]
    yield databases
    for each in databases:
        each.close()


def write_at_once(replicas: Sequence[Database], chains: Callable[[int, int], Sequence[str]]) -> None:
    """16 writers, four on each replica, of five transactions each."""

    def write_five(writer: int) -> None:
        for turn in range(5):
            write(replicas[writer % len(replicas)], *(entry(chain, writer) for chain in chains(writer, turn)))

    with ThreadPoolExecutor(16) as writers:
        done, _ = wait([writers.submit(write_five, writer) for writer in range(16)])
    assert [future.exception() for future in done if future.exception()] == []


def test_sixteen_writers_never_fork_a_chain(replicas: list[Database]) -> None:
    write_at_once(replicas, lambda writer, turn: [chain_of(1)])
    entries = replicas[0].read_now(lambda session: read(session, chain_of(1)))
    assert [each["seq"] for each in entries] == list(range(1, 81))
    assert broken(replicas[0]) == []


def test_writers_of_several_chains_at_once_do_not_stop_each_other(replicas: list[Database]) -> None:
    write_at_once(replicas, lambda writer, turn: [chain_of((writer * number + turn) % 5) for number in (3, 1, 2)])
    exported = len(replicas[0].read_now(export))
    assert exported == 16 * 5 * 3
    assert broken(replicas[0]) == []


REFUSED: tuple[bool, int, list[str]] = (True, 2, [])
"""Said to be append-only, and as it was."""
REPLACE = "INSERT OR REPLACE INTO audit_entries SELECT chain, {seq}, 'forged', {prev}, 'forged' FROM audit_entries"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_entries SET body = 'forged' WHERE seq = 1",
        "UPDATE audit_entries SET hash = hash",
        "DELETE FROM audit_entries WHERE seq = 2",
        "DELETE FROM audit_entries",
    ],
)
def test_the_database_refuses_a_change_of_the_log(database: Database, change: str) -> None:
    write(database, entry(DESK, 1), entry(DESK, 2))
    assert _after(database, change) == REFUSED


@pytest.mark.parametrize(
    "change",
    [
        REPLACE.format(seq="seq", prev="prev_hash || 'x'"),
        REPLACE.format(seq="seq + 7", prev="prev_hash"),
        REPLACE.replace("OR REPLACE ", "").format(seq="seq", prev="prev_hash") + " WHERE true ON CONFLICT DO NOTHING",
        REPLACE.replace("OR REPLACE ", "OR IGNORE ").format(seq="seq", prev="prev_hash"),
    ],
)
def test_sqlite_refuses_to_replace_an_entry(sqlite_database: Database, change: str) -> None:
    write(sqlite_database, entry(DESK, 1), entry(DESK, 2))
    assert _after(sqlite_database, change) == REFUSED


@pytest.mark.parametrize("engine_name", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        "TRUNCATE audit_entries",
        "TRUNCATE audit_entries CASCADE",
        "INSERT INTO audit_entries SELECT * FROM audit_entries ON CONFLICT (chain, seq) DO UPDATE SET body = 'forged'",
        "MERGE INTO audit_entries USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_postgres_refuses_to_empty_or_overwrite_the_log(database: Database, change: str) -> None:
    write(database, entry(DESK, 1), entry(DESK, 2))
    assert _after(database, change) == REFUSED


def _after(database: Database, change: str) -> tuple[bool, int, list[str]]:
    """Whether the change was refused as one of the log, how many entries there are then, and what does not hold."""

    def work(session: Session) -> None:
        session.execute(text(change))

    fault = database.write(work).exception()
    is_refused = isinstance(fault, DBAPIError) and "the audit log is append-only" in str(fault)
    return is_refused, len(database.read_now(lambda session: read(session, DESK))), broken(database)


def test_a_value_that_has_no_canonical_form_fails_the_work_that_records_it(database: Database) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        write(database, NewEntry(DESK, "odd", ACTOR, {"amount": 2**60}))
    assert audit.read(Session(database.engine), DESK) == []
