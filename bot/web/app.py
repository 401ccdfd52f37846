"""The HTTP side of the service: one aiohttp application."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.context import Context
from bot.web.bodies import MAX_BYTES
from bot.web.exceptions import ExceptionsIn
from bot.web.problems import Problem
from bot.web.sources import Gate
from store.ids import new_key

log = logging.getLogger(__name__)
HEADERS = {
    "Server": "pointsman",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def build_app(context: Context, environment: Mapping[str, str]) -> web.Application:
    """The application. `environment` has the secrets that connectors.yml names."""
    gate = Gate(context.policies, environment, context.clock)
    exceptions = ExceptionsIn(context, gate)
    app = web.Application(middlewares=[tell_problems], client_max_size=MAX_BYTES)
    app.router.add_post("/v1/exceptions", exceptions.post)
    return app


@web.middleware
async def tell_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error is a problem, and no fault shows its inside: its reference is in the log."""
    try:
        response = await handler(request)
    except Problem as problem:
        response = problem.response()
    except web.HTTPException as refused:
        response = _of_aiohttp(refused).response()
    except Exception:
        response = _fault(request).response()
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _of_aiohttp(refused: web.HTTPException) -> Problem:
    status = HTTPStatus(refused.status)
    if isinstance(refused, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(refused.allowed_methods))
        return Problem(status, f"this address takes {allowed}", headers={"Allow": allowed})
    if isinstance(refused, web.HTTPNotFound):
        return Problem(status, "there is nothing at this address; /openapi.json names what there is")
    return Problem(status, refused.reason)


def _fault(request: web.Request) -> Problem:
    reference = new_key("fault").removeprefix("fault:")[:12]
    log.exception("request failed", extra={"reference": reference, "method": request.method, "path": request.path})
    detail = f"something went wrong here; it is in the log under {reference}"
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, more={"reference": reference})
