"""The example company's systems: CRM, billing, marketing, help desk. Small, real HTTP servers that can be made to
fail, to be slow, to lose callbacks and to send twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

Callback = Callable[[dict[str, Any]], Awaitable[None]]


class Mode(StrEnum):
    """How a system behaves."""

    OK = "ok"
    FAIL = "fail"
    SLOW = "slow"
    LOSE_CALLBACKS = "lose_callbacks"
    LEAVE_LYING = "leave_lying"
    SEND_TWICE = "send_twice"


SILENT = (Mode.LOSE_CALLBACKS, Mode.LEAVE_LYING)
"""In these nobody is told how it ended."""

SLOW_SECONDS = 12.0
"""Longer than any contract of the example company waits; the work is done all the same."""


@dataclass(slots=True)
class System:
    """One system: what it keeps, what it was asked, and how it behaves just now."""

    name: str
    title: str
    mode: Mode = Mode.OK
    refuses: int | None = None
    """It knows nobody's credentials any more, and answers with this status."""
    forgets: int = 0
    """So many of the next things that it says yes to it does not do."""
    forbids: str | None = None
    """It answers 403 to what names this."""
    retry_after: int | None = None
    """While it is down it says that so many seconds are to pass."""
    requests: int = 0
    last: str = ""
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    lost: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    changed: Callable[[], None] = lambda: None

    async def call_back_late(self) -> None:
        """Does what was left lying, and makes the callbacks that were lost."""
        lost, self.lost = self.lost, []
        for call in lost:
            await call()

    def as_json(self) -> dict[str, Any]:
        """How the demo's panel shows it."""
        return {
            "name": self.name,
            "title": self.title,
            "mode": self.mode.value,
            "requests": self.requests,
            "last": self.last,
        }


def application(system: System, routes: list[web.RouteDef]) -> web.Application:
    """The system's HTTP server: its routes behind its moods, and its memory of Idempotency-Keys."""

    @web.middleware
    async def moods(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(system, request, handler)
        if request.path != "/health":
            system.requests += 1
            system.last = f"{request.method} {request.path} → {response.status}"
            system.changed()
        return response

    app = web.Application(middlewares=[moods])
    app.add_routes([web.get("/health", _health), *routes])
    return app


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _answer(system: System, request: web.Request, handler: Handler) -> web.StreamResponse:
    if system.mode is Mode.FAIL:
        headers = {"Retry-After": str(system.retry_after)} if system.retry_after else {}
        return web.json_response({"error": f"{system.title} is down for maintenance"}, status=503, headers=headers)
    if system.refuses:
        return web.json_response({"error": "who are you?"}, status=system.refuses)
    if system.forbids and system.forbids in f"{request.path} {await request.text()}":
        return web.json_response({"error": "not yours"}, status=403)
    key = request.headers.get("Idempotency-Key")
    if key and key in system.answers:
        status, body = system.answers[key]
        return web.json_response(body, status=status, headers={"Idempotent-Replayed": "true"})
    response = await handler(request)
    if key and isinstance(response, web.Response) and response.text:
        system.answers[key] = (response.status, {"replayed": True, **_body(response)})
    if system.mode is Mode.SLOW:
        await asyncio.sleep(SLOW_SECONDS)
    return response


def _body(response: web.Response) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(response.text or "{}")
    return read


def billing(system: System, callback: Callback) -> web.Application:
    """Refunds: asked for by POST, looked up by GET, completed by a callback."""

    async def refund(request: web.Request) -> web.Response:
        asked = await request.json()
        refund_id = str(asked["refund_id"])
        if refund_id in system.kept:
            return web.json_response({"code": "already_refunded", **system.kept[refund_id]}, status=409)
        system.kept[refund_id] = {"refund_id": refund_id, "amount_cents": asked["amount_cents"], "state": "pending"}
        if system.mode is Mode.LEAVE_LYING:
            system.lost.append(partial(pay, refund_id))
        else:
            await pay(refund_id)
        return web.json_response(system.kept[refund_id], status=201)

    async def pay(refund_id: str) -> None:
        system.kept[refund_id]["state"] = "completed"
        await _call_back(system, callback, system.kept[refund_id])

    async def call_again(request: web.Request) -> web.Response:
        kept = system.kept.get(request.match_info["id"])
        if kept is None:
            return web.json_response({"error": "no such refund"}, status=404)
        if kept["state"] == "completed":
            await callback(kept)
        return web.json_response({"callback": "sent"}, status=202)

    return application(
        system,
        [
            web.post("/refunds", refund),
            web.get("/refunds/{id}", _show(system)),
            web.post("/refunds/{id}/callback", call_again),
        ],
    )


def marketing(system: System, callback: Callback) -> web.Application:
    """Renewal notices, one per account."""

    async def notice(request: web.Request) -> web.Response:
        asked = await request.json()
        account = str(asked["account"])
        if system.forgets:
            system.forgets -= 1
            return web.json_response({"accepted": account}, status=202)
        system.kept[account] = {"account_id": account, "due": asked.get("due"), "state": "sent"}
        await _call_back(system, callback, {"account_id": account, "renewal_date": asked.get("due"), "state": "sent"})
        return web.json_response({"accepted": account}, status=202)

    return application(system, [web.post("/notices", notice), web.get("/notices/{id}", _show(system))])


def crm(system: System, announce: Callback) -> web.Application:
    """Contacts, and the accounts whose renewal is near, which can be announced once more."""

    async def renewing(_request: web.Request) -> web.Response:
        return web.json_response({"accounts": [each for each in system.kept.values() if "notice_id" in each]})

    async def send_again(_request: web.Request) -> web.Response:
        noticed = [each["notice_id"] for each in system.kept.values() if "notice_id" in each]
        for notice_id in noticed:
            account, _, due = str(notice_id).rpartition(":")
            await announce({"account_id": account, "account_status": "active", "renewal_date": due})
        return web.json_response({"accounts": len(noticed)}, status=202)

    routes = [web.get("/contacts/{id}", _show(system)), web.get("/accounts", renewing)]
    return application(system, [*routes, web.post("/renewals/send", send_again)])


def helpdesk(system: System) -> web.Application:
    """Tickets."""

    async def create(request: web.Request) -> web.Response:
        ticket_id = f"T-{1000 + len(system.kept)}"
        system.kept[ticket_id] = {"ticket_id": ticket_id, **(await request.json())}
        return web.json_response(system.kept[ticket_id], status=201)

    async def write(request: web.Request) -> web.Response:
        ticket = system.kept.setdefault(request.match_info["id"], {"ticket_id": request.match_info["id"]})
        before = dict(ticket)
        ticket.update(await request.json())
        return web.json_response({"before": before, **ticket})

    return application(
        system,
        [web.post("/tickets", create), web.get("/tickets/{id}", _show(system)), web.patch("/tickets/{id}", write)],
    )


def _show(system: System) -> Handler:
    async def show(request: web.Request) -> web.Response:
        kept = system.kept.get(request.match_info["id"])
        return web.json_response(kept) if kept else web.json_response({"error": "not found"}, status=404)

    return show


async def _call_back(system: System, callback: Callback, outcome: dict[str, Any]) -> None:
    """Tells the automation how it ended: once, twice or never, by the system's mood."""
    if system.mode is Mode.LOSE_CALLBACKS:
        system.lost.append(partial(callback, outcome))
        return
    await callback(outcome)
    if system.mode is Mode.SEND_TWICE:
        await callback(outcome)
