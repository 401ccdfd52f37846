"""Bodies that are not what they should be: each is refused in words that help, and nothing is kept of it."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from aiohttp import ClientSession, web

from bot.clock import MovableClock
from bot.context import Context
from bot.desk.desk import Desk
from bot.settings import Settings
from bot.web.app import build_app
from tests.web.conftest import ENVIRONMENT, MONITORS, NOTHING, Door, report

MEGABYTE = 1024 * 1024


def _deep(levels: int) -> bytes:
    return b'{"workflow":"refund","title":"Deep","event":{"a":' + b"[" * levels + b"]" * levels + b"}}"


NOT_JSON = {
    "empty": b"",
    "text": b"hello",
    "half": b'{"workflow": "refund", "title": "x"',
    "two": b'{"workflow": "refund", "title": "x"} {}',
    "not utf-8": b'{"workflow": "refund", "title": "\xff\xfe"}',
    "utf-16": '{"workflow": "refund", "title": "x"}'.encode("utf-16"),
    "nan": b'{"workflow": "refund", "title": "x", "event": {"a": NaN}}',
    "infinity": b'{"workflow": "refund", "title": "x", "event": {"a": 1e999}}',
    "nul": b'{"workflow": "refund", "title": "a\\u0000b"}',
    "nul in a key": b'{"workflow": "refund", "title": "x", "event": {"a\\u0000b": 1}}',
    "lone surrogate": b'{"workflow": "refund", "title": "a\\ud800b"}',
    "turned surrogates": b'{"workflow": "refund", "title": "\\udc00\\ud800"}',
    "surrogate in a key": b'{"workflow": "refund", "title": "x", "event": {"\\udfff": 1}}',
    "endless number": b'{"workflow": "refund", "title": "x", "event": {"a": ' + b"9" * 5_000 + b"}}",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
async def test_what_is_no_json_that_can_be_kept_is_refused(plain_door: Door, body: bytes) -> None:
    answer = await plain_door.post(body)
    assert answer.status == 400
    assert answer.problem["type"] == "urn:pointsman:problem:not-json"
    assert await plain_door.accepted() == NOTHING


@pytest.mark.parametrize("body", [_deep(64), _deep(100_000), b"[" * 100_000, b'{"a":' * 100_000])
async def test_what_is_nested_too_deep_is_refused(plain_door: Door, body: bytes) -> None:
    answer = await plain_door.post(body)
    assert answer.status in (400, 422)
    assert answer.problem["type"] in ("urn:pointsman:problem:too-deep", "urn:pointsman:problem:not-json")
    assert await plain_door.accepted() == NOTHING


async def test_sixty_levels_are_taken(door: Door) -> None:
    assert (await door.post(_deep(60))).status == 202


async def test_more_than_a_megabyte_is_refused(plain_door: Door) -> None:
    answer = await plain_door.post(b" " * MEGABYTE + json.dumps(report()).encode())
    assert answer.status == 413
    assert answer.problem["type"] == "urn:pointsman:problem:too-large"
    assert await plain_door.accepted() == NOTHING


async def test_a_megabyte_packed_into_little_is_refused(plain_door: Door) -> None:
    bomb = gzip.compress(b" " * 50 * MEGABYTE + json.dumps(report()).encode())
    answer = await plain_door.post(bomb, **{"Content-Encoding": "gzip"})
    assert answer.status == 413


async def test_just_below_a_megabyte_is_taken(door: Door) -> None:
    body = json.dumps(report(detail="x" * (MEGABYTE - 200))).encode()
    assert (await door.post(body)).status == 202


@pytest.mark.parametrize("count", [0, 501])
async def test_a_list_has_one_to_five_hundred(plain_door: Door, count: int) -> None:
    answer = await plain_door.post([report(str(number)) for number in range(count)])
    assert answer.status == 422
    assert f"this one has {count}" in answer.problem["detail"]
    assert await plain_door.accepted() == NOTHING


WRONG: dict[str, tuple[Any, str, str]] = {
    "no title": ({"workflow": "refund"}, "/title", "this is required"),
    "no workflow": ({"title": "x"}, "/workflow", "this is required"),
    "empty title": (report(""), "/title", "at least 1 character"),
    "blank title": (report("  \n "), "/title", "at least 1 character"),
    "long title": (report("x" * 501), "/title", "at most 500 characters"),
    "number as title": (report(7), "/title", "valid string"),  # type: ignore[arg-type]
    "list as workflow": (report(workflow=["refund"]), "/workflow", "valid string"),
    "list as event": (report(event=[1]), "/event", "valid dictionary"),
    "text as event": (report(event="{}"), "/event", "valid dictionary"),
    "unknown priority": (report(priority="high"), "/priority", "'P1', 'P2', 'P3' or 'P4'"),
    "number as priority": (report(priority=1), "/priority", "'P1', 'P2', 'P3' or 'P4'"),
    "slip": (report(priorty="P1"), "/priorty", "did you mean priority?"),
    "own data": (report(order_id="O-1"), "/order_id", "goes into event"),
    "key with a slash": (report() | {"a/b~c": 1}, "/a~1b~0c", "unknown key"),
    "script as link": (report(links=["javascript:alert(1)"]), "/links/0", "not a link"),
    "link that breaks out": (report(links=["https://a.test/|<!channel>"]), "/links/0", "link"),
    "too many links": (report(links=["https://a.test/"] * 21), "/links", "at most 20"),
    "text as links": (report(links="https://a.test/"), "/links", "valid list"),
    "long key": (report(dedup_key="x" * 501), "/dedup_key", "at most 500 characters"),
    "true as detail": (report(detail=True), "/detail", "valid string"),
    "a text": ("refund failed", "", "a report is a JSON object"),
    "nothing": (None, "", "a report is a JSON object"),
}


@pytest.mark.parametrize(("content", "pointer", "words"), WRONG.values(), ids=WRONG.keys())
async def test_what_is_wrong_is_told_with_its_place(plain_door: Door, content: Any, pointer: str, words: str) -> None:
    answer = await plain_door.post(content)
    assert answer.status == 422
    [error] = answer.problem["errors"]
    assert error["pointer"] == pointer
    assert words in error["detail"]
    assert await plain_door.accepted() == NOTHING


HOSTILE = {
    "broadcast": "<!channel> <!here> @everyone",
    "template": "{{ 7 * 7 }} {% for a in b %} ${jndi:ldap://a}",
    "right to left": "\u202egnihton\u202c \u200f",
    "sql": "'); DROP TABLE cases; --",
    "astral": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧‍👦" * 10,
    "controls": "a\tb\rc\x1b[31m\x7f",
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_is_kept_as_it_is(door: Door, hostile: str) -> None:
    said = {"subject": hostile, "dedup_key": hostile, "detail": hostile * 100, "event": {hostile: hostile}}
    answer = await door.post(report(f"T {hostile} T", workflow=f"w {hostile} w"[:100], **said))
    assert answer.status == 202, answer.text
    case = (await door.get("/v1/cases/C-1")).json
    assert case["title"] == f"T {hostile} T"
    assert (case["subject"], case["dedup_key"], case["detail"]) == (hostile, hostile, hostile * 100)


NUMBERS = [2**53 + 1, -(2**63), 2**64, 10**400, 1e308, -0.0, 1.5]


@pytest.mark.parametrize("number", NUMBERS, ids=str)
async def test_large_numbers_in_an_event_are_taken(door: Door, number: float) -> None:
    assert (await door.post(report(event={"n": number}))).status == 202


async def test_it_does_not_ask_for_a_content_type(plain_door: Door) -> None:
    headers = {"Authorization": f"Bearer {MONITORS}", "Content-Type": "text/plain"}
    answer = await plain_door.ask("POST", "/v1/exceptions", body=json.dumps(report()).encode(), headers=headers)
    assert answer.status == 202


async def test_a_body_that_ends_in_the_middle_is_no_fault_of_ours(
    sqlite_desk: Desk, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    await sqlite_desk.read(sqlite_desk.policies.in_force)
    context = Context(sqlite_desk, clock, sqlite_desk.policies, Settings())
    runner = web.AppRunner(build_app(context, ENVIRONMENT), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    async with ClientSession(f"http://{host}:{port}") as client:
        _, cut = await asyncio.open_connection(host, port)
        cut.write(f"POST /v1/exceptions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {MONITORS}\r\n".encode())
        cut.write(b'Content-Length: 1000\r\n\r\n{"workflow"')
        await client.get("/healthz")
        cut.close()
        await cut.wait_closed()
        metrics = [await (await client.get("/metrics")).text() for _ in range(10)]
    await runner.cleanup()
    assert 'path="/v1/exceptions",status="400"' in metrics[-1]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
