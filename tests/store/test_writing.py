"""Rows that may be there already, changes of what was seen, and ids that nobody else has."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import Session, col

from store.database import Database, Stale
from store.ids import new_key, take
from store.models import Case, Owed, SeenRequest
from store.writing import add_new, change
from tests.store.seeds import AT, case_row, put_case


def owed(key: str, **values: Any) -> dict[str, Any]:
    times = {"created_at": AT, "not_before_at": AT}
    return times | {"kind": "card", "key": key, "channel": "C0", "payload": {}, "state": "owed"} | values


def test_a_row_that_is_there_is_left_as_it_is(database: Database) -> None:
    rows = [{"key": key, "at": AT, "digest": digest} for key, digest in (("a", "first"), ("b", "first"))]
    database.write(lambda session: add_new(session, SeenRequest, rows[:1], unique=["key"])).result()
    later = [row | {"digest": "second"} for row in rows]
    database.write(lambda session: add_new(session, SeenRequest, later, unique=["key"])).result()
    kept = select(col(SeenRequest.key), col(SeenRequest.digest)).order_by(col(SeenRequest.key))
    assert database.read_now(lambda session: session.execute(kept).all()) == [("a", "first"), ("b", "second")]


def test_a_message_is_owed_once_until_it_is_sent(database: Database) -> None:
    def owe(session: Session) -> None:
        add_new(session, Owed, [owed("card:1")], unique=["key"], among="state = 'owed'")

    for _ in range(2):
        database.write(owe).result()
    database.write(lambda session: session.execute(update(Owed).values(state="sent"))).result()
    database.write(owe).result()
    states = select(col(Owed.state)).order_by(col(Owed.id))
    assert database.read_now(lambda session: session.execute(states).scalars().all()) == ["sent", "owed"]


def test_a_case_that_is_as_it_was_read_is_changed(database: Database) -> None:
    put_case(database, 1)

    def work(session: Session) -> tuple[str, int]:
        case = session.get_one(Case, 1)
        change(session, case, priority="P1")
        return case.priority, case.version

    assert database.write(work).result() == ("P1", 2)
    kept = database.read_now(lambda session: session.get_one(Case, 1))
    assert (kept.priority, kept.version) == ("P1", 2)


def test_a_case_that_somebody_else_changed_is_stale(database: Database) -> None:
    put_case(database, 1)
    seen = database.read_now(lambda session: session.get_one(Case, 1))
    database.write(lambda session: change(session, session.get_one(Case, 1), priority="P1")).result()
    with pytest.raises(Stale, match="case 1 is no longer at version 1"):
        database.write(lambda session: change(session, seen, priority="P4")).result()
    assert database.read_now(lambda session: session.get_one(Case, 1)).priority == "P1"


@pytest.mark.parametrize("engine_name", ["postgres"], indirect=True)
def test_of_two_that_change_a_case_at_once_the_later_sees_the_first(database: Database) -> None:
    put_case(database, 1)
    both, runs = threading.Barrier(2, timeout=10), count()

    def add_one(session: Session) -> None:
        case = session.get_one(Case, 1)
        if next(runs) < 2:
            both.wait()
        change(session, case, occurrences=case.occurrences + 1)

    wait([database.write(add_one), database.write(add_one)])
    assert next(runs) == 3
    assert database.read_now(lambda session: session.get_one(Case, 1)).occurrences == 3


def test_ids_are_taken_once(database: Database) -> None:
    put_case(database, 7)

    def open_three(session: Session) -> list[int]:
        ids = list(take(session, Case, 3))
        for each in ids:
            session.execute(Case.__table__.insert(), [case_row(each, match_key=f"n:{each}")])  # type: ignore[attr-defined]
        return ids

    taken = [database.write(open_three) for _ in range(4)]
    ids = [each for future in taken for each in future.result()]
    assert len(set(ids)) == 12
    assert all(future.result() == sorted(future.result()) for future in taken)


def test_a_new_key_is_nobody_elses_and_says_what_it_is_for() -> None:
    keys = {new_key("page", 17) for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("page:17:") for key in keys)
