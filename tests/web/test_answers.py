"""What is answered when nothing was asked rightly, when something breaks, and to those who watch the service."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from bot.desk import intake
from tests.postgres import Postgres
from tests.web.conftest import MONITORS, NOTHING, Door, report


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/exception", "/v1/cases/", "/v1/cases/C-1/x", "/%00", "/..%2f..%2fetc"]
)
async def test_an_address_that_is_none_is_a_problem(plain_door: Door, path: str) -> None:
    answer = await plain_door.get(path)
    assert answer.status == 404
    assert "/openapi.json" in answer.problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/exceptions", "POST"),
        ("PUT", "/v1/exceptions", "POST"),
        ("POST", "/v1/cases", "GET, HEAD"),
        ("DELETE", "/v1/cases/C-1", "GET, HEAD"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
        ("PATCH", "/healthz", "GET, HEAD"),
    ],
)
async def test_a_method_that_is_not_taken_is_told_which_are(
    plain_door: Door, method: str, path: str, allowed: str
) -> None:
    answer = await plain_door.ask(method, path)
    assert answer.status == 405
    assert answer.headers["Allow"] == allowed
    assert allowed in answer.problem["detail"]


async def test_a_fault_of_ours_shows_its_reference_and_nothing_else(
    plain_door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any) -> Any:
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(intake, "report", breaks)
    answer = await plain_door.post(report())
    assert answer.status == 500
    reference = answer.problem["reference"]
    assert set(answer.problem) == {"type", "title", "status", "detail", "reference"}
    assert not any(word in answer.text for word in ("hunter2", "ZeroDivisionError", "Traceback", ".py"))
    [record] = [record for record in caplog.records if getattr(record, "reference", None) == reference]
    assert record.exc_info
    assert await plain_door.accepted() == NOTHING


async def test_a_database_that_is_away_is_told_as_such(
    door: Door, engine_name: str, request: pytest.FixtureRequest
) -> None:
    engine = door.desk.database.engine
    if engine_name == "sqlite":
        event.listen(engine, "begin", _refuse_writes)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        server.drop(str(engine.url.database))
    answer = await door.post(report(), key="k-1")
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert "same Idempotency-Key" in answer.problem["detail"]
    if engine_name == "sqlite":
        assert await door.accepted() == NOTHING
    else:
        ready = await door.ask("GET", "/readyz")
        assert (ready.status, ready.json["reasons"]) == (503, ["the database does not answer"])
        assert (await door.ask("GET", "/healthz")).status == 200
        server.create(str(engine.url.database))


def _refuse_writes(connection: Connection) -> None:
    """As a full or broken disk does."""
    connection.exec_driver_sql("PRAGMA query_only = ON")


async def test_whoever_is_alive_says_so_without_a_credential(door: Door) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await door.ask("GET", path)
        assert (answer.status, answer.json["status"]) == (200, "ok")
        assert (await door.ask("HEAD", path)).status == 200


async def test_the_numbers_are_told_as_prometheus_reads_them(door: Door) -> None:
    await door.post([report("One"), report("Two")])
    await door.ask("GET", "/no/such/address")
    answer = await door.ask("GET", "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'pointsman_open_cases{priority="P1",state="queued"} 2.0' in lines
    assert 'pointsman_owed_messages{kind="card"} 2.0' in lines
    assert 'pointsman_queue_depth{queue="messages"} 2.0' in lines
    assert 'pointsman_queue_depth{queue="timers"} 0.0' in lines
    assert 'pointsman_reports_total{result="opened",source="monitors"} 2.0' in lines
    assert 'pointsman_http_answers_total{method="POST",path="/v1/exceptions",status="202"} 1.0' in lines
    assert 'pointsman_http_answers_total{method="",path="",status="404"} 1.0' in lines
    assert "pointsman_database_up 1.0" in lines
    families = list(text_string_to_metric_families(answer.text))
    assert all(each.name.startswith("pointsman_") and each.documentation.endswith(".") for each in families)


async def test_the_database_is_asked_for_figures_once_in_some_seconds(door: Door) -> None:
    first = (await door.ask("GET", "/metrics")).text
    await door.post(report("One"))
    assert 'pointsman_queue_depth{queue="messages"} 0.0' in first
    assert 'pointsman_queue_depth{queue="messages"} 0.0' in (await door.ask("GET", "/metrics")).text


async def test_figures_are_shown_where_the_database_is_away_but_not_old_ones(
    plain_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.web.health.READS_EVERY", 0.0)
    await plain_door.post(report("One"))
    assert "pointsman_open_cases{" in (await plain_door.ask("GET", "/metrics")).text
    plain_door.desk.database.engine.dispose()
    event.listen(plain_door.desk.database.engine, "begin", _be_away)
    lines = (await plain_door.ask("GET", "/metrics")).text.splitlines()
    assert "pointsman_database_up 0.0" in lines
    assert not [line for line in lines if line.startswith(("pointsman_open_cases{", "pointsman_queue_depth{"))]
    assert 'pointsman_reports_total{result="opened",source="monitors"} 1.0' in lines


def _be_away(connection: Connection) -> None:
    raise OperationalError("BEGIN", {}, sqlite3.OperationalError("disk I/O error"))


async def test_it_is_not_ready_where_nothing_can_be_written(plain_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.web.health.ASKS_EVERY", 0.0)
    assert (await plain_door.ask("GET", "/readyz")).status == 200
    event.listen(plain_door.desk.database.engine, "begin", _refuse_writes)
    ready = await plain_door.ask("GET", "/readyz")
    assert (ready.status, ready.json["reasons"]) == (503, ["the database takes no writes"])
    assert (await plain_door.ask("GET", "/healthz")).status == 200


async def test_addresses_that_are_made_up_do_not_make_the_numbers_grow(plain_door: Door) -> None:
    for number in range(20):
        await plain_door.get(f"/made/up/{number}")
        await plain_door.get(f"/v1/cases/C-{number}")
    lines = (await plain_door.ask("GET", "/metrics")).text.splitlines()
    assert len([line for line in lines if line.startswith("pointsman_http_answers_total")]) == 2


async def test_the_api_describes_itself(plain_door: Door) -> None:
    document = (await plain_door.ask("GET", "/openapi.json")).json
    assert document["openapi"].startswith("3.1")
    for name in ("Exception", "Result", "Problem"):
        Draft202012Validator.check_schema(document["components"]["schemas"][name])
    schema = {**document["components"]["schemas"]["Exception"], "$defs": {}}
    assert Draft202012Validator(schema).is_valid(report(priority="P1", links=["https://a.test"]))
    assert not Draft202012Validator(schema).is_valid({"workflow": "refund"})


@pytest.mark.parametrize("path", ["/healthz", "/v1/cases", "/nowhere"])
async def test_every_answer_is_kept_by_nobody_and_framed_nowhere(plain_door: Door, path: str) -> None:
    answer = await plain_door.get(path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Server"] == "pointsman"


async def test_headers_that_are_not_text_are_refused_like_others(plain_door: Door) -> None:
    raw = b"\xff\xfe\xc3\xbc"
    for headers in (b"Authorization: Bearer " + raw, b"webhook-id: %b\r\nwebhook-signature: v1,%b" % (raw, raw)):
        assert (await _raw(plain_door, headers)).startswith(b"HTTP/1.1 401 ")
    key = b"Authorization: Bearer " + MONITORS.encode() + b"\r\nIdempotency-Key: " + raw
    assert (await _raw(plain_door, key)).startswith(b"HTTP/1.1 400 ")


async def _raw(door: Door, headers: bytes) -> bytes:
    """The answer to a request that no client would send."""
    server = door.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    timestamp = int(door.clock.now().timestamp())
    head = b"POST /v1/exceptions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n"
    writer.write(head + b"webhook-timestamp: %d\r\n" % timestamp + headers + b"\r\n\r\n{}")
    answer = await reader.read()
    writer.close()
    return answer
