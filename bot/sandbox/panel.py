"""The panel beside the demo's Slack: stories to play, systems to break, a clock to move."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import func, select
from sqlmodel import Session, col

from bot.clock import MovableClock
from bot.main import Service
from bot.sandbox.company.automations import Automations
from bot.sandbox.company.stories import STORIES, Stage
from bot.sandbox.company.systems import SILENT, Mode, System
from bot.sandbox.workspace import SlackStandIn
from store.contract_models import Expected
from store.models import Case, Timer
from store.run_models import Run, RunApproval, RunStep

FIRST = (
    "Press *Start* at story 1. A property is renamed, forty renewals do not fit, and one card with an owner, a "
    "deadline and buttons appears in #revenue-ops."
)
LONGEST_MOVE = 31 * 86_400
LOOKS, LOOK_EVERY = 40, 0.05
WATCH_EVERY = 1.0
DEADLINES = {
    "response": "somebody is reminded, or told because nobody answers",
    "lease": "an acknowledgement runs out",
    "resolution": "a reminder, or an escalation because it is not resolved",
    "snooze": "a snooze ends",
}
_AWAITED = (
    (
        "an outcome that did not come is missing",
        select(func.min(col(Expected.due_at))).where(col(Expected.due_at).is_not(None)),
    ),
    (
        "a step of a runbook has waited long enough",
        select(func.min(col(RunStep.until_at)))
        .join(Run, col(Run.id) == col(RunStep.run_id))
        .where(col(RunStep.state) == "waiting", col(Run.ended_at).is_(None)),
    ),
    (
        "nobody has said yes to a runbook: the next ones are asked",
        select(func.min(col(RunApproval.expires_at)))
        .join(Run, col(Run.id) == col(RunApproval.run_id))
        .where(col(RunApproval.answer) == "", col(Run.state) == "approving"),
    ),
)


class Refusal(Exception):
    """What the panel was asked cannot be done; the text is shown."""


class Panel:
    """The panel's state and what its buttons do. The demo fills in the company and the service as they start."""

    systems: dict[str, System]
    automations: Automations
    stage: Stage
    service: Service | None

    def __init__(self, slack: SlackStandIn, clock: MovableClock) -> None:
        self.systems = {}
        self.service = None
        self._slack = slack
        self._clock = clock
        self._moved = timedelta(0)
        self._states: dict[str, str] = {}
        self._acts: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "story": self._play,
            "system": self._break,
            "clock": self._move,
        }

    def mount(self, app: web.Application) -> None:
        """Adds the panel's two routes to the page's server."""
        app.router.add_get("/ui/demo", self._show)
        app.router.add_post("/ui/demo/act", self._act)

    def changed(self) -> None:
        """Tells all open pages that a system was asked something or behaves otherwise."""
        self._slack.push({"type": "demo", **self._as_json(None)})

    async def watch(self) -> None:
        """Tells all open pages of each new next deadline, until it is cancelled: what moves it may be done at any
        time."""
        told = None
        while True:
            due = await self._next_due()
            if due != told:
                told = due
                self._slack.push({"type": "demo", **self._as_json(due)})
            await asyncio.sleep(WATCH_EVERY)

    async def say(self, user: str, channel: str, text: str, thread_ts: str | None) -> str:
        """Posts as a person of the company; returns the message's ts."""
        message = await self._slack.post(user, channel, text, thread_ts=thread_ts)
        return message.ts

    async def _show(self, _request: web.Request) -> web.Response:
        return web.json_response(self._as_json(await self._next_due()))

    async def _act(self, request: web.Request) -> web.Response:
        asked = await request.json()
        try:
            if self.service is None:
                raise Refusal("it is still starting; press again in a second")
            await self._acts[asked["kind"]](asked)
        except (KeyError, TypeError, ValueError, Refusal) as fault:
            return web.json_response({"ok": False, "error": f"The panel cannot do that: {fault}"})
        state = self._as_json(await self._next_due())
        self._slack.push({"type": "demo", **state})
        return web.json_response({"ok": True, **state})

    async def _play(self, asked: dict[str, Any]) -> None:
        self._states[asked["id"]] = "running"
        try:
            await self.stage.play(asked["id"])
        finally:
            self._states[asked["id"]] = "done"

    async def _break(self, asked: dict[str, Any]) -> None:
        system = self.systems[asked["name"]]
        system.mode = Mode(asked["mode"])
        if system.mode not in SILENT:
            await system.call_back_late()

    async def _move(self, asked: dict[str, Any]) -> None:
        by = timedelta(seconds=float(asked.get("advance", 0)))
        if asked.get("to") == "next":
            due = await self._next_due()
            if due is None:
                raise Refusal("no case has a deadline; play a story first")
            by = max(due[0] - self._clock.now(), timedelta(0)) + timedelta(seconds=1)
        if not timedelta(0) <= by <= timedelta(seconds=LONGEST_MOVE):
            raise Refusal("the clock moves forward, a month at the most")
        self._clock.advance(by)
        self._moved += by
        if self.service:
            self.service.clock_moved()
        self._slack.push({"type": "clock", "now": self._clock.now().timestamp()})
        await self._caught_up()

    async def _caught_up(self) -> None:
        """Waits until what came due by the move was done, so that the next deadline told is one that is ahead."""
        for _ in range(LOOKS):
            due = await self._next_due()
            if due is None or due[0] > self._clock.now():
                return
            await asyncio.sleep(LOOK_EVERY)

    async def _next_due(self) -> tuple[datetime, str] | None:
        return await self.service.desk.read(_next_due) if self.service else None

    def _as_json(self, due: tuple[datetime, str] | None) -> dict[str, Any]:
        state: dict[str, Any] = {
            "first": FIRST,
            "stories": [story.as_json(self._states.get(story.id, "ready")) for story in STORIES],
            "systems": [system.as_json() for system in self.systems.values()],
            "clock": {"now": self._clock.now().timestamp(), "moved": self._moved.total_seconds()},
        }
        return state | ({"next_due": {"at": due[0].timestamp(), "text": due[1]}} if due else {})


def _next_due(session: Session) -> tuple[datetime, str] | None:
    """The next deadline of an open case, an awaited outcome or a run, and what happens then."""
    nearest = (
        select(col(Timer.due_at), col(Timer.kind), col(Case.id))
        .join(Case, col(Case.id) == col(Timer.case_id))
        .where(col(Timer.due_at).is_not(None))
        .order_by(col(Timer.due_at))
        .limit(1)
    )
    found = [(at, f"C-{case_id}: {DEADLINES[kind]}") for at, kind, case_id in session.execute(nearest)]
    for words, soonest in _AWAITED:
        at = session.execute(soonest).scalar()
        found += [(at, words)] if at else []
    return min(found, default=None)
