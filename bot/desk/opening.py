"""Opening cases, many in one go: routed, owned, timed, on record, and their cards owed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from bot.desk.kept import digest_of
from bot.desk.people import find_role
from bot.desk.runs import autofix, hooks
from bot.desk.runs.owing import owe
from bot.desk.tx import Tx
from bot.rules.actors import Actor
from bot.rules.routing import AUTO_FIX, Routing
from bot.rules.windows import Window, next_step, window, window_until
from runbooks.lengths import Length
from store.ids import take
from store.models import Case, ExceptionReport, Timer
from store.rows import insert_rows

PROGRESS = "queued"


@dataclass(frozen=True, slots=True)
class Opening:
    """What a case is opened with: the routing decided, and what was reported."""

    workflow: str
    failure_mode: str
    title: str
    routing: Routing
    fingerprint: str
    match_key: str
    by: Actor
    detail: str = ""
    subject: str | None = None
    dedup_key: str | None = None
    event_id: int | None = None
    links: tuple[str, ...] = ()
    assignee: str | None = None
    channel: str | None = None
    thread_ts: str | None = None
    is_drill: bool = False
    next_step: str | None = None
    due_at: datetime | None = None
    """When it is to be resolved by, where somebody gave it a date."""
    follows_id: int | None = None
    trace: str | None = None

    @property
    def is_fixed_first(self) -> bool:
        """Whether a runbook tries to fix it before anybody is told."""
        return self.routing.terms.auto_fix is not None and not self.is_drill

    @property
    def route(self) -> str:
        """Where the case goes first."""
        return AUTO_FIX if self.is_fixed_first else self.routing.terms.route


def open_cases(tx: Tx, openings: Sequence[Opening]) -> list[int]:
    """Opens a case for each, in this order, and returns their ids. The opening and its reasons are the first entry
    of each case's chain; both windows run; the card is owed to the owner role's channel (or the thread). Where a
    runbook goes first, it is owed too, and the response window waits for it."""
    if not openings:
        return []
    ids = list(take(tx.session, Case, len(openings)))
    windows = _windows(tx, openings)
    rows = [_case_row(tx, *each) for each in zip(ids, openings, windows, strict=True)]
    insert_rows(tx.session, Case, rows)
    insert_rows(tx.session, ExceptionReport, [_report_row(tx, *pair) for pair in zip(ids, openings, strict=True)])
    insert_rows(
        tx.session, Timer, [timer for each in zip(ids, openings, windows, strict=True) for timer in _timers(tx, *each)]
    )
    for row, opening in zip(rows, openings, strict=True):
        _on_record(tx, row, opening)
        tx.owe_card(row["id"], row["channel"])
    _owe_runs(tx, ids, openings)
    return ids


def _owe_runs(tx: Tx, ids: Sequence[int], openings: Sequence[Opening]) -> None:
    """What the contract carries out by itself when a case opens. Nothing of a drill leaves, and no contract is asked
    about an action of a post-mortem."""
    rows, fixes = [], []
    for case_id, opening in zip(ids, openings, strict=True):
        if opening.is_drill or opening.follows_id is not None:
            continue
        rows += hooks.at_opening(tx, opening.workflow, case_id, opening.event_id)
        if opening.is_fixed_first:
            fixes.append(autofix.Fix(case_id, opening.event_id, opening.workflow, opening.routing.terms))
    owe(tx, [*rows, *autofix.plan(tx, fixes)])


def _windows(tx: Tx, openings: Sequence[Opening]) -> list[tuple[Window, Window]]:
    """Both windows of each, in its owner's calendar. Those that start together and are of one length are computed
    once. Where a runbook goes first, the response window is the one that there is if it gives up."""
    team, known = tx.policy.team, dict[tuple[str, Length, datetime], Window]()

    def windowed(calendar: str, within: Length, start: datetime) -> Window:
        if (calendar, within, start) not in known:
            known[calendar, within, start] = window(
                team.calendars[calendar], start=start, within=within, shares=team.defaults.remind_at
            )
        return known[calendar, within, start]

    pairs = []
    for opening in openings:
        terms = opening.routing.terms
        calendar = find_role(tx.policy, terms.owner).calendar
        begins = autofix.gives_up_at(tx, terms) if opening.is_fixed_first else tx.now
        resolution = windowed(calendar, terms.resolve_within, tx.now)
        if opening.due_at:
            hours, shares = team.calendars[calendar], team.defaults.remind_at
            resolution = window_until(hours, start=tx.now, due_at=opening.due_at, shares=shares)
        pairs.append((windowed(calendar, terms.acknowledge_within, begins), resolution))
    return pairs


def _case_row(tx: Tx, case_id: int, opening: Opening, windows: tuple[Window, Window]) -> dict[str, Any]:
    terms = opening.routing.terms
    contract = tx.policy.workflows.get(opening.workflow)
    role = find_role(tx.policy, terms.owner)
    response, resolution = windows
    return {
        "id": case_id,
        "workflow": opening.workflow,
        "failure_mode": opening.failure_mode,
        "title": opening.title,
        "detail": opening.detail,
        "subject": opening.subject,
        "source": opening.by.id,
        "risk": contract.risk if contract else "medium",
        "priority": terms.priority,
        "state": PROGRESS,
        "route": opening.route,
        "route_rule": terms.rule,
        "route_because": "; ".join((opening.routing.because, *opening.routing.not_met)),
        "owner": role.name,
        "assignee": opening.assignee,
        "match_key": opening.match_key,
        "dedup_key": opening.dedup_key,
        "fingerprint": opening.fingerprint,
        "policy_digest": tx.policy.digest,
        "contract_version": contract.version if contract else None,
        "next_step": opening.next_step or terms.next_step,
        "event_id": opening.event_id,
        "opened_at": tx.now,
        "opened_by": opening.by.id,
        "last_seen_at": tx.now,
        "occurrences": 1,
        "response_from_at": response.start_at,
        "acknowledge_due_at": response.due_at,
        "resolve_due_at": resolution.due_at,
        "exhausted": False,
        "reopened": 0,
        "is_drill": opening.is_drill,
        "follows_id": opening.follows_id,
        "version": 1,
        "channel": opening.channel or role.channel,
        "thread_ts": opening.thread_ts,
        "trace": opening.trace,
    }


def _report_row(tx: Tx, case_id: int, opening: Opening) -> dict[str, Any]:
    return report_row(
        tx,
        case_id=case_id,
        occurrence=1,
        by=opening.by,
        title=opening.title,
        detail=opening.detail,
        event_id=opening.event_id,
        links=opening.links,
    )


def report_row(
    tx: Tx,
    *,
    case_id: int,
    occurrence: int,
    by: Actor,
    title: str,
    detail: str,
    event_id: int | None,
    links: Sequence[str],
) -> dict[str, Any]:
    """One report of the case, as it is kept."""
    return {
        "case_id": case_id,
        "occurrence": occurrence,
        "received_at": tx.now,
        "source": by.id,
        "title": title,
        "detail": detail,
        "event_id": event_id,
        "links": list(links),
    }


def _timers(tx: Tx, case_id: int, opening: Opening, windows: tuple[Window, Window]) -> list[dict[str, Any]]:
    """The timers of both windows, each at its first reminder or its end. Where a runbook goes first, nobody is waited
    for yet."""
    timers = []
    for kind, found in zip(("response", "resolution"), windows, strict=True):
        step = next_step(found, after=0, now=tx.now)
        due_at = None if kind == "response" and opening.is_fixed_first else step.at
        timers.append({"case_id": case_id, "kind": kind, "due_at": due_at, "step": step.number, "attempts": 0})
    return timers


@lru_cache(maxsize=256)
def _words(length: Length) -> str:
    """A policy has few lengths, and each case names two."""
    return str(length)


def _on_record(tx: Tx, row: dict[str, Any], opening: Opening) -> None:
    routing = opening.routing
    tx.record(
        "case.opened",
        case_id=row["id"],
        is_first=True,
        actor=opening.by,
        workflow=row["workflow"],
        failure_mode=row["failure_mode"],
        title_digest=digest_of(tx, row["title"]),
        subject_digest=None if row["subject"] is None else digest_of(tx, row["subject"]),
        route=row["route"],
        rule=row["route_rule"],
        because=routing.because,
        facts=dict(routing.facts),
        not_met=list(routing.not_met),
        owner=row["owner"],
        priority=row["priority"],
        acknowledge_within=_words(routing.terms.acknowledge_within),
        resolve_within=None if opening.due_at else _words(routing.terms.resolve_within),
        acknowledge_due_at=row["acknowledge_due_at"].isoformat(),
        resolve_due_at=row["resolve_due_at"].isoformat(),
        policy=row["policy_digest"],
        contract_version=row["contract_version"],
        match_digest=digest_of(tx, row["match_key"]),
        event=row["event_id"],
        **({"follows": f"C-{opening.follows_id}"} if opening.follows_id else {}),
    )
