"""`POST /v1/exceptions`: one report, or a list of up to 500. 202 only after the commit.

A list is taken in part: each good report gets its result and each bad one its problem, in their order. The status is
202 if any was taken, else 422 with the same `results`. With an Idempotency-Key (or the `webhook-id` of a signed
message) a repeat is answered as the first request was, and another body under the same key is refused with 422, as
draft-ietf-httpapi-idempotency-key-header has it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from bot import tracing
from bot.context import Context
from bot.desk import intake
from bot.desk.intake import Report, Reported
from bot.desk.once import KeyReused, Submission
from bot.rules.actors import Actor
from bot.web.answers import answer
from bot.web.bodies import parse_json
from bot.web.problems import Problem, kind
from bot.web.reports import ReportBody, errors_of
from bot.web.sources import Caller, Gate

MAX_REPORTS = 500


class ExceptionsIn:
    """Takes reports in, for the sources that the gate knows."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._desk = context.desk
        self._gate = gate
        self._reports = context.metrics.reports

    async def post(self, request: web.Request) -> web.Response:
        """Answers a request with reports. Raises `Problem`."""
        caller = await self._gate.admit(request)
        content = parse_json(caller.body)
        if isinstance(content, list):
            return await self._post_many(caller, content)
        read = _read(caller, content)
        if isinstance(read, Problem):
            self._count(caller, "refused")
            raise read
        (reported,) = await self._take(caller, [read])
        return answer(_result(reported), status=202)

    async def _post_many(self, caller: Caller, contents: Sequence[Any]) -> web.Response:
        if not 0 < len(contents) <= MAX_REPORTS:
            detail = f"a list has 1 to {MAX_REPORTS} reports; this one has {len(contents)}"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("bad-report"))
        read = [_read(caller, content, under=f"/{at}") for at, content in enumerate(contents)]
        good = [each for each in read if isinstance(each, Report)]
        self._count(caller, "refused", len(read) - len(good))
        reported = iter(await self._take(caller, good) if good else ())
        results = [_result(next(reported)) if isinstance(each, Report) else _refusal(each) for each in read]
        if not good:
            detail = "none of the reports could be taken; results says why of each"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("bad-report"), more={"results": results})
        return answer({"results": results}, status=202)

    async def _take(self, caller: Caller, reports: Sequence[Report]) -> Sequence[Reported]:
        """The results, after their commit."""
        results = await self._desk.run_joined(intake.report, _submission(caller, reports))
        if isinstance(results, KeyReused):
            detail = "this Idempotency-Key came before with another body; give each request a key of its own"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("key-reused"))
        joined = sum(each.deduplicated for each in results)
        self._count(caller, "joined", joined)
        self._count(caller, "opened", len(results) - joined)
        return results

    def _count(self, caller: Caller, result: str, count: int = 1) -> None:
        if count:
            self._reports.labels(caller.source.name, result).inc(count)


def _submission(caller: Caller, reports: Sequence[Report]) -> Submission[Report]:
    if caller.repeat_key is None:
        return Submission(tuple(reports))
    key = f"exceptions:{caller.source.name}:{caller.repeat_key}"
    return Submission(tuple(reports), key, hashlib.sha256(caller.body).hexdigest())


def _read(caller: Caller, content: Any, *, under: str = "") -> Report | Problem:
    """The report, or why it is refused."""
    try:
        body = ReportBody.model_validate(content)
    except ValidationError as fault:
        errors = errors_of(fault, under=under)
        detail = "; ".join(f"{error['pointer'] or '(the body)'}: {error['detail']}" for error in errors[:5])
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, kind=kind("bad-report"), errors=errors)
    if not caller.covers(body.workflow):
        allowed = ", ".join(caller.source.workflows or ()) or "none"
        detail = f"source {caller.source.name} may report for these workflows: {allowed}"
        return Problem(HTTPStatus.FORBIDDEN, detail, kind=kind("workflow-not-allowed"))
    return _report(body, caller.actor)


def _report(body: ReportBody, by: Actor) -> Report:
    return Report(
        by=by,
        workflow=body.workflow,
        title=body.title,
        failure_mode=body.failure_mode or intake.OTHER,
        detail=body.detail or "",
        priority=body.priority,
        subject=body.subject,
        event=body.event,
        event_key=body.event_key,
        dedup_key=body.dedup_key,
        links=tuple(body.links or ()),
        trace=tracing.current(),
    )


def _result(reported: Reported) -> dict[str, Any]:
    return {"case": reported.case, "occurrence": reported.occurrence, "deduplicated": reported.deduplicated}


def _refusal(problem: Problem) -> dict[str, Any]:
    return {"problem": problem.members()}
