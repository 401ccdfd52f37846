"""The example company around the service: its workspace, and its systems as real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.clock import MovableClock
from bot.sandbox.company import systems
from bot.sandbox.company.cast import CHANNELS, PEOPLE
from bot.sandbox.company.systems import System
from bot.sandbox.workspace import BOT_USER, AppSettings, Channel, Command, Shortcut, SlackStandIn, User
from bot.slack.manifest import COMMANDS, EVENTS, SCOPES, SHORTCUTS
from tests.conftest import UNHURRIED

ADA, BEN, CLEO, DEE, ELI, FAY, GUS = (person.id for person in PEOPLE)
ZOE, GUEST, STRANGER, ROBOT = "U0ZOE", "U0GUEST", "U0STRANGER", "U0ROBOT"
REVOPS, SUCCESS, BILLING, SUPPORT = (channel.id for channel in CHANNELS)
LOBBY, SECRET, SHARED = "C0LOBBY", "C0SECRET", "C0SHARED"

OUTSIDERS = (
    User(ZOE, "zoe", "Zoe Without-A-Role"),
    User(GUEST, "guest", "A Guest", is_restricted=True),
    User(STRANGER, "mallory", "Mallory Elsewhere", team_id="T0OTHER"),
    User(ROBOT, "robot", "Another Bot", is_bot=True),
)
EVERYBODY = [person.id for person in (*PEOPLE, *OUTSIDERS)]


@asynccontextmanager
async def workspace(clock: MovableClock, *, limits: bool) -> AsyncIterator[SlackStandIn]:
    """The company's Slack, with the app installed as its manifest says."""
    members = [*EVERYBODY, BOT_USER]
    channels = [Channel(each.id, each.name, list(members)) for each in CHANNELS]
    channels += [
        Channel(LOBBY, "lobby", [ADA, BEN, ZOE]),
        Channel(SECRET, "secret", [ADA], is_private=True),
        Channel(SHARED, "shared", [ADA, STRANGER, GUEST, BOT_USER], is_ext_shared=True),
    ]
    app = AppSettings(
        scopes=frozenset(SCOPES),
        events=frozenset(EVENTS),
        commands=tuple(Command(name, description, hint, True) for name, description, hint in COMMANDS),
        shortcuts=tuple(
            Shortcut("message" if kind == "message" else "global", callback_id, name)
            for kind, callback_id, name, _ in SHORTCUTS
        ),
    )
    async with SlackStandIn(
        users=[*PEOPLE, *OUTSIDERS],
        channels=channels,
        app=app,
        limits=limits,
        now=lambda: clock.now().timestamp(),
        monotonic=(lambda: clock.now().timestamp()) if limits else _stands_still,
        retry_delays=(0.0, 0.0, 0.0),
        ack_seconds=UNHURRIED,
    ) as slack:
        yield slack


def _stands_still() -> float:
    return 0.0


@dataclass
class Company:
    """The systems that the policy's connectors lead to, what they were called back about, and their addresses."""

    systems: dict[str, System] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> System:
        return self.systems[name]


@asynccontextmanager
async def company() -> AsyncIterator[Company]:
    """Billing, marketing, CRM and help desk, each on a port of its own."""
    running = Company({name: System(name, name.title()) for name in ("billing", "marketing", "crm", "helpdesk")})
    async with AsyncExitStack() as stack:
        for name, app in _applications(running.systems).items():
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            running.environment[f"{name.upper()}_URL"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
            running.environment[f"{name.upper()}_TOKEN"] = f"token-of-{name}"
        yield running


def _applications(of: Mapping[str, System]) -> dict[str, web.Application]:
    async def nobody_listens(_: dict[str, Any]) -> None:
        """The service does not hear of it; the stories look at what the systems keep."""

    return {
        "billing": systems.billing(of["billing"], nobody_listens),
        "marketing": systems.marketing(of["marketing"], nobody_listens),
        "crm": systems.crm(of["crm"], nobody_listens),
        "helpdesk": systems.helpdesk(of["helpdesk"]),
    }
