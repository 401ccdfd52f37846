"""What happens in the world while things break: reports, orders, what came of them, clicks and notes.

What a sender or a person was answered is kept: it is what must be true afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bot.sandbox.workspace import CannotDo, Message, SlackStandIn
from tests.faults.company import DESKS, PEOPLE, TOKEN, Shop

PATIENCE = 3.0
"""Seconds that a sender waits for an answer before it sends the same again."""
PAUSE = 0.2
CASES_EVERY = 4
"""Rounds between two that bring cases: a message that was on its way at a kill waits for its lease."""
TOLD_WITHIN = 0.5
JOINS = 0.25
"""So many of the reports are of a failure that was reported before."""


@dataclass
class Answered:
    """What was answered, in plain values: `reports` (mark, case, occurrence), `events` and `outcomes` (order), `clicks`
    (person, case, whether the person was told that it is done) and `notes` (person, case, text, told that it is)."""

    reports: list[tuple[str, str, int]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    clicks: list[tuple[str, str, bool]] = field(default_factory=list)
    notes: list[tuple[str, str, str, bool]] = field(default_factory=list)
    again: int = 0
    """How often a sender had to send once more."""


@dataclass
class World:
    """The senders and people around the service. `urls` are where it may be reached at this moment."""

    rng: random.Random
    slack: SlackStandIn
    shop: Shop
    urls: Callable[[], Sequence[str]]
    http: aiohttp.ClientSession
    answered: Answered = field(default_factory=Answered)
    is_over: bool = False
    _numbers: int = 0
    _rounds: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def go_on(self, pause: float) -> None:
        """Begins something every `pause` seconds, until `is_over`; then waits until each sender has its answer."""
        while not self.is_over:
            for work in self._round():
                task = asyncio.create_task(work)
                self._tasks.add(task)
                task.add_done_callback(self._done)
            await asyncio.sleep(pause * self.rng.uniform(0.5, 1.5))
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _round(self) -> list[Coroutine[Any, Any, None]]:
        """Orders each time; what brings messages about less often, since Slack takes few."""
        self._rounds += 1
        if self._rounds % CASES_EVERY != 1:
            return [self._order(), self._order()]
        return [self._order(), self._report(), self._act(), self._write()]

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        task.result()

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    async def _report(self) -> None:
        number = self._next()
        about = self.rng.randrange(1, number + 1) if self.rng.random() < JOINS else number
        body = {
            "workflow": "orders",
            "failure_mode": f"mode-{about % DESKS}",
            "title": f"Order {about} did not arrive",
            "detail": f"mark-{number}-",
            "dedup_key": f"about-{about}",
        }
        told = await self._send("/v1/exceptions", body, f"report-{number}")
        self.answered.reports.append((f"mark-{number}-", told["case"], told["occurrence"]))

    async def _order(self) -> None:
        order = f"ord-{self._next()}"
        await self._send("/v1/events/orders", {"order_id": order}, f"event-{order}")
        self.answered.events.append(order)
        while all(order != each for each, _ in self.shop.asked):
            await asyncio.sleep(PAUSE)
            if self.is_over:
                return
        await self._send("/v1/outcomes/orders", {"order_id": order, "state": "done"}, f"outcome-{order}")
        self.answered.outcomes.append(order)

    async def _send(self, path: str, body: Any, key: str) -> Any:
        """The answer 202, however often it has to be asked for."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key}
        while True:
            url = self.rng.choice(self.urls()) + path
            try:
                async with asyncio.timeout(PATIENCE), self.http.post(url, json=body, headers=headers) as answer:
                    if answer.status == 202:
                        return await answer.json()
                    if answer.status < 500 and answer.status != 429:
                        raise AssertionError(f"{path} answered {answer.status}: {await answer.text()}")
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass
            self.answered.again += 1
            await asyncio.sleep(PAUSE)

    async def _act(self) -> None:
        """Somebody who may takes a case that nobody has."""
        found = self._a_card("Acknowledge")
        if found is None:
            return
        card, case, person = found
        before = len(self.slack.ephemerals(person))
        self._balance()
        try:
            await self.slack.click(person, card, text="Acknowledge")
        except CannotDo:  # another click was faster, and the card has changed
            return
        words = await self._told(person, before)
        self.answered.clicks.append((person, case, any("You have it now" in each for each in words)))

    def _balance(self) -> None:
        """What Slack sends next reaches any of the replicas, as behind a balancer."""
        self.slack.request_url = f"{self.rng.choice(self.urls())}/slack/events"

    async def _told(self, person: str, before: int) -> list[str]:
        with suppress(TimeoutError):
            await self.slack.until(lambda: len(self.slack.ephemerals(person)) > before, timeout=TOLD_WITHIN)
        return [message.shown for message in self.slack.ephemerals(person)[before:]]

    async def _write(self) -> None:
        """Somebody who may writes a note."""
        found = self._a_card(None)
        if found is None:
            return
        _, case, person = found
        text = f"note-{self._next()}-"
        self._balance()
        reply = await self.slack.command(person, f"C0DESK{PEOPLE.index(person) // 2}", f"/case note {case} {text}")
        self.answered.notes.append((person, case, text, ":memo:" in reply.text))

    def _a_card(self, button: str | None) -> tuple[Message, str, str] | None:
        desk = self.rng.randrange(DESKS)
        posted = ((each, key_of(each)) for each in self.slack.messages(f"C0DESK{desk}"))
        cards = [each for each in posted if each[1].startswith("card:")]
        cards = [each for each in cards if button is None or button in each[0].buttons]
        if not cards:
            return None
        card, key = self.rng.choice(cards)
        return card, f"C-{key.removeprefix('card:')}", self.rng.choice(PEOPLE[2 * desk : 2 * desk + 2])


def key_of(message: Message) -> str:
    """The key of what was owed, which the message carries; "" where it carries none."""
    return str(((message.metadata or {}).get("event_payload") or {}).get("key") or "")
