"""What is owed leaves once, in order, at Slack's pace, and is never forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import Session, col

from bot.clock import MovableClock
from bot.desk import intake
from bot.desk.desk import Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.outbox import (
    CLAIM_LEASE,
    Claimed,
    ClaimOwed,
    NotSent,
    Sent,
    Undelivered,
    claim_owed,
    not_sent,
    sent,
)
from bot.desk.policies import Policies
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.jobs.outbox import Outbox
from bot.rules.actors import SYSTEM, source
from bot.rules.pacing import CHANNEL
from bot.rules.saying import What
from store.models import Case, Owed

KINDS = ("card", "line", "notice", "page")


@dataclass
class Post:
    """A sender that keeps what it was given, and fails as it is told."""

    sent: list[Claimed] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    async def __call__(self, message: Claimed) -> Mapping[str, Any]:
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(message)
        return {"channel": message.channel, "ts": f"1.{len(self.sent)}"}

    @property
    def kinds(self) -> list[str]:
        return [message.kind for message in self.sent]


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def outbox(desk: Desk, clock: MovableClock, post: Post) -> Outbox:
    return Outbox(desk, clock, dict.fromkeys(KINDS, post))


async def opened(desk: Desk, title: str = "It failed", *, mode: str = "other", workflow: str = "refund") -> int:
    report = Report(by=source("monitors"), workflow=workflow, failure_mode=mode, title=title)
    [reported] = await desk.run_joined(intake.report, Submission((report,)))  # type: ignore[misc]
    return int(reported.case.removeprefix("C-"))


async def say(desk: Desk, case_id: int, *, times: int = 1) -> None:
    def lines(tx: Tx, _: None) -> None:
        case = tx.session.get_one(Case, case_id)
        for number in range(times):
            in_thread(tx, case, What.NOTED, by="U0ADA", text=f"line {number}")

    await desk.run(lines, None, actor=SYSTEM)


async def redraw(desk: Desk, case_id: int) -> None:
    await desk.run(lambda tx, _: tx.owe_card(case_id, "C0REVOPS"), None, actor=SYSTEM)


def states(session: Session) -> list[str]:
    return list(session.execute(select(col(Owed.state)).order_by(col(Owed.id))).scalars())


async def test_a_new_case_is_posted_and_its_place_is_kept(desk: Desk, outbox: Outbox, post: Post) -> None:
    case_id = await opened(desk)
    await outbox.drain()
    case = await desk.read(lambda session: session.get_one(Case, case_id))
    assert post.kinds == ["card"]
    assert (case.card_ts, case.thread_ts) == ("1.1", "1.1")


async def test_nothing_is_sent_twice(desk: Desk, outbox: Outbox, post: Post) -> None:
    await opened(desk)
    await outbox.drain()
    await outbox.drain()
    assert len(post.sent) == 1


async def test_many_changes_of_one_card_are_one_update(desk: Desk, outbox: Outbox, post: Post) -> None:
    case_id = await opened(desk)
    await outbox.drain()
    for _ in range(20):
        await redraw(desk, case_id)
    await outbox.drain()
    assert post.kinds == ["card", "card"]


async def test_a_change_while_the_card_is_being_sent_is_sent_after_it(
    desk: Desk, clock: MovableClock, post: Post
) -> None:
    case_id = await opened(desk)

    async def slow(message: Claimed) -> Mapping[str, Any]:
        if not post.sent:
            await redraw(desk, case_id)
        return await post(message)

    await Outbox(desk, clock, {"card": slow}).drain()
    assert post.kinds == ["card", "card"]


async def test_lines_follow_the_first_post_of_the_card_in_their_order(desk: Desk, outbox: Outbox, post: Post) -> None:
    case_id = await opened(desk)
    await say(desk, case_id, times=2)
    post.faults = [Undelivered("Slack is away")]
    await outbox.drain()
    assert post.sent == []
    await later(outbox, desk, seconds=2)
    assert post.kinds == ["card", "line", "line"]
    assert [message.payload.get("text") for message in post.sent[1:]] == ["line 0", "line 1"]


@pytest.mark.parametrize("permanent", [False, True])
async def test_a_first_card_that_fails_while_it_is_owed_anew_goes_before_the_lines_that_wait_for_it(
    desk: Desk, clock: MovableClock, post: Post, permanent: bool
) -> None:
    case_id = await opened(desk, workflow="lead-routing", mode="schema_drift")

    async def card(message: Claimed) -> Mapping[str, Any]:
        if not post.faults:
            return await post(message)
        await say(desk, case_id)
        await redraw(desk, case_id)
        raise post.faults.pop()

    async def line(message: Claimed) -> Mapping[str, Any]:
        if "card" not in post.kinds:
            raise Undelivered("the card that it belongs to is not posted yet")
        return await post(message)

    outbox = Outbox(desk, clock, {"card": card, "line": line})
    post.faults = [Undelivered("the connection broke", unknown=not permanent, permanent=permanent)]
    await outbox.drain()
    for _ in range(3):
        await later(outbox, desk, seconds=5)
    ours = [message for message in post.sent if message.case_id == case_id]
    assert [message.kind for message in ours] == ["card", "line"]
    assert ours[0].maybe_sent is not permanent


async def later(outbox: Outbox, desk: Desk, *, seconds: float) -> None:
    clock = desk.clock
    assert isinstance(clock, MovableClock)
    clock.advance(timedelta(seconds=seconds))
    await outbox.drain()


async def test_a_transient_error_is_tried_again_for_as_long_as_it_takes(desk: Desk, outbox: Outbox, post: Post) -> None:
    await opened(desk)
    post.faults = [Undelivered("Slack is away") for _ in range(40)]
    for _ in range(60):
        await later(outbox, desk, seconds=300)
    assert post.kinds == ["card"]


async def test_a_retry_after_holds_the_channel_and_not_the_others(desk: Desk, outbox: Outbox, post: Post) -> None:
    await opened(desk, workflow="refund")
    post.faults = [Undelivered("ratelimited", retry_after=timedelta(seconds=30), scope="channel")]
    await outbox.drain()
    await opened(desk, "Another one", workflow="refund")
    await opened(desk, "Elsewhere", workflow="renewal-notice", mode="schema_drift")
    await outbox.drain()
    assert [message.channel for message in post.sent] == ["C0REVOPS"]
    await later(outbox, desk, seconds=31)
    assert [message.channel for message in post.sent] == ["C0REVOPS", "C0BILLING", "C0BILLING"]


async def test_a_storm_in_one_channel_leaves_at_its_pace_and_pages_do_not_wait(
    desk: Desk, outbox: Outbox, post: Post
) -> None:
    for number in range(30):
        await opened(desk, f"Failure {number}")
    await opened(desk, "Page me", workflow="renewal-notice", mode="delivery_failed")
    await outbox.drain()
    assert post.kinds.count("card") <= 6
    assert post.kinds.count("page") == 1
    for _ in range(40):
        await later(outbox, desk, seconds=1.1)
    assert post.kinds.count("card") == 31


async def test_a_channel_has_one_budget_for_all_replicas(
    desk: Desk, clock: MovableClock, outbox: Outbox, post: Post
) -> None:
    other = Outbox(Desk(desk.database, clock, Policies()), clock, dict.fromkeys(KINDS, post))
    for number in range(12):
        await opened(desk, f"Failure {number}")
    await asyncio.gather(outbox.drain(), other.drain())
    assert len(post.sent) == CHANNEL.burst
    for _ in range(3):
        clock.advance(CHANNEL.every)
        await asyncio.gather(outbox.drain(), other.drain())
    assert len(post.sent) == CHANNEL.burst + 3


async def test_what_one_replica_is_told_to_wait_for_all_wait_for(
    desk: Desk, clock: MovableClock, outbox: Outbox, post: Post
) -> None:
    other = Outbox(Desk(desk.database, clock, Policies()), clock, dict.fromkeys(KINDS, post))
    await opened(desk, "First")
    post.faults = [Undelivered("ratelimited", retry_after=timedelta(seconds=30), scope="channel")]
    await outbox.drain()
    await opened(desk, "Second")
    await other.drain()
    assert post.sent == []
    clock.advance(timedelta(seconds=31))
    await other.drain()
    assert len(post.sent) == 2


async def test_who_comes_back_after_another_has_taken_over_changes_nothing(
    desk: Desk, clock: MovableClock, outbox: Outbox, post: Post
) -> None:
    case_id = await opened(desk)
    [stopped] = await desk.run(claim_owed, ClaimOwed(KINDS), actor=SYSTEM)
    clock.advance(CLAIM_LEASE)
    await outbox.drain()
    await desk.run(sent, Sent(stopped, {"channel": "C0ELSEWHERE", "ts": "9.9"}), actor=SYSTEM)
    await desk.run(not_sent, NotSent(stopped, "late", True, False, clock.now()), actor=SYSTEM)
    case = await desk.read(lambda session: session.get_one(Case, case_id))
    assert (case.channel, case.card_ts) == ("C0BILLING", "1.1")
    await later(outbox, desk, seconds=60)
    assert [message.kind for message in post.sent] == ["card", "card"]  # drawn once more: it may have been drawn over


async def test_what_was_being_sent_when_the_process_died_is_sent_as_perhaps_sent(
    desk: Desk, clock: MovableClock, outbox: Outbox, post: Post
) -> None:
    await opened(desk)
    [dying] = await desk.run(claim_owed, ClaimOwed(KINDS), actor=SYSTEM)
    await outbox.drain()
    assert post.sent == []
    clock.advance(CLAIM_LEASE)
    await outbox.drain()
    assert [(message.key, message.maybe_sent) for message in post.sent] == [(dying.key, True)]
    assert not dying.maybe_sent


async def test_what_may_have_left_before_a_death_may_have_left_after_tries_that_failed_and_another_death(
    desk: Desk, clock: MovableClock, outbox: Outbox, post: Post
) -> None:
    await opened(desk)
    await desk.run(claim_owed, ClaimOwed(KINDS), actor=SYSTEM)
    clock.advance(CLAIM_LEASE)
    post.faults = [Undelivered("service_unavailable")]
    await outbox.drain()
    clock.advance(CLAIM_LEASE)
    [dying] = await desk.run(claim_owed, ClaimOwed(KINDS), actor=SYSTEM)
    clock.advance(CLAIM_LEASE)
    await outbox.drain()
    assert dying.maybe_sent
    assert [message.maybe_sent for message in post.sent] == [True]


async def test_a_lost_connection_is_told_to_the_next_try(desk: Desk, outbox: Outbox, post: Post) -> None:
    await opened(desk)
    post.faults = [Undelivered("the connection was lost", unknown=True)]
    await outbox.drain()
    await later(outbox, desk, seconds=2)
    assert [message.maybe_sent for message in post.sent] == [True]


async def test_what_is_given_up_is_a_case_whose_people_are_told_directly(
    desk: Desk, outbox: Outbox, post: Post
) -> None:
    case_id = await opened(desk)
    post.faults = [Undelivered("is_archived", permanent=True)]
    await outbox.drain()
    cases = await desk.read(lambda session: session.execute(select(Case).order_by(col(Case.id))).scalars().all())
    assert [case.failure_mode for case in cases] == ["other", "dead_letter"]
    assert cases[0].id == case_id
    assert "is_archived" in cases[1].title
    assert "page" in post.kinds


async def test_a_thousand_dead_letters_of_one_channel_are_one_case(desk: Desk, outbox: Outbox, post: Post) -> None:
    for number in range(5):
        await opened(desk, f"Failure {number}")
    post.faults = [Undelivered("is_archived", permanent=True) for _ in range(50)]
    for _ in range(5):
        await later(outbox, desk, seconds=3)
    dead = select(Case).where(col(Case.failure_mode) == "dead_letter")
    cases = await desk.read(lambda session: session.execute(dead).scalars().all())
    assert [case.occurrences for case in cases] == [5]


async def test_a_dead_letter_about_a_dead_letter_makes_no_case(desk: Desk, outbox: Outbox, post: Post) -> None:
    await opened(desk)
    post.faults = [Undelivered("is_archived", permanent=True) for _ in range(50)]
    for _ in range(10):
        await later(outbox, desk, seconds=3)
    count = await desk.read(lambda session: len(session.execute(select(Case)).scalars().all()))
    assert count == 2


async def test_a_sender_that_breaks_keeps_its_message_owed(desk: Desk, outbox: Outbox, post: Post) -> None:
    await opened(desk)
    post.faults = [RuntimeError("a bug")]
    await outbox.drain()
    assert await desk.read(states) == ["owed"]
    await later(outbox, desk, seconds=2)
    assert await desk.read(states) == ["sent"]


async def test_two_replicas_share_the_work_and_send_nothing_twice(desk: Desk, clock: MovableClock, post: Post) -> None:
    for workflow in ("refund", "renewal-notice", "support-triage"):
        await opened(desk, workflow=workflow)
    replicas = [Outbox(desk, clock, dict.fromkeys(KINDS, post)) for _ in range(2)]
    await asyncio.gather(*(replica.drain() for replica in replicas))
    assert len(post.sent) == len({message.id for message in post.sent})
    assert post.kinds.count("card") == 3
