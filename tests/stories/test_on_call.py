"""Who is told: the person on call at that moment, by rota, handoff and override; and nobody found is never silence."""

from __future__ import annotations

from pathlib import Path

from tests.stories.company import ADA, BEN, BILLING, CLEO, DEE, ELI, FAY, GUS, REVOPS, ZOE
from tests.stories.stage import Stage

NOTICE = {"workflow": "renewal-notice", "failure_mode": "delivery_failed", "title": "No notice for acc_1"}
"""P1, and its route is on_call: revenue-ops is told at opening."""
LOST = {"failure_mode": "outcome_missing", "title": "No callback for refund re_1"}
VIP = {"workflow": "support-triage", "title": "A VIP waits", "event": {"tier": "vip"}}


async def test_route_on_call_tells_the_person_on_call_at_opening(stage: Stage) -> None:
    ref = await stage.report(**NOTICE)
    assert stage.case(ref).route == "on_call"
    (told,) = stage.dms(BEN)
    assert "It goes to the person on call at once." in told
    assert "*Ben Ortiz* of Revenue Ops is told now" in stage.thread(ref)[0]
    assert stage.dms(ADA) == stage.dms(CLEO) == []


async def test_a_routing_rule_takes_a_vip_to_the_person_on_call_and_the_record_says_why(stage: Stage) -> None:
    ref = await stage.report(**VIP)
    opened = stage.audit(ref)[0]["detail"]
    assert (opened["rule"], opened["route"], opened["priority"]) == ("VIP customers go to on-call", "on_call", "P1")
    assert opened["facts"]["event.tier"] == "vip"
    assert len(stage.dms(DEE)) == 1


async def test_a_condition_over_what_is_missing_is_not_met_and_the_record_says_so(stage: Stage) -> None:
    ref = await stage.report(workflow="support-triage", title="Somebody waits", event={"name": "x"})
    opened = stage.audit(ref)[0]["detail"]
    assert opened["route"] == "owner_queue"
    assert "event.tier is missing" in str(opened["not_met"])
    assert "VIP customers go to on-call: not met: event.tier is missing" in stage.card(ref).shown


async def test_the_handoff_between_two_tellings_changes_who_is_told(stage: Stage) -> None:
    await stage.advance(days=6, hours=22, minutes=30)
    ref = await stage.report(**LOST)
    await stage.advance(minutes=20)
    assert (len(stage.dms(FAY)), len(stage.dms(GUS))) == (1, 0)
    await stage.advance(hours=1, minutes=40)
    assert len(stage.dms(GUS)) > 0
    assert len(stage.dms(FAY)) == 1
    assert "*Gus Petrov* of Billing escalation" in "\n".join(stage.thread(ref))


async def test_an_override_changes_who_is_told_and_who_may_act(stage: Stage) -> None:
    told = await stage.type(BEN, f"/oncall override revenue-ops <@{ADA}> 2h")
    assert "*Ada Lindqvist* has revenue-ops-on-call from" in told
    assert "*Ada Lindqvist*" in await stage.type(ZOE, "/oncall revenue-ops")
    await stage.report(**NOTICE)
    assert (len(stage.dms(ADA)), len(stage.dms(BEN))) == (1, 0)
    await stage.advance(hours=3)
    await stage.report(**NOTICE | {"title": "No notice for acc_2", "subject": "acc_2"})
    assert len(stage.dms(BEN)) > 0
    assert any(entry["action"] == "rota.overridden" for entry in stage.audit())


async def test_an_override_by_somebody_without_the_rota_is_refused(stage: Stage) -> None:
    told = await stage.type(ZOE, f"/oncall override billing <@{ZOE}> 2h")
    assert "Billing escalation" in told
    assert "*Fay Tanaka*" in await stage.type(ZOE, "/oncall billing")


async def test_a_role_without_a_rota_tells_each_of_its_members(stage: Stage) -> None:
    ref = await stage.report(failure_mode="conflict", title="The amounts differ")
    assert stage.case(ref).owner == "data-steward"
    await stage.advance(minutes=16)
    assert len(stage.dms(CLEO)) == 1


async def test_nobody_on_call_is_said_and_the_next_step_comes_at_once(empty_stage: Stage, folder: Path) -> None:
    calendar = folder / "billing-on-call.ics"
    calendar.write_text(calendar.read_text().replace("2026", "2031"))
    await empty_stage.start()
    ref = await empty_stage.report(**LOST)
    await empty_stage.advance(minutes=16)
    said = "\n".join(empty_stage.thread(ref))
    assert "Nobody could be told for Billing escalation" in said
    assert "The next step comes now." in said
    assert len(empty_stage.dms(BEN)) == 1
    assert "case.nobody_found" in empty_stage.actions(ref)


async def test_a_hand_off_gives_the_case_to_another_role_and_its_own_hours(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.choose(FAY, "hand_off", on=ref)
    assert (await stage.fill_in(FAY, role="customer-success")).ok
    case = stage.case(ref)
    assert (case.owner, case.state, case.assignee) == ("customer-success", "queued", None)
    assert any("C-1" in line for line in stage.notices("C0SUCCESS"))
    assert "Customer Success → *Dee Okafor* (on call)" in stage.card(ref).shown
    await stage.press(ELI, "Acknowledge", on=ref)
    assert stage.case(ref).acknowledged_by == ELI
    assert stage.cards(BILLING) == [stage.card(ref)]
    assert stage.notices(REVOPS) == []
