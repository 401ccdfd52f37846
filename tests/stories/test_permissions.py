"""Who may do what, decided at the click: a refusal is told only to who clicked, and it is on record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.sandbox.workspace import BOT_USER
from tests.stories.company import (
    ADA,
    DEE,
    FAY,
    GUEST,
    ROBOT,
    SHARED,
    STRANGER,
    SUPPORT,
    ZOE,
)
from tests.stories.stage import Stage


async def _is_refused(stage: Stage, user: str, ref: str) -> None:
    before, told = stage.case(ref), len(stage.slack.ephemerals(user))
    await stage.press(user, "Acknowledge", on=ref)
    assert stage.case(ref).version == before.version
    assert len(stage.slack.ephemerals(user)) == told + 1
    entry = stage.audit(ref)[-1]
    assert (entry["action"], entry["actor"]["id"]) == ("refused", user)
    assert entry["detail"]["code"] == "not_allowed"


async def test_somebody_of_no_role_is_refused_and_told_who_may(stage: Stage) -> None:
    ref = await stage.report()
    await _is_refused(stage, ZOE, ref)
    assert "Billing escalation, Revenue Ops or whoever was told to act on it can" in stage.told(ZOE)
    assert stage.slack.ephemerals(FAY) == []
    assert stage.thread(ref) == []


@pytest.mark.parametrize(("user", "why"), [(STRANGER, "users of other workspaces"), (GUEST, "guests"), (ROBOT, "bots")])
async def test_strangers_guests_and_bots_are_refused(stage: Stage, user: str, why: str) -> None:
    ref = await stage.report()
    await _is_refused(stage, user, ref)
    assert why in stage.told(user)


async def test_a_stranger_opens_no_case_from_a_shared_channel(stage: Stage) -> None:
    root = await stage.say(STRANGER, SHARED, "Your product is broken.")
    await stage.say(STRANGER, SHARED, f"<@{BOT_USER}> open It is broken", thread=root.ts)
    assert stage.cases() == []
    assert "users of other workspaces" in stage.told(STRANGER)
    await stage.use_shortcut(STRANGER, "open_case", on=root)
    assert "users of other workspaces" in stage.form(STRANGER).shown
    await stage.say(ADA, SHARED, f"<@{BOT_USER}> open A customer says it is broken", thread=root.ts)
    assert len(stage.cases()) == 1


async def test_a_guest_sees_no_case(stage: Stage) -> None:
    await stage.report()
    told = await stage.type(GUEST, "/case list all", channel=SHARED)
    assert "guests" in told
    assert "Refund" not in told
    assert any(entry["action"] == "refused" and entry["actor"]["id"] == GUEST for entry in stage.audit())


async def test_anybody_of_the_company_may_note_and_show(stage: Stage) -> None:
    ref = await stage.report()
    await stage.choose(ZOE, "note", on=ref)
    assert (await stage.fill_in(ZOE, text="The customer called me.")).ok
    assert "The customer called me." in stage.thread(ref)[-1]
    assert "Refund re_1" in await stage.type(ZOE, f"/case show {ref}")


async def test_being_told_to_act_gives_the_right_to(stage: Stage) -> None:
    ref = await stage.report(workflow="lead-routing", title="Lead l_1 is lost")
    await _is_refused(stage, FAY, ref)
    await stage.type(ADA, f"/case assign {ref} <@{FAY}>")
    await stage.press(FAY, "Acknowledge", on=ref)
    assert stage.case(ref).acknowledged_by == FAY


async def test_somebody_who_became_a_guest_keeps_only_what_a_role_lists_them_for(stage: Stage) -> None:
    first = await stage.report()
    second = await stage.report(workflow="lead-routing", title="Lead l_1 is lost")
    await stage.type(ADA, f"/case assign {second} <@{ZOE}>")
    people = stage.slack.workspace.users
    people[FAY], people[ZOE] = replace(people[FAY], is_restricted=True), replace(people[ZOE], is_restricted=True)
    await stage.advance(minutes=11)
    await stage.press(FAY, "Acknowledge", on=first)
    assert stage.case(first).acknowledged_by == FAY
    await _is_refused(stage, ZOE, second)


async def test_the_form_of_somebody_who_may_not_is_refused_when_it_is_sent(stage: Stage) -> None:
    ref = await stage.report()
    await stage.press(ZOE, "Resolve", on=ref)
    sent = await stage.fill_in(ZOE, reason="fixed")
    assert "You cannot resolve it: Billing escalation" in sent.errors["note"]
    assert stage.case(ref).is_open
    assert stage.actions(ref)[-1] == "refused"


async def test_a_channel_of_the_accountable_role_is_no_need(stage: Stage) -> None:
    ref = await stage.report(workflow="support-triage", title="Somebody waits", failure_mode="misrouted")
    await stage.say(DEE, SUPPORT, "I take it.")
    await stage.press(DEE, "Acknowledge", on=ref)
    assert stage.case(ref).acknowledged_by == DEE
