"""Work in transactions: what is told is on disk, and what one piece does wrong harms no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import wait

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError
from sqlmodel import Session

from store.database import Database, Stale
from store.models import Case
from store.together import TRIES
from tests.store.seeds import case_row, held_up, keys, put_policy, write_key

Work = Callable[[Session], str]


def counted(work: Work) -> tuple[Work, list[int]]:
    """The work, and a list that grows each time it is run."""
    runs: list[int] = []

    def counting(session: Session) -> str:
        runs.append(len(runs))
        return work(session)

    return counting, runs


def failing(fault: BaseException) -> Work:
    """Work that writes a row and then fails."""

    def work(session: Session) -> str:
        write_key("wrong")(session)
        raise fault

    return work


def test_a_result_is_given_when_it_is_on_disk(database: Database, database_url: str) -> None:
    assert database.write(write_key("a")).result() == "a"
    another = Database(database_url)
    assert keys(another) == ["a"]
    another.close()


def test_what_fails_is_rolled_back_and_takes_nothing_else_with_it(database: Database) -> None:
    with held_up(database):
        before, wrong, after = (
            database.write(write_key("a")),
            database.write(failing(ValueError("no"))),
            database.write(write_key("b")),
        )
    assert (before.result(), after.result()) == ("a", "b")
    with pytest.raises(ValueError, match="no"):
        wrong.result()
    assert keys(database) == ["a", "b"]


def test_a_row_that_is_there_already_fails_its_own_work_alone(database: Database) -> None:
    database.write(write_key("taken")).result()
    first, runs_of_first = counted(write_key("a"))
    guilty, runs_of_guilty = counted(write_key("taken"))
    last, runs_of_last = counted(write_key("b"))
    with held_up(database):
        futures = [database.write(work) for work in (first, guilty, last)]
    wait(futures)
    assert isinstance(futures[1].exception(), IntegrityError)
    assert (futures[0].result(), futures[2].result()) == ("a", "b")
    assert keys(database) == ["a", "b", "taken"]
    assert (len(runs_of_first), len(runs_of_last)) == (1, 1)
    assert len(runs_of_guilty) >= TRIES


def test_a_broken_rule_of_the_schema_is_no_race_and_fails_soon(database: Database) -> None:
    def wrong_state(session: Session) -> str:
        put_policy(session)
        session.execute(insert(Case), [case_row(1, state="lost")])
        return ""

    work, runs = counted(wrong_state)
    with pytest.raises(IntegrityError, match="state_known"):
        database.write(work).result()
    assert len(runs) == 1


def test_work_on_a_stale_row_is_run_again_on_what_is_there_now(database: Database) -> None:
    def stale_at_first(session: Session) -> str:
        write_key("once")(session)
        if len(runs) < 3:
            raise Stale("version 1")
        return "done"

    work, runs = counted(stale_at_first)
    assert database.write(work).result() == "done"
    assert keys(database) == ["once"]


def test_work_that_stays_stale_is_told_so(database: Database) -> None:
    work, runs = counted(failing(Stale("version 1")))
    with pytest.raises(Stale):
        database.write(work).result()
    assert len(runs) == TRIES


def test_a_statement_that_cannot_be_run_fails_soon_and_alone(database: Database) -> None:
    def no_such_table(session: Session) -> str:
        session.execute(text("SELECT * FROM nowhere"))
        return ""

    work, runs = counted(no_such_table)
    with held_up(database):
        futures = [database.write(each) for each in (write_key("a"), work, write_key("b"))]
    wait(futures)
    assert isinstance(futures[1].exception(), OperationalError | ProgrammingError)
    assert "nowhere" in str(futures[1].exception())
    assert keys(database) == ["a", "b"]
    assert len(runs) <= 2


def test_work_that_rolls_its_session_back_takes_nothing_else_with_it(database: Database) -> None:
    def roll_back(session: Session) -> str:
        write_key("wrong")(session)
        session.rollback()
        return ""

    with held_up(database):
        futures = [database.write(each) for each in (write_key("a"), roll_back, write_key("b"))]
    wait(futures)
    assert futures[1].exception() is not None
    assert keys(database) == ["a", "b"]


def test_work_that_ends_its_thread_ends_only_itself(database: Database) -> None:
    with pytest.raises(SystemExit):
        database.write(failing(SystemExit())).result()
    assert database.write(write_key("next")).result() == "next"
    assert keys(database) == ["next"]


def test_what_was_cancelled_while_it_waited_is_not_run(database: Database) -> None:
    with held_up(database):
        cancelled = database.write(write_key("a"))
        kept = database.write(write_key("b"))
        assert cancelled.cancel()
    assert kept.result() == "b"
    assert keys(database) == ["b"]


def test_what_is_cancelled_while_it_runs_is_committed(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(session: Session) -> str:
        begun.set()
        go_on.wait(10)
        return write_key("a")(session)

    running = database.write(slow)
    assert begun.wait(10)
    assert not running.cancel()
    go_on.set()
    assert running.result() == "a"
    assert keys(database) == ["a"]


def test_closing_finishes_the_work_that_waits(database_url: str) -> None:
    database = Database(database_url)
    with held_up(database):
        waiting = [database.write(write_key(str(number))) for number in range(10)]
    database.close()
    assert all(future.result(0) for future in waiting)
    with pytest.raises(RuntimeError, match="closed"):
        database.write(write_key("late"))
    another = Database(database_url)
    assert len(keys(another)) == 10
    another.close()


def test_a_read_sees_one_moment_while_others_write(database: Database) -> None:
    def read_twice(session: Session) -> tuple[int, int]:
        count = text("SELECT count(*) FROM requests")
        before = session.execute(count).scalar_one()
        database.write(write_key("between")).result()
        return before, session.execute(count).scalar_one()

    assert database.read(read_twice).result() == (0, 0)
    assert keys(database) == ["between"]


def test_a_read_keeps_nothing_that_it_writes(database: Database) -> None:
    future = database.read(write_key("read"))
    wait([future])
    assert keys(database) == []


def test_text_that_the_engine_refuses_fails_its_own_work(database: Database) -> None:
    with held_up(database):
        wrong = database.write(write_key("half a pair: \ud800"))
        right = database.write(write_key("a"))
    assert isinstance(wrong.exception(), UnicodeEncodeError | DBAPIError)
    assert right.result() == "a"
