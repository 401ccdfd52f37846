"""The HTTP side of the service: one aiohttp application."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from weakref import WeakSet

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from sqlalchemy.exc import InterfaceError, OperationalError

from bot import tracing
from bot.context import Context
from bot.desk.desk import Desk
from bot.logs import bound
from bot.rules.pressure import come_back
from bot.web.answers import answer
from bot.web.bodies import MAX_BYTES, refuse_large
from bot.web.cases import CasesOut
from bot.web.events import EventsIn
from bot.web.exceptions import ExceptionsIn
from bot.web.health import Health, Reasons
from bot.web.openapi import openapi
from bot.web.outcomes import Outcomes
from bot.web.patience import HEARD
from bot.web.policy import PolicyOut
from bot.web.postmortems import PostMortemsOut
from bot.web.problems import Problem, kind
from bot.web.quarantine import Quarantine
from bot.web.rollouts import RolloutsOut
from bot.web.sources import Gate
from store.database import CommitUnknown
from store.ids import new_key

log = logging.getLogger(__name__)
COME_BACK_AFTER = 5
"""Seconds until a request that the database kept from being answered should be sent again."""
HEADERS = {
    "Server": "pointsman",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def build_app(context: Context, environment: Mapping[str, str], *, reasons: Reasons = list) -> web.Application:
    """The application. `environment` has the secrets that connectors.yml names; `reasons` says what outside of the
    database keeps the service from working."""
    gate = Gate(context.policies, environment, context.clock)
    health = Health(context, reasons)
    app = web.Application(middlewares=[_telling_problems(health, context.desk)], client_max_size=MAX_BYTES)
    app[HEARD] = WeakSet()
    app.router.add_post("/v1/exceptions", ExceptionsIn(context, gate).post)
    app.router.add_post("/v1/events/{workflow}", EventsIn(context, gate).post)
    outcomes = Outcomes(context, gate)
    app.router.add_post("/v1/outcomes/{workflow}", outcomes.post)
    app.router.add_get("/v1/outcomes", outcomes.list_)
    app.router.add_get("/v1/quarantine", Quarantine(context, gate).list_)
    app.router.add_get("/v1/cases/{ref}/postmortem", PostMortemsOut(context, gate).show)
    _add_reads(app, CasesOut(context, gate), PolicyOut(context, gate), RolloutsOut(context, gate))
    app.router.add_get("/healthz", health.alive)
    app.router.add_get("/readyz", health.ready)
    app.router.add_get("/metrics", health.metrics)
    app.router.add_get("/openapi.json", _constant(openapi()))
    return app


def _add_reads(app: web.Application, cases: CasesOut, policy: PolicyOut, rollouts: RolloutsOut) -> None:
    app.router.add_get("/v1/cases", cases.list_)
    app.router.add_get("/v1/cases/{ref}", cases.show)
    app.router.add_get("/v1/cases/{ref}/audit", cases.audit)
    app.router.add_get("/v1/workflows", policy.workflows)
    app.router.add_get("/v1/workflows/{workflow}/rollout", rollouts.show)
    app.router.add_get("/v1/oncall", policy.oncall)


def _constant(document: Mapping[str, Any]) -> Handler:
    async def give(_: web.Request) -> web.StreamResponse:
        return answer(document)

    return give


def _telling_problems(health: Health, desk: Desk) -> Middleware:
    """Every error is a problem, and no fault shows its inside: its reference is in the log."""

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        request.app[HEARD].add(request.transport)
        number = new_key()[:16]
        with bound(request=number):
            response = await _traced(request, handler, number, desk)
        health.count(request, response.status)
        response.headers["X-Request-Id"] = number
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return tell


async def _traced(request: web.Request, handler: Handler, number: str, desk: Desk) -> web.StreamResponse:
    """Of what is taken in, a trace: that of the sender goes on, where it has one."""
    resource = request.match_info.route.resource
    if request.method != "POST" or resource is None:
        return await _answered(request, handler, desk)
    within, of = request.headers.get("traceparent"), {"method": request.method, "route": resource.canonical}
    with tracing.span(f"POST {resource.canonical}", within=within, server=True, request=number, **of) as span:
        response = await _answered(request, handler, desk)
        span.set(status=response.status)
        return response


async def _answered(request: web.Request, handler: Handler, desk: Desk) -> web.StreamResponse:
    try:
        refuse_large(request)
        if request.method == "POST" and request.path.startswith("/v1/"):
            _check_pressure(desk)
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPException as refused:
        return _of_aiohttp(refused).response()
    except ConnectionResetError:
        return Problem(HTTPStatus.BAD_REQUEST, "the connection ended before the body did").response()
    except (OperationalError, InterfaceError, CommitUnknown):
        return _unavailable(request).response()
    except Exception:
        return _fault(request).response()


def _check_pressure(desk: Desk) -> None:
    """Raises 429 before anything of the request is read, while more waits than can be written in time."""
    if wait := come_back(desk.load()):
        detail = f"{wait.because}: nothing of this was taken in, send it again in {wait.after} s"
        headers = {"Retry-After": str(wait.after)}
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, kind=kind("too-much"), headers=headers)


def _of_aiohttp(refused: web.HTTPException) -> Problem:
    status = HTTPStatus(refused.status)
    if isinstance(refused, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(refused.allowed_methods))
        return Problem(status, f"this address takes {allowed}", headers={"Allow": allowed})
    if isinstance(refused, web.HTTPNotFound):
        return Problem(status, "there is nothing at this address; /openapi.json names what there is")
    return Problem(status, refused.reason)


def _fault(request: web.Request) -> Problem:
    reference = _logged(request, "request failed")
    detail = f"something went wrong here; it is in the log under {reference}"
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, more={"reference": reference})


def _unavailable(request: web.Request) -> Problem:
    """The database is away: nothing is accepted, or after a commit whose answer was lost, nobody knows."""
    reference = _logged(request, "the database does not answer")
    detail = f"the database does not answer; send it again with the same Idempotency-Key (in the log: {reference})"
    more, headers = {"reference": reference}, {"Retry-After": str(COME_BACK_AFTER)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, kind=kind("unavailable"), headers=headers, more=more)


def _logged(request: web.Request, what: str) -> str:
    """Logs the exception that is being handled; the reference by which it is found there."""
    reference = new_key("fault").removeprefix("fault:")[:12]
    log.exception(what, extra={"reference": reference, "method": request.method, "path": request.path})
    return reference
