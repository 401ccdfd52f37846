"""`POST /v1/events/{workflow}`: an event that triggers a workflow, or a list of up to 500; plain JSON or CloudEvents.

202 only after the commit, with what became of each. With an Idempotency-Key (or the `webhook-id` of a signed message)
a repeat is answered as the first request was; without one, the event's own identity by its contract makes a repeat a
duplicate, which is counted and not delivered again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from aiohttp import web

from bot import tracing
from bot.context import Context
from bot.desk import events
from bot.desk.events import Arrived
from bot.desk.judging import Arrival
from bot.desk.once import KeyReused, Submission
from bot.web.answers import answer
from bot.web.cloud_events import contents_of
from bot.web.problems import Problem, kind
from bot.web.sources import Caller, Gate

MAX_EVENTS = 500
LONGEST_WORKFLOW = 64


class EventsIn:
    """Takes events in, for the sources that the gate knows."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._desk = context.desk
        self._gate = gate
        self._events = context.metrics.events

    async def post(self, request: web.Request) -> web.Response:
        """Answers a request with events. Raises `Problem`."""
        caller = await self._gate.admit(request)
        workflow = _workflow(request, caller)
        content = contents_of(request.content_type, request.headers, caller.body)
        if not isinstance(content, list):
            (arrived,) = await self._take(caller, workflow, [content])
            return answer(_result(arrived), status=202)
        if not 0 < len(content) <= MAX_EVENTS:
            detail = f"a list has 1 to {MAX_EVENTS} events; this one has {len(content)}"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("bad-event"))
        results = [_result(arrived) for arrived in await self._take(caller, workflow, content)]
        return answer({"results": results}, status=202)

    async def _take(self, caller: Caller, workflow: str, contents: Sequence[Any]) -> Sequence[Arrived]:
        """The results, after their commit."""
        for at, content in enumerate(contents):
            if not isinstance(content, dict):
                detail = f"an event is a JSON object; number {at + 1} is not"
                raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("bad-event"))
        arrivals = tuple(Arrival(caller.actor, workflow, content, trace=tracing.current()) for content in contents)
        results = await self._desk.run_joined(events.receive, _submission(caller, workflow, arrivals))
        if isinstance(results, KeyReused):
            detail = "this Idempotency-Key came before with another body; give each request a key of its own"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("key-reused"))
        for status, count in Counter(each.status for each in results).items():
            self._events.labels(caller.source.name, status).inc(count)
        return results


def _workflow(request: web.Request, caller: Caller) -> str:
    """A workflow without a contract is not refused: what it brings is held, and is a case for the unrouted role."""
    workflow = request.match_info["workflow"]
    if not workflow.isascii() or not workflow.isprintable() or len(workflow) > LONGEST_WORKFLOW:
        detail = f"a workflow's name has at most {LONGEST_WORKFLOW} printable ASCII characters"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("bad-event"))
    if not caller.covers(workflow):
        allowed = ", ".join(caller.source.workflows or ()) or "none"
        detail = f"source {caller.source.name} may send for these workflows: {allowed}"
        raise Problem(HTTPStatus.FORBIDDEN, detail, kind=kind("workflow-not-allowed"))
    return workflow


def _submission(caller: Caller, workflow: str, arrivals: tuple[Arrival, ...]) -> Submission[Arrival]:
    if caller.repeat_key is None:
        return Submission(arrivals)
    key = f"events:{workflow}:{caller.source.name}:{caller.repeat_key}"
    return Submission(arrivals, key, hashlib.sha256(caller.body).hexdigest())


def _result(arrived: Arrived) -> dict[str, Any]:
    return {name: value for name, value in asdict(arrived).items() if value is not None}
