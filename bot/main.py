"""The one place that builds things: the service, from the environment to its doors."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from sqlalchemy import select
from sqlmodel import col

from bot.clock import Clock, SystemClock
from bot.context import Context
from bot.databases import open_migrated
from bot.desk.connectors import ask_refused
from bot.desk.desk import Desk
from bot.desk.drills import next_due as next_drill_due
from bot.desk.missing import next_due as next_outcome_due
from bot.desk.policies import Policies
from bot.desk.releasing import next_due as next_release_due
from bot.desk.timers import next_due as next_timer_due
from bot.jobs import drills, outcomes, prune, releases, timers
from bot.jobs.baselines import Baselines
from bot.jobs.calendars import RotaCalendars, fetch
from bot.jobs.checks import Checks
from bot.jobs.deliveries import Deliveries
from bot.jobs.health import HealthChecks
from bot.jobs.outbox import Outbox
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
from bot.web.health import Reasons
from runbooks.added_steps import FAULTS
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

    async def __aenter__(self) -> Self:
        """Starts it. Raises `StartFault` with what to do; then nothing is left running."""
        async with AsyncExitStack() as starting:
            await self._start(starting)
            self._stack = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops it: no more requests, then what is under way is finished, ten seconds at the most for each part."""
        await self._stack.aclose()

    def clock_moved(self) -> None:
        """The clock was put forward: all that is due by it now is done now."""
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
        caller = Caller()
        stack.push_async_callback(caller.close)
        self.slack = slack = await self._slack(context, stack)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        calendars = RotaCalendars(self.desk, lambda address: fetch(http, address))
        loops = [
            *self._loops(context, caller, slack, stack),
            Loop("calendars", calendars.tick, every=FETCHES_CALENDARS_EVERY),
        ]
        self._scheduler = Scheduler(context, loops)
        stack.push_async_callback(self._scheduler.stop)
        app = build_app(context, self._environment, reasons=_reasons(self._settings, slack))
        if slack:
            await _connect(self._settings, slack, app, stack)
        self.url = await _listen(self._settings, app, stack)
        await self._scheduler.start()

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
        return SlackEdge(context, make_client(token.get_secret_value(), self._settings.slack_api_url, http))

    def _loops(self, context: Context, caller: Caller, slack: SlackEdge | None, stack: AsyncExitStack) -> list[Loop]:
        outbox = Outbox(self.desk, self._clock, senders(context, slack.edge.client) if slack else {})
        stack.push_async_callback(outbox.stop)
        deliveries = Deliveries(self.desk, caller, self._environment)
        stack.push_async_callback(deliveries.stop)
        checks = Checks(self.desk, caller, self._environment)
        stack.push_async_callback(checks.stop)
        baselines = Baselines(self.desk, caller, self._environment)
        runs = Runs(self.desk, caller, self._environment)
        stack.push_async_callback(runs.stop)
        loops = [
            Loop("timers", lambda: timers.tick(context), next_timer_due),
            Loop("outcomes", lambda: outcomes.tick(context), next_outcome_due),
            Loop("releases", lambda: releases.tick(context), next_release_due),
            Loop("outbox", outbox.tick, outbox.next_due),
            Loop("deliveries", deliveries.tick, deliveries.next_due),
            Loop("checks", checks.tick, checks.next_due),
            Loop("baselines", baselines.tick, baselines.next_due),
            Loop("runs", runs.tick, runs.next_due),
            Loop("leases", runs.renew, every=RENEWS_LEASES_EVERY),
            Loop("health", HealthChecks(self.desk, caller, self._environment).tick, every=LOOKS_AT_HEALTH_EVERY),
            Loop("drills", lambda: drills.tick(self.desk), next_drill_due, every=LOOKS_FOR_DRILLS_EVERY),
            Loop("policy", self._watch.tick, every=LOOKS_AT_FOLDER_EVERY),
            Loop("prune", lambda: prune.tick(self.desk), every=PRUNES_EVERY),
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


def _reasons(settings: Settings, slack: SlackEdge | None) -> Reasons:
    def reasons() -> list[str]:
        if slack and settings.slack_app_token and not slack.is_connected:
            return ["Slack: there is no Socket Mode connection"]
        return []

    return reasons


async def _connect(settings: Settings, slack: SlackEdge, app: web.Application, stack: AsyncExitStack) -> None:
    """Slack by Socket Mode where there is an app token, else by HTTP on the same server. A token that Slack refuses is
    told at once. A Slack that cannot be reached is not waited for: cases are taken in, and it is tried again."""
    stack.push_async_callback(slack.stop)
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


async def _listen(settings: Settings, app: web.Application, stack: AsyncExitStack) -> str:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=10.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as fault:
        raise StartFault(f"HOST, PORT: cannot listen on {settings.host}:{settings.port}: {fault.strerror}") from None
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


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
    check_slack(settings)
    check_added_steps()
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


def check_added_steps() -> None:
    """Raises `StartFault` for kinds of step that other packages add and that cannot be used."""
    if FAULTS:
        raise StartFault("; ".join(FAULTS))


def check_slack(settings: Settings) -> None:
    """Raises `StartFault` for tokens that do not go together."""
    if settings.slack_bot_token and not (settings.slack_app_token or settings.slack_signing_secret):
        raise StartFault("SLACK_SIGNING_SECRET: set it for HTTP, or SLACK_APP_TOKEN for Socket Mode")
    if settings.slack_app_token and not settings.slack_bot_token:
        raise StartFault("SLACK_BOT_TOKEN: SLACK_APP_TOKEN is set, so it is needed too")
