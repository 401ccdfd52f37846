"""`POST /v1/outcomes/{workflow}`: what came of an event, or a list of up to 500; and `GET /v1/outcomes`: what came,
above all what matched nothing. 202 only after the commit. The same outcome again, with an Idempotency-Key or without
one, is answered as the first was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from aiohttp import web

from bot.context import Context
from bot.desk import outcomes
from bot.desk.once import KeyReused, Submission
from bot.desk.outcomes import Came, Taken
from bot.web.answers import answer
from bot.web.cloud_events import contents_of
from bot.web.paging import bad, before, check_parameters, cursor, limit, listed
from bot.web.problems import Problem, kind
from bot.web.sources import Caller, Gate
from store.contract_models import OutcomeCame
from store.queries.outcomes import WantedOutcomes, list_outcomes

MAX_OUTCOMES = 500
STATES = ("matched", "early", "unmatched", "superseded")
PARAMETERS = ("state", "workflow", "limit", "cursor")


class Outcomes:
    """Takes outcomes in, and shows what came to readers."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._desk = context.desk
        self._gate = gate

    async def post(self, request: web.Request) -> web.Response:
        """Answers a request with outcomes. Raises `Problem`."""
        caller = await self._gate.admit(request)
        workflow = self._workflow(request, caller)
        content = contents_of(request.content_type, request.headers, caller.body)
        if not isinstance(content, list):
            (taken,) = await self._take(caller, workflow, [content])
            return answer(_result(taken), status=202)
        if not 0 < len(content) <= MAX_OUTCOMES:
            raise _refused(f"a list has 1 to {MAX_OUTCOMES} outcomes; this one has {len(content)}")
        return answer({"results": [_result(each) for each in await self._take(caller, workflow, content)]}, status=202)

    async def list_(self, request: web.Request) -> web.Response:
        """A page of outcomes, the latest first."""
        reader = await self._gate.admit_reader(request)
        wanted = _wanted(request, reader)
        found = await self._desk.read(lambda session: list_outcomes(session, wanted))
        page = found[: wanted.limit - 1]
        following = cursor(page[-1].id or 0) if len(found) == wanted.limit else None
        return answer({"outcomes": [_shown(each) for each in page], "next": following})

    async def _take(self, caller: Caller, workflow: str, contents: Sequence[Any]) -> Sequence[Taken]:
        """The results, after their commit."""
        for at, content in enumerate(contents):
            if not isinstance(content, dict):
                raise _refused(f"an outcome is a JSON object; number {at + 1} is not")
        came = tuple(Came(caller.actor, workflow, content) for content in contents)
        results = await self._desk.run_joined(outcomes.take, _submission(caller, workflow, came))
        if isinstance(results, KeyReused):
            detail = "this Idempotency-Key came before with another body; give each request a key of its own"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("key-reused"))
        return results

    def _workflow(self, request: web.Request, caller: Caller) -> str:
        """The workflow, whose contract waits for outcomes. Raises `Problem`: nothing could match an outcome of another
        one, and its sender is the one who can put that right."""
        workflow = request.match_info["workflow"]
        if not caller.covers(workflow):
            allowed = ", ".join(caller.source.workflows or ()) or "none"
            detail = f"source {caller.source.name} may send for these workflows: {allowed}"
            raise Problem(HTTPStatus.FORBIDDEN, detail, kind=kind("workflow-not-allowed"))
        contract = self._desk.policies.latest.workflows.get(workflow)
        if contract is None or contract.outcome is None:
            why = "no contract is named so" if contract is None else "its contract has no `outcome`"
            detail = f"{workflow[:100]!r} waits for no outcome: {why}"
            raise Problem(HTTPStatus.NOT_FOUND, detail, kind=kind("no-outcome-wanted"))
        return workflow


def _refused(detail: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("bad-outcome"))


def _submission(caller: Caller, workflow: str, came: tuple[Came, ...]) -> Submission[Came]:
    if caller.repeat_key is None:
        return Submission(came)
    key = f"outcomes:{workflow}:{caller.source.name}:{caller.repeat_key}"
    return Submission(came, key, hashlib.sha256(caller.body).hexdigest())


def _result(taken: Taken) -> dict[str, Any]:
    told = asdict(taken)
    return {name: value for name, value in told.items() if value is not None or name == "event"}


def _wanted(request: web.Request, reader: Caller) -> WantedOutcomes:
    """What the query asks for, and one more: to know whether a page follows."""
    check_parameters(request, PARAMETERS)
    query = request.query
    state = query.get("state") or None
    if state and state not in STATES:
        raise bad(f"state {state!r} is none", listed(STATES))
    return WantedOutcomes(
        limit=limit(query.get("limit")) + 1,
        state=state,
        workflow=query.get("workflow") or None,
        workflows=reader.source.workflows,
        before=before(query.get("cursor")),
    )


def _shown(row: OutcomeCame) -> dict[str, Any]:
    return {
        "workflow": row.workflow,
        "id": row.key or None,
        "event": f"E-{row.event_id}" if row.event_id else None,
        "state": row.state,
        "status": row.status,
        "because": row.because,
        "received_at": row.received_at,
        "source": row.source,
        "outcome": row.content,
    }
