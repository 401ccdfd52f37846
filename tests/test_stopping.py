"""How `pointsman run` stops while it has much to do: what it has taken in is kept, what it has begun is finished."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import aiohttp
import pytest

from bot.sandbox.workspace import AppSettings, Channel, SlackStandIn, User
from bot.slack.manifest import EVENTS, SCOPES
from bot.starter import write_starter
from tests.processes import running

TOKEN = "automations-token"
SENDERS = 8


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    app = AppSettings(scopes=frozenset(SCOPES), events=frozenset(EVENTS))
    users = [User("U000ADA", "ada"), User("U000BEN", "ben"), User("U000CLEO", "cleo")]
    channels = [Channel("C000OPS", "ops"), Channel("C000MGMT", "management")]
    async with SlackStandIn(users=users, channels=channels, app=app) as stand_in:
        yield stand_in


async def test_what_was_accepted_is_kept_and_what_was_begun_is_finished(tmp_path: Path, slack: SlackStandIn) -> None:
    write_starter(tmp_path / "p")
    slack.faults.delay("chat.postMessage", 1.5)
    tokens = {"SLACK_BOT_TOKEN": slack.app.bot_token, "SLACK_API_URL": slack.api_url, "SLACK_SIGNING_SECRET": "s"}
    service = {"POINTSMAN_POLICY": "p", "PORT": "0", "AUTOMATIONS_TOKEN": TOKEN}
    async with running("run", folder=tmp_path, **service, **tokens) as process:
        url = (await process.says(r"listening url=(\S+)"))[1]
        accepted: list[str] = []
        sending = [asyncio.create_task(_send(url, number, accepted)) for number in range(SENDERS)]
        await slack.until(lambda: len(accepted) > 100 and _is_posting(tmp_path), timeout=20.0)
        asked = monotonic()
        assert await process.ends(signal.SIGTERM) == 0
        assert monotonic() - asked < 10
        await asyncio.gather(*sending)
        assert "Traceback" not in "".join(process.said)
    with sqlite3.connect(tmp_path / "pointsman.db") as database:
        kept = {title for (title,) in database.execute("SELECT title FROM cases")}
        cut = database.execute("SELECT count(*) FROM outbox WHERE attempts > 0 AND state <> 'sent'").fetchone()
    assert set(accepted) <= kept
    assert len(kept) <= len(accepted) + SENDERS
    assert cut == (0,)


async def _send(url: str, sender: int, accepted: list[str]) -> None:
    """Reports, one after another, until nobody listens any more. One whose connection ended without an answer may have
    been taken in or not."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        for number in range(100_000):
            title = f"Order {sender}-{number} failed"
            try:
                async with http.post(f"{url}/v1/exceptions", json={"workflow": "orders", "title": title}) as answer:
                    assert answer.status == 202
                    accepted.append(title)
            except aiohttp.ClientError:
                return


def _is_posting(folder: Path) -> bool:
    with sqlite3.connect(folder / "pointsman.db") as database:
        return bool(database.execute("SELECT count(*) FROM outbox WHERE state = 'sending'").fetchone()[0])
