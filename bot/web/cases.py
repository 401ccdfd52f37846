"""`GET /v1/cases` and what is below it: cases as other systems read them. Instants are RFC 3339 in UTC."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web
from sqlmodel import Session

from bot.context import Context
from bot.web.answers import answer
from bot.web.paging import bad, before, check_parameters, cursor, limit, listed
from bot.web.problems import Problem, kind
from bot.web.runs import runs_of
from bot.web.sources import Caller, Gate
from store import audit
from store.models import CLOSED, STATES, Case
from store.queries import cases as queries
from store.queries.cases import OPEN, Wanted

REPORTS_SHOWN = 100
CLOSINGS_SHOWN = 20
PARAMETERS = ("state", "workflow", "owner", "limit", "cursor")
KNOWN_STATES = (OPEN, *STATES, *CLOSED)
FIELDS = (
    "ref",
    "title",
    "workflow",
    "failure_mode",
    "priority",
    "state",
    "route",
    "owner",
    "assignee",
    "subject",
    "acknowledge_due_at",
    "resolve_due_at",
    "opened_at",
    "last_seen_at",
    "occurrences",
    "acknowledged_at",
    "acknowledged_by",
    "lease_until",
    "snoozed_until",
    "response_breached_at",
    "resolution_breached_at",
    "exhausted",
    "closed_at",
    "resolution",
    "overridden_by",
    "override_reason",
    "reopened",
)
"""What a list shows of a case."""
CLOSING_FIELDS = ("state", "asked_by", "asked_at", "decided_at", "overridden_by", "override_reason")
CHECK_FIELDS = (
    "name",
    "kind",
    "state",
    "attempts",
    "at",
    "by",
    "request",
    "status",
    "body_digest",
    "because",
    "found",
)
REPORT_FIELDS = ("occurrence", "received_at", "source", "title", "detail", "links")


class CasesOut:
    """Answers readers: sources with `read: true`, each for the workflows that it may see."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._desk, self._policies = context.desk, context.policies
        self._gate = gate

    async def list_(self, request: web.Request) -> web.Response:
        """A page of cases, the latest first."""
        reader = await self._gate.admit_reader(request)
        wanted = _wanted(request, reader)
        found = await self._desk.read(lambda session: queries.list_cases(session, wanted))
        page = found[: wanted.limit - 1]
        following = cursor(page[-1].id) if len(found) == wanted.limit else None
        return answer({"cases": [_short(case) for case in page], "next": following})

    async def show(self, request: web.Request) -> web.Response:
        """One case, with its latest reports, its deliveries and runs, and what its checks found."""
        reader = await self._gate.admit_reader(request)
        case_id = case_id_of(request)

        def whole(session: Session) -> dict[str, Any]:
            case = get_case(session, case_id, reader)
            return _whole(session, case) | {"runs": runs_of(session, self._policies, case.id)}

        return answer(await self._desk.read(whole))

    async def audit(self, request: web.Request) -> web.Response:
        """The audit trail of one case."""
        reader = await self._gate.admit_reader(request)
        case_id = case_id_of(request)

        def trail(session: Session) -> list[dict[str, Any]]:
            return audit.read(session, audit.chain_of(get_case(session, case_id, reader).id))

        return answer({"entries": await self._desk.read(trail)})


def _wanted(request: web.Request, reader: Caller) -> Wanted:
    """What the query asks for, and one more: to know whether a page follows."""
    check_parameters(request, PARAMETERS)
    query = request.query
    state = query.get("state") or None
    if state and state not in KNOWN_STATES:
        raise bad(f"state {state!r} is none", listed(KNOWN_STATES))
    return Wanted(
        limit=limit(query.get("limit")) + 1,
        state=state,
        workflow=query.get("workflow") or None,
        owner=query.get("owner") or None,
        workflows=reader.source.workflows,
        before=before(query.get("cursor")),
    )


def case_id_of(request: web.Request) -> int:
    """The number of the case that the address names. Raises `Problem` 404."""
    ref = request.match_info["ref"]
    number = ref.upper().removeprefix("C-")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise _no_case(ref)
    return int(number)


def get_case(session: Session, case_id: int, reader: Caller) -> Case:
    """The case, as far as this reader may know of it. Raises `Problem` 404."""
    case = queries.find_case(session, case_id)
    if case is None or not reader.covers(case.workflow):
        raise _no_case(f"C-{case_id}")
    return case


def _no_case(ref: str) -> Problem:
    return Problem(
        HTTPStatus.NOT_FOUND, f"there is no case {ref[:40]!r}; a case is named like C-17", kind=kind("no-case")
    )


def _short(case: Case) -> dict[str, Any]:
    return _fields(case, *FIELDS)


def _whole(session: Session, case: Case) -> dict[str, Any]:
    more = _fields(case, "detail", "next_step", "risk", "source", "dedup_key", "fingerprint", "contract_version")
    reports = queries.latest_reports(session, case.id, limit=REPORTS_SHOWN)
    return {
        **_short(case),
        **more,
        "rule": case.route_rule,
        "follows": f"C-{case.follows_id}" if case.follows_id else None,
        "policy": case.policy_digest,
        "reports": [_fields(each, *REPORT_FIELDS) for each in reports],
        "deliveries": _deliveries(session, case.id),
        "closings": _closings(session, case.id),
    }


def _closings(session: Session, case_id: int) -> list[dict[str, Any]]:
    """What came of each wish to close it, with the evidence of its checks."""
    found = queries.closings_of(session, case_id, limit=CLOSINGS_SHOWN)
    return [
        {**_fields(closing, *CLOSING_FIELDS), "checks": [_fields(each, *CHECK_FIELDS) for each in checks]}
        for closing, checks in found
    ]


def _deliveries(session: Session, case_id: int) -> list[dict[str, Any]]:
    deliveries = queries.deliveries_of(session, case_id)
    attempts = queries.attempts_of(session, [each.id for each in deliveries if each.id])
    told = []
    for each in deliveries:
        own = [one for one in attempts if one.delivery_id == each.id]
        fields = _fields(each, "verb", "generation", "state", "status", "because", "asked_by", "asked_at")
        tries = [_fields(one, "at", "purpose", "status", "error") for one in own]
        told.append(fields | {"attempts": tries})
    return told


def _fields(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
