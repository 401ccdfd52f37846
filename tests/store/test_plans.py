"""What is asked all the time reads an index on both engines, however many rows there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Text, cast, event, insert, literal, null, select, text
from sqlalchemy import case as sql_case
from sqlmodel import Session

from bot.desk import checks, closing, comparing, deliveries, drills, intake, ongoing, outbox, rollouts, timers
from bot.desk.letting_go import EVENTS
from bot.desk.pages import owe_page_updates
from bot.desk.policies import Policies
from bot.desk.pruning import PRUNABLE
from bot.desk.runs.reading import runs_of_case
from bot.desk.shadows import would_have
from bot.desk.telling import cancel_pages
from bot.desk.threads import case_of_thread
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.slack import queues
from store import audit
from store.closing_models import Check, Closing
from store.columns import Instant
from store.contract_models import Drill, Expected, OutcomeCame, Trigger
from store.database import Database
from store.ids import take
from store.migrate import migrate
from store.models import (
    AuditEntry,
    AuditHead,
    Case,
    Delivery,
    Event,
    ExceptionReport,
    Owed,
    SeenRequest,
    Timer,
)
from store.queries.cases import (
    OPEN,
    Wanted,
    closings_of,
    deliveries_of,
    latest_reports,
    list_cases,
)
from store.queries.depths import depths
from store.queries.workflows import figures
from tests.postgres import Postgres
from tests.store.seeds import AT, POLICY, case_row, put_policy

ROWS, ONE_OPEN_IN = 10_000, 20
SOON, LATER = AT + timedelta(hours=1), AT + timedelta(days=30)
KINDS = ("card", "line", "notice", "page")
WORKFLOWS, ROLES, PEOPLE = ("renewal-notice", "refund"), ("revenue-ops", "billing"), ("U0ADA", "U0BEN", "U0CLEO")

NUMBERS = select(literal(1).label("n")).cte("numbers", recursive=True)
NUMBERS = NUMBERS.union_all(select(NUMBERS.c.n + 1).where(NUMBERS.c.n < ROWS))
N = NUMBERS.c.n
IS_OPEN = N % ONE_OPEN_IN == 0

TABLES = (
    "cases|events|exceptions|timers|outbox|deliveries|requests|audit_entries|audit_heads|triggers|expected|outcomes|"
    "drills|closings|checks"
)
WALK = re.compile(rf"(SCAN|SEARCH) ({TABLES})(?!.*USING)|.*Seq Scan on ({TABLES})\b")
BY_NUMBER = ("a page of all cases", "cases of some workflows", "the next ids")
"""What SQLite reads in the order of the rows' own ids, and only until the page is full."""


def named(prefix: str) -> ColumnElement[str]:
    """The number's own text."""
    return literal(prefix) + cast(N, Text)


def one_of(words: Sequence[str]) -> ColumnElement[str]:
    """One of the words for each number, in turn."""
    return sql_case(*((N % len(words) == place, word) for place, word in enumerate(words)))


def at(instant: datetime) -> ColumnElement[datetime]:
    """The instant, as its column keeps it."""
    return literal(instant, Instant())


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, policy_files: dict[str, str]
) -> Iterator[Database]:
    """Ten thousand of everything; nearly all of it is over."""
    if request.param == "sqlite":
        yield from _filled(f"sqlite:///{tmp_path_factory.mktemp('filled') / 'filled.db'}", policy_files)
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.temporary() as url:
        yield from _filled(url, policy_files)


def _filled(url: str, files: dict[str, str]) -> Iterator[Database]:
    migrate(url)
    database = Database(url)
    database.write(lambda session: _fill(session, files)).result()
    if database.engine.dialect.name == "postgresql":  # SQLite has no statistics by itself, and does without
        database.write(lambda session: session.execute(text("ANALYZE"))).result()
    yield database
    database.close()


def _fill(session: Session, files: dict[str, str]) -> None:
    put_policy(session, files)
    _many(session, Event, id=N, workflow="refund", key=named("k-"), digest="", content={}, received_at=AT)
    _many(session, Case, **_case())
    _many(session, ExceptionReport, case_id=N, occurrence=1, received_at=AT, source="hubspot", title="", links=[])
    for kind in ("response", "resolution", "lease"):
        _many(session, Timer, case_id=N, kind=kind, due_at=sql_case((N <= 60, at(AT)), else_=at(LATER)))
    owed = {"key": named("k:"), "case_id": N, "channel": "C0", "created_at": AT, "not_before_at": AT}
    _many(session, Owed, kind=one_of(KINDS), payload={}, state=sql_case((IS_OPEN, "owed"), else_="sent"), **owed)
    _many(session, Delivery, **_delivery())
    _many(session, SeenRequest, key=named("k:"), at=AT, digest="")
    _many(session, Trigger, **_trigger())
    _many(session, Expected, **_expected())
    _many(session, OutcomeCame, **_outcome())
    _many(session, Drill, name="silence", by="ada", because="", asked_at=AT, state="caught")
    _many(session, Closing, **_closing())
    _many(session, Check, **_check())
    entry = {"chain": named("case:"), "seq": 1, "hash": named("h")}
    _many(session, AuditEntry, body="{}", prev_hash=named("p"), **entry)
    _many(session, AuditHead, **entry)


def _many(session: Session, model: Any, **columns: Any) -> None:
    """A row for each number, made by the engine from expressions of the number."""
    table = model.__table__
    values = [
        value if isinstance(value, ColumnElement) else literal(value, table.c[name].type)
        for name, value in columns.items()
    ]
    session.execute(insert(table).from_select(list(columns), select(*values).select_from(NUMBERS)))


def _case() -> dict[str, Any]:
    return case_row(
        0,
        id=N,
        match_key=named("v1:"),
        workflow=one_of(WORKFLOWS),
        owner=one_of(ROLES),
        assignee=one_of(PEOPLE),
        state=sql_case((IS_OPEN, "queued"), else_="resolved"),
        closed_at=sql_case((IS_OPEN, null()), else_=at(AT)),
        channel=one_of(("C00", "C01", "C02", "C03", "C04")),
        card_ts=named("1."),
        thread_ts=named("1."),
    )


def _delivery() -> dict[str, Any]:
    return {
        "case_id": N,
        "event_id": N,
        "workflow": "refund",
        "connector": "billing",
        "verb": "retry",
        "generation": 1,
        "idempotency_key": named("pm-"),
        "key_born_at": AT,
        "policy_digest": POLICY,
        "state": sql_case((IS_OPEN, "sending"), else_="delivered"),
        "content": {},
        "asked_by": "U0ADA",
        "asked_at": AT,
        "due_at": sql_case((IS_OPEN, at(AT)), else_=null()),
    }


def _closing() -> dict[str, Any]:
    return {
        "id": N,
        "case_id": N,
        "asked_by": "U0ADA",
        "asked_at": AT,
        "state": sql_case((IS_OPEN, "checking"), else_="passed"),
        "state_before": "queued",
        "wanted": {},
    }


def _check() -> dict[str, Any]:
    return {
        "id": N,
        "closing_id": N,
        "name": "billing has it",
        "kind": "request",
        "state": sql_case((IS_OPEN, "owed"), else_="passed"),
        "attempts": 0,
        "due_at": sql_case((IS_OPEN, at(AT)), else_=null()),
        "because": "",
    }


def _trigger() -> dict[str, Any]:
    astray = sql_case((N % 200 == 0, "quarantined"), (N % 200 == 1, "failed"), (N % 200 == 2, "delivering"))
    return {
        "event_id": N,
        "workflow": one_of(WORKFLOWS),
        "identity": named("i:"),
        "digest": "",
        "received_at": sql_case((N > ROWS - 500, at(LATER)), else_=at(AT)),
        "source": "hubspot",
        "state": sql_case((N % 200 < 3, astray), else_="delivered"),
        "policy_digest": POLICY,
        "contract_version": 1,
        "is_drill": N % 1000 == 7,
        "seen": 1,
        "last_seen_at": AT,
    }


def _expected() -> dict[str, Any]:
    return {
        "event_id": N,
        "workflow": one_of(WORKFLOWS),
        "key": named("i:"),
        "state": sql_case((IS_OPEN, "waiting"), (N % 200 == 1, "missing"), else_="done"),
        "since_at": AT,
        "due_at": sql_case((IS_OPEN, at(LATER)), else_=null()),
        "policy_digest": POLICY,
    }


def _outcome() -> dict[str, Any]:
    return {
        "id": N,
        "workflow": one_of(WORKFLOWS),
        "key": named("o:"),
        "digest": named("d:"),
        "content": {},
        "meaning": "done",
        "because": "",
        "status": "done",
        "received_at": AT,
        "source": "billing",
        "state": sql_case((IS_OPEN, "unmatched"), else_="matched"),
    }


def the_case(session: Session) -> Case:
    return session.get_one(Case, ROWS)


def owed(may_send: bool = True) -> outbox.ClaimOwed:
    return outbox.ClaimOwed(lambda kind, channel: may_send, KINDS)


def claimed(number: int) -> outbox.Claimed:
    return outbox.Claimed(number, "card", f"k:{number}", number, "C0", {}, 1, False, AT)


SHADOWED = [rollouts.Figures(1, 5, {"shadowed": 5}, AT, AT)]


def _tried(tx: Tx, events: Sequence[int]) -> Iterator[Any]:
    return comparing._contents(tx.session, events)


AFTER = (AT, 5000, 5000, 5000, 5000, 5000, AT, AT, 5000, AT, AT)
"""Where the page before ended, of each kind of what goes for its age."""

QUESTIONS: dict[str, Callable[[Tx], Any]] = {
    "timers that are due": lambda tx: timers.claim_due(tx, 50),
    "whether timers are due": lambda tx: timers.some_are_due(tx.session, tx.now),
    "the next timer": lambda tx: timers.next_due(tx.session),
    "messages that may leave": lambda tx: outbox.find_owed(tx.session, tx.now, owed()),
    "claiming messages": lambda tx: outbox.claim_owed(tx, owed()),
    "a message that left": lambda tx: outbox.sent(tx, outbox.Sent(claimed(ROWS), {})),
    "the next message": lambda tx: outbox.next_due(tx.session, kinds=KINDS),
    "pages to cancel": lambda tx: cancel_pages(tx, the_case(tx.session)),
    "pages to edit": lambda tx: owe_page_updates(tx, [the_case(tx.session)]),
    "deliveries that are due": lambda tx: deliveries.claim(tx, deliveries.Room(20, 20)),
    "the next delivery": lambda tx: deliveries.next_due(tx.session),
    "checks that are due": lambda tx: checks.claim(tx, 20),
    "whether checks are due": lambda tx: checks.some_are_due(tx.session, tx.now),
    "the next check": lambda tx: checks.next_due(tx.session),
    "the last closing of a case": lambda tx: closing.last_closing(tx.session, 70),
    "the checks of a closing": lambda tx: closing.results(tx.session, 70),
    "closings of a case": lambda tx: closings_of(tx.session, 70, limit=20),
    "closings to withdraw": lambda tx: ongoing._withdraw_closings(tx, [60, 80]),
    "deliveries of a case": lambda tx: deliveries_of(tx.session, 70),
    "open cases by key": lambda tx: intake._open_matches(tx, {f"v1:{number}" for number in range(1, 21)}),
    "the case of a thread": lambda tx: case_of_thread(tx, "C03", "1.8003"),
    "what is too old": lambda tx: [each.find(tx.session, SOON, None, 100) for each in (*PRUNABLE, *EVENTS)],
    "the page after of what is too old": lambda tx: [
        each.find(tx.session, SOON, after, 100) for each, after in zip((*PRUNABLE, *EVENTS), AFTER, strict=True)
    ],
    "reports of a case": lambda tx: latest_reports(tx.session, 70, limit=10),
    "runs of a case that has none": lambda tx: runs_of_case(tx.session, Policies(), 70),
    "the chain of a case": lambda tx: audit.read(tx.session, audit.chain_of(70)),
    "one more entry": lambda tx: audit.append(tx.session, [audit.NewEntry("case:70", "x", {}, {})], at=AT),
    "the next ids": lambda tx: take(tx.session, Case, 5),
    "a page of all cases": lambda tx: list_cases(tx.session, Wanted(50)),
    "the page after": lambda tx: list_cases(tx.session, Wanted(50, before=9000)),
    "open cases": lambda tx: list_cases(tx.session, Wanted(50, state=OPEN)),
    "cases in a state": lambda tx: list_cases(tx.session, Wanted(50, state="resolved")),
    "cases in a rare state": lambda tx: list_cases(tx.session, Wanted(50, state="queued")),
    "cases of a workflow": lambda tx: list_cases(tx.session, Wanted(50, workflow="refund", before=9000)),
    "open cases of an owner": lambda tx: list_cases(tx.session, Wanted(50, state=OPEN, owner="billing")),
    "cases of an owner": lambda tx: list_cases(tx.session, Wanted(50, owner="billing")),
    "cases of some workflows": lambda tx: list_cases(tx.session, Wanted(50, workflows=WORKFLOWS)),
    "what metrics show": lambda tx: depths(tx.session, AT),
    "events that a change is tried on": lambda tx: list(_tried(tx, comparing._events(tx.session, "refund", SOON, 200))),
    "cases that a change is tried on": lambda tx: comparing._cases(tx.session, "refund", SOON, 200),
    "the versions of a contract": lambda tx: rollouts.figures(tx.session, "refund", now=LATER),
    "what shadow would have done": lambda tx: would_have(
        tx.session, Policies(), "refund", SHADOWED, now=LATER, limit=50
    ),
    "drills to play": lambda tx: drills.to_play(tx.session),
    "the next drill": lambda tx: drills.next_due(tx.session),
    "the figures of workflows": lambda tx: figures(tx.session, WORKFLOWS, since=SOON),
    "how many missed a window": lambda tx: queues.late(tx.session, since=AT),
    "what waits for a person": lambda tx: queues.of_person(tx.session, "U0ADA", on_call_for=["billing"]),
    "what roles own": lambda tx: queues.of_roles(tx.session, ROLES),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_table_is_read_whole(filled: Database, question: str) -> None:
    asked = _asked(filled, QUESTIONS[question])
    assert asked
    for statement, parameters in asked:
        plan = filled.read_now(lambda session, s=statement, p=parameters: _plan(session, s, p))  # type: ignore[misc]
        assert question in BY_NUMBER or not _whole_tables(plan), "\n".join([statement, *plan])


def test_a_whole_table_would_be_seen(filled: Database) -> None:
    def everything(tx: Tx) -> None:
        tx.session.execute(text("SELECT count(*) FROM cases WHERE title = 'x'"))

    ((statement, parameters),) = _asked(filled, everything)
    assert _whole_tables(filled.read_now(lambda session: _plan(session, statement, parameters)))


def _asked(database: Database, question: Callable[[Tx], Any]) -> list[tuple[str, Any]]:
    """The statements that it runs; what it does is rolled back."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        if "SAVEPOINT" not in statement and "BEGIN" not in statement:
            asked.append((statement, parameters[0] if many else parameters))

    class Enough(Exception):
        pass

    def work(session: Session) -> None:
        event.listen(session.connection(), "before_cursor_execute", note)
        question(Tx(session, SOON, SYSTEM, Policies()))
        raise Enough

    with pytest.raises(Enough):
        database.write(work).result()
    return asked


def _plan(session: Session, statement: str, parameters: Any) -> list[str]:
    explain = "EXPLAIN QUERY PLAN " if session.get_bind().dialect.name == "sqlite" else "EXPLAIN "
    rows = session.connection().exec_driver_sql(explain + statement, parameters)
    return [str(row[-1]) for row in rows]


def _whole_tables(plan: list[str]) -> list[str]:
    """The lines of a plan that read a table from one end to the other."""
    return [line for line in plan if WALK.match(line)]
