"""What a system answers may be anything: a run takes it in, and asks once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DataError
from sqlmodel import Session, col, select

from bot.desk.runs import calling, stepping
from bot.desk.runs.calling import struck_out_of
from store.models import Case
from store.rows import lock_rows
from store.run_models import RunStep
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_events import send
from tests.stories.test_run_steps import ASK, LOOK, PAID, ended, tried, tries
from tests.stories.test_run_steps import folder as folder  # its refunds have the runbook that a story writes
from tests.stories.test_run_steps import stage as stage
from tests.stories.test_runs import requests, run, steps
from tests.stories.test_sending_again import LOST, REFUND


@asynccontextmanager
async def answering(stage: Stage, *lines: bytes, body: bytes = b"{}") -> AsyncIterator[list[int]]:
    """Billing answers with these header lines and this body; one entry for each request."""
    asked: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"GET /health" not in head:
            asked.append(1)
        length = b"Content-Length: %d" % len(body)
        writer.write(b"\r\n".join((b"HTTP/1.1 200 OK", b"Connection: close", length, *lines, b"", body)))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    stage.company.environment["BILLING_URL"] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield asked


def response_of(stage: Stage, name: str = "look") -> Any:
    """What later steps see of the answer."""
    mine = select(col(RunStep.response)).where(col(RunStep.name) == name)
    return stage.database.read_now(lambda session: session.execute(mine).scalar_one())


def faults(stage: Stage) -> list[str]:
    """What the cases about the policy's faults say."""
    wanted = select(col(Case.detail)).where(col(Case.failure_mode) == "policy_fault").order_by(col(Case.id))
    return stage.database.read_now(lambda session: list(session.execute(wanted).scalars()))


@on_both_engines
@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'"a\ud800b"', "a?b"),
        (b"[NaN, Infinity, 1.5]", [None, None, 1.5]),
        (rb'{"a\u0000b": 1}', {"a\ufffdb": 1}),
    ],
    ids=["nul", "surrogate", "no number", "key"],
)
async def test_what_no_database_keeps_is_kept_as_what_it_can(
    stage: Stage, folder: Path, written: bytes, kept: object
) -> None:
    async with answering(stage, body=b'{"note": ' + written + b"}") as asked:
        await tried(stage, folder, LOOK % "")
        await stage.advance(seconds=10)
        assert ended(stage) == ("done", "all its steps are done")
        assert response_of(stage)["body"] == {"note": kept}
        assert len(asked) == len(requests(stage)) == 1


async def test_what_is_nested_too_deep_is_left_out(stage: Stage, folder: Path) -> None:
    async with answering(stage, body=b"[" * 300 + b"]" * 300) as asked:
        await tried(stage, folder, LOOK % "")
        assert ended(stage)[0] == "done"
        assert len(asked) == 1


@on_both_engines
async def test_headers_that_are_no_text_are_kept_as_what_they_can(stage: Stage, folder: Path) -> None:
    async with answering(stage, b"X-Who: caf\xe9", "Retry-After: ²".encode()) as asked:
        await tried(stage, folder, LOOK % "")
        await stage.advance(seconds=10)
        assert ended(stage)[0] == "done"
        assert response_of(stage)["headers"]["x-who"] == "caf?"
        assert len(asked) == 1


async def test_an_answer_that_cannot_be_read_is_one_that_may_have_happened(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(names: dict[str, Any]) -> bytes:
        if names["status"]:
            raise ValueError("not today")
        return b""

    monkeypatch.setattr("bot.jobs.runs.to_json", refuse)
    stage.company["billing"].kept["re_1"] = PAID
    await tried(stage, folder, LOOK % "")
    await stage.advance(seconds=10)
    assert ended(stage) == ("failed", "look: a fault of our own (ValueError), see the log")
    assert stage.company["billing"].requests == 1


@on_both_engines
async def test_a_run_that_the_database_refuses_stops_alone(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise DataError("INSERT", {}, ValueError("no such value"))

    monkeypatch.setattr(calling, "_keep", refused)
    stage.company["billing"].kept["re_1"] = PAID
    await tried(stage, folder, LOOK % "")
    await stage.advance(seconds=10)
    assert ended(stage) == ("failed", "a fault of our own (DataError), see the log")
    assert stage.company["billing"].requests == 1


def test_what_is_hidden_is_hidden_in_numbers_and_in_keys() -> None:
    removed = {"/phone": 4917012345, "/card": "4711", "/pin": 123}
    answer = {"of 4917012345": [4917012345, 4711, "4711", 123, True, 1.5], "card": {"4711": 47110}}
    assert struck_out_of(answer, removed) == {"of •••": ["•••", "•••", "•••", 123, True, 1.5], "card": {"•••": 47110}}


# --- conditions that cannot be decided

WRONG = "event.amount_cents | plus('soon') > now"


@on_both_engines
async def test_a_wait_that_cannot_be_decided_fails_its_step_and_is_told(stage: Stage, folder: Path) -> None:
    undo = ", undo: {request: {connector: billing, path: '/refunds/{{ event.refund_id }}'}}"
    stage.company["billing"].kept["re_1"] = PAID
    waits = f'- {{name: other, wait_for: {{event: "{WRONG}", within: 10m}}}}'
    await tried(stage, folder, ASK % undo, waits, more="on_failure: undo")
    await send(stage, "refund", REFUND | {"refund_id": "re_2"})
    await stage.advance(seconds=2)
    assert steps(stage) == {"ask": "undone", "other": "failed"}
    (said,) = faults(stage)
    assert said.startswith("runbook try-it, step other: wait_for: ")


async def test_a_when_that_cannot_be_decided_is_told(stage: Stage, folder: Path) -> None:
    await tried(stage, folder, f'- {{name: breath, pause: 5m, when: "{WRONG}"}}')
    assert ended(stage)[1].startswith("breath: when: ")
    (said,) = faults(stage)
    assert said.startswith("runbook try-it, step breath: when: ")


async def test_an_expect_that_cannot_be_decided_is_told(stage: Stage, folder: Path) -> None:
    stage.company["billing"].kept["re_1"] = PAID
    await tried(stage, folder, LOOK % f', expect: "{WRONG}"')
    assert ended(stage)[1].startswith("look: expect: ")
    (said,) = faults(stage)
    assert said.startswith("runbook try-it, step look: expect: ")


# --- who is locked first


async def test_cases_are_locked_in_their_order_and_before_connectors(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def noting(name: str, note: Callable[[Any], object], do: Callable[..., Any]) -> None:
        def noted(*given: Any) -> Any:
            seen.append(note(given))
            return do(*given)

        monkeypatch.setattr(f"bot.desk.runs.stepping.{name}", noted)

    noting("lock_rows", lambda _: "cases", lock_rows)
    noting("listen", lambda _: "connectors", calling.listen)
    noting("_alone", lambda given: given[1], stepping._alone)
    tries(folder, LOOK % "")
    await stage.start()
    refs = [await stage.report(**LOST | {"event_key": key, "dedup_key": key}) for key in ("re_1", "re_2")]
    await run(stage, refs[1], "try-it")
    await run(stage, refs[0], "try-it")
    assert seen == ["cases", 1, "cases", "connectors", 1, "cases", 2, "cases", "connectors", 2]

    def again(session: Session) -> list[int]:
        session.execute(stepping._RUNS.update().values(due_at=stage.clock.now() - timedelta(hours=1), state="running"))
        return [1, 2]

    seen.clear()
    stage.database.write(again).result()
    await stage.settle()
    assert [each for each in seen if isinstance(each, int)][:2] == [2, 1]
