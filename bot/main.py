"""The one place that builds things: the service, from the environment to its doors."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from sqlalchemy import select
from sqlmodel import col

from bot import tracing
from bot.auditing import signing_key
from bot.clock import Clock, SystemClock
from bot.context import Context
from bot.databases import open_migrated
from bot.desk.connectors import ask_refused
from bot.desk.desk import Desk
from bot.desk.drills import next_due as next_drill_due
from bot.desk.missing import next_due as next_outcome_due
from bot.desk.policies import Policies
from bot.desk.releasing import next_due as next_release_due
from bot.desk.storms import next_due as next_storm_due
from bot.desk.timers import next_due as next_timer_due
from bot.jobs import drills, outcomes, prune, releases, storms, timers
from bot.jobs.auditor import Auditor
from bot.jobs.baselines import Baselines
from bot.jobs.calendars import RotaCalendars, fetch
from bot.jobs.calling import CountedCaller
from bot.jobs.checkpoints import Checkpoints
from bot.jobs.checks import Checks
from bot.jobs.deliveries import Deliveries
from bot.jobs.fallback import Otherwise
from bot.jobs.health import HealthChecks
from bot.jobs.outbox import Outbox, Sender
from bot.jobs.policy import PolicyWatch
from bot.jobs.runs import Runs
from bot.jobs.scheduler import Loop, Scheduler
from bot.logs import set_up_logs
from bot.rules.actors import SYSTEM
from bot.settings import Settings
from bot.slack.app import SlackEdge, SlackFault
from bot.slack.client import TIMEOUT, make_client
from bot.slack.directory import refresh_people
from bot.slack.reading import look_at_homes
from bot.slack.senders import senders
from bot.start import StartFault, first_line
from bot.web.app import build_app
from bot.web.patience import Patience
from runbooks.calls import Caller
from runbooks.policy import PolicyFaults, load, read_folder
from store.models import PolicyInForce

log = logging.getLogger(__name__)

LOOKS_AT_FOLDER_EVERY = 1.0
FETCHES_CALENDARS_EVERY = 900.0
ASKS_SLACK_FOR_PEOPLE_EVERY = 600.0
REACHES_FOR_SLACK_EVERY = 10.0
LOOKS_FOR_DRILLS_EVERY = 1.0
RENEWS_LEASES_EVERY = 1.0
LOOKS_AT_HOMES_EVERY = 3.0
PRUNES_EVERY = 600.0
LOOKS_AT_HEALTH_EVERY = 5.0
BASELINES_HEED = ("baselines", "triggers", "missed", "policy_in_force")
LOOKS_AT_CHAINS_EVERY = 10.0
AUDITS_EVERY = 20.0
STOPS_WITHIN = 8.0
"""Seconds in which what is under way is to be finished; what is not is taken over by others, or after the restart."""
TICKS_END_WITHIN = 5.0
ENDS_WITHIN = 10.0
"""Seconds after which the process ends wherever it stands, as after a kill, which loses nothing."""
Stop = Callable[[float], Awaitable[None]]
UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)


class Service:
    """The running service, as an async context manager. `url` is where it listens, `desk` its door; `slack` is its side
    that faces Slack, None without a token."""

    desk: Desk
    url: str
    slack: SlackEdge | None

    def __init__(self, settings: Settings, *, environment: Mapping[str, str], clock: Clock | None = None) -> None:
        self._settings = settings
        self._environment = environment
        self._clock = clock or SystemClock()
        self._stack = AsyncExitStack()
        self._work: list[Stop] = []
        self._doors: list[Stop] = []
        self._scheduler: Scheduler | None = None
        self._is_stopping = False

    async def __aenter__(self) -> Self:
        """Starts it. Raises `StartFault` with what to do; then nothing is left running."""
        async with AsyncExitStack() as starting:
            await self._start(starting)
            self._stack = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops it: nothing more is taken up, and what is under way is finished, within eight seconds for all of it."""
        await self._stack.aclose()

    def clock_moved(self) -> None:
        """The clock was put forward: all that is due by it now is done now."""
        if self._scheduler:
            self._scheduler.clock_moved()

    async def read_policy_again(self) -> None:
        """Reads the folder now, changed or not."""
        await self._watch.propose_now()

    async def _start(self, stack: AsyncExitStack) -> None:
        database = open_migrated(self._settings.database_url)
        stack.callback(database.close)
        self.desk = Desk(database, self._clock, Policies())
        context = Context(self.desk, self._clock, self.desk.policies, self._settings)
        self._watch = PolicyWatch(self.desk, self._settings.policy)
        await self._first_policy()
        await self.desk.run(ask_refused, None, actor=SYSTEM)
        caller = CountedCaller(context.metrics)
        stack.push_async_callback(caller.close)
        self.slack = slack = await self._slack(context, stack)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        stack.push_async_callback(self._wind_down)
        calendars = RotaCalendars(self.desk, lambda address: fetch(http, address))
        loops = [
            *self._loops(context, caller, slack),
            Loop("calendars", calendars.tick, every=FETCHES_CALENDARS_EVERY),
        ]
        self._scheduler = scheduler = Scheduler(context, loops)
        app = build_app(context, self._environment, reasons=self._reasons)
        if slack:
            self._doors.append(slack.stop)
            await _connect(self._settings, slack, app)
        self.url = await self._listen(app)
        await scheduler.start()

    async def _wind_down(self) -> None:
        """Doors and loops at once, then what they began: together they have no longer than one part alone."""
        self._is_stopping = True
        loop = asyncio.get_running_loop()
        ends = loop.time() + STOPS_WITHIN
        loops = self._scheduler.stop(TICKS_END_WITHIN) if self._scheduler else asyncio.sleep(0)
        doors = asyncio.gather(*(stop(STOPS_WITHIN) for stop in self._doors), return_exceptions=True)
        await loops
        left = max(0.1, ends - loop.time())
        ended = [*await asyncio.gather(*(stop(left) for stop in self._work), return_exceptions=True), *await doors]
        for fault in ended:
            if isinstance(fault, Exception):
                log.error("a part did not stop", exc_info=fault)

    def _reasons(self) -> list[str]:
        """What keeps it from working, apart from the database."""
        if self._is_stopping:
            return ["it is being stopped"]
        stopped = self._scheduler.stopped() if self._scheduler else []
        reasons = [f"these loops do not run: {', '.join(stopped)}"] if stopped else []
        if self.slack and self._settings.slack_app_token and not self.slack.is_connected:
            reasons.append("Slack: there is no Socket Mode connection")
        return reasons

    async def _listen(self, app: web.Application) -> str:
        host, port = self._settings.host, self._settings.port
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOPS_WITHIN)
        await runner.setup()
        self._doors += [Patience(runner).stop, lambda _: runner.cleanup()]
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as fault:
            raise StartFault(f"HOST, PORT: cannot listen on {host}:{port}: {fault.strerror}") from None
        name, number = runner.addresses[0][:2]
        return f"http://{name}:{number}"

    async def _first_policy(self) -> None:
        """A policy is in force when this returns. A faulty folder changes nothing, unless there is nothing else."""
        digest = await self.desk.read(lambda session: session.execute(select(col(PolicyInForce.digest))).scalar())
        folder = self._settings.policy
        if digest is None and folder is None:
            raise StartFault("POINTSMAN_POLICY: name the policy folder; `pointsman init DIR` writes one to start from")
        if digest is None and folder:
            await asyncio.to_thread(_check, folder)
        await self._watch.propose_now()
        await self.desk.read(self.desk.policies.in_force)

    async def _slack(self, context: Context, stack: AsyncExitStack) -> SlackEdge | None:
        token = self._settings.slack_bot_token
        if token is None:
            log.warning("SLACK_BOT_TOKEN is not set: cases are taken in, and their messages stay owed")
            return None
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))

        def heard(method: str, result: str) -> None:
            context.metrics.slack_calls.labels(method, result).inc()

        address = self._settings.slack_api_url
        return SlackEdge(context, make_client(token.get_secret_value(), address, http, heard=heard))

    def _senders(self, context: Context, caller: Caller, slack: SlackEdge) -> dict[str, Sender]:
        """All by Slack; direct messages by the policy's fallback, should Slack be away."""
        by_slack = senders(context, slack.edge.client)
        otherwise = Otherwise(by_slack["page"], self.desk, caller, self._settings, self._environment)
        return {**by_slack, "page": otherwise.page}

    def _auditor(self, caller: Caller) -> Auditor:
        heartbeat = self._settings.heartbeat
        return Auditor(self.desk, caller, heartbeat.get_secret_value() if heartbeat else None)

    def _loops(self, context: Context, caller: Caller, slack: SlackEdge | None) -> list[Loop]:
        outbox = Outbox(self.desk, self._clock, self._senders(context, caller, slack) if slack else {})
        deliveries = Deliveries(self.desk, caller, self._environment)
        checks = Checks(self.desk, caller, self._environment)
        baselines = Baselines(self.desk, caller, self._environment)
        runs = Runs(self.desk, caller, self._environment)
        checkpoints = Checkpoints(self.desk, signing_key(self._settings), self._settings.checkpoints)
        self._work += [outbox.stop, deliveries.stop, checks.stop, runs.stop]
        loops = [
            Loop("timers", lambda: timers.tick(context), next_timer_due, ("timers",)),
            Loop("outcomes", lambda: outcomes.tick(context), next_outcome_due, ("expected",)),
            Loop("releases", lambda: releases.tick(context), next_release_due, ("releases",)),
            Loop("outbox", outbox.tick, outbox.next_due, ("outbox", "storms")),
            Loop("storms", lambda: storms.tick(self.desk), next_storm_due, ("storms",)),
            Loop("deliveries", deliveries.tick, deliveries.next_due, ("deliveries", "connector_states", "triggers")),
            Loop("checks", checks.tick, checks.next_due, ("checks", "connector_states")),
            Loop("baselines", baselines.tick, baselines.next_due, BASELINES_HEED),
            Loop("runs", runs.tick, runs.next_due, ("runs", "connector_states")),
            Loop("leases", runs.renew, every=RENEWS_LEASES_EVERY),
            Loop("health", HealthChecks(self.desk, caller, self._environment).tick, every=LOOKS_AT_HEALTH_EVERY),
            Loop("drills", lambda: drills.tick(self.desk), next_drill_due, ("drills",), LOOKS_FOR_DRILLS_EVERY),
            Loop("policy", self._watch.tick, every=LOOKS_AT_FOLDER_EVERY),
            Loop("prune", lambda: prune.tick(self.desk), every=PRUNES_EVERY),
            Loop("checkpoints", checkpoints.tick, every=LOOKS_AT_CHAINS_EVERY),
            Loop("auditor", self._auditor(caller).tick, every=AUDITS_EVERY),
        ]
        if slack:
            client = slack.edge.client
            people = Loop("people", lambda: refresh_people(context, client), every=ASKS_SLACK_FOR_PEOPLE_EVERY)
            reaching = Loop("slack", lambda: _reach_again(self._settings, slack), every=REACHES_FOR_SLACK_EVERY)
            homes = Loop("homes", lambda: look_at_homes(slack.edge), every=LOOKS_AT_HOMES_EVERY)
            loops += [people, reaching, homes]
        return loops


def _check(folder: Path) -> None:
    try:
        load(read_folder(folder))
    except PolicyFaults as faults:
        raise StartFault(f"POINTSMAN_POLICY: the first policy cannot come into force:\n{faults}") from None


async def _connect(settings: Settings, slack: SlackEdge, app: web.Application) -> None:
    """Slack by Socket Mode where there is an app token, else by HTTP on the same server. A token that Slack refuses is
    told at once. A Slack that cannot be reached is not waited for: cases are taken in, and it is tried again."""
    if not settings.slack_app_token:
        slack.mount(app)
    try:
        await slack.reach(_app_token(settings))
    except SlackFault as fault:
        raise StartFault(str(fault)) from None
    except UNREACHABLE as fault:
        log.warning("Slack cannot be reached: its messages stay owed", extra={"because": _why(settings, fault)})


async def _reach_again(settings: Settings, slack: SlackEdge) -> int:
    """Reaches for a Slack that was not there at the start."""
    if slack.is_reached(_app_token(settings)):
        return 0
    try:
        await slack.reach(_app_token(settings))
    except (SlackFault, *UNREACHABLE) as fault:
        log.warning("Slack cannot be reached yet", extra={"because": _why(settings, fault)})
        return 0
    log.info("Slack is reached")
    return 1


def _app_token(settings: Settings) -> str | None:
    return settings.slack_app_token.get_secret_value() if settings.slack_app_token else None


def _why(settings: Settings, fault: BaseException) -> str:
    return f"{settings.slack_api_url}: {first_line(fault) or 'no answer in time'}"


@asynccontextmanager
async def stopping_signals() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def run_until_stopped(settings: Settings, *, environment: Mapping[str, str]) -> None:
    """Runs the service until SIGTERM or SIGINT; SIGHUP reads the policy folder again."""
    set_up_logs(settings)
    signing_key(settings)
    with tracing.kept(environment):
        await _run_until_stopped(settings, environment)


async def _run_until_stopped(settings: Settings, environment: Mapping[str, str]) -> None:
    async with stopping_signals() as stopping, Service(settings, environment=environment) as service:
        reading: set[asyncio.Task[None]] = set()

        def read_again() -> None:
            task = asyncio.create_task(service.read_policy_again())
            reading.add(task)
            task.add_done_callback(reading.discard)

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, read_again)
        gc.freeze()  # what is there now stays: the collector need not look at it again and again
        log.info("listening", extra={"url": service.url})
        await stopping.wait()
        log.info("stopping")
        _end_at_the_latest(ENDS_WITHIN)


def _end_at_the_latest(seconds: float) -> None:
    def end() -> None:
        log.error("what is under way does not end: it is left where it stands")
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
