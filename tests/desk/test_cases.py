"""Giving on, changing, closing and opening again."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.desk import cases, intake
from bot.desk.clocks import why_resolve_due
from bot.desk.commands import (
    Acknowledge,
    AddNote,
    Assign,
    Fail,
    HandOff,
    Reopen,
    Resolve,
    SetPriority,
    SetState,
    Snooze,
)
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM, source
from store.models import Person
from store.writing import add_new
from tests.desk.story import ADA, BEN, CLEO, DAY, DEE, FAY, HOUR, MINUTE, STRANGER, Story

REASON = "It is not fixed after all"


async def test_an_assignee_is_told_and_may_act(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    await story.do(cases.assign, Assign(case_id, "U0NOBODY"), ADA)
    assert (await story.case(case_id)).assignee == "U0NOBODY"
    assert await story.paged(case_id) == ["U0NOBODY"]
    await story.do(cases.resolve, Resolve(case_id, "fixed"), STRANGER)


async def test_taking_a_case_that_nobody_has_is_acknowledging_it(story: Story) -> None:
    case_id = await story.opened()
    await story.do(cases.assign, Assign(case_id, "U0ADA"), ADA)
    case = await story.case(case_id)
    assert (case.state, case.acknowledged_by, case.assignee) == ("in_progress", "U0ADA", "U0ADA")
    assert await story.paged(case_id) == []


async def test_giving_it_to_somebody_else_is_not_acknowledging_it(story: Story) -> None:
    case_id = await story.opened()
    await story.do(cases.assign, Assign(case_id, "U0CLEO"), ADA)
    case = await story.case(case_id)
    assert (case.state, case.acknowledged_at, case.assignee) == ("queued", None, "U0CLEO")


@pytest.mark.parametrize("person", ["", "C0REVOPS", "@ada", "U0ADA>; <!channel"])
async def test_only_people_are_assigned(story: Story, person: str) -> None:
    refused = await story.refused(cases.assign, Assign(await story.opened(), person))
    assert refused.code == "no_such_person"


@pytest.mark.parametrize("what", [{"is_bot": True}, {"is_deleted": True}, {"is_guest": True}])
async def test_bots_leavers_and_guests_are_not_assigned(story: Story, what: dict[str, bool]) -> None:
    case_id = await story.opened()
    row: dict[str, Any] = {"id": "U0X", "checked_at": story.clock.now(), "name": "Xy <!channel>"} | what
    await story.desk.run(lambda tx, _: add_new(tx.session, Person, [row], unique=["id"]), None, actor=ADA)
    refused = await story.refused(cases.assign, Assign(case_id, "U0X"))
    assert refused.code == "no_such_person"
    assert "<!channel>" not in refused.text


async def test_a_hand_off_queues_it_with_the_other_role_and_starts_its_response_window(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    before = await story.case(case_id)
    story.clock.advance(HOUR)
    await story.do(cases.hand_off, HandOff(case_id, "billing"), ADA)
    case = await story.case(case_id)
    assert (case.owner, case.state, case.assignee, case.acknowledged_at) == ("billing", "queued", None, None)
    assert case.acknowledge_due_at == story.clock.now() + 2 * HOUR  # two hours of Billing's, who are always there
    assert case.resolve_due_at == before.resolve_due_at
    assert set(await story.timers(case_id)) == {"response", "resolution"}


async def test_a_hand_off_tells_the_other_roles_channel(story: Story) -> None:
    case_id = await story.opened()
    await story.do(cases.hand_off, HandOff(case_id, "billing"), BEN)
    [notice] = await story.owed(case_id, "notice")
    assert (notice.channel, notice.payload["people"]) == ("C0BILLING", ["U0FAY"])
    assert await story.paged(case_id) == []


async def test_a_hand_off_of_an_on_call_case_pages_the_other_role(story: Story) -> None:
    case_id = await story.opened(workflow="renewal-notice", mode="stale")
    await story.do(cases.hand_off, HandOff(case_id, "billing"), BEN)
    assert await story.paged(case_id) == ["U0FAY"]


@pytest.mark.parametrize(("role", "code"), [("finance", "no_such_role"), ("revenue-ops", "same_owner")])
async def test_a_hand_off_needs_another_role_that_exists(story: Story, role: str, code: str) -> None:
    assert (await story.refused(cases.hand_off, HandOff(await story.opened(), role))).code == code


async def test_a_changed_priority_recomputes_both_windows_from_the_opening(story: Story) -> None:
    case_id, opened_at = await story.opened(), story.clock.now()
    story.clock.advance(5 * MINUTE)
    await story.do(cases.set_priority, SetPriority(case_id, "P1"))
    case, timers = await story.case(case_id), await story.timers(case_id)
    assert case.acknowledge_due_at == opened_at + 15 * MINUTE
    assert case.resolve_due_at == opened_at + 4 * HOUR
    assert timers["response"] == opened_at + 7 * MINUTE + timedelta(seconds=30)


async def test_a_window_that_is_too_short_by_now_has_passed(story: Story) -> None:
    case_id = await story.opened()
    await story.pass_time(90 * MINUTE)
    await story.do(cases.set_priority, SetPriority(case_id, "P1"))
    await story.tick()
    assert (await story.case(case_id)).response_breached_at == story.clock.now()
    assert len(await story.said(case_id, "escalated")) == 1


async def test_a_window_that_is_long_again_has_not_passed(story: Story) -> None:
    case_id = await story.opened()
    await story.pass_time(2 * HOUR)
    assert (await story.case(case_id)).response_breached_at
    await story.do(cases.set_priority, SetPriority(case_id, "P4"))
    assert (await story.case(case_id)).response_breached_at is None
    await story.pass_time(3 * HOUR)
    assert len(await story.said(case_id, "escalated")) == 1
    await story.pass_time(DAY)
    assert (await story.case(case_id)).response_breached_at


async def test_the_contracts_own_windows_belong_to_its_own_priority(story: Story) -> None:
    case_id, opened_at = await story.opened(workflow="refund", mode="delivery_failed"), story.clock.now()
    await story.do(cases.set_priority, SetPriority(case_id, "P2"), FAY)
    assert (await story.case(case_id)).acknowledge_due_at == opened_at + 2 * HOUR
    await story.do(cases.set_priority, SetPriority(case_id, "P1"), FAY)
    assert (await story.case(case_id)).acknowledge_due_at == opened_at + 10 * MINUTE


async def test_only_a_changed_priority_that_exists_is_a_change(story: Story) -> None:
    case_id = await story.opened()
    assert (await story.refused(cases.set_priority, SetPriority(case_id, "P2"))).code == "same_priority"
    assert (await story.refused(cases.set_priority, SetPriority(case_id, "P0"))).code == "no_such_priority"


@pytest.mark.parametrize(
    ("length", "until"),
    [
        ("2h", "2026-11-23T11:00:00+00:00"),
        ("4bh", "2026-11-23T14:00:00+00:00"),
        ("next business day", "2026-11-24T08:00:00+00:00"),
        (" Next  Business Day ", "2026-11-24T08:00:00+00:00"),
    ],
)
async def test_a_snooze_is_a_length_or_until_the_next_business_day(story: Story, length: str, until: str) -> None:
    case_id = await story.acknowledged()
    outcome = await story.do(cases.snooze, Snooze(case_id, length))
    assert outcome.facts["until"] == until
    assert (await story.case(case_id)).snoozed_until == datetime.fromisoformat(until)


async def test_what_is_no_length_is_refused_with_what_would_be_one(story: Story) -> None:
    refused = await story.refused(cases.snooze, Snooze(await story.opened(), "2 hours"))
    assert "write 2h (clock) or 2bh (business hours)" in refused.text


async def test_a_snooze_silences_reminders_and_stops_no_clock(story: Story) -> None:
    case_id = await story.opened()
    await story.do(cases.snooze, Snooze(case_id, "1bd"))
    await story.pass_time(2 * HOUR)
    assert await story.said(case_id, "reminded") == []
    assert [entry["silenced"] for entry in await story.recorded(case_id, "case.reminded")] == [True, True]
    assert len(await story.said(case_id, "escalated")) == 1


async def test_the_end_of_a_snooze_is_said(story: Story) -> None:
    case_id = await story.acknowledged()
    await story.do(cases.snooze, Snooze(case_id, "1h"))
    await story.pass_time(HOUR)
    assert (await story.case(case_id)).snoozed_until is None
    assert "snooze_over" in await story.lines(case_id)
    assert "snooze" not in await story.timers(case_id)


async def test_anyone_may_note_and_the_record_has_only_the_digest(story: Story) -> None:
    case_id = await story.opened()
    text = "The customer <!channel> wrote\x00 {{ 7 * 7 }} \u202ereversed " + "x" * 50_000
    await story.do(cases.add_note, AddNote(case_id, text, message_ts="1.5"), STRANGER)
    [note] = await story.notes(case_id)
    assert note.text.startswith("The customer <!channel> wrote {{ 7 * 7 }}")
    assert len(note.text) == 40_000
    [entry] = await story.recorded(case_id, "case.noted")
    assert set(entry) == {"text_digest", "message_ts"}
    assert entry["text_digest"] != hashlib.sha256(note.text.encode()).hexdigest()


async def test_an_empty_note_is_refused(story: Story) -> None:
    assert (await story.refused(cases.add_note, AddNote(await story.opened(), " \x00\n"))).code == "empty"


async def test_waiting_for_the_customer_stops_the_resolution_clock(story: Story) -> None:
    case_id = await story.acknowledged()
    due_at = (await story.case(case_id)).resolve_due_at
    await story.do(cases.set_state, SetState(case_id, "waiting_for_customer"))
    assert (await story.timers(case_id))["resolution"] is None
    story.clock.advance(2 * HOUR)
    await story.do(cases.set_state, SetState(case_id, "in_progress"))
    assert (await story.case(case_id)).resolve_due_at == due_at + 2 * HOUR
    assert (await story.timers(case_id))["resolution"] is not None


async def test_waiting_for_a_system_does_not(story: Story) -> None:
    case_id = await story.acknowledged()
    before = await story.timers(case_id)
    await story.do(cases.set_state, SetState(case_id, "waiting_for_systems"))
    assert (await story.timers(case_id))["resolution"] == before["resolution"]


async def test_a_reminder_that_was_sent_before_the_wait_is_not_sent_again_after_it(story: Story) -> None:
    case_id = await story.acknowledged()
    await story.pass_time(5 * HOUR - MINUTE)
    await story.do(cases.acknowledge, Acknowledge(case_id))
    await story.pass_time(2 * MINUTE)
    reminded = len(await story.recorded(case_id, "case.reminded"))
    await story.do(cases.set_state, SetState(case_id, "waiting_for_customer"))
    story.clock.advance(MINUTE)
    await story.do(cases.set_state, SetState(case_id, "in_progress"))
    await story.pass_time(MINUTE)
    assert (reminded, len(await story.recorded(case_id, "case.reminded"))) == (1, 1)


async def test_a_lease_that_runs_out_while_waiting_starts_the_clock_again(story: Story) -> None:
    case_id = await story.acknowledged()
    await story.do(cases.set_state, SetState(case_id, "waiting_for_customer"))
    await story.pass_time(DAY)
    case = await story.case(case_id)
    assert case.state == "queued"
    assert (await story.timers(case_id))["resolution"] is not None


async def test_why_it_is_due_then_is_told_from_the_record(story: Story) -> None:
    case_id = await story.acknowledged()
    await story.do(cases.set_state, SetState(case_id, "waiting_for_customer"))
    story.clock.advance(HOUR)
    await story.do(cases.set_state, SetState(case_id, "in_progress"))
    case = await story.case(case_id)
    lines = await story.desk.read(lambda session: why_resolve_due(session, story.desk.policies, case))
    assert lines[0] == "1bd from Mon 2026-11-23 10:00 CET"
    assert "stood still: Mon 2026-11-23 10:00 CET to Mon 2026-11-23 11:00 CET (waiting for customer)" in lines
    assert lines[-1] == "due Tue 2026-11-24 11:00 CET"


async def test_resolving_ends_it_with_a_reason_and_a_note(story: Story) -> None:
    case_id = await story.acknowledged()
    await story.do(cases.resolve, Resolve(case_id, "worked_around", "sent by hand"))
    case = await story.case(case_id)
    assert (case.state, case.resolution, case.closed_at) == ("resolved", "worked_around", story.clock.now())
    assert await story.timers(case_id) == {}
    [line] = await story.said(case_id, "resolved")
    assert line["reason"] == "Worked around; the cause is still there"
    assert [note.text for note in await story.notes(case_id)] == ["sent by hand"]
    assert "sent by hand" not in str(await story.record(case_id))


async def test_nothing_is_paged_about_a_closed_case(story: Story) -> None:
    case_id = await story.opened()
    await story.pass_time(2 * HOUR + 30 * MINUTE)
    assert len(await story.paged(case_id)) == 2
    await story.do(cases.resolve, Resolve(case_id, "fixed_by_itself"))
    assert await story.paged(case_id) == []
    assert await story.pass_time(7 * DAY) == 0


async def test_a_reason_that_is_not_on_the_list_is_refused(story: Story) -> None:
    refused = await story.refused(cases.resolve, Resolve(await story.opened(), "whatever"))
    assert "fixed, fixed_by_itself, not_a_problem, duplicate, worked_around" in refused.text


async def test_a_closed_case_says_who_closed_it_and_what_would_be_right(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    await story.do(cases.resolve, Resolve(case_id, "fixed"), ADA)
    story.clock.advance(3 * MINUTE)
    refused = await story.refused(cases.acknowledge, Acknowledge(case_id), CLEO)
    assert refused.text == f"C-{case_id} was resolved by <@U0ADA> 3 min ago; reopen it with a reason."


async def test_giving_up_needs_a_reason_and_tells_the_accountable_role(story: Story) -> None:
    case_id = await story.acknowledged()
    assert (await story.refused(cases.fail, Fail(case_id, "no idea"))).code == "reason_needed"
    await story.do(cases.fail, Fail(case_id, "The lead was deleted at the source"))
    case = await story.case(case_id)
    assert (case.state, case.resolution) == ("failed", "The lead was deleted at the source")
    [notice] = await story.owed(case_id, "notice")
    assert (notice.channel, notice.payload["what"]) == ("C0SUCCESS", "failed_told")
    assert await story.paged(case_id) == ["U0DEE"]


async def test_reopening_starts_everything_anew(story: Story) -> None:
    case_id = await story.acknowledged()
    await story.pass_time(HOUR)
    await story.do(cases.resolve, Resolve(case_id, "fixed"))
    await story.pass_time(DAY)
    assert (await story.refused(cases.reopen, Reopen(case_id, "nope"))).code == "reason_needed"
    await story.do(cases.reopen, Reopen(case_id, REASON))
    case = await story.case(case_id)
    assert (case.state, case.reopened, case.closed_at, case.resolution) == ("queued", 1, None, None)
    assert (case.assignee, case.acknowledged_at) == (None, None)
    assert case.resolve_due_at == case.response_from_at + DAY
    await story.pass_time(3 * HOUR)  # two in hours, over lunch
    assert len(await story.said(case_id, "escalated")) == 1


async def test_a_failure_that_has_another_open_case_is_not_reopened(story: Story) -> None:
    first = await story.acknowledged()
    await story.do(cases.resolve, Resolve(first, "fixed"))
    second = await story.opened()
    refused = await story.refused(cases.reopen, Reopen(first, REASON))
    assert refused.text == f"C-{second} is open for the same failure; go on there."


async def test_a_case_that_does_not_exist_is_said_so(story: Story) -> None:
    assert (await story.refused(cases.acknowledge, Acknowledge(99))).text.startswith("There is no case C-99")


async def test_every_act_is_on_record_in_a_chain_that_holds(story: Story) -> None:
    case_id = await story.acknowledged()
    for act, command in [
        (cases.set_state, SetState(case_id, "manual_review")),
        (cases.set_priority, SetPriority(case_id, "P3")),
        (cases.hand_off, HandOff(case_id, "customer-success")),
    ]:
        await story.do(act, command)  # type: ignore[arg-type]
    await story.do(cases.resolve, Resolve(case_id, "fixed"), DEE)
    actions = [entry["action"] for entry in await story.record(case_id)]
    assert actions == [
        "case.opened",
        "case.acknowledged",
        "case.state_changed",
        "case.priority_changed",
        "case.handed_off",
        "case.resolved",
    ]
    assert await story.everything_holds()


async def test_a_case_that_is_opened_and_joined_at_once_owes_one_card_to_its_channel(story: Story) -> None:
    same = Report(by=source("monitors"), workflow="lead-routing", failure_mode="other", title="Lead lost")
    answer = await story.desk.run_joined(intake.report, Submission((same, same)))
    assert isinstance(answer, tuple)
    (card,) = await story.owed(int(answer[0].case.removeprefix("C-")), "card")
    assert card.channel == "C0REVOPS"


async def test_what_a_command_owes_leaves_also_when_nobody_waits_for_its_result(story: Story) -> None:
    told, begun, go_on = asyncio.Event(), threading.Event(), threading.Event()
    story.desk.on_commit = lambda _: told.set()

    def slow(tx: Tx, _: None) -> None:
        begun.set()
        assert go_on.wait(10)
        tx.owe("notice", "notice:1", channel="C0REVOPS")

    waiting = asyncio.create_task(story.desk.run(slow, None, actor=SYSTEM))
    assert await asyncio.to_thread(begun.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not told.is_set()
    go_on.set()
    await asyncio.wait_for(told.wait(), 10)
