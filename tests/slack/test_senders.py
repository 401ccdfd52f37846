"""What leaves for Slack: drawn late, sent once, and what each of Slack's errors means for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.desk.outbox import Claimed, Undelivered
from bot.desk.telling import channel_line, direct, in_thread
from bot.rules.actors import SYSTEM
from bot.rules.saying import What
from bot.slack.senders import EVENT_TYPE, senders
from store.models import Case
from store.writing import change
from tests.slack.conftest import ADA, LOBBY, REVOPS, SECRET, SUCCESS, World


async def owe(world: World, case: Case, tell: Any, *where: str, **facts: Any) -> None:
    await world.context.desk.run(lambda tx, _: tell(tx, case, *where, What.NOTED, **facts), None, actor=SYSTEM)
    await world.settled()


def claimed(case: Case, **said: Any) -> Claimed:
    values: dict[str, Any] = {
        "id": 1,
        "kind": "line",
        "key": "line:1",
        "case_id": case.id,
        "channel": case.channel,
        "payload": {"what": "noted", "by": ADA, "text": "hello"},
        "attempts": 1,
        "maybe_sent": False,
        "created_at": case.opened_at,
    }
    return Claimed(**(values | said))


async def fails(world: World, owed: Claimed) -> Undelivered:
    with pytest.raises(Undelivered) as raised:
        await senders(world.context, world.client)[owed.kind](owed)
    return raised.value


async def test_lines_go_to_the_thread_and_notices_to_a_channel_with_a_link(world: World) -> None:
    case = await world.opened()
    await owe(world, case, in_thread, by=ADA, text="hello")
    assert "hello" in world.slack.thread(REVOPS, case.card_ts or "")[-1].shown
    await owe(world, case, channel_line, SUCCESS, by=ADA, text="hello")
    [notice] = world.slack.messages(SUCCESS)
    assert f"/archives/{REVOPS}/p" in notice.shown
    assert notice.thread_ts is None


async def test_a_page_is_a_direct_message_with_a_link_and_two_buttons(world: World) -> None:
    case = await world.opened()
    await owe(world, case, direct, ADA, role="ops", ladder="unresolved")
    [page] = world.slack.dms(ADA)
    assert page.buttons == ["Acknowledge", "Escalate"]
    assert "Revenue Ops" in page.shown
    assert f"/archives/{REVOPS}/p" in page.shown


async def test_every_post_carries_its_key(world: World) -> None:
    case = await world.opened()
    assert world.card(case).metadata == {"event_type": EVENT_TYPE, "event_payload": {"key": f"card:{case.id}"}}


@pytest.mark.parametrize("thread", [True, False])
async def test_a_post_that_may_have_arrived_is_looked_for_first(world: World, thread: bool) -> None:
    case = await world.opened()
    owed = claimed(case, kind="line" if thread else "notice")
    send = senders(world.context, world.client)[owed.kind]
    world.slack.faults.drop_after("chat.postMessage")
    lost = await fails(world, owed)
    assert lost.unknown
    assert not lost.permanent
    posts = len(world.slack.called("chat.postMessage"))
    found = await send(claimed(case, kind=owed.kind, maybe_sent=True))
    assert len(world.slack.called("chat.postMessage")) == posts
    assert world.slack.message(REVOPS, str(found["ts"])) is not None


async def test_a_page_that_may_have_arrived_is_looked_for_in_its_conversation(world: World) -> None:
    case = await world.opened()
    owed = claimed(case, kind="page", channel=ADA, key="page:1")
    world.slack.faults.drop_after("chat.postMessage")
    assert (await fails(world, owed)).unknown
    again = claimed(case, kind="page", channel=ADA, key="page:1", maybe_sent=True)
    await senders(world.context, world.client)["page"](again)
    assert len(world.slack.dms(ADA)) == 1


async def test_what_did_not_arrive_is_posted_when_it_is_not_found(world: World) -> None:
    case = await world.opened()
    before = len(world.slack.thread(REVOPS, case.card_ts or ""))
    await senders(world.context, world.client)["line"](claimed(case, maybe_sent=True))
    assert len(world.slack.thread(REVOPS, case.card_ts or "")) == before + 1


@pytest.mark.parametrize(
    ("kind", "method", "scope"), [("line", "chat.postMessage", "channel"), ("card", "chat.update", "kind")]
)
async def test_a_rate_limit_says_how_long_and_what_it_holds_back(
    world: World, kind: str, method: str, scope: str
) -> None:
    case = await world.opened()
    world.slack.faults.fail_next(method, "ratelimited", retry_after=7)
    fault = await fails(world, claimed(case, kind=kind, payload={"what": "noted"}))
    assert (fault.retry_after, fault.scope, fault.permanent) == (timedelta(seconds=7), scope, False)


@pytest.mark.parametrize(
    ("error", "permanent", "unknown"),
    [
        ("is_archived", True, False),
        ("restricted_action_read_only_channel", True, False),
        ("channel_not_found", False, False),
        ("missing_scope", False, False),
        ("invalid_auth", False, False),
        ("account_inactive", False, False),
        ("internal_error", False, True),
        ("service_unavailable", False, False),
    ],
)
async def test_only_what_nothing_mends_is_final(world: World, error: str, permanent: bool, unknown: bool) -> None:
    case = await world.opened(workflow="unheard-of")
    world.slack.faults.fail_next("chat.postMessage", error, times=2)
    world.slack.faults.fail_next("conversations.join", "channel_not_found")
    fault = await fails(world, claimed(case))
    assert (fault.permanent, fault.unknown) == (permanent, unknown)


async def test_a_server_error_may_come_after_the_message(world: World) -> None:
    case = await world.opened()
    world.slack.faults.fail_next("chat.postMessage", status=503)
    assert (await fails(world, claimed(case))).unknown


async def test_slack_that_cannot_be_reached_did_not_get_it(world: World) -> None:
    case = await world.opened()
    await world.slack.stop()
    fault = await fails(world, claimed(case))
    assert (fault.permanent, fault.unknown) == (False, False)


async def test_a_public_channel_is_joined_and_a_private_one_waits_for_an_invitation(world: World) -> None:
    case = await world.opened()
    await senders(world.context, world.client)["notice"](claimed(case, kind="notice", channel=LOBBY))
    assert len(world.slack.messages(LOBBY)) == 1
    fault = await fails(world, claimed(case, kind="notice", channel=SECRET))
    assert "/invite" in fault.because
    assert not fault.permanent


async def test_blocks_that_slack_refuses_are_sent_as_plain_words(world: World) -> None:
    case = await world.opened()
    world.slack.faults.fail_next("chat.update", "invalid_blocks")
    await senders(world.context, world.client)["card"](claimed(case, kind="card"))
    card = world.card(case)
    assert card.blocks == []
    assert case.ref in card.text


async def test_a_card_that_is_gone_is_posted_anew(world: World) -> None:
    case = await world.opened()
    await world.slack.delete("U0POINTSMAN", REVOPS, case.card_ts or "")
    await world.slack.command(ADA, REVOPS, f"/case ack {case.ref}")
    await world.settled()
    after = await world.case(case.id)
    assert after.card_ts != case.card_ts
    assert "Ada" in world.card(after).shown


async def test_a_line_waits_for_its_card(world: World) -> None:
    case = await world.opened()
    case_without_card = await world.context.desk.run(_without_card, case.id, actor=SYSTEM)
    fault = await fails(world, claimed(case_without_card))
    assert not fault.permanent


def _without_card(tx: Any, case_id: int) -> Case:
    case: Case = tx.session.get_one(Case, case_id)
    change(tx.session, case, card_ts=None, thread_ts=None)
    return case


async def test_who_stood_still_for_longer_than_the_lease_sends_nothing(world: World) -> None:
    case = await world.opened()
    before = len(world.slack.thread(REVOPS, case.card_ts or ""))
    late = claimed(case, lease_until=world.context.clock.now())
    assert not (await fails(world, late)).unknown
    assert len(world.slack.thread(REVOPS, case.card_ts or "")) == before
