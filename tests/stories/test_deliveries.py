"""Events on their way: at their system's rate, held while it does not answer or refuses us, in order, and looked at
again where they went."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from bot.sandbox.company.systems import Mode
from store.contract_models import ConnectorState, Trigger
from store.models import Attempt, Delivery
from tests.stories.company import ADA, CLEO, FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_events import LEAD, REFUND, send

on_postgres = pytest.mark.parametrize("engine_name", ["postgres"], indirect=True)


def refunds(count: int, first: int = 1) -> list[dict[str, Any]]:
    """So many refunds, each of another customer."""
    return [REFUND | {"refund_id": f"re_{n}", "customer_id": f"cus_{n}"} for n in range(first, first + count)]


def attempts(stage: Stage) -> list[int]:
    """How many attempts each delivery has used."""
    rows = select(col(Delivery.attempts)).order_by(col(Delivery.id))
    return stage.database.read_now(lambda session: list(session.execute(rows).scalars()))


def states(stage: Stage) -> Counter[str]:
    """How many events are in which state."""
    rows = select(col(Trigger.state))
    return stage.database.read_now(lambda session: Counter(session.execute(rows).scalars()))


def connector(stage: Stage, name: str) -> str:
    """How a connector is."""
    return stage.database.read_now(lambda session: session.get_one(ConnectorState, name).state)


def titles(stage: Stage) -> list[str]:
    """The titles of all cases."""
    return [case.title for case in stage.cases()]


# --- the rate


@on_both_engines
async def test_no_more_leave_in_a_second_than_the_connector_takes(stage: Stage) -> None:
    await send(stage, "refund", refunds(50))
    assert stage.company["billing"].requests == 2
    await stage.advance(seconds=0.999)
    assert 17 <= stage.company["billing"].requests <= 20
    await stage.advance(seconds=2)
    assert len(stage.company["billing"].kept) == 50


@on_postgres
async def test_two_replicas_share_the_rate(stage: Stage) -> None:
    await stage.start()
    await send(stage, "refund", refunds(50))
    await stage.advance(seconds=0.999)
    assert 17 <= stage.company["billing"].requests <= 20


async def test_one_system_at_its_rate_does_not_hold_up_another(stage: Stage) -> None:
    await send(stage, "refund", refunds(50))
    await send(stage, "lead-routing", LEAD)
    assert stage.company["helpdesk"].requests == 1


# --- a system that does not answer


@on_both_engines
async def test_a_system_that_is_down_is_one_case_and_its_events_are_held(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.mode = Mode.FAIL
    await send(stage, "refund", refunds(40))
    await stage.advance(seconds=20)
    assert connector(stage, "billing") == "open"
    assert titles(stage) == ["billing does not answer: its events are held"]
    (case,) = stage.cases()
    assert (case.failure_mode, case.priority) == ("delivery_failed", "P1")
    asked = billing.requests
    assert asked <= 8
    await stage.advance(seconds=9)
    assert billing.requests == asked
    await stage.advance(minutes=60)
    assert billing.requests - asked <= 16
    assert states(stage) == {"delivering": 40}
    assert "40 events are held" in stage.card(case.ref).shown
    assert sum(attempts(stage)) <= 8


@on_both_engines
async def test_when_it_answers_again_all_goes_on_at_its_rate_and_the_case_heals(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.mode = Mode.FAIL
    await send(stage, "refund", refunds(40))
    await stage.advance(minutes=2)
    asked, billing.mode = billing.requests, Mode.OK
    await stage.advance(minutes=5)
    assert len(billing.kept) == 40
    (case,) = stage.cases()
    assert (case.state, case.resolution) == ("resolved", "fixed_by_itself")
    assert "answers again" in stage.thread(case.ref)[-1]
    assert connector(stage, "billing") == "closed"
    assert billing.requests - asked <= 80
    assert stage.broken() == []


async def test_a_case_that_somebody_has_is_told_and_left_to_them(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    await send(stage, "refund", refunds(10))
    await stage.advance(minutes=1)
    (case,) = stage.cases()
    await stage.press(FAY, "Acknowledge", on=case.ref)
    stage.company["billing"].mode = Mode.OK
    await stage.advance(minutes=5)
    assert stage.case(case.ref).is_open
    assert "whoever has it closes it" in stage.thread(case.ref)[-1]


async def test_one_event_that_is_never_answered_holds_up_nobody(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.mode = Mode.FAIL
    await send(stage, "refund", REFUND)
    await stage.advance(minutes=5)
    assert connector(stage, "billing") == "closed"
    billing.mode = Mode.OK
    await send(stage, "refund", refunds(1, first=7))
    assert list(billing.kept) == ["re_7"]


async def test_a_restart_finds_the_system_left_alone(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.mode = Mode.FAIL
    await send(stage, "refund", refunds(10))
    await stage.advance(seconds=10)
    asked = billing.requests
    await stage.restart(seconds=1)
    assert billing.requests == asked
    billing.mode = Mode.OK
    await stage.advance(minutes=1)
    assert len(billing.kept) == 10


@on_postgres
async def test_two_replicas_send_one_probe(stage: Stage) -> None:
    await stage.start()
    billing = stage.company["billing"]
    billing.mode = Mode.FAIL
    await send(stage, "refund", refunds(20))
    await stage.advance(seconds=20)
    asked = billing.requests
    await stage.advance(seconds=30)
    assert billing.requests == asked + 1
    assert len(stage.cases()) == 1
    billing.mode = Mode.OK
    await stage.advance(minutes=2)
    assert len(billing.kept) == 20


# --- a key that grew too old meanwhile


@on_both_engines
async def test_what_may_have_arrived_under_a_key_that_is_forgotten_is_asked_about(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.mode = Mode.FAIL
    await send(stage, "refund", refunds(6))
    await stage.advance(minutes=1)
    arrived = billing.kept["re_1"] = {"refund_id": "re_1", "amount_cents": 1200, "state": "completed"}
    billing.mode = Mode.OK
    await stage.restart(hours=25)
    await stage.advance(minutes=6)
    assert states(stage) == {"delivered": 6}
    assert billing.kept["re_1"] is arrived
    assert purposes(stage, 1)[-2:] == ["finding", "verifying"]
    assert purposes(stage, 2)[-3:] == ["finding", "sending", "verifying"]
    assert sorted(billing.kept) == [f"re_{n}" for n in range(1, 7)]


@on_both_engines
async def test_where_nobody_can_be_asked_what_may_have_arrived_is_a_case(stage: Stage) -> None:
    helpdesk = stage.company["helpdesk"]
    helpdesk.mode = Mode.FAIL
    await send(stage, "lead-routing", [LEAD | {"lead_id": f"l_{n}"} for n in range(6)])
    await send(stage, "lead-routing", [LEAD | {"lead_id": f"m_{n}"} for n in range(3)])
    assert [bool(purposes(stage, event_id)) for event_id in range(1, 10)] == [True] * 6 + [False] * 3
    helpdesk.mode = Mode.OK
    await stage.restart(hours=25)
    await stage.advance(minutes=6)
    assert states(stage) == {"failed": 6, "delivered": 3}
    unsure = [case for case in stage.cases() if case.is_open]
    assert len(unsure) == 6
    assert "the receiver may not know its key any more: it could do it twice" in unsure[0].detail
    assert len(helpdesk.kept) == 3


def purposes(stage: Stage, event_id: int) -> list[str]:
    """What the requests of an event's delivery were for."""
    rows = select(col(Attempt.purpose)).join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
    mine = rows.where(col(Delivery.event_id) == event_id).order_by(col(Attempt.id))
    return stage.database.read_now(lambda session: list(session.execute(mine).scalars()))


# --- a system that refuses who we are


@on_both_engines
@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_one_case_at_once_and_nothing_is_hammered(stage: Stage, status: int) -> None:
    billing = stage.company["billing"]
    billing.refuses = status
    await send(stage, "refund", refunds(30))
    await stage.advance(minutes=4)
    (case,) = stage.cases()
    assert case.title == "billing refuses our credentials: its events are held"
    card = stage.card(case.ref).shown
    assert f"it answered {status}" in card
    assert "BILLING_TOKEN" in card
    assert billing.requests <= 3
    await stage.advance(minutes=6)
    assert billing.requests <= 5
    assert states(stage) == {"delivering": 30}
    assert set(attempts(stage)) == {0}


@on_both_engines
async def test_a_single_event_that_is_forbidden_is_a_case_of_its_own_and_the_others_go_through(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.forbids = "re_1"
    await send(stage, "refund", refunds(1))
    (of_billing,) = stage.cases()
    assert of_billing.title == "billing refuses our credentials: its events are held"
    await send(stage, "refund", refunds(2, first=2))
    assert billing.requests == 1
    await stage.advance(minutes=11)
    assert sorted(billing.kept) == ["re_2", "re_3"]
    (alone,) = [case for case in stage.cases() if case.event_id == 1]
    assert (alone.failure_mode, alone.is_open) == ("delivery_failed", True)
    assert "it answered 403" in alone.detail
    assert stage.case(of_billing.ref).resolution == "fixed_by_itself"
    assert connector(stage, "billing") == "closed"
    asked = billing.requests
    await stage.advance(minutes=20)
    assert billing.requests == asked


async def test_its_case_says_what_to_do_about_it_and_not_what_the_contract_says_of_one_event(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.mode = Mode.FAIL
    await send(stage, "refund", refunds(10))
    await stage.advance(seconds=20)
    (down,) = stage.cases()
    assert "See what is wrong with billing. Nothing has to be sent by hand" in stage.card(down.ref).shown
    assert "ask for the callback" not in stage.card(down.ref).shown
    billing.mode, billing.refuses = Mode.OK, 401
    await stage.advance(minutes=5)
    refused = stage.cases()[-1]
    assert "Put right the credentials of billing, then press Retry" in stage.card(refused.ref).shown


async def test_retry_on_its_case_asks_at_once(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.refuses = 401
    await send(stage, "refund", refunds(5))
    await stage.advance(seconds=30)
    (case,) = stage.cases()
    asked, billing.refuses = billing.requests, None
    await stage.press(FAY, "Retry", on=case.ref)
    assert billing.requests > asked
    await stage.advance(seconds=2)
    assert len(billing.kept) == 5
    assert stage.case(case.ref).state == "resolved"


async def test_a_restart_asks_at_once_whether_the_credentials_are_right_now(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.refuses = 401
    await send(stage, "refund", refunds(5))
    await stage.advance(seconds=30)
    billing.refuses = None
    await stage.restart(seconds=1)
    await stage.advance(seconds=2)
    assert len(billing.kept) == 5


async def test_another_policy_asks_at_once(stage: Stage, folder: Path) -> None:
    helpdesk = stage.company["helpdesk"]
    helpdesk.refuses = 403
    await send(stage, "lead-routing", LEAD)
    helpdesk.refuses = None
    path = folder / "connectors.yml"
    path.write_text(path.read_text() + "# The token is a new one.\n")
    await stage.service.read_policy_again()
    await stage.settle()
    assert len(helpdesk.kept) == 1


# --- order


@pytest.fixture
async def ordered(empty_stage: Stage, folder: Path) -> Stage:
    """A stage where a lead may have several events."""
    path = folder / "workflows" / "lead-routing.yml"
    path.write_text(
        path.read_text().replace('id: "{{ event.lead_id }}"', 'id: "{{ event.lead_id }}:{{ event.source }}"')
    )
    await empty_stage.start()
    return empty_stage


def of_lead(*sources: str, lead: str = "l_1") -> list[dict[str, Any]]:
    """Events of one lead."""
    return [{"lead_id": lead, "tier": "growth", "source": each} for each in sources]


@on_both_engines
async def test_the_card_says_how_many_wait_and_closing_the_case_lets_them_go_on(ordered: Stage) -> None:
    helpdesk = ordered.company["helpdesk"]
    helpdesk.mode = Mode.FAIL
    await send(ordered, "lead-routing", of_lead("form"))
    await ordered.advance(minutes=10)
    helpdesk.mode = Mode.OK
    await send(ordered, "lead-routing", of_lead("fair", "phone"))
    await send(ordered, "lead-routing", of_lead("chat"))
    await send(ordered, "lead-routing", of_lead("form", lead="l_2"))
    (case,) = ordered.cases()
    assert "3 later events wait" in ordered.card(case.ref).shown
    assert [ticket["lead"] for ticket in helpdesk.kept.values()] == ["l_2"]
    await ordered.type(ADA, f"/case fail {case.ref} the lead is lost for good")
    assert [ticket["lead"] for ticket in helpdesk.kept.values()] == ["l_2", "l_1", "l_1", "l_1"]
    assert states(ordered) == {"dropped": 1, "delivered": 4}
    assert "event.dropped" in ordered.actions(case.ref)
    assert ordered.broken() == []


async def test_a_retry_that_goes_through_lets_them_go_on(ordered: Stage) -> None:
    helpdesk = ordered.company["helpdesk"]
    helpdesk.mode = Mode.FAIL
    await send(ordered, "lead-routing", of_lead("form", "fair"))
    await ordered.advance(minutes=10)
    helpdesk.mode = Mode.OK
    (case,) = ordered.cases()
    await ordered.press(ADA, "Retry", on=case.ref)
    assert states(ordered) == {"delivered": 2}
    assert "later event" not in ordered.card(case.ref).shown


# --- what a refusal says


async def test_a_refusal_says_its_status_and_the_first_words_of_the_answer(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.refuses = 422
    await send(stage, "refund", REFUND)
    (case,) = stage.cases()
    assert "After 1 attempt: it answered 422" in case.detail
    assert 'It answered: {"error": "who are you?"}' in case.detail


# --- is it right there?


@on_both_engines
async def test_what_is_right_there_is_no_case(stage: Stage) -> None:
    await send(stage, "refund", REFUND)
    assert stage.company["billing"].requests == 1
    await stage.advance(seconds=31)
    assert stage.company["billing"].requests == 2
    await stage.advance(minutes=5)
    assert stage.company["billing"].requests == 2
    assert stage.cases() == []


@on_both_engines
async def test_what_is_not_right_there_is_a_conflict_that_takes_a_decision(stage: Stage) -> None:
    await send(stage, "refund", REFUND)
    stage.company["billing"].kept["re_1"]["amount_cents"] = 1
    await stage.advance(seconds=31)
    (case,) = stage.cases()
    assert (case.failure_mode, case.owner, case.event_id) == ("conflict", "data-steward", 1)
    assert "what is there is not as it should be" in case.title
    assert "amount_cents" in case.detail
    answer = await stage.type(CLEO, f"/case resolve {case.ref} fixed billing has it right now")
    assert "say which is right: source or receiver" in answer
    assert f"/case resolve {case.ref} source" in answer
    await stage.type(CLEO, f"/case resolve {case.ref} source fixed billing was corrected")
    assert stage.case(case.ref).state == "resolved"
    assert "The source is right. billing was corrected" in stage.thread(case.ref)[-2]
    assert stage.audit(case.ref)[-1]["detail"]["decision"] == "source"


async def test_a_system_that_cannot_be_asked_is_asked_again(stage: Stage) -> None:
    billing = stage.company["billing"]
    await send(stage, "refund", REFUND)
    billing.mode = Mode.FAIL
    await stage.advance(seconds=30)
    billing.mode = Mode.OK
    await stage.advance(minutes=2)
    assert stage.cases() == []
