"""Buttons, the menu and forms of a card, through signed requests."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select
from sqlmodel import Session, col

from bot.rules.lifecycle import HELD
from store.models import AuditEntry, Case, Delivery
from tests.slack.conftest import ADA, BEN, CLEO, DEE, GUEST, REVOPS, SHARED, STRANGER, World


async def submitted(world: World, user: str, **given: str) -> None:
    done = await world.slack.submit(user, given=given)
    assert done.ok, done
    await world.settled()


async def actions(world: World, case_id: int) -> list[str]:
    def read(session: Session) -> list[str]:
        rows = select(col(AuditEntry.body)).where(col(AuditEntry.chain) == f"case:{case_id}")
        return [body.split('"action":"')[1].split('"')[0] for body in session.execute(rows).scalars()]

    return await world.context.desk.read(read)


async def test_resolving_asks_how_and_says_so_in_the_thread(world: World) -> None:
    case = await world.opened()
    await world.press(ADA, case, "Acknowledge")
    await world.press(ADA, case, "Resolve")
    await submitted(world, ADA, reason="worked_around", note="billed by hand")
    assert (await world.case(case.id)).state == "resolved"
    thread = world.slack.thread(REVOPS, case.card_ts or "")
    assert "billed by hand" in thread[-1].shown
    assert world.card(case).buttons == ["Reopen"]
    assert "You resolved it" in world.told(ADA)


async def test_reopening_asks_why_and_the_form_says_when_that_is_too_little(world: World) -> None:
    case = await world.opened()
    await world.press(ADA, case, "Resolve")
    await submitted(world, ADA, reason="fixed")
    await world.press(ADA, case, "Reopen")
    refused = await world.slack.submit(ADA, given={"reason": "no"})
    assert set(refused.errors or {}) == {"reason"}
    await submitted(world, ADA, reason="it came back this morning")
    assert (await world.case(case.id)).state == "queued"


async def test_assigning_by_the_menu(world: World) -> None:
    case = await world.opened()
    await world.choose(ADA, case, "assign")
    await submitted(world, ADA, person=CLEO)
    assert (await world.case(case.id)).assignee == CLEO


async def test_handing_off_by_the_menu_tells_the_new_owner(world: World) -> None:
    case = await world.opened()
    await world.choose(ADA, case, "hand_off")
    await submitted(world, ADA, role="success")
    assert (await world.case(case.id)).owner == "success"
    assert "Customer Success" in world.card(case).shown


@pytest.mark.parametrize(
    ("word", "given", "field", "value"),
    [
        ("priority", {"priority": "P3"}, "priority", "P3"),
        ("fail", {"reason": "the account is gone for good"}, "state", "failed"),
    ],
)
async def test_forms_of_the_menu(world: World, word: str, given: dict[str, str], field: str, value: str) -> None:
    case = await world.opened()
    await world.choose(ADA, case, word)
    await submitted(world, ADA, **given)
    assert getattr(await world.case(case.id), field) == value


async def test_snoozing_shows_until_when_on_the_card(world: World) -> None:
    case = await world.opened()
    await world.choose(ADA, case, "snooze")
    await submitted(world, ADA, length="30m")
    assert (await world.case(case.id)).snoozed_until is not None
    assert "silent until" in world.card(case).shown


async def test_a_note_goes_to_the_thread_and_wakes_nobody(world: World) -> None:
    case = await world.opened()
    await world.choose(ADA, case, "note")
    await submitted(world, ADA, text="<!channel> look `here` *now*")
    line = world.slack.thread(REVOPS, case.card_ts or "")[-1]
    assert "look" in line.shown
    assert line.mentions == []


async def test_waiting_for_the_customer_is_one_choice(world: World) -> None:
    case = await world.opened()
    await world.press(ADA, case, "Acknowledge")
    await world.choose(ADA, case, "waiting_for_customer")
    assert (await world.case(case.id)).state == "waiting_for_customer"
    assert "stands still" in world.card(case).shown


def _states_offered(world: World, case: Case) -> list[str]:
    [menu] = [each for block in world.card(case).blocks for each in block.get("elements", ()) if "options" in each]
    return [option["value"] for option in menu["options"] if option["value"] in HELD]


async def test_the_menu_offers_the_states_that_can_be_chosen_then(world: World) -> None:
    case = await world.opened()
    assert _states_offered(world, case) == []
    await world.press(ADA, case, "Acknowledge")
    assert _states_offered(world, case) == ["waiting_for_customer", "waiting_for_systems"]
    await world.choose(ADA, case, "waiting_for_customer")
    assert _states_offered(world, case) == ["in_progress", "waiting_for_systems"]
    await world.choose(ADA, case, "in_progress")
    assert (await world.case(case.id)).state == "in_progress"


async def test_the_audit_trail_opens_in_a_form_and_turns_pages(world: World) -> None:
    case = await world.opened()
    for number in range(11):
        await world.choose(ADA, case, "note")
        await submitted(world, ADA, text=f"note {number}")
    await world.choose(ADA, case, "audit")
    view = world.slack.views(ADA)[-1]
    assert "*noted*" in view.shown
    assert view.buttons == ["Older"]
    await world.slack.click(ADA, view, text="Older")
    await world.settled()
    assert "*opened*" in world.slack.views(ADA)[-1].shown


async def test_escalating_tells_the_person_on_call_by_direct_message(world: World) -> None:
    case = await world.opened()
    await world.press(BEN, case, "Escalate")
    [page] = world.slack.dms(ADA)
    assert page.buttons == ["Acknowledge", "Escalate"]
    assert case.ref in page.shown
    assert (await world.slack.click(ADA, page, text="Acknowledge")).ok
    await world.settled()
    assert (await world.case(case.id)).acknowledged_by == ADA


async def test_a_double_click_on_escalate_is_one_step(world: World) -> None:
    case = await world.opened()
    card = world.card(case)
    await asyncio.gather(*(world.slack.click(BEN, card, text="Escalate") for _ in range(2)))
    await world.settled()
    assert (await actions(world, case.id)).count("case.escalated") == 1
    assert world.slack.dms(DEE) == []


async def test_escalating_again_on_a_card_that_changed_in_the_same_instant_is_another_step(world: World) -> None:
    case = await world.opened()
    for priority in ("P2", "P3"):
        assert (await world.slack.click(BEN, world.card(case), text="Escalate")).ok
        await world.slack.command(BEN, REVOPS, f"/case priority {case.ref} {priority}")
        await world.edge.edge.guard.drain()
        await world.outbox.drain()
    assert (await actions(world, case.id)).count("case.escalated") == 2


async def test_what_may_do_it_twice_is_asked_first(world: World) -> None:
    case = await world.opened()
    await world.press(ADA, case, "Retry")
    view = world.slack.views(ADA)[-1]
    assert "twice" in view.shown
    await submitted(world, ADA)
    rows = await world.context.desk.read(lambda session: session.execute(select(Delivery)).scalars().all())
    assert [(row.verb, row.confirmed) for row in rows] == [("retry", True)]


async def test_a_retry_that_nobody_confirms_sends_nothing(world: World) -> None:
    case = await world.opened()
    await world.press(ADA, case, "Retry")
    await world.slack.close(ADA)
    rows = await world.context.desk.read(lambda session: session.execute(select(Delivery)).scalars().all())
    assert rows == []


@pytest.mark.parametrize("user", [GUEST, STRANGER])
async def test_guests_and_users_of_other_workspaces_are_refused_and_told_alone(world: World, user: str) -> None:
    case = await world.opened()
    moved = await world.client.chat_postMessage(channel=SHARED, blocks=world.card(case).blocks, text="shared")
    assert (await world.slack.click(user, channel=SHARED, ts=str(moved["ts"]), text="Acknowledge")).ok
    await world.settled()
    assert (await world.case(case.id)).acknowledged_by is None
    assert "only where a role lists" in world.told(user)
    assert (await actions(world, case.id))[-1] == "refused"
    assert len(world.slack.messages(SHARED)) == 1


async def test_a_button_that_is_not_ours_is_answered(world: World) -> None:
    button = {"type": "button", "action_id": "case.acknowledge", "text": {"type": "plain_text", "text": "Old"}}
    blocks = [{"type": "actions", "elements": [button | {"value": "C-1"}]}]
    posted = await world.client.chat_postMessage(channel=SHARED, text="old", blocks=blocks)
    assert (await world.slack.click(ADA, channel=SHARED, ts=str(posted["ts"]), text="Old")).ok
    await world.settled()
    assert "another version" in world.told(ADA)


async def test_somebody_outside_the_roles_is_told_who_may(world: World) -> None:
    case = await world.opened()
    await world.press("U0ZOE", case, "Acknowledge")
    assert "Revenue Ops" in world.told("U0ZOE")
    assert world.told(ADA) == ""


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ("U0POINTSMAN", "is a bot or has left"),
        ("USLACKBOT", "is a bot or has left"),
        (GUEST, "is a guest whom no role lists"),
        (STRANGER, "is a user of another workspace whom no role lists"),
    ],
)
async def test_a_case_is_given_to_nobody_who_may_not_act(world: World, person: str, said: str) -> None:
    case = await world.opened()
    await world.choose(ADA, case, "assign")
    refused = await world.slack.submit(ADA, given={"person": person})
    assert said in (refused.errors or {})["person"]
    assert (await world.case(case.id)).assignee is None
