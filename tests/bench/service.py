"""The service under measure: `pointsman run`, with the example company's policy and the stand-in for Slack, each a
process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

import runbooks
from bot.sandbox.company.cast import CHANNELS, PEOPLE, TEAM
from bot.sandbox.workspace import AppSettings, SlackStandIn
from bot.slack.manifest import EVENTS, SCOPES
from tests.bench.processes import free_port, running

ACME = Path(runbooks.__file__).parent / "acme"
APP = AppSettings(scopes=frozenset(SCOPES), events=frozenset(EVENTS))
TOKEN = "of-the-bench"


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers. `took` are the seconds from its start until it was ready."""

    port: int
    process: subprocess.Popen[bytes]
    slack: str
    took: float

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def workspace() -> Iterator[str]:
    """The stand-in for Slack; gives its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running("tests.bench.service", str(port), ready=f"{url}/bench/ready"):
        yield url


@contextmanager
def service(
    database_url: str, slack: str, *, policy: Path = ACME, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """The service on this database, ready."""
    port = free_port()
    given = environment or {}
    environment = {
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "POINTSMAN_POLICY": str(policy),
        "SLACK_API_URL": f"{slack}/api/",
        "SLACK_BOT_TOKEN": APP.bot_token,
        "SLACK_SIGNING_SECRET": APP.signing_secret,
        "MONITORS_SOURCE_TOKEN": TOKEN,
        "LOG_LEVEL": "ERROR",
    }
    for system in ("BILLING", "CRM", "MARKETING", "HELPDESK"):
        environment |= {f"{system}_URL": "http://127.0.0.1:9", f"{system}_TOKEN": TOKEN}
    environment |= given
    with running("bot", "run", ready=f"http://127.0.0.1:{port}/readyz", environment=environment) as (process, took):
        yield Running(port, process, slack, took)


async def _stand_in(port: int) -> None:
    slack = SlackStandIn(users=list(PEOPLE), channels=list(CHANNELS), team=TEAM, app=APP, port=port)
    slack.web_app.router.add_get("/bench/ready", _ok)
    slack.web_app.router.add_post("/bench/told", _ok)
    async with slack:
        await asyncio.Event().wait()


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="ok")


if __name__ == "__main__":
    asyncio.run(_stand_in(int(sys.argv[1])))
