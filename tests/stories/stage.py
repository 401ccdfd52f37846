"""The stage of a story: the whole service between a Slack, the company's systems and a clock.

Its verbs are what happens in the world. Each returns when everything that it brought about has happened; only the
clock of the story passes meanwhile, a second at a time where messages wait for Slack's pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from unittest.mock import patch

import aiohttp
from sqlalchemy import select
from sqlmodel import Session, SQLModel, col

from bot.clock import MovableClock
from bot.main import Service
from bot.sandbox.workspace import Message, Reply, SlackStandIn, Submitted, View
from bot.settings import Settings
from store import audit
from store.database import Database
from store.models import Case, Person
from tests.conftest import MONDAY
from tests.stories.company import Company
from tests.stories.undone import Left, is_looked_at, left_to_do, next_due, waiting
from tests.stories.watching import Watch

R = TypeVar("R")
PATIENCE = 60.0
"""Seconds of real time after which a story is stuck."""
SECOND = timedelta(seconds=1)
FROM_OUTSIDE = frozenset({"outbox", "drills", "storms"})
"""Tables that a story or the command line writes to by itself, or whose loop the sweep of every ten seconds wakes."""
ALL_TABLES = frozenset(SQLModel.metadata.tables)
TOKEN = "token-of-monitors"


@dataclass
class Stage:
    """Everything that a story needs. `watches` are beside the services that run now: one, unless it says otherwise."""

    slack: SlackStandIn
    clock: MovableClock
    settings: Settings
    company: Company
    database: Database
    http: aiohttp.ClientSession
    environment: dict[str, str] = field(default_factory=dict)
    watches: list[Watch] = field(default_factory=list)
    _running: list[AsyncExitStack] = field(default_factory=list)
    _happened: asyncio.Event = field(default_factory=asyncio.Event)

    # --- the service comes and goes

    async def start(self) -> Service:
        """Starts a service on the story's database; Slack talks to the one that started last."""
        stack, watch = AsyncExitStack(), Watch(self._happened)
        environment = self.environment | self.company.environment
        with patch("bot.main.Outbox", watch.outbox):
            service = await stack.enter_async_context(Service(self.settings, clock=self.clock, environment=environment))
        watch.beside(service)
        self._running.append(stack)
        self.watches.append(watch)
        if self.settings.slack_app_token is None:
            self.slack.request_url = f"{service.url}/slack/events"
        await self._know_people()
        await self.settle()
        return service

    @property
    def service(self) -> Service:
        """The one that Slack and the tools talk to."""
        return self.watches[-1].service

    async def stop(self) -> None:
        """Stops the services in order, the last one first."""
        self.watches.clear()
        while self._running:
            await self._running.pop().aclose()

    async def restart(self, **length: float) -> None:
        """Stops the service and starts it again, after time has gone by without it."""
        await self.stop()
        self.clock.advance(timedelta(**length))
        await self.start()

    async def _know_people(self) -> None:
        """Waits until Slack has told who there is; not while it is away."""
        async with asyncio.timeout(PATIENCE):
            while not self.slack.faults.is_down and not self._read(_somebody_is_known):
                await self._happened.wait()
                self._happened.clear()

    # --- time

    async def advance(self, **length: float) -> None:
        """Time goes by (`minutes=31`); what becomes due meanwhile happens at its own time."""
        await self.settle()
        until = self.clock.now() + timedelta(**length)
        while (due_at := self._read(next_due)) is not None and due_at <= until:
            await self._move(due_at - self.clock.now())
        await self._move(max(until - self.clock.now(), timedelta(0)))

    async def _move(self, by: timedelta) -> None:
        self.clock.advance(by)
        self._wake()
        await self.settle()

    def _wake(self) -> list[int]:
        """All services look for what is due; of two, each also for what the other has left it. How many messages each
        took so far."""
        tables = FROM_OUTSIDE if len(self.watches) == 1 else ALL_TABLES
        return [watch.wake(tables) for watch in self.watches]

    async def settle(self) -> None:
        """Waits until nothing is under way and nothing is left that could be done now."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self.watches and await self._goes_on():
                    pass
        except TimeoutError:
            raise AssertionError(f"the story is stuck at {self.clock.now()}: {self._read(waiting)}") from None

    async def _goes_on(self) -> bool:
        await self.slack.settle()
        for watch in self.watches:
            assert watch.service.slack
            await watch.service.slack.edge.guard.drain()
        self._happened.clear()
        left = self._read(self._left)
        if left is Left.WORK:
            await self._happened.wait()
        elif left is Left.MESSAGES and not await self._some_may_leave():
            self.clock.advance(SECOND)
            self._wake()
        return left is not Left.NOTHING

    def _left(self, session: Session, now: datetime) -> Left:
        left = left_to_do(session, now)
        in_step = left is Left.WORK or is_looked_at(session, self.service.desk.policies.in_force(session))
        return left if in_step else Left.WORK

    async def _some_may_leave(self) -> bool:
        """Whether a service takes a message when all look again."""
        before = self._wake()
        while not any(watch.has_taken(since) for watch, since in zip(self.watches, before, strict=True)):
            if all(watch.has_looked() for watch in self.watches):
                return False
            await self._happened.wait()
            self._happened.clear()
        return True

    # --- what happens in the world

    async def post(self, body: Any, *, token: str = TOKEN, **headers: str) -> tuple[int, Any]:
        """Sends something to the intake, as any tool would; the status and what was answered."""
        url = f"{self.service.url}/v1/exceptions"
        sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): text for name, text in headers.items()}}
        async with self.http.post(url, json=body, headers=sent) as response:
            return response.status, await response.json()

    async def report(self, **said: Any) -> str:
        """An automation reports an exception; the case that it opened or joined, its card posted."""
        body = {"workflow": "refund", "failure_mode": "delivery_failed", "title": "Refund re_1 was not taken"} | said
        status, answer = await self.post(body)
        assert status == 202, answer
        await self.settle()
        return str(answer["case"])

    def completes(self, refund_id: str = "re_1") -> None:
        """Billing completes a refund after all, so that the checks of its cases hold."""
        kept = {"refund_id": refund_id, "amount_cents": 4900, "state": "completed"}
        self.company["billing"].kept[refund_id] = kept

    async def press(self, user: str, button: str, *, on: str) -> Reply:
        """Somebody presses a button of the card."""
        return await self._done(self.slack.click(user, self.card(on), text=button))

    async def press_in_dm(self, user: str, button: str) -> Reply:
        """Somebody presses a button of the last direct message."""
        return await self._done(self.slack.click(user, self.slack.dms(user)[-1], text=button))

    async def choose(self, user: str, word: str, *, on: str) -> Reply:
        """Somebody chooses from the card's menu."""
        return await self._done(self.slack.click(user, self.card(on), action_id="case.more", value=word))

    async def fill_in(self, user: str, **given: Any) -> Submitted:
        """Somebody fills in the form on top and sends it."""
        submitted = await self.slack.submit(user, given=given)
        await self.settle()
        return submitted

    async def type(self, user: str, command: str, *, channel: str = "C0REVOPS") -> str:
        """Somebody types a slash command; what they alone are told at last."""
        reply = await self._done(self.slack.command(user, channel, command))
        assert reply.ok, reply
        return self.told(user)

    async def say(self, user: str, channel: str, text: str, *, thread: str | None = None) -> Message:
        """Somebody writes a message."""
        message = await self.slack.post(user, channel, text, thread_ts=thread)
        await self.settle()
        return message

    async def react(self, user: str, message: Message, emoji: str) -> None:
        """Somebody puts an emoji to a message."""
        await self.slack.react(user, message.channel, message.ts, emoji)
        await self.settle()

    async def use_shortcut(self, user: str, callback_id: str, *, on: Message | None = None) -> Reply:
        """Somebody uses a shortcut, of a message or of the whole workspace."""
        where = {"channel": on.channel, "ts": on.ts} if on else {}
        return await self._done(self.slack.shortcut(user, callback_id, **where))

    async def _done(self, doing: Any) -> Reply:
        reply: Reply = await doing
        await self.settle()
        return reply

    # --- what is there to see

    def case(self, ref: str) -> Case:
        """The row, as it is now."""
        return self.database.read_now(lambda session: session.get_one(Case, int(ref.removeprefix("C-"))))

    def cases(self) -> list[Case]:
        """All cases, the oldest first."""
        return self.database.read_now(
            lambda session: list(session.execute(select(Case).order_by(col(Case.id))).scalars())
        )

    def card(self, ref: str) -> Message:
        """The card as it is in Slack."""
        case = self.case(ref)
        assert case.card_ts, f"the card of {ref} is not posted"
        return self.slack.message(case.channel, case.card_ts)

    def cards(self, channel: str) -> list[Message]:
        """All cards in a channel and its threads."""
        said = self.slack.workspace.channels[channel].messages.values()
        return [message for message in said if _key(message).startswith("card:")]

    def keys(self) -> list[str]:
        """The key of each message that a service owed and Slack has."""
        channels = self.slack.workspace.channels.values()
        found = [_key(message) for channel in channels for message in channel.messages.values()]
        return [key for key in found if key]

    def thread(self, ref: str) -> list[str]:
        """What the bot said in the case's thread, the card left out."""
        case = self.case(ref)
        said = self.slack.thread(case.channel, case.thread_ts or case.card_ts or "")
        return [message.shown for message in said if _key(message).startswith("line:")]

    def notices(self, channel: str) -> list[str]:
        """The lines about cases that stand in a channel outside of their threads."""
        return [message.shown for message in self.slack.messages(channel) if _key(message).startswith("notice:")]

    def dms(self, user: str) -> list[str]:
        """The direct messages that somebody has from the bot, the oldest first."""
        return [message.shown for message in self.slack.dms(user)]

    def told(self, user: str) -> str:
        """What somebody was told last, alone; "" when nothing."""
        found = self.slack.ephemerals(user)
        return found[-1].shown if found else ""

    def form(self, user: str) -> View:
        """The form that somebody has on top."""
        return self.slack.views(user)[-1]

    def audit(self, ref: str | None = None) -> list[dict[str, Any]]:
        """The entries of the case's chain, or of the desk's."""
        chain = audit.chain_of(int(ref.removeprefix("C-"))) if ref else audit.DESK
        return self.database.read_now(lambda session: list(audit.read(session, chain)))

    def actions(self, ref: str) -> list[str]:
        """What the audit log has of a case, in order."""
        return [str(entry["action"]) for entry in self.audit(ref)]

    def broken(self) -> list[Any]:
        """What of the audit log does not hold."""
        return self.database.read_now(lambda session: list(audit.verify(session)))

    def _read(self, query: Callable[[Session, datetime], R]) -> R:
        return self.database.read_now(lambda session: query(session, self.clock.now()))


def moment(**length: float) -> str:
    """How Slack is told of the moment so long after the story began; it shows it in each reader's own time."""
    return f"<!date^{int((MONDAY + timedelta(**length)).timestamp())}^"


def _somebody_is_known(session: Session, _: datetime) -> bool:
    return session.execute(select(col(Person.id)).limit(1)).first() is not None


def _key(message: Message) -> str:
    return str((message.metadata or {}).get("event_payload", {}).get("key", ""))
