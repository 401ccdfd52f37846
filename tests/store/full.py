"""A database with ten thousand of everything, nearly all of it over: made by the engine itself, in a second or two."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, insert, literal, null, select
from sqlalchemy import case as sql_case
from sqlmodel import Session

from store.closing_models import Check, Closing, PostMortem
from store.columns import Instant
from store.contract_models import Drill, Expected, OutcomeCame, Release, Trigger
from store.models import (
    Attempt,
    AuditEntry,
    AuditHead,
    Case,
    Delivery,
    Event,
    ExceptionReport,
    Note,
    Owed,
    SeenRequest,
    StateChange,
    Timer,
)
from store.run_models import Run, RunAttempt, RunStep
from tests.store.seeds import AT, POLICY, case_row, put_policy

ROWS, ONE_OPEN_IN = 10_000, 20
SOON, LATER = AT + timedelta(hours=1), AT + timedelta(days=30)
KINDS = ("card", "line", "notice", "page")
WORKFLOWS, ROLES, PEOPLE = ("renewal-notice", "refund"), ("revenue-ops", "billing"), ("U0ADA", "U0BEN", "U0CLEO")

NUMBERS = select(literal(1).label("n")).cte("numbers", recursive=True)
NUMBERS = NUMBERS.union_all(select(NUMBERS.c.n + 1).where(NUMBERS.c.n < ROWS))
N = NUMBERS.c.n
IS_OPEN = N % ONE_OPEN_IN == 0


def named(prefix: str) -> ColumnElement[str]:
    """The number's own text."""
    return literal(prefix) + cast(N, Text)


def one_of(words: Sequence[str]) -> ColumnElement[str]:
    """One of the words for each number, in turn."""
    return sql_case(*((N % len(words) == place, word) for place, word in enumerate(words)))


def at(instant: datetime) -> ColumnElement[datetime]:
    """The instant, as its column keeps it."""
    return literal(instant, Instant())


def fill(session: Session, files: dict[str, str]) -> None:
    """All of it."""
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
    _many(session, Attempt, delivery_id=N, at=AT, purpose="send", request={}, response="", error="")
    _many(session, Run, **_run())
    _many(session, RunStep, **_step())
    _many(session, RunAttempt, step_id=N, purpose="step", at=AT, request={}, response="", error="")
    _many(session, Note, case_id=N, at=AT, author="U0ADA", text="", message_ts=named("1."))
    _many(session, StateChange, case_id=N, state="in_progress", at=AT)
    _many(session, PostMortem, **_post_mortem())
    _many(session, Release, **_release())
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


def _run() -> dict[str, Any]:
    return {
        "id": N,
        "case_id": N,
        "event_id": N,
        "workflow": one_of(WORKFLOWS),
        "runbook": "refund-callback",
        "policy_digest": POLICY,
        "cause": sql_case((N % 3 == 0, "auto_fix"), else_="pressed"),
        "mode": "live",
        "asked_by": "U0ADA",
        "asked_at": AT,
        "inputs": {},
        "state": sql_case((IS_OPEN, "running"), else_="done"),
        "position": 0,
        "counts": {},
        "because": "",
        "due_at": sql_case((IS_OPEN, at(AT)), else_=null()),
        "overtaken_by": "",
        "ended_at": sql_case((IS_OPEN, null()), else_=at(AT)),
        "version": 1,
    }


def _step() -> dict[str, Any]:
    return {
        "id": N,
        "run_id": N,
        "item_id": 0,
        "position": 0,
        "name": "ask",
        "kind": sql_case((IS_OPEN, "wait_for"), else_="request"),
        "state": sql_case((IS_OPEN, "waiting"), else_="done"),
        "generation": 1,
        "attempts": 1,
        "unanswered": 0,
        "started_at": AT,
        "ended_at": sql_case((IS_OPEN, null()), else_=at(AT)),
        "response": {},
        "because": "",
        "link_id": N,
    }


def _post_mortem() -> dict[str, Any]:
    written_at = sql_case((N % 1000 == 0, null()), else_=at(AT))
    return {
        "case_id": N,
        "owed_at": AT,
        "because": "",
        "written_at": written_at,
        "summary": "",
        "causes": "",
        "version": 1,
    }


def _release() -> dict[str, Any]:
    due_at = sql_case((N % 1000 == 0, at(AT)), else_=null())
    about = {"case_id": N, "asked_by": "U0ADA", "asked_at": AT, "names": {}, "counts": {}}
    return {"id": N, **about, "after_id": N - 1, "upto_id": N, "due_at": due_at}
