"""What is broken, when, and how it is healed: a plan made from a seed, and the hands that carry it out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import aiohttp

from bot.sandbox.workspace import SlackStandIn
from tests.faults.company import Mood, Shop
from tests.faults.databases import Server, Sqlite
from tests.faults.replicas import Replica

BEYOND_A_LEASE = 35.0
"""Seconds: longer than the lease of a message or of a run."""
AWAY = 1.5
SILENCE = 4.0
MOSTLY = 0.75
LIFE = 1.5
"""Seconds that a replica has at the most until it is killed, once it is ready."""


class Fault(StrEnum):
    """What can be done to the service and to what is around it."""

    KILL = "kill -9"
    PAUSE = "SIGSTOP for longer than a lease"
    STOP_DATABASE = "PostgreSQL stopped"
    CRASH_DATABASE = "PostgreSQL crashed"
    CUT_DATABASE = "connections to PostgreSQL cut"
    SLACK_BUSY = "Slack answers 429"
    SLACK_BROKEN = "Slack answers 500"
    SLACK_SILENT = "Slack says nothing"
    SLACK_CUT = "Slack cuts before the work"
    SLACK_DONE = "Slack does the work and cuts"
    SHOP = "the connector: 429, 500, nothing, cut before or after the work"


ANYWHERE = (
    Fault.SLACK_BUSY,
    Fault.SLACK_BROKEN,
    Fault.SLACK_SILENT,
    Fault.SLACK_CUT,
    Fault.SLACK_DONE,
    Fault.SLACK_DONE,
    Fault.SHOP,
    Fault.SHOP,
)
OF_POSTGRES = (Fault.CUT_DATABASE, Fault.CUT_DATABASE, Fault.STOP_DATABASE, Fault.CRASH_DATABASE)
PAUSE_EVERY = 40
"""Kills between two stops of a replica."""


@dataclass(frozen=True, slots=True)
class Step:
    """One fault: so many seconds after the one before, to this replica, so many times; whether what it left behind is
    waited for."""

    fault: Fault
    after: float
    replica: int
    times: int
    waits: bool


def plan(seed: int, kills: int, *, on_postgres: bool, replicas: int) -> list[Step]:
    """So many kills, and another fault before most of them. The same seed gives the same plan."""
    rng = random.Random(seed)
    others = ANYWHERE + (OF_POSTGRES if on_postgres else ())
    steps = []
    for number in range(kills):
        if replicas > 1 and number % PAUSE_EVERY == PAUSE_EVERY // 8:
            steps.append(_step(rng, Fault.PAUSE, replicas))
        if rng.random() < MOSTLY:
            steps.append(_step(rng, rng.choice(others), replicas))
        steps.append(_step(rng, Fault.KILL, replicas))
    return steps


def _step(rng: random.Random, fault: Fault, replicas: int) -> Step:
    times, waits = rng.randint(1, 3), rng.random() < MOSTLY
    return Step(fault, rng.uniform(0, LIFE / 2), rng.randrange(replicas), times, waits)


@dataclass
class Hands:
    """Carries out a plan. `healed` puts everything in order."""

    replicas: Sequence[Replica]
    slack: SlackStandIn
    shop: Shop
    database: Sqlite | Server
    http: aiohttp.ClientSession
    rng: random.Random
    _later: set[asyncio.Task[None]] = field(default_factory=set)

    async def do(self, step: Step) -> None:
        """Breaks what the step says."""
        await asyncio.sleep(step.after)
        await self._ways()[step.fault](step)

    async def healed(self) -> None:
        """Everything works again, and each replica is ready. Raises `TimeoutError` when one does not come up."""
        await asyncio.gather(*self._later)
        self.slack.faults.clear()
        self.shop.moods.clear()
        for replica in self.replicas:
            replica.revive()
            if not await replica.ready(self.http):
                raise TimeoutError(f"{replica.url} is not ready; see {replica.log}")

    def _ways(self) -> Mapping[Fault, Callable[[Step], Awaitable[None]]]:
        return {
            Fault.KILL: self._kill,
            Fault.PAUSE: self._pause,
            Fault.STOP_DATABASE: self._stop_database,
            Fault.CRASH_DATABASE: self._stop_database,
            Fault.CUT_DATABASE: self._cut_database,
            Fault.SHOP: self._break_shop,
        } | dict.fromkeys((each for each in Fault if each.name.startswith("SLACK")), self._break_slack)

    async def _kill(self, step: Step) -> None:
        replica = self.replicas[step.replica]
        replica.kill()
        replica.start()
        if step.waits:
            await replica.ready(self.http, within=15)

    async def _pause(self, step: Step) -> None:
        self._begin(self._stand_still(self.replicas[step.replica]))

    async def _stand_still(self, replica: Replica) -> None:
        replica.pause()
        await asyncio.sleep(BEYOND_A_LEASE)
        replica.resume()

    async def _stop_database(self, step: Step) -> None:
        assert isinstance(self.database, Server)
        mode = "immediate" if step.fault is Fault.CRASH_DATABASE else "fast"
        await asyncio.to_thread(self.database.stop, mode)
        await asyncio.sleep(AWAY)
        await asyncio.to_thread(self.database.start)

    async def _cut_database(self, _: Step) -> None:
        assert isinstance(self.database, Server)
        await asyncio.to_thread(self.database.cut)

    async def _break_slack(self, step: Step) -> None:
        faults = self.slack.faults
        if step.fault is Fault.SLACK_BUSY:
            faults.fail_next("*", "ratelimited", times=step.times)
        elif step.fault is Fault.SLACK_BROKEN:
            faults.fail_next("*", status=500, times=step.times)
        elif step.fault is Fault.SLACK_CUT:
            faults.drop_before("*", times=step.times)
        elif step.fault is Fault.SLACK_DONE:
            faults.drop_after("chat.postMessage", times=step.times)
        else:
            self._begin(self._say_nothing())

    async def _say_nothing(self) -> None:
        self.slack.faults.delay("*", SILENCE)
        await asyncio.sleep(SILENCE)
        self.slack.faults.delay("*", 0)

    async def _break_shop(self, step: Step) -> None:
        self.shop.moods.extend(self.rng.choice(tuple(Mood)) for _ in range(step.times))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)
