"""What the suite runs against: a policy with windows of seconds, its Slack, and a system that takes orders."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum, auto
from pathlib import Path

from aiohttp import web

from bot.sandbox.workspace import BOT_USER, AppSettings, Channel, Command, SlackStandIn, User
from bot.slack.manifest import COMMANDS, EVENTS, SCOPES

DESKS = 6
TOKEN = "of-the-suite"
PEOPLE = tuple(f"U0P{number}" for number in range(2 * DESKS))
NOTHING_FOR = 3.0
"""Seconds that a system says nothing: longer than its contract waits."""

_TEAM = """\
calendars:
  always: {timezone: UTC, hours: {mon-sun: "00:00-24:00"}}
defaults:
  unrouted: desk-0
  governance: desk-1
  thread_workflow: orders
  remind_at: [0.5]
  priorities:
    P1: {acknowledge: 2s, resolve: 4h}
    P2: {acknowledge: 2s, resolve: 4h}
    P3: {acknowledge: 2s, resolve: 4h}
    P4: {acknowledge: 2s, resolve: 4h}
  escalation:
    unacknowledged: [{to: on_call}, {after: 2s, to: backup}]
    unresolved: [{to: on_call}]
roles:
"""
_CONNECTORS = """\
connectors:
  shop: {base_url: "${SHOP_URL}", auth: {bearer: SHOP_TOKEN}, private: true}
sources:
  suite: {token: SUITE_TOKEN}
"""
_ROTA = "  desk-{0}: {{timezone: UTC, starts: 2026-01-05T09:00, every: 1w, people: [{1}]}}\n"
_ORDERS = """\
workflow: orders
version: 1
title: Orders
risk: low
owners: {accountable: desk-0, steward: desk-1}
trigger: {schema: order.json, id: "{{ event.order_id }}", subject: "{{ event.order_id }}"}
deliver:
  connector: shop
  request: {method: POST, path: "/orders/{{ event.order_id }}", json: {order: "{{ event.order_id }}"}}
  expect: response.status == 201
  timeout: 2s
  retry: {attempts: 20, first: 1s, factor: 1, max: 2s}
outcome:
  id: "{{ outcome.order_id }}"
  done: outcome.state == 'done'
  failed: outcome.state == 'failed'
  within: 1h
exceptions:
  other: {priority: P2}
"""
_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["order_id"],
    "properties": {"order_id": {"type": "string"}},
}


def write_policy(folder: Path) -> Path:
    """A policy folder in which the response window is two seconds, and each of six desks has two people, one of them on
    call."""
    for name in ("workflows", "schemas"):
        (folder / name).mkdir(parents=True)
    roles, rotas = (_role(number) for number in range(DESKS)), (_rota(number) for number in range(DESKS))
    (folder / "team.yml").write_text("".join((_TEAM, *roles, "rotas:\n", *rotas)))
    (folder / "connectors.yml").write_text(_CONNECTORS)
    modes = (f"  mode-{number}: {{priority: P1, owner: desk-{number}}}\n" for number in range(DESKS))
    (folder / "workflows" / "orders.yml").write_text(_ORDERS + "".join(modes))
    (folder / "schemas" / "order.json").write_text(json.dumps(_SCHEMA))
    return folder


def _rota(number: int) -> str:
    return _ROTA.format(number, PEOPLE[2 * number])


def _role(number: int) -> str:
    people = f"{PEOPLE[2 * number]}, {PEOPLE[2 * number + 1]}"
    backup = f"desk-{(number + 1) % DESKS}"
    return (
        f"  desk-{number}: {{title: Desk {number}, channel: C0DESK{number}, members: [{people}], "
        f"calendar: always, on_call: desk-{number}, backup: {backup}}}\n"
    )


def workspace() -> SlackStandIn:
    """The company's Slack, to be started: a server of this process, which outlives the service."""
    app = AppSettings(
        scopes=frozenset(SCOPES),
        events=frozenset(EVENTS),
        commands=tuple(Command(name, words, hint, should_escape=True) for name, words, hint in COMMANDS),
    )
    users = [User(each, each.lower()) for each in PEOPLE]
    channels = [Channel(f"C0DESK{number}", f"desk-{number}", [*PEOPLE, BOT_USER]) for number in range(DESKS)]
    return SlackStandIn(users=users, channels=channels, app=app)


class Mood(StrEnum):
    """How the shop treats one request."""

    BUSY = auto()
    BROKEN = auto()
    SILENT = auto()
    CUT_BEFORE = auto()
    CUT_AFTER = auto()


@dataclass
class Shop:
    """Takes orders, and keeps under which keys each was asked for; `moods` are those of the next requests."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    moods: deque[Mood] = field(default_factory=deque)
    url: str = ""

    async def start(self) -> web.AppRunner:
        """Listens on a free port; the runner is to be cleaned up."""
        app = web.Application()
        app.add_routes([web.post("/orders/{id}", self._take)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _take(self, request: web.Request) -> web.Response:
        mood = self.moods.popleft() if self.moods else None
        if mood is Mood.BUSY:
            return web.json_response({"error": "too many"}, status=429, headers={"Retry-After": "1"})
        if mood is Mood.BROKEN:
            return web.json_response({"error": "broken"}, status=500)
        if mood is not Mood.CUT_BEFORE:
            self.asked.append((request.match_info["id"], request.headers.get("Idempotency-Key", "")))
        if mood is Mood.SILENT:
            await asyncio.sleep(NOTHING_FOR)
        if mood in (Mood.CUT_BEFORE, Mood.CUT_AFTER) and request.transport is not None:
            request.transport.abort()
        return web.json_response({"ok": True}, status=201)
