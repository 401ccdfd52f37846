"""Retry and Replay against real HTTP servers that fail, lose their answers, and know what they did before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import select
from sqlmodel import Session, col

from bot.clock import MovableClock
from bot.desk import intake
from bot.desk.commands import Outcome
from bot.desk.deliveries import LEASE, Room, claim
from bot.desk.desk import Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.sending_again import AskReplay, AskRetry, ask_replay, ask_retry
from bot.jobs.deliveries import Deliveries
from bot.rules.actors import SYSTEM, person, source
from bot.rules.refusals import Refused
from runbooks.calls import Caller
from store.models import Attempt, Case, Delivery, Owed

REFUND = {"refund_id": "re_1", "customer_id": "cus_1", "amount_cents": 4900}
LEAD = {"lead_id": "lead_1", "tier": "growth"}
Answer = tuple[int, dict[str, Any]]


@dataclass
class Receiver:
    """A system that answers as it is told, and keeps what it was asked."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    found: bool = False
    raw: bytes = b""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path_qs, request.headers.get("Idempotency-Key")))
        if request.method == "GET":
            return web.json_response({"state": "completed"}, status=200 if self.found else 404)
        self.bodies.append(await request.json())
        status, body = self.answers.pop(0) if self.answers else (201, {"ok": True})
        if self.raw:
            return web.Response(body=self.raw, status=status, content_type="application/json")
        return web.json_response(body, status=status)

    @property
    def posts(self) -> list[str | None]:
        """The keys of what was sent."""
        return [key for method, _, key in self.asked if method == "POST"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiving = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", receiving.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiving.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiving
    await runner.cleanup()


@pytest.fixture
async def deliveries(desk: Desk, receiver: Receiver) -> AsyncIterator[Deliveries]:
    environment = {f"{name}_URL": receiver.url for name in ("BILLING", "CRM", "MARKETING", "HELPDESK")}
    environment |= {f"{name}_TOKEN": "s3cret-token" for name in ("BILLING", "CRM", "MARKETING", "HELPDESK")}
    caller = Caller()
    yield Deliveries(desk, caller, environment)
    await caller.close()


async def opened(
    desk: Desk,
    *,
    workflow: str = "refund",
    mode: str = "delivery_failed",
    event: dict[str, Any] | None = REFUND,
    key: str | None = "re_1",
) -> int:
    report = Report(
        by=source("monitors"), workflow=workflow, failure_mode=mode, title="It failed", event=event, event_key=key
    )
    [reported] = await desk.run_joined(intake.report, Submission((report,)))  # type: ignore[misc]
    return int(reported.case.removeprefix("C-"))


async def retry(desk: Desk, case_id: int, *, by: str = "U0FAY", confirmed: bool = False) -> Outcome:
    return await desk.run(ask_retry, AskRetry(case_id, confirmed), actor=person(by))


async def replay(desk: Desk, case_id: int, *, by: str = "U0FAY", confirmed: bool = False) -> Outcome:
    return await desk.run(ask_replay, AskReplay(case_id, confirmed), actor=person(by))


def told(session: Session) -> list[str]:
    rows = session.execute(select(col(Owed.payload)).where(col(Owed.kind) == "line").order_by(col(Owed.id))).scalars()
    return [row["what"] for row in rows]


async def last(desk: Desk) -> Delivery:
    newest = select(Delivery).order_by(col(Delivery.id).desc()).limit(1)
    return await desk.read(lambda session: session.execute(newest).scalar_one())


async def test_a_replay_asks_first_and_sends_under_the_reported_key(
    desk: Desk, deliveries: Deliveries, receiver: Receiver
) -> None:
    await replay(desk, await opened(desk))
    await deliveries.drain()
    assert receiver.asked == [("GET", "/refunds/re_1", None), ("POST", "/refunds", "re_1")]
    assert receiver.bodies == [{"refund_id": "re_1", "amount_cents": 4900}]
    assert (await last(desk)).state == "verifying"
    assert await desk.read(told) == ["delivery_asked", "delivery_done"]


async def test_what_is_there_already_is_not_sent(desk: Desk, deliveries: Deliveries, receiver: Receiver) -> None:
    receiver.found = True
    await replay(desk, await opened(desk))
    await deliveries.drain()
    assert receiver.posts == []
    there = await last(desk)
    assert (there.state, there.because) == ("verifying", "it is there already")


async def test_the_case_stays_open_either_way(desk: Desk, deliveries: Deliveries, receiver: Receiver) -> None:
    receiver.answers = [(422, {"error": "no such customer"})]
    case_id = await opened(desk)
    await retry(desk, case_id)
    await deliveries.drain()
    case = await desk.read(lambda session: session.get_one(Case, case_id))
    assert case.is_open
    assert await desk.read(told) == ["delivery_asked", "delivery_failed"]


async def test_a_refusal_says_why_and_its_next_try_has_a_new_key(
    desk: Desk, clock: MovableClock, deliveries: Deliveries, receiver: Receiver
) -> None:
    receiver.answers = [(422, {"error": "no such customer"})]
    case_id = await opened(desk)
    await retry(desk, case_id)
    await deliveries.drain()
    refused = await last(desk)
    assert refused.state == "refused"
    assert "it answered 422" in refused.because
    clock.advance(timedelta(seconds=1))
    await retry(desk, case_id)
    await deliveries.drain()
    assert len(set(receiver.posts)) == 2


async def test_an_unknown_result_is_tried_again_under_the_same_key_with_growing_waits(
    desk: Desk, clock: MovableClock, deliveries: Deliveries, receiver: Receiver
) -> None:
    receiver.answers = [(503, {}), (429, {})]
    await retry(desk, await opened(desk))
    for _ in range(6):
        await deliveries.drain()
        clock.advance(timedelta(seconds=30))
    assert receiver.posts == ["re_1", "re_1", "re_1"]
    assert (await last(desk)).state == "delivered"


async def test_when_its_attempts_are_used_up_the_thread_is_told(
    desk: Desk, clock: MovableClock, deliveries: Deliveries, receiver: Receiver
) -> None:
    receiver.answers = [(503, {}) for _ in range(10)]
    await retry(desk, await opened(desk))
    for _ in range(10):
        await deliveries.drain()
        clock.advance(timedelta(minutes=2))
    assert len(receiver.posts) == 3
    assert (await last(desk)).state == "unknown"
    assert await desk.read(told) == ["delivery_asked", "delivery_failed"]


async def test_without_a_way_to_ask_a_person_must_say_yes(
    desk: Desk, deliveries: Deliveries, receiver: Receiver
) -> None:
    case_id = await opened(desk, workflow="lead-routing", event=LEAD, key=None)
    with pytest.raises(Refused) as refused:
        await replay(desk, case_id, by="U0ADA")
    assert refused.value.code == "needs_confirmation"
    assert receiver.asked == []
    await replay(desk, case_id, by="U0ADA", confirmed=True)
    await deliveries.drain()
    assert len(receiver.posts) == 1


async def test_a_second_click_while_it_is_under_way_is_told_so(desk: Desk, receiver: Receiver) -> None:
    case_id = await opened(desk)
    await retry(desk, case_id)
    with pytest.raises(Refused, match="being sent already"):
        await retry(desk, case_id)
    assert receiver.asked == []


async def test_the_same_click_twice_is_one_delivery(desk: Desk, deliveries: Deliveries, receiver: Receiver) -> None:
    case_id = await opened(desk)
    command = AskRetry(case_id, request_key="slack:click:1")
    first = await desk.run(ask_retry, command, actor=person("U0FAY"))
    second = await desk.run(ask_retry, command, actor=person("U0FAY"))
    await deliveries.drain()
    assert (first.repeated, second.repeated) == (False, True)
    assert len(receiver.posts) == 1


@pytest.mark.parametrize("ask", [retry, replay])
async def test_somebody_who_may_not_is_told_who_may(desk: Desk, ask: Callable[..., Awaitable[Outcome]]) -> None:
    case_id = await opened(desk)
    with pytest.raises(Refused) as refused:
        await ask(desk, case_id, by="U0DEE")
    assert refused.value.code == "not_allowed"


async def test_a_case_without_its_event_has_nothing_to_send(desk: Desk) -> None:
    case_id = await opened(desk, event=None)
    with pytest.raises(Refused, match="came without the event"):
        await replay(desk, case_id)


async def test_a_process_that_died_while_sending_sends_the_same_key_again(
    desk: Desk, clock: MovableClock, deliveries: Deliveries, receiver: Receiver
) -> None:
    await retry(desk, await opened(desk, workflow="lead-routing", event=LEAD, key="lead_1"), by="U0ADA")
    await desk.run(claim, Room(10, 10), actor=SYSTEM)
    await deliveries.drain()
    assert receiver.asked == []
    clock.advance(LEASE)
    await deliveries.drain()
    assert receiver.posts == ["lead_1"]


async def test_evidence_is_kept_without_the_connectors_secret(
    desk: Desk, deliveries: Deliveries, receiver: Receiver
) -> None:
    receiver.answers = [(201, {"echo": "Bearer s3cret-token"})]
    await retry(desk, await opened(desk))
    await deliveries.drain()
    attempts = await desk.read(lambda session: session.execute(select(Attempt)).scalars().all())
    assert [attempt.purpose for attempt in attempts] == ["finding", "sending"]
    assert "s3cret" not in str([attempt.model_dump() for attempt in attempts])


async def test_a_variable_that_is_not_set_is_said_in_the_thread(desk: Desk, receiver: Receiver) -> None:
    caller = Caller()
    await retry(desk, await opened(desk))
    await Deliveries(desk, caller, {}).drain()
    await caller.close()
    dead = await last(desk)
    assert dead.state == "dead"
    assert "BILLING_URL" in dead.because


async def test_an_answer_that_no_database_can_hold_is_kept_all_the_same(
    desk: Desk, deliveries: Deliveries, receiver: Receiver
) -> None:
    receiver.answers = [(422, {})]
    receiver.raw = b'{"error": "nul \x00 here"}'
    await retry(desk, await opened(desk))
    await deliveries.drain()
    refused = await last(desk)
    assert (refused.state, refused.status) == ("refused", 422)


async def test_of_a_request_that_is_too_long_only_its_place_is_kept(
    desk: Desk, deliveries: Deliveries, receiver: Receiver
) -> None:
    await retry(desk, await opened(desk, event=REFUND | {"amount_cents": "9" * 60_000}))
    await deliveries.drain()
    attempts = await desk.read(lambda session: session.execute(select(Attempt)).scalars().all())
    sent = attempts[-1].request
    assert (sent["method"], sent["path"]) == ("POST", "/refunds")
    assert "its event has them" in sent["json"]
    assert len(str(sent)) < 200
