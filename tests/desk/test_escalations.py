"""Silence is noticed: reminders, windows that pass, ladders that are climbed, by themselves and by hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlmodel import col

from bot.desk import cases, escalations, rotas, timers
from bot.desk.commands import Acknowledge, Escalate, HandOff, OverrideRota, Resolve, SetState
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.actors import TIMER
from bot.rules.saying import What
from store.models import Case
from tests.desk.conftest import Told
from tests.desk.story import ADA, BEN, DAY, DEE, FAY, HOUR, MINUTE, STRANGER, Story


def steps(lines: list[dict[str, Any]]) -> list[tuple[str, int, str]]:
    return [(line["ladder"], line["step"], line["role"]) for line in lines]


async def test_silence_is_reminded_of_then_escalated_then_exhausted(story: Story) -> None:
    case_id = await story.opened()
    await story.pass_time(5 * HOUR - MINUTE)
    assert await story.lines(case_id) == [
        "reminded",
        "reminded",
        "window_passed",
        *["escalated"] * 6,
        "exhausted",
    ]
    assert steps(await story.said(case_id, "escalated")) == [
        ("unacknowledged", 1, "revenue-ops"),
        ("unacknowledged", 2, "customer-success"),
        *[("unacknowledged", step, "customer-success") for step in (3, 4, 5, 6)],
    ]
    assert await story.paged(case_id) == ["U0BEN", *["U0DEE"] * 5]
    assert (await story.case(case_id)).exhausted


async def test_each_rung_is_told_at_its_distance_to_whom_the_rota_names_then(story: Story) -> None:
    case_id, start = await story.opened(), story.clock.now()
    takes_over = OverrideRota("success-on-call", start + 3 * HOUR, start + DAY, "U0ELI")
    await story.do(rotas.override_rota, takes_over, DEE)
    await story.pass_time(3 * HOUR)
    told = [(owed.created_at - start, owed.channel) for owed in await story.owed(case_id, "page")]
    assert told == [
        (2 * HOUR, "U0BEN"),
        (2 * HOUR + 30 * MINUTE, "U0DEE"),
        (3 * HOUR, "U0ELI"),
    ]


async def test_telling_a_role_is_a_line_in_its_channel_unless_the_thread_is_there(story: Story) -> None:
    case_id = await story.opened()
    await story.pass_time(2 * HOUR + 30 * MINUTE)
    [notice] = await story.owed(case_id, "notice")
    assert (notice.channel, notice.payload["what"], notice.payload["step"]) == ("C0SUCCESS", "escalated", 2)


async def test_a_role_without_a_rota_is_told_member_by_member(story: Story) -> None:
    case_id = await story.opened(workflow="refund", mode="duplicate")
    await story.pass_time(2 * HOUR)
    assert await story.paged(case_id) == ["U0CLEO"]


async def test_an_unresolved_case_climbs_its_own_ladder_although_somebody_has_it(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    for _ in range(6):
        await story.pass_time(4 * HOUR + 10 * MINUTE)
        await story.do(cases.acknowledge, Acknowledge(case_id), ADA)
    case = await story.case(case_id)
    assert case.resolution_breached_at
    assert steps(await story.said(case_id, "escalated")) == [
        ("unresolved", 1, "revenue-ops"),
        ("unresolved", 2, "customer-success"),
    ]
    assert await story.paged(case_id) == ["U0ADA", "U0ADA", "U0BEN", "U0DEE"]  # two reminders, two rungs


async def test_reminders_go_to_whoever_has_the_case(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    await story.pass_time(5 * HOUR - MINUTE)
    await story.do(cases.acknowledge, Acknowledge(case_id), ADA)
    await story.pass_time(2 * MINUTE)
    [page] = await story.said(case_id, "reminded", kind="page")
    assert (page["window"], page["people"]) == ("resolution", ["U0ADA"])
    assert await story.said(case_id, "reminded") == []


async def test_the_reminder_of_a_case_in_another_channel_goes_to_its_owners(story: Story) -> None:
    case_id = await story.opened()
    await story.do(cases.hand_off, HandOff(case_id, "billing"))
    await story.pass_time(HOUR)
    reminders = [owed for owed in await story.owed(case_id, "notice") if owed.payload["what"] == "reminded"]
    assert [(owed.channel, owed.payload["people"]) for owed in reminders] == [("C0BILLING", ["U0FAY"])]


async def test_the_route_on_call_pages_at_opening(story: Story) -> None:
    case_id = await story.opened(workflow="renewal-notice", mode="stale")
    assert await story.paged(case_id) == ["U0BEN"]
    assert await story.lines(case_id) == ["opened_on_call"]


async def test_what_was_due_while_nothing_ran_happens_at_the_next_start_but_not_all_at_once(story: Story) -> None:
    case_id, start = await story.opened(), story.clock.now()
    story.clock.advance(3 * HOUR)
    await story.tick()
    assert await story.lines(case_id) == ["window_passed", "escalated"]
    assert (await story.timers(case_id))["response"] == start + 3 * HOUR + 30 * MINUTE


async def test_a_case_that_was_closed_meanwhile_is_left_alone(story: Story) -> None:
    case_id = await story.opened()
    story.clock.advance(3 * HOUR)
    due = await story.do(timers.claim_due, 10, TIMER)
    await story.do(cases.resolve, Resolve(case_id, "fixed"))
    assert (await story.do(escalations.fire, due, TIMER)).count == 0
    assert await story.lines(case_id) == ["resolved"]


async def test_two_that_fire_the_same_timer_do_it_once(story: Story) -> None:
    case_id = await story.opened()
    story.clock.advance(2 * HOUR)
    due = await story.do(timers.claim_due, 10, TIMER)
    fired = await asyncio.gather(*(story.do(escalations.fire, due, TIMER) for _ in range(5)))
    assert sorted(each.count for each in fired) == [0, 0, 0, 0, 1]
    assert len(await story.said(case_id, "escalated")) == 1
    assert await story.paged(case_id) == ["U0BEN"]


NOBODY = (
    "    members: [U0DEE, U0ELI]\n    calendar: support-emea\n    on_call: success-on-call\n",
    "    members: []\n    calendar: support-emea\n",
)


async def test_where_nobody_is_found_the_next_step_is_taken_at_once_and_it_is_said(story_where: Told) -> None:
    story = story_where(*NOBODY)
    case_id = await story.opened()
    await story.pass_time(2 * HOUR + 30 * MINUTE)
    nobody = await story.said(case_id, "nobody_found")
    assert steps(nobody) == [("unacknowledged", step, "customer-success") for step in (2, 3, 4, 5, 6)]
    assert {line["because"] for line in nobody} == {"it has no members"}
    assert (await story.case(case_id)).exhausted


async def test_an_owner_without_a_backup_is_no_silence_either(story_where: Told) -> None:
    story = story_where("    on_call: revenue-ops-on-call\n    backup: customer-success\n", "")
    case_id = await story.opened()
    await story.pass_time(2 * HOUR + 30 * MINUTE)
    [nobody] = await story.said(case_id, "nobody_found")
    assert nobody["because"] == "Revenue Ops has no backup role"
    assert (await story.said(case_id, "escalated"))[-1]["step"] == 3


async def test_the_button_does_the_next_step_now(story: Story) -> None:
    case_id = await story.opened()
    outcome = await story.do(escalations.escalate, Escalate(case_id), ADA)
    assert outcome.what is What.ESCALATED
    assert (outcome.facts["step"], outcome.facts["people"]) == (1, ["U0BEN"])
    [line] = await story.said(case_id, "escalated")
    assert (line["ladder"], line["by"]) == ("by_hand", "U0ADA")
    assert (await story.timers(case_id))["response"] == story.clock.now() + 30 * MINUTE


async def test_the_window_still_passes_after_an_escalation_by_hand(story: Story) -> None:
    case_id = await story.opened()
    for _ in range(6):
        await story.do(escalations.escalate, Escalate(case_id), ADA)
    assert (await story.case(case_id)).response_breached_at is None
    await story.pass_time(2 * HOUR)
    assert (await story.case(case_id)).response_breached_at == story.clock.now()
    assert len(await story.said(case_id, "escalated")) == 6


async def test_the_button_climbs_the_unresolved_ladder_of_a_case_that_somebody_has(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    await story.do(cases.set_state, SetState(case_id, "waiting_for_customer"), ADA)
    outcome = await story.do(escalations.escalate, Escalate(case_id), ADA)
    assert (outcome.facts["step"], outcome.facts["of"]) == (1, 2)
    assert (await story.timers(case_id))["resolution"] is None  # it stands still all the same
    assert (await story.case(case_id)).state == "waiting_for_customer"


async def test_at_the_end_of_the_ladder_the_button_says_so_and_tells_the_accountable_role(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    for _ in range(2):
        await story.do(escalations.escalate, Escalate(case_id), ADA)
    before = len(await story.paged(case_id))
    outcome = await story.do(escalations.escalate, Escalate(case_id), ADA)
    assert outcome.what is What.EXHAUSTED
    assert outcome.facts["people"] == ["U0DEE"]
    assert (await story.paged(case_id))[before:] == ["U0DEE"]


async def test_a_double_click_escalates_once(story: Story) -> None:
    case_id = await story.opened()
    clicks = [story.do(escalations.escalate, Escalate(case_id, request_key="slack:click:9"), ADA) for _ in range(5)]
    outcomes = await asyncio.gather(*clicks)
    assert sorted(outcome.repeated for outcome in outcomes) == [False, True, True, True, True]
    assert len(await story.said(case_id, "escalated")) == 1


async def test_whoever_was_escalated_to_may_act_and_a_bystander_may_not(story: Story) -> None:
    case_id = await story.opened(workflow="refund")
    refused = await story.refused(escalations.escalate, Escalate(case_id), STRANGER)
    assert refused.code == "not_allowed"
    await story.do(escalations.escalate, Escalate(case_id), FAY)
    await story.do(escalations.escalate, Escalate(case_id), FAY)
    await story.do(cases.acknowledge, Acknowledge(case_id), BEN)  # of the backup role
    await story.do(cases.resolve, Resolve(case_id, "fixed"), ADA)  # a colleague of the role that was told


async def test_a_timer_that_cannot_be_fired_is_put_off_and_holds_up_no_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, sound = await story.opened(title="a"), await story.opened(title="b")

    def fails(tx: Tx, case: Case, what: str, **more: Any) -> None:
        if case.id == poisoned:
            raise ZeroDivisionError
        in_thread(tx, case, what, **more)

    monkeypatch.setattr("bot.desk.escalations.in_thread", fails)
    assert await story.pass_time(2 * HOUR) == 3
    assert await story.lines(sound) == ["reminded", "reminded", "window_passed", "escalated"]
    assert await story.lines(poisoned) == []
    timer = await story.timer(poisoned, "response")
    assert timer is not None
    assert timer.attempts > 0
    monkeypatch.undo()
    await story.pass_time(HOUR)
    assert "escalated" in await story.lines(poisoned)
    assert await story.everything_holds()


async def test_a_thousand_timers_that_are_due_together_all_fire(story: Story) -> None:
    for batch in range(4):
        await asyncio.gather(*(story.opened(title=f"{batch} {number}") for number in range(250)))
    story.clock.advance(timedelta(hours=2))
    assert await story.tick() == 1000
    missed = select(func.count()).where(col(Case.response_breached_at).is_(None))
    assert await story.desk.read(lambda session: session.execute(missed).scalar_one()) == 0


async def test_the_policy_at_opening_is_the_policy_of_the_ladder(story: Story) -> None:
    case_id = await story.opened()
    await story.desk.run(_forget_role, case_id, actor=ADA)
    await story.pass_time(2 * HOUR)
    [line] = await story.said(case_id, "escalated")
    assert line["role"] == "revenue-ops"  # the one for what is unrouted


def _forget_role(tx: Tx, case_id: int) -> None:
    tx.session.execute(update(Case).where(col(Case.id) == case_id).values(owner="a-role-that-is-gone"))
