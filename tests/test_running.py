"""`pointsman run` as a process: what keeps it from starting, what it takes up again, and how it stops."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import bot.main
from bot.main import Service
from bot.sandbox.workspace import AppSettings, Channel, SlackStandIn, User
from bot.settings import read_settings
from bot.slack.manifest import EVENTS, SCOPES
from bot.starter import write_starter
from tests.processes import PATIENCE, Running, pointsman, running

TOKEN = "automations-token"
SERVICE = {"POINTSMAN_POLICY": "p", "PORT": "0", "AUTOMATIONS_TOKEN": TOKEN}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the service runs, with a policy in `p` whose source may read."""
    write_starter(tmp_path / "p")
    connectors = tmp_path / "p" / "connectors.yml"
    connectors.write_text(connectors.read_text().replace("AUTOMATIONS_TOKEN}", "AUTOMATIONS_TOKEN, read: true}"))
    return tmp_path


@asynccontextmanager
async def service(folder: Path, **environment: str) -> AsyncIterator[tuple[Running, str]]:
    """The running service, and where it listens."""
    async with running("run", folder=folder, **SERVICE, **environment) as process:
        yield process, (await process.says(r"listening url=(\S+)"))[1]


async def ask(url: str, content: Any = None) -> Any:
    """The answer to a GET, or to a POST with content."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = None if content is None else json.dumps(content).encode()
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with (
        aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
        http.request("GET" if body is None else "POST", url, data=body) as response,
    ):
        return await response.json()


WRONG = {
    "port in words": ({"PORT": "http"}, ["PORT: a number from 0 to 65535 is wanted"]),
    "port too high": ({"PORT": "65536"}, ["PORT: a number from 0 to 65535"]),
    "level": ({"LOG_LEVEL": "loud"}, ["LOG_LEVEL: one of DEBUG, INFO, WARNING and ERROR"]),
    "format": ({"LOG_FORMAT": "xml"}, ["LOG_FORMAT: text or json"]),
    "two at once": ({"LOG_FORMAT": "xml", "PORT": "x"}, ["PORT: ", "LOG_FORMAT: "]),
    "slack's address": ({"SLACK_API_URL": "slack.com/api"}, ["SLACK_API_URL: an address such as"]),
    "database": ({"DATABASE_URL": "mysql://x"}, ["DATABASE_URL: it has to begin with sqlite:/// or postgresql://"]),
    "file not there": ({"SLACK_BOT_TOKEN_FILE": "none"}, ["SLACK_BOT_TOKEN_FILE: cannot read none: No such file"]),
    "file is a folder": ({"SLACK_BOT_TOKEN_FILE": "p"}, ["SLACK_BOT_TOKEN_FILE: cannot read p: Is a directory"]),
    "file is no text": ({"SLACK_BOT_TOKEN_FILE": "bytes"}, ["SLACK_BOT_TOKEN_FILE: bytes is not a text file in UTF-8"]),
    "no policy": ({"POINTSMAN_POLICY": ""}, ["POINTSMAN_POLICY: name the policy folder; `pointsman init DIR`"]),
    "only a bot token": ({"SLACK_BOT_TOKEN": "xoxb-1"}, ["SLACK_SIGNING_SECRET: set it for HTTP, or SLACK_APP_TOKEN"]),
    "only an app token": ({"SLACK_APP_TOKEN": "xapp-1"}, ["SLACK_BOT_TOKEN: SLACK_APP_TOKEN is set"]),
    "another's address": ({"HOST": "192.0.2.1"}, ["HOST, PORT: cannot listen on 192.0.2.1:0: "]),
}


@pytest.mark.parametrize(("environment", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_one_line_each(folder: Path, environment: dict[str, str], words: list[str]) -> None:
    (folder / "bytes").write_bytes(b"\xff\xfe")
    ended = pointsman("run", folder=folder, **SERVICE | environment)
    assert ended.code == 2
    assert "Traceback" not in ended.err
    told = [line.removeprefix("pointsman: ") for line in ended.err.splitlines() if not line.startswith("20")]
    assert len(told) == len(words)
    for line, wanted in zip(sorted(told), sorted(words), strict=True):
        assert line.startswith(wanted)


def test_a_faulty_first_policy_is_told_with_all_its_faults(folder: Path) -> None:
    workflow = folder / "p" / "workflows" / "orders.yml"
    workflow.write_text(workflow.read_text().replace("risk: medium", "risk: big").replace("P3", "P9"))
    ended = pointsman("run", folder=folder, **SERVICE)
    assert ended.code == 2
    first, *faults = ended.err.splitlines()
    assert first == "pointsman: POINTSMAN_POLICY: the first policy cannot come into force:"
    assert [fault.rsplit(":", 1)[0][:20] for fault in faults] == ["workflows/orders.yml"] * 2


def test_a_port_that_is_taken_is_told(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = pointsman("run", folder=folder, **SERVICE | {"PORT": port})
        demo = pointsman("demo", "--port", port, folder=folder)
    assert (ended.code, demo.code) == (2, 2)
    assert f"HOST, PORT: cannot listen on 127.0.0.1:{port}: " in ended.err
    assert demo.err.startswith(f"pointsman: port {port} cannot be used")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_when_it_is_told_to(folder: Path, number: signal.Signals) -> None:
    async with service(folder) as (process, url):
        assert (await ask(f"{url}/readyz"))["status"] == "ok"
        assert await process.ends(number) == 0
        assert "Traceback" not in "".join(process.said)


async def test_what_it_took_in_is_there_after_a_restart_without_the_folder(folder: Path, database_url: str) -> None:
    async with service(folder, DATABASE_URL=database_url) as (process, url):
        taken = await ask(f"{url}/v1/exceptions", {"workflow": "orders", "title": "Order O-1 failed"})
        assert taken == {"case": "C-1", "occurrence": 1, "deduplicated": False}
        assert await process.ends(signal.SIGTERM) == 0
    (folder / "p" / "team.yml").write_text("roles: [\n")
    async with service(folder, DATABASE_URL=database_url) as (process, url):
        listed = (await ask(f"{url}/v1/cases"))["cases"]
        assert {(case["ref"], case["workflow"]) for case in listed} == {("C-1", "orders"), ("C-2", "policy")}
        assert await process.ends(signal.SIGTERM) == 0


async def test_a_folder_that_changes_comes_into_force(folder: Path) -> None:
    async with service(folder) as (process, url):
        workflow = folder / "p" / "workflows" / "orders.yml"
        workflow.write_text(workflow.read_text().replace("title: Orders", "title: Orders of today"))
        await process.says("policy proposed verdict=in_force")
        assert (await ask(f"{url}/v1/workflows"))["workflows"][0]["title"] == "Orders of today"


async def test_a_hangup_reads_the_folder_again(folder: Path) -> None:
    async with service(folder) as (process, url):
        process.process.send_signal(signal.SIGHUP)
        await process.says("policy proposed verdict=same")
        (folder / "p" / "team.yml").write_text("roles: [\n")
        process.process.send_signal(signal.SIGHUP)
        await process.says("WARNING bot.jobs.policy: policy proposed verdict=faulty")
        [case] = (await ask(f"{url}/v1/cases"))["cases"]
        assert (case["workflow"], case["failure_mode"]) == ("policy", "policy_fault")
        assert (await ask(f"{url}/readyz"))["status"] == "ok"
        assert await process.ends(signal.SIGTERM) == 0


async def test_the_log_can_be_read_by_machines(folder: Path) -> None:
    async with running("run", folder=folder, **SERVICE, LOG_FORMAT="json") as process:
        await process.says('"message": "listening"')
        assert await process.ends(signal.SIGTERM) == 0
        assert {"at", "level", "from", "message"} <= json.loads(process.said[0]).keys()


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    users = [User("U000ADA", "ada"), User("U000BEN", "ben"), User("U000CLEO", "cleo")]
    app = AppSettings(scopes=frozenset(SCOPES), events=frozenset(EVENTS))
    channels = [Channel("C000OPS", "ops"), Channel("C000MGMT", "management")]
    async with SlackStandIn(users=users, channels=channels, app=app) as stand_in:
        yield stand_in


def _tokens(slack: SlackStandIn, **other: str) -> dict[str, str]:
    return {"SLACK_BOT_TOKEN": slack.app.bot_token, "SLACK_API_URL": slack.api_url, **other}


async def test_an_address_of_slack_without_a_slash_is_right_as_well(folder: Path, slack: SlackStandIn) -> None:
    bare = {"SLACK_API_URL": slack.api_url.rstrip("/"), "SLACK_APP_TOKEN": slack.app.app_token}
    async with service(folder, **_tokens(slack) | bare) as (process, url):
        assert await ask(f"{url}/readyz") == {"status": "ok", "reasons": []}
        await ask(f"{url}/v1/exceptions", {"workflow": "orders", "title": "Order O-1 failed"})
        await slack.until(lambda: slack.messages("C000OPS"), timeout=PATIENCE)
        assert await process.ends(signal.SIGTERM) == 0
        assert "WARNING" not in "".join(process.said)


async def test_a_revoked_token_is_told_and_the_service_does_not_start(folder: Path, slack: SlackStandIn) -> None:
    slack.faults.fail_next("auth.test", "token_revoked")
    environment = _tokens(slack, SLACK_SIGNING_SECRET="s")
    async with running("run", folder=folder, **SERVICE, **environment) as process:
        assert await process.ends() == 2
        assert process.said[-2] == (
            "pointsman: SLACK_BOT_TOKEN: Slack says token_revoked; install the app and copy its bot token\n"
        )


async def test_a_refused_app_token_is_told_and_the_service_does_not_start(folder: Path, slack: SlackStandIn) -> None:
    async with running("run", folder=folder, **SERVICE, **_tokens(slack, SLACK_APP_TOKEN="xapp-wrong")) as process:
        assert await process.ends() == 2
        assert process.said[-2].startswith("pointsman: SLACK_APP_TOKEN: Slack says invalid_auth; it needs an app-level")


@pytest.mark.parametrize("how", ["down", "503", "ratelimited", "cut"])
async def test_a_slack_that_is_away_keeps_nobody_from_reporting(
    folder: Path, slack: SlackStandIn, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.main, "REACHES_FOR_SLACK_EVERY", 0.2)
    _be_away(slack, how)
    settings = read_settings(
        _tokens(slack, SLACK_APP_TOKEN=slack.app.app_token, POINTSMAN_POLICY=str(folder / "p"), PORT="0")
        | {"DATABASE_URL": f"sqlite:///{folder / 'pointsman.db'}"}
    )
    async with Service(settings, environment=SERVICE) as running_service:
        url = running_service.url
        assert (await ask(f"{url}/readyz"))["reasons"] == ["Slack: there is no Socket Mode connection"]
        taken = await ask(f"{url}/v1/exceptions", {"workflow": "orders", "title": "Order O-1 failed"})
        assert taken["case"] == "C-1"
        slack.faults.clear()
        await slack.until(lambda: slack.sockets.connected and slack.messages("C000OPS"), timeout=PATIENCE)
        assert (await ask(f"{url}/readyz"))["status"] == "ok"


def _be_away(slack: SlackStandIn, how: str) -> None:
    if how == "down":
        slack.faults.down(True)
    elif how == "503":
        slack.faults.fail_next("auth.test", status=503, times=1000)
    elif how == "ratelimited":
        slack.faults.fail_next("auth.test", "ratelimited", retry_after=60, times=1000)
    else:
        slack.faults.fail_next("apps.connections.open", "service_unavailable", times=1000)


async def test_the_demo_prints_its_address_and_leaves_nothing(tmp_path: Path) -> None:
    async with running("demo", "--port", "0", folder=tmp_path) as process:
        url = (await process.says(r"Open  (http://127\.0\.0\.1:\d+)"))[1]
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            assert response.status == 200
        curl = await process.says(r"curl -H 'Authorization: (Bearer [\w-]+)' (http\S+/v1/cases/C-1/postmortem)")
        async with aiohttp.ClientSession() as http, http.get(curl[2], headers={"Authorization": curl[1]}) as response:
            assert "there is no case 'C-1'" in (await response.json())["detail"]
        assert await process.ends(signal.SIGINT) == 0
        assert "Traceback" not in "".join(process.said)
    assert not os.listdir(tmp_path)
