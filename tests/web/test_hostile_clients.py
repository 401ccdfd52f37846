"""Clients that send what no client should: too much, without end, or next to nothing for ever. Each is refused, none
costs more than its own connection, and others are answered meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bot.clock import MovableClock
from bot.context import Context
from bot.desk.desk import Desk
from bot.settings import Settings
from bot.web.app import build_app
from bot.web.patience import Patience
from tests.web.conftest import ENVIRONMENT, MONITORS

POST = f"POST /v1/exceptions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MONITORS}\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def runner(sqlite_desk: Desk, clock: MovableClock) -> AsyncIterator[web.AppRunner]:
    """The service behind a socket of its own."""
    await sqlite_desk.read(sqlite_desk.policies.in_force)
    context = Context(sqlite_desk, clock, sqlite_desk.policies, Settings())
    runner = web.AppRunner(build_app(context, ENVIRONMENT), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner
    await runner.cleanup()


async def said(runner: web.AppRunner, *parts: bytes) -> bytes:
    """The head of what is answered to these bytes; empty where the connection was ended."""
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return (await asyncio.wait_for(reader.read(4096), 5)).partition(b"\r\n")[0]
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_body_of_100_mb_is_refused_by_its_announcement(runner: web.AppRunner) -> None:
    announced = f"{POST}Content-Length: {100 * 1024 * 1024}\r\n\r\n".encode()
    assert b" 413 " in await said(runner, announced)  # not a byte of the body was sent


async def test_a_body_without_an_end_is_refused_after_a_megabyte(runner: web.AppRunner) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    assert b" 413 " in await said(runner, f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode(), *[chunk] * 18)


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(b"X-%d: y\r\n" % number for number in range(20_000)),
        b"X: " + b"y" * 1_000_000 + b"\r\n",
        b"X-\xff\xfe: \x00\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ],
    ids=["many", "long", "no text", "less than nothing", "two lengths"],
)
async def test_headers_that_no_client_sends_are_refused(runner: web.AppRunner, flood: bytes) -> None:
    answered = await said(runner, POST.encode() + flood + b"\r\n")
    assert answered == b"" or b" 400 " in answered or b" 431 " in answered, answered
    assert b" 200 " in await said(runner, HEALTH)


async def test_a_body_that_does_not_come_is_not_waited_for(
    runner: web.AppRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.web.patience.BODY_WITHIN", 0.05)
    assert b" 408 " in await said(runner, f"{POST}Content-Length: 1000\r\n\r\n".encode(), b'{"workflow"')


async def test_connections_on_which_no_request_comes_are_ended(
    runner: web.AppRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = Patience(runner)
    slow = [await asyncio.open_connection(*runner.addresses[0][:2]) for _ in range(50)]
    quick, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in await quick.readline()
    for _, each in slow:
        each.write(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        await each.drain()
    assert patience.look() == 0
    monkeypatch.setattr("bot.web.patience.HEAD_WITHIN", 0.0)
    assert patience.look() == 50
    for reader, _ in slow:
        assert await _is_ended(reader)
    assert not writer.is_closing()
    await patience.stop()


async def _is_ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True
