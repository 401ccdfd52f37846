"""`pointsman demo`: the whole product on this machine. A Slack in the browser, an example company whose systems can be
made to fail, and a clock that can be moved. It needs no account, and Ctrl-C leaves nothing running."""

from __future__ import annotations

import asyncio
import base64
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

import runbooks
from bot.clock import MovableClock, SystemClock
from bot.main import Service, stopping_signals
from bot.sandbox.company import systems
from bot.sandbox.company.automations import Automations
from bot.sandbox.company.cast import CHANNELS, PEOPLE, TEAM
from bot.sandbox.company.stories import Stage
from bot.sandbox.company.systems import System
from bot.sandbox.panel import Panel
from bot.sandbox.workspace import AppSettings, Command, Shortcut, SlackStandIn
from bot.settings import Settings
from bot.slack.manifest import manifest
from bot.start import StartFault
from runbooks.calendars import next_opening
from runbooks.policy import load, read_folder

ACME = Path(runbooks.__file__).parent / "acme"
TITLES = {"crm": "CRM", "billing": "Billing", "marketing": "Marketing", "helpdesk": "Help desk"}
TOKENS = ("HUBSPOT_SOURCE_TOKEN", "MONITORS_SOURCE_TOKEN")


def run(port: int) -> None:
    """Runs the demo until it is interrupted. Raises `StartFault` when the port is taken."""
    asyncio.run(_until_interrupted(port))


async def _until_interrupted(port: int) -> None:
    async with stopping_signals() as stopping, demo(port) as running:
        print(
            f"\n  Pointsman is running, with an example company around it.\n\n  Open  {running.url}\n\n"
            "  Press a story on the right-hand side and watch the card appear. Ctrl-C stops everything.\n\n"
            "  What is written is read over HTTP too, for example a post-mortem as Markdown:\n\n"
            f"    curl -H 'Authorization: Bearer {running.token}' {running.service_url}/v1/cases/C-1/postmortem\n",
            flush=True,
        )
        await stopping.wait()


@dataclass(frozen=True, slots=True)
class Running:
    """The demo as a visitor reaches it: the address of its page, and that of the service with a token for reading."""

    url: str
    service_url: str
    token: str


@asynccontextmanager
async def demo(port: int) -> AsyncIterator[Running]:
    """The running demo."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pointsman-demo-")))
        clock = MovableClock(_working_hours(SystemClock().now()))
        slack = _slack(clock, port)
        panel = Panel(slack, clock)
        panel.mount(slack.web_app)
        await _start(slack, port)
        stack.push_async_callback(slack.stop)
        environment = {name: secrets.token_urlsafe(16) for name in TOKENS}
        environment["BILLING_WEBHOOK_SECRET"] = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
        company = await _company(stack, panel)
        environment |= company
        service = await stack.enter_async_context(
            Service(_settings(folder, slack), clock=clock, environment=environment)
        )
        slack.request_url = f"{service.url}/slack/events"
        await _automate(stack, panel, service, environment)
        yield Running(slack.url, service.url, environment["MONITORS_SOURCE_TOKEN"])


async def _start(slack: SlackStandIn, port: int) -> None:
    try:
        await slack.start()
    except OSError as fault:
        raise StartFault(f"port {port} cannot be used ({fault.strerror}); try: pointsman demo --port 0") from None


def _working_hours(now: datetime) -> datetime:
    """Now, or the morning of the next working day: the first thing that a newcomer sees is not a weekend."""
    calendar = load(read_folder(ACME)).team.calendars["support-emea"]
    opening = next_opening(calendar, now)
    in_hours = opening == now and next_opening(calendar, now + timedelta(hours=3)) == now + timedelta(hours=3)
    if in_hours:
        return now
    midnight = (now + timedelta(hours=12)).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return next_opening(calendar, midnight) + timedelta(minutes=20)


def _slack(clock: MovableClock, port: int) -> SlackStandIn:
    """A Slack in which the app is installed as its manifest says."""
    document = manifest(None)
    features, events = document["features"], document["settings"]["event_subscriptions"]["bot_events"]
    scopes = frozenset(document["oauth_config"]["scopes"]["bot"])
    commands = tuple(
        Command(each["command"], each["description"], each.get("usage_hint", "")) for each in features["slash_commands"]
    )
    shortcuts = tuple(Shortcut(each["type"], each["callback_id"], each["name"]) for each in features["shortcuts"])
    return SlackStandIn(
        users=deepcopy(list(PEOPLE)),
        channels=deepcopy(list(CHANNELS)),
        team=TEAM,
        port=port,
        app=AppSettings(commands=commands, shortcuts=shortcuts, scopes=scopes, events=frozenset(events)),
        now=lambda: clock.now().timestamp(),
    )


def _settings(folder: Path, slack: SlackStandIn) -> Settings:
    return Settings.model_validate(
        {
            "slack_bot_token": slack.app.bot_token,
            "slack_signing_secret": slack.app.signing_secret,
            "slack_api_url": slack.api_url,
            "database_url": f"sqlite:///{folder / 'demo.db'}",
            "policy": ACME,
            "port": 0,
            "log_level": "WARNING",
        }
    )


async def _company(stack: AsyncExitStack, panel: Panel) -> dict[str, str]:
    """Starts the four systems; what the policy's connectors need to know of them."""
    environment = {}
    for name, app in _applications(panel).items():
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        environment[f"{name.upper()}_URL"] = f"http://127.0.0.1:{port}"
        environment[f"{name.upper()}_TOKEN"] = secrets.token_urlsafe(16)
    return environment


def _applications(panel: Panel) -> Mapping[str, web.Application]:
    for name, title in TITLES.items():
        panel.systems[name] = System(name, title, changed=panel.changed)
    of = panel.systems
    of["crm"].kept |= {"con_ok": {"id": "con_ok", "tier": "growth"}}

    async def refund_called_back(outcome: dict[str, Any]) -> None:
        await panel.automations.hear_refund(outcome)

    async def notice_called_back(outcome: dict[str, Any]) -> None:
        await panel.automations.hear_notice(outcome)

    async def renewal_announced(event: dict[str, Any]) -> None:
        await panel.automations.announce("renewal-notice", event)

    return {
        "crm": systems.crm(of["crm"], renewal_announced),
        "billing": systems.billing(of["billing"], refund_called_back),
        "marketing": systems.marketing(of["marketing"], notice_called_back),
        "helpdesk": systems.helpdesk(of["helpdesk"]),
    }


async def _automate(stack: AsyncExitStack, panel: Panel, service: Service, environment: Mapping[str, str]) -> None:
    http = await stack.enter_async_context(aiohttp.ClientSession())
    urls = {name: environment[f"{name.upper()}_URL"] for name in TITLES}
    panel.automations = Automations(
        http, pointsman=service.url, token=environment["MONITORS_SOURCE_TOKEN"], systems=urls
    )
    panel.stage = Stage(panel.automations, panel.systems, panel.say)
    panel.service = service
    watching = asyncio.create_task(panel.watch())
    stack.callback(watching.cancel)
