"""What is asked all the time reads an index on both engines, however many rows there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import Session

from bot.desk import (
    checks,
    closing,
    comparing,
    deliveries,
    drills,
    intake,
    missing,
    ongoing,
    outbox,
    postmortems,
    releasing,
    rollouts,
    storms,
    timers,
)
from bot.desk.lanes import fronts, waiting_behind
from bot.desk.letting_go import EVENTS
from bot.desk.pages import owe_page_updates
from bot.desk.policies import Policies
from bot.desk.pruning import PRUNABLE
from bot.desk.runs import autofix, stepping, waking
from bot.desk.runs.proposals import accepted_share
from bot.desk.runs.reading import evidence, runs_of_case
from bot.desk.runs.redelivering import find_failed
from bot.desk.shadows import would_have
from bot.desk.telling import cancel_pages
from bot.desk.threads import case_of_thread
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.slack import queues
from bot.slack.facts import find_case_of_thread
from store import audit
from store.database import Database
from store.ids import take
from store.migrate import migrate
from store.models import (
    Case,
)
from store.queries.cases import (
    OPEN,
    Wanted,
    attempts_of,
    closings_of,
    deliveries_of,
    latest_reports,
    list_cases,
)
from store.queries.depths import depths
from store.queries.outcomes import WantedOutcomes, list_outcomes
from store.queries.quarantine import Wanted as WantedHeld
from store.queries.quarantine import held_by_workflow, list_held, misfit_of_case
from store.queries.workflows import figures, last_event_at
from tests.postgres import Postgres
from tests.store.full import KINDS, LATER, ROLES, ROWS, SOON, WORKFLOWS, fill
from tests.store.seeds import AT

TABLES = (
    "cases|events|exceptions|timers|outbox|deliveries|requests|audit_entries|audit_heads|triggers|expected|outcomes|"
    "drills|closings|checks|attempts|runs|run_steps|run_attempts|notes|state_changes|post_mortems|releases"
)
WALK = re.compile(rf"(SCAN|SEARCH) ({TABLES})(?!.*USING)|.*Seq Scan on ({TABLES})\b")
BY_NUMBER = (
    "a page of all cases",
    "cases of some workflows",
    "the next ids",
    "outcomes",
    "outcomes of some workflows",
    "outcomes in a state",
)
"""What SQLite reads in the order of the rows' own ids, and only until the page is full."""


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
    database.write(lambda session: fill(session, files)).result()
    if database.engine.dialect.name == "postgresql":  # SQLite has no statistics by itself, and does without
        database.write(lambda session: session.execute(text("ANALYZE"))).result()
    yield database
    database.close()


def the_case(session: Session) -> Case:
    return session.get_one(Case, ROWS)


def owed() -> outbox.ClaimOwed:
    return outbox.ClaimOwed(KINDS)


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
    "cards that wait": lambda tx: storms._waiting(tx.session),
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
    "what is open": lambda tx: queues.of_all(tx.session),
    "what is open of a workflow": lambda tx: queues.of_workflow(tx.session, "refund"),
    "the case of a card": lambda tx: find_case_of_thread(tx.session, "C03", "1.8003"),
    "runs that are due": lambda tx: tx.session.connection().execute(
        stepping._DUE, {"now": SOON, "limit": 20, "mine": [1, 2]}
    ),
    "whether runs are due": lambda tx: stepping.some_are_due(tx.session, SOON, [1, 2]),
    "the next run": lambda tx: waking.next_due(tx.session),
    "runs that wait for an event": lambda tx: waking.wake_waiting(tx, ["refund"]),
    "runs that wait for a delivery": lambda tx: waking.wake_senders(tx, [70, 80]),
    "the last auto-fixes": lambda tx: autofix._before(tx, "refund"),
    "how many proposals were accepted": lambda tx: accepted_share(tx.session, "refund", AT),
    "runs of a case": lambda tx: runs_of_case(tx.session, Policies(), 70),
    "evidence of a run": lambda tx: evidence(tx.session, Policies(), 70, page=0, size=10),
    "the run of an event": lambda tx: find_failed(tx.session, 70),
    "outcomes that are missing": lambda tx: missing.claim_due(tx, 50),
    "whether outcomes are missing": lambda tx: missing.some_are_due(tx.session, SOON),
    "the next outcome": lambda tx: missing.next_due(tx.session),
    "the next release": lambda tx: releasing.next_due(tx.session),
    "a release that is put off": lambda tx: releasing.put_off(tx, LATER),
    "events in quarantine": lambda tx: list_held(tx.session, WantedHeld(50)),
    "events of some workflows in quarantine": lambda tx: list_held(tx.session, WantedHeld(50, workflows=WORKFLOWS)),
    "events of a case in quarantine": lambda tx: list_held(tx.session, WantedHeld(50, case_id=70)),
    "how many are in quarantine": lambda tx: held_by_workflow(tx.session),
    "the misfit of a case": lambda tx: misfit_of_case(tx.session, 70),
    "outcomes": lambda tx: list_outcomes(tx.session, WantedOutcomes(50)),
    "outcomes of a workflow": lambda tx: list_outcomes(tx.session, WantedOutcomes(50, workflow="refund", before=9000)),
    "outcomes of some workflows": lambda tx: list_outcomes(tx.session, WantedOutcomes(50, workflows=WORKFLOWS)),
    "outcomes in a state": lambda tx: list_outcomes(tx.session, WantedOutcomes(50, state="matched")),
    "outcomes that nobody waited for": lambda tx: list_outcomes(tx.session, WantedOutcomes(50, state="unmatched")),
    "post-mortems to write": lambda tx: postmortems.to_write(tx.session, ROLES, most=5),
    "a post-mortem": lambda tx: (postmortems._entries(tx.session, 70), postmortems._said(tx.session, 70)),
    "requests of deliveries": lambda tx: attempts_of(tx.session, [70, 80]),
    "what waits in a lane": lambda tx: (waiting_behind(tx.session, 70), fronts(tx, ["refund:1"])),
    "the last event of a workflow": lambda tx: last_event_at(tx.session, "refund"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_table_is_read_whole(filled: Database, question: str) -> None:
    asked = _asked(filled, QUESTIONS[question])
    assert asked
    for statement, parameters in asked:
        plan = filled.read_now(lambda session, s=statement, p=parameters: _plan(session, s, p))  # type: ignore[misc]
        assert question in BY_NUMBER or not _whole_tables(plan), "\n".join([statement, *plan])


def test_a_rare_state_leads_to_its_few_cases(filled: Database) -> None:
    def few(tx: Tx) -> None:
        list_cases(tx.session, Wanted(50, state="failed", workflow="refund", owner="billing"))

    ((statement, parameters),) = _asked(filled, few)
    plan = filled.read_now(lambda session: _plan(session, statement, parameters))
    assert "by_state" in " ".join(plan)


def test_what_is_owed_is_read_and_not_all_that_ever_was(filled: Database) -> None:
    ((statement, parameters),) = _asked(filled, QUESTIONS["post-mortems to write"])
    plan = filled.read_now(lambda session: _plan(session, statement, parameters))
    assert "post_mortems_to_write" in " ".join(plan)


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
    """On PostgreSQL with the costs of a disk without a head: by its default ones it reads a table whole that is a
    hundredth of what it stands for."""
    if session.get_bind().dialect.name == "sqlite":
        explain = "EXPLAIN QUERY PLAN "
    else:
        explain = "EXPLAIN "
        session.execute(text("SET LOCAL random_page_cost = 1.1"))
    rows = session.connection().exec_driver_sql(explain + statement, parameters)
    return [str(row[-1]) for row in rows]


def _whole_tables(plan: list[str]) -> list[str]:
    """The lines of a plan that read a table from one end to the other."""
    return [line for line in plan if WALK.match(line)]
