"""What people type: each word of `/case` does what it says, and a wrong one gets the nearest right one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.conftest import MONDAY
from tests.stories.company import ADA, DEE, ELI, FAY, GUS, ZOE
from tests.stories.stage import Stage, moment

OTHER = {"title": "Refund re_2 was not taken", "subject": "cus_2"}


async def test_my_queue_the_roles_queue_and_all(stage: Stage) -> None:
    first, second = await stage.report(), await stage.report(**OTHER)
    assert "*Your queue* (2)" in await stage.type(FAY, "/case")
    assert await stage.type(GUS, "/case") == "*Your queue*: nothing is open."
    await stage.press(GUS, "Acknowledge", on=second)
    assert second in await stage.type(GUS, "/case")
    assert first not in await stage.type(GUS, "/case")
    assert second not in await stage.type(FAY, "/case")
    assert "*Billing escalation* (2)" in await stage.type(FAY, "/case list billing")
    assert "*Refunds* (2)" in await stage.type(ZOE, "/case list refund")
    assert "*All open cases* (2)" in await stage.type(ZOE, "/case list all")
    assert "Did you mean `billing`?" in await stage.type(ZOE, "/case list biling")


async def test_show_gives_the_card_without_its_buttons(stage: Stage) -> None:
    ref = await stage.report()
    shown = await stage.type(ZOE, f"/case show {ref.lower()}")
    assert "Refund re_1 was not taken" in shown
    assert "Open the card of C-1" in shown
    assert stage.slack.ephemerals(ZOE)[-1].buttons == []
    assert "There is no case C-99" in await stage.type(ZOE, "/case show C-99")


async def test_ack_note_and_resolve(stage: Stage) -> None:
    ref = await stage.report(failure_mode="other")
    assert "You have it now, until" in await stage.type(FAY, f"/case ack {ref}")
    await stage.type(ZOE, f"/case note {ref} The customer called.")
    assert stage.thread(ref)[-1] == ":memo: *Zoe Without-A-Role*: The customer called."
    assert "You resolved it" in await stage.type(FAY, f"/case resolve {ref} worked_around Paid by hand.")
    assert "Worked around" in stage.card(ref).shown
    assert "Paid by hand." in stage.thread(ref)[-2]
    assert "was resolved by Fay Tanaka just now; reopen it" in await stage.type(GUS, f"/case ack {ref}")


async def test_assign_tells_the_person_who_may_act_from_then_on(stage: Stage) -> None:
    ref = await stage.report()
    assert "You assigned it to" in await stage.type(FAY, f"/case assign {ref} <@{ZOE}>")
    assert len(stage.dms(ZOE)) == 1
    assert stage.case(ref).assignee == ZOE
    await stage.press_in_dm(ZOE, "Acknowledge")
    assert stage.case(ref).acknowledged_by == ZOE


async def test_escalate_snooze_and_priority(stage: Stage) -> None:
    ref = await stage.report(failure_mode="outcome_missing")
    assert "is told now" in await stage.type(FAY, f"/case escalate {ref}")
    assert f"until {moment(hours=2)}" in await stage.type(FAY, f"/case snooze {ref} 2h")
    assert "from P1 to P3" in await stage.type(FAY, f"/case priority {ref} p3")
    assert stage.case(ref).acknowledge_due_at == MONDAY + timedelta(hours=4)


async def test_fail_wants_a_reason_and_tells_the_accountable_role(stage: Stage) -> None:
    ref = await stage.report(workflow="lead-routing", title="Lead l_1 is lost")
    assert "at least 10 characters" in await stage.type(ADA, f"/case fail {ref} no")
    assert stage.case(ref).is_open
    await stage.type(ADA, f"/case fail {ref} The form was deleted, and nobody has the data.")
    assert stage.case(ref).state == "failed"
    assert any("gave up a case that you answer for" in told for told in stage.dms(DEE))
    assert "The form was deleted" in stage.card(ref).shown


async def test_reopen_starts_the_windows_again(stage: Stage) -> None:
    ref = await stage.report(event={"refund_id": "re_1"})
    stage.completes("re_1")
    await stage.type(FAY, f"/case resolve {ref}")
    await stage.advance(hours=5)
    reopened_at = stage.clock.now()
    await stage.type(FAY, f"/case reopen {ref} It failed again this noon.")
    case = stage.case(ref)
    assert (case.state, case.reopened, case.acknowledged_by) == ("queued", 1, None)
    assert case.acknowledge_due_at == reopened_at + timedelta(minutes=10)
    assert "opened again once" in stage.card(ref).shown
    await stage.advance(minutes=11)
    assert len(stage.dms(FAY)) == 1


async def test_a_wrong_word_gets_the_nearest_right_one(stage: Stage) -> None:
    assert "Did you mean `escalate`?" in await stage.type(FAY, "/case esclate C-1")
    assert "Which case? Write `/case ack C-12`." in await stage.type(FAY, "/case ack")
    assert "`/case snooze C-12 2h`" in await stage.type(FAY, "/case help")
    await stage.report()
    assert "not a length" in (await stage.type(FAY, "/case snooze C-1 soon")).lower() or "2h" in stage.told(FAY)
    assert "another workspace" not in await stage.type(FAY, "/case handoff C-1 customer-success")
    assert stage.case("C-1").owner == "customer-success"


async def test_oncall_says_who_it_is_for_each_role(stage: Stage) -> None:
    told = await stage.type(ZOE, "/oncall")
    for line in (
        "• *Revenue Ops*: *Ben Ortiz*",
        "• *Customer Success*: *Dee Okafor*",
        "• *Billing escalation*: *Fay Tanaka*",
        "• *Data steward*: no rota: all its members are told",
    ):
        assert line in told
    assert "Did you mean `billing`?" in await stage.type(ZOE, "/oncall biling")
    assert "/oncall override role" in await stage.type(ZOE, "/oncall help")


async def test_the_home_tab_that_is_open_follows_what_happens(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.stop()
    monkeypatch.setattr("bot.main.LOOKS_AT_HOMES_EVERY", 0.05)
    await stage.start()
    await stage.slack.open_home(GUS)
    await stage.settle()
    assert "Refund re_1" not in _home(stage, GUS)
    ref = await stage.report()
    await stage.slack.until(lambda: "Refund re_1 was not taken" in _home(stage, GUS))
    await stage.press(GUS, "Acknowledge", on=ref)
    await stage.slack.until(lambda: "*Gus Petrov*" in _home(stage, GUS).split("On call now")[0])


def _home(stage: Stage, user: str) -> str:
    home = stage.slack.home(user)
    return home.shown if home else ""


async def test_the_home_tab_shows_what_waits_for_whom(stage: Stage) -> None:
    ref = await stage.report()
    await stage.slack.open_home(GUS)
    await stage.settle()
    home = stage.slack.home(GUS)
    assert home is not None
    assert "Nothing is waiting for you." in home.shown
    assert "Refund re_1 was not taken" in home.shown
    await stage.press(GUS, "Acknowledge", on=ref)
    await stage.slack.open_home(GUS)
    await stage.settle()
    shown = stage.slack.home(GUS)
    assert shown is not None
    assert "Nothing is waiting for you." not in shown.shown
    await stage.slack.open_home(ELI)
    await stage.settle()


async def test_the_menu_of_the_card_has_the_rest(stage: Stage) -> None:
    ref = await stage.report()
    await stage.press(FAY, "Acknowledge", on=ref)
    await stage.choose(FAY, "waiting_for_customer", on=ref)
    assert "(stands still)" in stage.card(ref).shown
    due = stage.case(ref).resolve_due_at
    await stage.advance(minutes=30)
    await stage.choose(FAY, "in_progress", on=ref)
    assert stage.case(ref).resolve_due_at == due + timedelta(minutes=30)
    await stage.choose(FAY, "priority", on=ref)
    assert (await stage.fill_in(FAY, priority="P2")).ok
    assert stage.case(ref).priority == "P2"
    await stage.choose(FAY, "note", on=ref)
    assert (await stage.fill_in(FAY, text="Billing knows.")).ok
    await stage.choose(FAY, "fail", on=ref)
    short = await stage.fill_in(FAY, reason="no")
    assert list(short.errors) == ["reason"]
    assert (await stage.fill_in(FAY, reason="The customer took it back.")).ok
    assert stage.case(ref).state == "failed"
    await stage.choose(FAY, "audit", on=ref)
    assert "*failed*" in stage.form(FAY).shown
