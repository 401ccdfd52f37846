"""Exceptions come in: each joins the open case of the same failure and is counted, or opens one.

Set-based: all submissions that wait are one call. It asks once which keys are known, decides in memory, and
writes each table once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlmodel import col

from bot.desk.kept import Came, content_digest, digest_of, hidden_of, keep
from bot.desk.once import KeyReused, Submission, once
from bot.desk.opening import Opening, open_cases, report_row
from bot.desk.people import reach
from bot.desk.telling import page
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM, Actor
from bot.rules.fingerprint import fingerprint, match_key
from bot.rules.routing import Routing, route
from runbooks.templates import ExpressionFault, Missing
from store.contract_models import Trigger
from store.ids import take
from store.models import Case, Event, ExceptionReport
from store.rows import insert_rows, lock_rows
from store.sealing import desk_key, keyed

OTHER = "other"
DRILL = "DRILL: "
"""What the title of a drill's case begins with, so that it is read first wherever the case is told of."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report of one failure, checked in form. `event` is the payload of the automation's event, `event_key` the
    Idempotency-Key under which it was first sent; `event_id`: it is kept already, and `misfit` says how
    it does not fit its schema (`found, wanted, pointer`)."""

    by: Actor
    workflow: str
    title: str
    failure_mode: str = OTHER
    detail: str = ""
    priority: str | None = None
    subject: str | None = None
    event: Mapping[str, Any] | None = None
    event_id: int | None = None
    event_key: str | None = None
    dedup_key: str | None = None
    misfit: Mapping[str, str] | None = None
    links: tuple[str, ...] = ()
    is_drill: bool = False
    is_held: bool = False
    """Its event is in quarantine."""
    trace: str | None = None
    next_step: str | None = None
    """What there is to do, where that is not what the contract says of the mode."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of a report: its case, its number there, and whether the case was open before."""

    case: str
    occurrence: int
    deduplicated: bool


@dataclass(slots=True)
class _Match:
    """The open case of a match key, as it grows within this call. `case_id` is 0 until it is opened; without a
    `channel` it is opened by this call, which owes its card already."""

    case_id: int
    occurrences: int
    channel: str


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A report, and what the rules say of it."""

    report: Report
    routing: Routing
    fingerprint: str
    match_key: str
    event_id: int | None


_Routings = dict[tuple[str, str, str | None], Routing]


def report(tx: Tx, submissions: Sequence[Submission[Report]]) -> list[tuple[Reported, ...] | KeyReused]:
    """One answer per submission: a result per report, or `KeyReused`. Everything is committed together."""
    return once(tx, submissions, report_many, Reported)


def report_many(tx: Tx, reports: Sequence[Report]) -> list[Reported]:
    """A result for each report: the case that it opened or joined."""
    if not reports:
        return []
    reports = _knowing_events(tx, reports)
    event_ids = _keep_events(tx, reports)
    known: _Routings = {}
    prepared = [_prepare(tx, report, event_id, known) for report, event_id in zip(reports, event_ids, strict=True)]
    matches = _open_matches(tx, {each.match_key for each in prepared})
    opening: list[_Prepared] = []
    results: list[tuple[_Match, Reported]] = []
    joining: list[tuple[_Prepared, _Match, int]] = []
    for each in prepared:
        match = matches.get(each.match_key)
        if match is None:
            match = matches[each.match_key] = _Match(0, 1, "")
            opening.append(each)
            results.append((match, Reported("", 1, False)))
            continue
        match.occurrences += 1
        joining.append((each, match, match.occurrences))
        results.append((match, Reported("", match.occurrences, True)))
    _open(tx, opening, matches)
    _join(tx, joining)
    return [replace(result, case=f"C-{match.case_id}") for match, result in results]


def _knowing_events(tx: Tx, reports: Sequence[Report]) -> Sequence[Report]:
    """What is reported of an event is part of its trace and, whoever reports it, of its drill."""
    ids = [report.event_id for report in reports if report.event_id is not None]
    known = {row.event_id: row for row in tx.session.execute(_MARKED, {"ids": ids})} if ids else {}
    if not known:
        return reports
    return [_knowing(report, known.get(report.event_id)) for report in reports]


def _knowing(report: Report, event: Any) -> Report:
    if event is None:
        return report
    return replace(report, is_drill=report.is_drill or event.is_drill, trace=report.trace or event.trace)


_MARKED = select(col(Trigger.event_id), col(Trigger.is_drill), col(Trigger.trace)).where(
    col(Trigger.event_id).in_(bindparam("ids", expanding=True)),
    or_(col(Trigger.is_drill), col(Trigger.trace).is_not(None)),
)


def _keep_events(tx: Tx, reports: Sequence[Report]) -> list[int | None]:
    """Keeps the events that came along, without what is redacted; the id of each report's event."""
    having = [report for report in reports if report.event is not None and report.event_id is None]
    if not having:
        return [report.event_id for report in reports]
    ids = take(tx.session, Event, len(having))
    key = desk_key(tx.session)
    keep(tx, [_came(key, report, event_id) for event_id, report in zip(ids, having, strict=True)])
    left = iter(ids)
    return [
        next(left) if report.event is not None and report.event_id is None else report.event_id for report in reports
    ]


def _came(key: bytes, report: Report, event_id: int) -> Came:
    content = report.event or {}
    digest = content_digest(key, content)
    return Came(event_id, report.workflow, content, digest, key=report.event_key, subject=report.subject)


def _prepare(tx: Tx, report: Report, event_id: int | None, known: _Routings) -> _Prepared:
    contract = tx.policy.workflows.get(report.workflow)
    case = {
        "title": report.title,
        "subject": report.subject,
        "priority": report.priority,
        "state": "queued",
        "workflow": report.workflow,
        "failure_mode": report.failure_mode,
        "opened_at": tx.now,
        "risk": contract.risk if contract else "medium",
        "quarantined": int(report.is_held),
        **({"misfit": report.misfit} if report.misfit else {}),
    }
    names = {"event": report.event or {}, "case": case, "now": tx.now}
    routing = _routed(tx, report, names, known)
    group = _group(tx, routing, names)
    print_ = fingerprint(report.workflow, report.failure_mode, title=report.title, subject=report.subject, group=group)
    key = match_key(report.workflow, dedup_key=report.dedup_key, fingerprint=print_, is_drill=report.is_drill)
    return _Prepared(report, routing, print_, key, event_id)


def _routed(tx: Tx, report: Report, names: Mapping[str, Any], known: _Routings) -> Routing:
    """The routing of a report. A contract without routing rules looks at no event: there it is the same for all
    reports of one mode and priority, and is found once."""
    contract = tx.policy.workflows.get(report.workflow)
    has_rules = contract is not None and bool(contract.routing)
    alike = report.workflow, report.failure_mode, report.priority
    if not has_rules and alike in known:
        return known[alike]
    shown = hidden_of(tx.policy, report.workflow, report.event or {}, is_misfit=report.event_id is not None)
    routing = known[alike] = route(
        tx.policy,
        workflow=report.workflow,
        failure_mode=report.failure_mode,
        names=names,
        shown_event=shown.content if shown.removed else None,
        asked_priority=report.priority,
    )
    return routing


def _group(tx: Tx, routing: Routing, names: Mapping[str, Any]) -> str | None:
    """What the contract groups by, as a keyed digest: it may be personal. None: it does not say, or its field is
    missing from this event."""
    if routing.terms.group_by is None:
        return None
    try:
        return keyed(desk_key(tx.session), routing.terms.group_by.render_text(names))
    except (Missing, ExpressionFault):
        return None


def _open_matches(tx: Tx, keys: set[str]) -> dict[str, _Match]:
    """The open cases of these keys, locked in the order of their ids: two writers cannot wait for each other."""
    rows = lock_rows(tx.session, _OPEN_CASES, keys)
    return {key: _Match(case_id, occurrences, channel) for key, case_id, occurrences, channel in rows}


_OPEN_CASES = (
    "SELECT match_key, id, occurrences, channel FROM cases WHERE closed_at IS NULL AND match_key AMONG ORDER BY id"
)


def _open(tx: Tx, opening: Sequence[_Prepared], matches: Mapping[str, _Match]) -> None:
    opened = [_opening(each) for each in opening]
    ids = open_cases(tx, opened)
    for each, case_id in zip(opening, ids, strict=True):
        matches[each.match_key].case_id = case_id
    paging = {case_id: each for each, case_id in zip(opened, ids, strict=True) if each.route == "on_call"}
    for case in _cases(tx, paging):
        page(tx, case, reach(tx, case.owner), "opened_on_call")
    for each, case_id in zip(opening, ids, strict=True):
        if each.routing.policy_fault:
            report_policy_fault(tx, each.report.workflow, each.routing.policy_fault, found_by=case_id)


def _cases(tx: Tx, ids: Mapping[int, Any]) -> list[Case]:
    if not ids:
        return []
    return list(tx.session.execute(select(Case).where(col(Case.id).in_(ids)).order_by(col(Case.id))).scalars())


def _opening(each: _Prepared) -> Opening:
    report = each.report
    return Opening(
        workflow=report.workflow,
        failure_mode=report.failure_mode,
        title=f"{DRILL}{report.title}" if report.is_drill else report.title,
        by=report.by,
        routing=each.routing,
        fingerprint=each.fingerprint,
        match_key=each.match_key,
        detail=report.detail,
        subject=report.subject,
        dedup_key=report.dedup_key,
        event_id=each.event_id,
        links=report.links,
        is_drill=report.is_drill,
        next_step=report.next_step,
        trace=report.trace,
    )


def _join(tx: Tx, joining: Sequence[tuple[_Prepared, _Match, int]]) -> None:
    if not joining:
        return
    rows = []
    for each, match, occurrence in joining:
        came = each.report
        rows.append(
            report_row(
                tx,
                case_id=match.case_id,
                occurrence=occurrence,
                by=came.by,
                title=came.title,
                detail=came.detail,
                event_id=each.event_id,
                links=came.links,
            )
        )
        tx.record(
            "exception.joined",
            case_id=match.case_id,
            actor=came.by,
            occurrence=occurrence,
            match_digest=digest_of(tx, each.match_key),
            event=each.event_id,
        )
        if match.channel:
            tx.owe_card(match.case_id, match.channel)
    insert_rows(tx.session, ExceptionReport, rows)
    _count(tx, {match.case_id: match for _, match, _ in joining})


def _count(tx: Tx, matches: Mapping[int, _Match]) -> None:
    table = Case.__table__  # type: ignore[attr-defined]
    counted = (
        update(table)
        .where(table.c.id == bindparam("of"))
        .values(occurrences=bindparam("to"), last_seen_at=tx.now, version=table.c.version + 1)
    )
    tx.session.connection().execute(counted, [{"of": of, "to": match.occurrences} for of, match in matches.items()])


def report_one(tx: Tx, report: Report) -> tuple[int, bool]:
    """What the product itself reports within another command: the id of its case, and whether it is new."""
    [result] = report_many(tx, [report])
    return int(result.case.removeprefix("C-")), not result.deduplicated


def report_policy_fault(tx: Tx, workflow: str, fault: str, *, found_by: int | None = None) -> None:
    """One open case per fault of a workflow's policy, for its steward: it passes by the routing rules."""
    detail = f"{fault}\nFound while routing C-{found_by}." if found_by else fault
    title = f"The policy of {workflow} has a fault"
    report_one(
        tx,
        Report(
            by=SYSTEM,
            workflow=workflow,
            failure_mode="policy_fault",
            title=title,
            detail=detail,
            dedup_key=f"policy_fault:{fault[:200]}",
        ),
    )
