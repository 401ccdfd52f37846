"""The HTTP side as others meet it: the real application behind a real server, on each engine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import func, select
from standardwebhooks import Webhook

from bot.clock import MovableClock
from bot.context import Context
from bot.desk.desk import Desk
from bot.settings import Settings
from bot.web.app import build_app
from store.models import Case, Event, ExceptionReport, SeenRequest

MONITORS, HUBSPOT, QUICK, NARROW, BLIND = (f"{name}-token" for name in ("monitors", "hubspot", "quick", "narrow", "no"))
SECRET = "whsec_" + "c2VjcmV0LW9mLWJpbGxpbmctMTIzNDU2Nzg5MDEyMzQ="
ENVIRONMENT = {
    "MONITORS_SOURCE_TOKEN": MONITORS,
    "HUBSPOT_SOURCE_TOKEN": HUBSPOT,
    "QUICK_SOURCE_TOKEN": QUICK,
    "NARROW_SOURCE_TOKEN": NARROW,
    "BILLING_WEBHOOK_SECRET": SECRET,
}
MORE_SOURCES = """\
  quick:    {token: QUICK_SOURCE_TOKEN, rate: 2/m}
  narrow:   {token: NARROW_SOURCE_TOKEN, workflows: [refund], read: true}
"""
JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def problem(self) -> dict[str, Any]:
        """The problem that this answer is (RFC 9457)."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self
        told: dict[str, Any] = self.json
        assert told["status"] == self.status
        assert set(told) >= {"type", "title", "detail"}
        return told


@dataclass
class Door:
    """The service's HTTP side, and what is behind it."""

    client: TestClient[Any, Any]
    desk: Desk
    clock: MovableClock

    async def ask(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        async with self.client.request(method, path, data=body, headers=headers) as response:
            return Answer(response.status, response.headers.copy(), await response.text())

    async def post(self, content: Any, *, token: str = MONITORS, **headers: str) -> Answer:
        """Reports; `content` is sent as JSON, or as it is if it is bytes. `key`: the Idempotency-Key."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        sent = {"Authorization": f"Bearer {token}", **JSON_TYPE}
        sent |= {"Idempotency-Key": headers.pop("key")} if "key" in headers else {}
        return await self.ask("POST", "/v1/exceptions", body=body, headers=sent | headers)

    async def post_signed(self, content: Any, *, message_id: str = "msg_1", **other: str) -> Answer:
        """Reports as billing does, signed now; `other` replaces headers."""
        body = json.dumps(content)
        headers = signed(self.clock, body, message_id=message_id) | other
        return await self.ask("POST", "/v1/exceptions", body=body.encode(), headers=headers)

    async def get(self, path: str, *, token: str = MONITORS) -> Answer:
        return await self.ask("GET", path, headers={"Authorization": f"Bearer {token}"})

    async def accepted(self) -> dict[str, int]:
        """How many rows there are of what a report leaves behind."""
        models: tuple[Any, ...] = (Case, ExceptionReport, Event, SeenRequest)
        return await self.desk.read(
            lambda session: {
                each.__tablename__: session.execute(select(func.count()).select_from(each)).scalar_one()
                for each in models
            }
        )


NOTHING = {"cases": 0, "exceptions": 0, "events": 0, "requests": 0}


def report(title: str = "Refund R-1 failed", **said: Any) -> dict[str, Any]:
    """A report of the workflow refund."""
    return {"workflow": "refund", "failure_mode": "delivery_failed", "title": title} | said


def signed(clock: MovableClock, body: str, *, message_id: str) -> dict[str, str]:
    """The headers of Standard Webhooks for this body, now."""
    now = clock.now()
    signature = Webhook(SECRET).sign(message_id, now, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
        **JSON_TYPE,
    }


@pytest.fixture(scope="session")
def policy_files(policy_files: dict[str, str]) -> dict[str, str]:
    """The example company, with a source that has a rate and one for a single workflow."""
    return policy_files | {"connectors.yml": policy_files["connectors.yml"] + MORE_SOURCES}


@asynccontextmanager
async def opened(desk: Desk, clock: MovableClock, environment: Mapping[str, str] = ENVIRONMENT) -> AsyncIterator[Door]:
    """A door in front of this desk."""
    await desk.read(desk.policies.in_force)
    context = Context(desk, clock, desk.policies, Settings())
    async with TestClient(TestServer(build_app(context, environment))) as client:
        yield Door(client, desk, clock)


@pytest.fixture
async def door(desk: Desk, clock: MovableClock) -> AsyncIterator[Door]:
    """On each engine."""
    async with opened(desk, clock) as found:
        yield found


@pytest.fixture
async def plain_door(sqlite_desk: Desk, clock: MovableClock) -> AsyncIterator[Door]:
    """For what has nothing to do with the engine."""
    async with opened(sqlite_desk, clock) as found:
        yield found
