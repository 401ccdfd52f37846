"""Acknowledging: the first one wins, the others are told, and what nobody works on is queued again."""

from __future__ import annotations

import asyncio

from bot.desk import cases, escalations, threads
from bot.desk.commands import Acknowledge, AddNote, Assign, Escalate, HeardReply, OpenByHand, Outcome, SetState
from bot.rules.actors import person
from bot.rules.refusals import Refused
from bot.rules.saying import What
from tests.desk.story import ADA, BEN, CLEO, DAY, DEE, HOUR, MINUTE, STRANGER, Story


async def test_whoever_acknowledges_has_the_case(story: Story) -> None:
    case_id = await story.opened()
    outcome = await story.do(cases.acknowledge, Acknowledge(case_id), ADA)
    case = await story.case(case_id)
    assert (case.state, case.assignee, case.acknowledged_by) == ("in_progress", "U0ADA", "U0ADA")
    assert case.acknowledged_at == story.clock.now()
    assert outcome.what is What.ACKNOWLEDGED
    assert await story.lines(case_id) == ["acknowledged"]


async def test_the_response_timer_stands_still_and_the_lease_runs(story: Story) -> None:
    case_id = await story.acknowledged()
    timers, case = await story.timers(case_id), await story.case(case_id)
    assert timers["response"] is None
    assert timers["lease"] == case.lease_until == story.clock.now() + 5 * HOUR  # four business hours, over lunch


async def test_of_twenty_at_once_one_wins_and_nineteen_are_told_who_has_it(story: Story) -> None:
    case_id = await story.opened(workflow="refund")
    await story.tell_to_act(case_id, *(f"U{number}" for number in range(20)))
    clicks = [story.do(cases.acknowledge, Acknowledge(case_id), person(f"U{number}")) for number in range(20)]
    answers = await asyncio.gather(*clicks, return_exceptions=True)
    won = [answer for answer in answers if isinstance(answer, Outcome)]
    told = [answer for answer in answers if isinstance(answer, Refused)]
    assert (len(won), len(told)) == (1, 19)
    assert {refused.code for refused in told} == {"already_acknowledged"}
    winner = (await story.case(case_id)).assignee
    assert all(f"C-{case_id} was taken by <@{winner}> just now" in refused.text for refused in told)
    assert len(await story.recorded(case_id, "refused")) == 19
    assert await story.everything_holds()


async def test_the_same_person_again_renews_and_says_so_only_to_them(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    story.clock.advance(HOUR)
    outcome = await story.do(cases.acknowledge, Acknowledge(case_id), ADA)
    assert outcome.facts["again"] is True
    assert (await story.timers(case_id))["lease"] == story.clock.now() + 5 * HOUR
    assert await story.lines(case_id) == ["acknowledged"]


async def test_a_repeated_request_is_answered_as_the_first_was(story: Story) -> None:
    case_id = await story.opened()
    first = await story.do(cases.acknowledge, Acknowledge(case_id, request_key="slack:click:1"), ADA)
    story.clock.advance(MINUTE)
    again = await story.do(cases.acknowledge, Acknowledge(case_id, request_key="slack:click:1"), ADA)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.facts == first.facts
    assert len(await story.recorded(case_id, "case.acknowledged")) == 1


async def test_pages_that_are_not_sent_yet_are_cancelled(story: Story) -> None:
    case_id = await story.opened()
    await story.pass_time(2 * HOUR)
    assert await story.paged(case_id) == ["U0BEN"]
    await story.do(cases.acknowledge, Acknowledge(case_id), BEN)
    assert await story.paged(case_id) == []
    assert len(await story.owed(case_id, "page", state="cancelled")) == 1


async def test_an_acknowledged_case_is_not_escalated_for_want_of_an_answer(story: Story) -> None:
    case_id = await story.acknowledged()
    await story.pass_time(4 * HOUR)
    assert await story.said(case_id, "escalated") == []


async def test_an_assignee_may_acknowledge_what_somebody_else_had(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    await story.do(cases.assign, Assign(case_id, "U0CLEO"), ADA)
    await story.do(cases.acknowledge, Acknowledge(case_id), CLEO)
    assert (await story.case(case_id)).acknowledged_by == "U0CLEO"


async def test_a_lease_that_runs_out_queues_the_case_and_the_ladder_begins_at_once(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    await story.pass_time(5 * HOUR)
    case = await story.case(case_id)
    assert (case.state, case.assignee, case.acknowledged_at, case.lease_until) == ("queued", None, None, None)
    [line] = await story.said(case_id, "lease_ran_out")
    assert line["by"] == "U0ADA"
    [escalated] = await story.said(case_id, "escalated")
    assert (escalated["ladder"], escalated["step"], escalated["people"]) == ("unacknowledged", 1, ["U0BEN"])


async def test_a_ladder_that_had_begun_goes_on_with_the_next_rung_at_once(story: Story) -> None:
    case_id = await story.opened()
    await story.pass_time(2 * HOUR)
    await story.do(cases.acknowledge, Acknowledge(case_id), BEN)
    await story.pass_time(5 * HOUR + MINUTE)
    steps = [line["step"] for line in await story.said(case_id, "escalated") if line["ladder"] == "unacknowledged"]
    assert steps == [1, 2]


async def test_a_ladder_that_was_over_begins_again(story: Story) -> None:
    case_id = await story.opened()
    await story.pass_time(5 * HOUR)
    assert (await story.case(case_id)).exhausted
    await story.do(cases.acknowledge, Acknowledge(case_id), BEN)
    assert not (await story.case(case_id)).exhausted
    await story.pass_time(DAY)
    steps = [line["step"] for line in await story.said(case_id, "escalated") if line["ladder"] == "unacknowledged"]
    assert steps[:6] == [1, 2, 3, 4, 5, 6]
    assert steps[6] == 1


async def test_work_on_the_case_renews_the_lease(story: Story) -> None:
    case_id = await story.acknowledged(by=BEN)
    story.clock.advance(HOUR)
    work = [
        (cases.add_note, AddNote(case_id, "looking at it")),
        (cases.set_state, SetState(case_id, "waiting_for_systems")),
        (cases.assign, Assign(case_id, "U0CLEO")),
        (escalations.escalate, Escalate(case_id)),
    ]
    for act, command in work:
        before = (await story.timers(case_id))["lease"]
        story.clock.advance(MINUTE)
        await story.do(act, command, BEN)  # type: ignore[arg-type]
        after = (await story.timers(case_id))["lease"]
        assert before is not None
        assert after is not None
        assert after > before


async def test_what_a_bystander_says_does_not_renew_it(story: Story) -> None:
    case_id = await story.acknowledged(by=BEN)
    before = (await story.timers(case_id))["lease"]
    story.clock.advance(HOUR)
    await story.do(cases.add_note, AddNote(case_id, "any news?"), STRANGER)
    assert (await story.timers(case_id))["lease"] == before


async def test_a_reply_of_the_person_who_has_it_renews_it(story: Story) -> None:
    opened = await story.do(threads.open_by_hand, OpenByHand("Odd refund"), DEE)
    await story.do(cases.acknowledge, Acknowledge(opened.case_id), DEE)
    await story.card_is_posted(opened.case_id, "9.1")
    before = (await story.timers(opened.case_id))["lease"]
    story.clock.advance(HOUR)
    heard = HeardReply("C0SUCCESS", "9.1", "U0DEE", "asked billing", "9.2")
    assert (await story.do(threads.heard_reply, heard, DEE)).case_id == opened.case_id
    after = (await story.timers(opened.case_id))["lease"]
    assert before is not None
    assert after is not None
    assert after > before


async def test_without_any_work_for_a_week_the_case_was_told_to_everybody(story: Story) -> None:
    case_id = await story.acknowledged(by=ADA)
    await story.pass_time(7 * DAY)
    case = await story.case(case_id)
    assert (case.state, case.exhausted) == ("queued", True)
    assert len(await story.said(case_id, "exhausted")) == 2
    assert await story.everything_holds()
