"""The raw parts that the figures stand beside: each alone, in a process of its own, doing as little as it can."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import sys
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

import aiohttp
from aiohttp import web
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.clock import SystemClock
from bot.slack.cards import ACKNOWLEDGE
from tests.bench.figures import percentile
from tests.bench.service import APP

JOBS = 1_000
REQUESTS = 3_000
AT_ONCE = 50
ALONE = 200
ROWS = 5_000


async def bare(request: web.Request) -> web.Response:
    """Parses the JSON and answers."""
    json.loads(await request.read())
    return web.json_response({"ok": True}, status=202)


def bolt() -> AsyncApp:
    """Bolt with one listener that does nothing, answering before the response is sent as ours does."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T0ACME", bot_token=APP.bot_token, bot_user_id=APP.bot_user)

    app = AsyncApp(signing_secret=APP.signing_secret, process_before_response=True, authorize=authorize)

    async def nothing(ack: AsyncAck) -> None:
        await ack()

    app.action(ACKNOWLEDGE)(nothing)
    return app


async def serve(port: int) -> None:
    """Both raw servers, at the addresses of ours."""
    bolted = bolt()

    async def slack(request: web.Request) -> web.Response:
        answer = await bolted.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)

    async def ready(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post("/v1/exceptions", bare)
    app.router.add_post("/slack/events", slack)
    app.router.add_get("/readyz", ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def request_alone(url: str) -> dict[str, float]:
    """The requests of runs, and nothing else: how many a second with fifty at once, and how long one takes alone."""
    async with aiohttp.ClientSession() as http:

        async def ask(number: int) -> float:
            start = perf_counter()
            async with http.post(f"{url}/raw/{number}", json={"step": "a"}) as answer:
                await answer.read()
            return perf_counter() - start

        async def some(first: int) -> None:
            for number in range(first, REQUESTS, AT_ONCE):
                await ask(number)

        alone = [await ask(number) for number in range(ALONE)]
        start = perf_counter()
        await asyncio.gather(*(some(first) for first in range(AT_ONCE)))
        took = perf_counter() - start
    return {"per_second": REQUESTS / took, "p50": percentile(alone, 0.5)}


async def fire_jobs(store: str | None) -> dict[str, float]:
    """A thousand date jobs of APScheduler, due in the same instant: how late they run, in seconds."""
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    scheduler = AsyncIOScheduler(job_defaults={"misfire_grace_time": None})
    if store:
        scheduler.add_jobstore("sqlalchemy", url=store)
    scheduler.start(paused=True)
    due_at = SystemClock().now() + timedelta(seconds=8 if store else 2)
    for _ in range(JOBS):
        scheduler.add_job(_note, "date", run_date=due_at, args=[due_at])
    scheduler.resume()
    late = [await _late.get() for _ in range(JOBS)]
    scheduler.shutdown(wait=False)
    return {"p50": percentile(late, 0.5), "p99": percentile(late, 0.99)}


_late: asyncio.Queue[float] = asyncio.Queue()
"""Of the module, because the SQL store keeps a job as the name of its function."""


async def _note(due_at: datetime) -> None:
    _late.put_nowait((SystemClock().now() - due_at).total_seconds())


def commit_rows(folder: Path) -> dict[str, float]:
    """Python's own sqlite3: one row, one commit, on the disk (WAL, synchronous=FULL)."""
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE requests (key TEXT PRIMARY KEY, at TEXT, digest TEXT, answer TEXT)")
    start = perf_counter()
    for number in range(ROWS):
        row = (f"raw:{number}", "2026-11-23T09:00:00.000000+00:00", "", "{}")
        connection.execute("INSERT INTO requests VALUES (?, ?, ?, ?)", row)
    seconds = perf_counter() - start
    connection.close()
    return {"per_second": ROWS / seconds}


def main(what: str, argument: str) -> None:
    """The process: serves, or prints a figure."""
    if what == "serve":
        asyncio.run(serve(int(argument)))
    elif what == "jobs":
        print(json.dumps(asyncio.run(fire_jobs(argument if argument != "memory" else None))))
    elif what == "requests":
        print(json.dumps(asyncio.run(request_alone(argument))))
    else:
        print(json.dumps(commit_rows(Path(argument))))


if __name__ == "__main__":
    main(*sys.argv[1:])
