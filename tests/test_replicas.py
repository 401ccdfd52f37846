"""Three `pointsman run` on one PostgreSQL, started at once on an empty database."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from bot.sandbox.workspace import AppSettings, Channel, SlackStandIn, User
from bot.slack.manifest import EVENTS, SCOPES
from bot.starter import write_starter
from tests.postgres import Postgres
from tests.processes import PATIENCE, running

TOKEN = "automations-token"
REPLICAS = ("a", "b", "c")


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    app = AppSettings(scopes=frozenset(SCOPES), events=frozenset(EVENTS))
    users = [User("U000ADA", "ada"), User("U000BEN", "ben"), User("U000CLEO", "cleo")]
    channels = [Channel("C000OPS", "ops"), Channel("C000MGMT", "management")]
    async with SlackStandIn(users=users, channels=channels, app=app) as stand_in:
        yield stand_in


async def test_three_that_start_at_once_are_one_service(
    tmp_path: Path, postgres: Postgres, slack: SlackStandIn
) -> None:
    for name in REPLICAS:
        write_starter(tmp_path / name)
        connectors = tmp_path / name / "connectors.yml"
        connectors.write_text(connectors.read_text().replace("AUTOMATIONS_TOKEN}", "AUTOMATIONS_TOKEN, read: true}"))
    with postgres.temporary() as url:
        async with AsyncExitStack() as stack:
            started = [await stack.enter_async_context(_replica(tmp_path, name, url, slack)) for name in REPLICAS]
            urls = [(await process.says(r"listening url=(\S+)"))[1] for process in started]
            cases = await asyncio.gather(*(_report(urls[number % 3], number // 3) for number in range(9)))
            assert len(set(cases)) == 3
            await slack.until(lambda: len(slack.messages("C000OPS")) == 3, timeout=PATIENCE)

            started[2].process.send_signal(signal.SIGSTOP)
            assert await _report(urls[0], 7) == await _report(urls[1], 7)
            started[2].process.send_signal(signal.SIGCONT)

            workflow = tmp_path / "a" / "workflows" / "orders.yml"
            workflow.write_text(workflow.read_text().replace("title: Orders", "title: Orders of today"))
            await started[0].says("policy proposed verdict=in_force")
            for each in urls:
                await _until_title(each, "Orders of today")
            await slack.until(lambda: len(slack.messages("C000OPS")) == 4, timeout=PATIENCE)
            assert [await process.ends(signal.SIGTERM) for process in started] == [0, 0, 0]
            assert not re.search("ERROR|Traceback", "".join(line for process in started for line in process.said))
        with psycopg.connect(url) as database:
            assert database.execute("SELECT sum(occurrences) FROM cases").fetchone() == (11,)
            assert database.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def _replica(folder: Path, name: str, url: str, slack: SlackStandIn) -> Any:
    environment = {"POINTSMAN_POLICY": name, "PORT": "0", "AUTOMATIONS_TOKEN": TOKEN, "DATABASE_URL": url}
    tokens = {"SLACK_BOT_TOKEN": slack.app.bot_token, "SLACK_API_URL": slack.api_url, "SLACK_SIGNING_SECRET": "s"}
    return running("run", folder=folder, **environment, **tokens)


async def _report(url: str, number: int) -> str:
    body = {"workflow": "orders", "title": f"Order {'ABCDEFGHIJ'[number]} failed"}
    return str((await _ask("POST", f"{url}/v1/exceptions", body))["case"])


async def _until_title(url: str, title: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await _ask("GET", f"{url}/v1/workflows"))["workflows"][0]["title"] != title:
            pass


async def _ask(method: str, url: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.request(method, url, json=body) as response:
        return await response.json()
