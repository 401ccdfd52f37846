"""One run of the suite on one engine: load, faults, healing, waiting until nothing is owed, and the count."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import aiohttp

from bot.sandbox.workspace import SlackStandIn
from tests.bench.processes import free_port
from tests.faults.breaking import Hands, plan
from tests.faults.checker import Evidence, Row, Rows, Shown, check, is_clean, table
from tests.faults.company import TOKEN, Shop, workspace, write_policy
from tests.faults.databases import Server, Sqlite, database, end_leases
from tests.faults.load import World, key_of
from tests.faults.replicas import Replica

EDITS = "('page_update', 'question_update')"
OWED = {
    "messages": f"SELECT count(*) FROM outbox WHERE state IN ('owed', 'sending') AND kind NOT IN {EDITS}",
    "deliveries": "SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL",
    "ladders": "SELECT count(*) FROM timers WHERE kind = 'response' AND due_at IS NOT NULL",
    "storms": "SELECT count(*) FROM storms WHERE due_at IS NOT NULL",
    "runs": "SELECT count(*) FROM runs WHERE due_at IS NOT NULL",
    "checks": "SELECT count(*) FROM checks WHERE due_at IS NOT NULL",
}
"""What has to be over before it is counted. Edits of direct messages and of questions are not waited for:
they come last of all, and Slack takes 48 edits a minute."""
LOOKS_EVERY = 0.3
PAUSE = 1.5
"""Seconds between two rounds of the load: Slack's own pace allows no more messages than those bring about."""
REPLICAS_ON_POSTGRES = 2


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is to be: on which engine, from which seed, how many kills, how much happens, and how long it may
    take at its end until nothing is owed. `is_short`: at its end all are killed once more, and the leases of the dead
    are ended by hand instead of waited for."""

    engine: str
    seed: int
    kills: int
    pause: float = PAUSE
    patience: float = 600.0
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    rows: list[Row]
    faults: Counter[str]
    seconds: float
    ended: int
    again: int
    url: str
    evidence: Evidence

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost and nothing doubled."""
        return is_clean(self.rows)

    def as_text(self, run: Run) -> str:
        """The table, under what was done."""
        done = ", ".join(f"{count} × {fault}" for fault, count in sorted(self.faults.items()))
        head = f"{run.engine}, seed {run.seed}, {self.seconds:.0f} s: {done}"
        more = f"requests sent again: {self.again}; processes that ended by themselves and were restarted: {self.ended}"
        return f"{head}\n{more}\n{table(self.rows)}"


@asynccontextmanager
async def carried_out(run: Run, folder: Path) -> AsyncIterator[Report]:
    """Does a run, and gives what came of it while its database is still there. Raises `TimeoutError` when the
    service does not come up."""
    started = monotonic()
    async with AsyncExitStack() as stack:
        it = stack.enter_context(database(run.engine, folder))
        hands, world = await _scene(stack, run, folder, it)
        steps = plan(run.seed, run.kills, on_postgres=isinstance(it, Server), replicas=len(hands.replicas))
        load = asyncio.create_task(world.go_on(run.pause))
        for step in steps:
            await hands.do(step)
            if load.done():
                break
        await hands.healed()
        world.is_over = True
        await load
        if run.is_short:
            await _start_again(hands, it.url)
        await _settled(it.url, run.patience)
        ended = sum(replica.ended for replica in hands.replicas)
        for replica in hands.replicas:
            replica.stop()
        evidence = _evidence(world)
        faults = Counter(step.fault.value for step in steps)
        rows = await asyncio.to_thread(check, it.url, evidence)
        yield Report(rows, faults, monotonic() - started, ended, world.answered.again, it.url, evidence)


async def _scene(stack: AsyncExitStack, run: Run, folder: Path, it: Sqlite | Server) -> tuple[Hands, World]:
    """Everything runs, and each replica is ready."""
    rng, shop = random.Random(run.seed), Shop()
    slack = await stack.enter_async_context(workspace())
    stack.push_async_callback((await shop.start()).cleanup)
    http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)))
    environment = _environment(slack, shop, it.url, write_policy(folder / "policy"))
    count = REPLICAS_ON_POSTGRES if isinstance(it, Server) else 1
    replicas = [Replica(free_port(), folder / f"replica-{number}.log", environment) for number in range(count)]
    for replica in replicas:
        stack.callback(replica.kill)
        replica.start()
    hands = Hands(replicas, slack, shop, it, http, rng)
    await hands.healed()
    return hands, World(rng, slack, shop, lambda: [each.url for each in replicas], http)


def _environment(slack: SlackStandIn, shop: Shop, url: str, policy: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": url,
        "POINTSMAN_POLICY": str(policy),
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": slack.app.bot_token,
        "SLACK_SIGNING_SECRET": slack.app.signing_secret,
        "SUITE_TOKEN": TOKEN,
        "SHOP_URL": shop.url,
        "SHOP_TOKEN": TOKEN,
        "LOG_LEVEL": "WARNING",
    }


async def _start_again(hands: Hands, url: str) -> None:
    for replica in hands.replicas:
        replica.kill()
    await asyncio.to_thread(end_leases, url)
    for replica in hands.replicas:
        replica.start()
    await hands.healed()


async def _settled(url: str, patience: float) -> None:
    """Waits until nothing is owed to anybody, so long at the most: what is left then is counted as lost."""
    for _ in range(round(patience / LOOKS_EVERY)):
        if not await asyncio.to_thread(_left, url):
            return
        await asyncio.sleep(LOOKS_EVERY)


def _left(url: str) -> dict[str, int]:
    with closing(Rows(url)) as rows:
        counts = {what: int(rows.read(sql)[0][0]) for what, sql in OWED.items()}
    return {what: count for what, count in counts.items() if count}


def _evidence(world: World) -> Evidence:
    said = world.answered
    return Evidence(
        said.reports, said.events, said.outcomes, said.clicks, said.notes, world.shop.asked, _shown(world.slack)
    )


def _shown(slack: SlackStandIn) -> list[Shown]:
    """All that stands in Slack under a key, by the person in direct messages."""
    found = []
    for channel in slack.workspace.channels.values():
        people = [each for each in channel.members or () if each != slack.app.bot_user]
        place = people[0] if channel.kind == "im" else channel.id
        found += [Shown(place, key_of(each), each.shown) for each in channel.messages.values() if key_of(each)]
    return found
