"""Retry and Replay do something real: the receiver is asked first, the same key is used while it is safe, and where
it may happen twice a person says yes."""

from __future__ import annotations

from bot.sandbox.company.systems import Mode
from tests.stories.company import DEE, FAY, GUS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage

REFUND = {"refund_id": "re_1", "customer_id": "cus_1", "amount_cents": 1200}
LOST = {"title": "Refund re_1 was not taken", "event": REFUND, "event_key": "re_1"}
LEAD = {
    "workflow": "lead-routing",
    "failure_mode": "delivery_failed",
    "title": "Lead l_1 was not taken",
    "event": {"lead_id": "l_1", "tier": "vip"},
}


@on_both_engines
async def test_replay_asks_first_and_then_pays_the_refund_once(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.press(FAY, "Replay", on=ref)
    billing = stage.company["billing"]
    assert billing.requests == 2
    assert billing.kept["re_1"]["amount_cents"] == 1200
    assert "*Fay Tanaka* asked to replay" in stage.thread(ref)[-2]
    assert "The replay went through with status 201" in stage.thread(ref)[-1]
    assert stage.actions(ref)[-2:] == ["delivery.replay_asked", "delivery.ended"]
    assert stage.case(ref).is_open


async def test_replay_of_a_refund_that_arrived_sends_nothing(stage: Stage) -> None:
    stage.company["billing"].kept["re_1"] = {"refund_id": "re_1", "amount_cents": 1200, "state": "completed"}
    ref = await stage.report(**LOST)
    await stage.press(FAY, "Replay", on=ref)
    assert stage.company["billing"].last == "GET /refunds/re_1 → 200"
    assert "it is there already" in stage.thread(ref)[-1]


async def test_retry_of_a_system_that_fails_says_why_and_leaves_the_case_open(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    ref = await stage.report(**LOST)
    await stage.press(FAY, "Retry", on=ref)
    await stage.advance(minutes=2)
    said = stage.thread(ref)[-1]
    assert "The retry did not go through with status 503" in said
    assert "The case stays open." in said
    assert stage.case(ref).is_open
    assert "Retry" in stage.card(ref).buttons
    assert "*Retry* was not sent, status 503: could not ask whether it is there" in stage.card(ref).shown
    assert "asked by *Fay Tanaka*" in stage.card(ref).shown
    stage.company["billing"].mode = Mode.OK
    await stage.press(FAY, "Retry", on=ref)
    assert "The retry went through" in stage.thread(ref)[-1]
    assert "*Retry* went through, status 201" in stage.card(ref).shown
    assert list(stage.company["billing"].kept) == ["re_1"]


async def test_retry_while_it_is_under_way_is_refused(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    ref = await stage.report(**LOST)
    await stage.press(FAY, "Retry", on=ref)
    told = await stage.type(GUS, f"/case retry {ref}")
    assert "is being sent already" in told


async def test_what_cannot_be_asked_about_is_confirmed_by_a_person(stage: Stage) -> None:
    ref = await stage.report(**LEAD)
    await stage.press(DEE, "Replay", on=ref)
    assert "cannot" in stage.told(DEE)
    assert stage.slack.views(DEE) == []
    await stage.press("U0ADA", "Replay", on=ref)
    form = stage.form("U0ADA")
    assert "This may do it twice" in form.shown
    assert stage.company["helpdesk"].requests == 0
    assert (await stage.slack.close("U0ADA")) is None
    await stage.settle()
    assert stage.company["helpdesk"].requests == 0
    await stage.advance(seconds=1)
    await stage.press("U0ADA", "Replay", on=ref)
    assert (await stage.fill_in("U0ADA")).ok
    assert len(stage.company["helpdesk"].kept) == 1
    assert [
        entry["detail"]["confirmed"] for entry in stage.audit(ref) if entry["action"] == "delivery.replay_asked"
    ] == [True]


async def test_a_case_without_an_event_has_nothing_to_send(stage: Stage) -> None:
    ref = await stage.report(title="A refund is missing, nobody knows which")
    assert stage.card(ref).buttons == ["Acknowledge", "Retry callback", "Escalate", "Resolve"]
    assert "came without the event" in await stage.type(FAY, f"/case run {ref} replay")


async def test_somebody_of_no_role_may_not_send_again(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.press(ZOE, "Replay", on=ref)
    assert "Billing escalation" in stage.told(ZOE)
    assert stage.company["billing"].requests == 0
    assert stage.actions(ref)[-1] == "refused"
