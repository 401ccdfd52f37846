"""Slack is away, or cuts the line after it has done the work: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import pytest

from tests.stories.company import BEN, BILLING, FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage

LOST = {"failure_mode": "outcome_missing", "title": "No callback for refund re_1"}


def _each_once(stage: Stage, ref: str) -> None:
    keys = stage.keys()
    assert len(keys) == len(set(keys))
    assert len(stage.cards(BILLING)) == 1
    assert stage.broken() == []
    assert stage.case(ref).is_open


@on_both_engines
async def test_what_is_owed_while_slack_is_down_leaves_once_when_it_is_back(stage: Stage) -> None:
    stage.slack.faults.down(True)
    ref = await stage.report(**LOST)
    await stage.advance(minutes=16)
    assert stage.cards(BILLING) == []
    stage.slack.faults.down(False)
    await stage.advance(minutes=6)
    assert "⚠️ *passed*" in stage.card(ref).shown
    assert len(stage.dms(FAY)) == 1
    assert [line.split(" ")[0] for line in stage.thread(ref)] == [":bell:", ":bell:", ":warning:", ":rotating_light:"]
    _each_once(stage, ref)


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
@pytest.mark.parametrize("trouble", ["cut_after", "cut_before", "500", "429"])
async def test_trouble_with_one_call_loses_and_doubles_nothing(stage: Stage, method: str, trouble: str) -> None:
    faults = stage.slack.faults
    if trouble == "cut_after":
        faults.drop_after(method, times=2)
    elif trouble == "cut_before":
        faults.drop_before(method, times=2)
    elif trouble == "500":
        faults.fail_next(method, status=500, times=2)
    else:
        faults.fail_next(method, "ratelimited", retry_after=30, times=2)
    ref = await stage.report(**LOST)
    await stage.advance(minutes=20)
    await stage.press(FAY, "Acknowledge", on=ref)
    await stage.advance(minutes=5)
    assert "*State*\nIn progress" in stage.card(ref).shown
    assert len(stage.thread(ref)) == 5
    assert len(stage.dms(FAY)) == 1
    _each_once(stage, ref)


async def test_retry_after_is_obeyed(stage: Stage) -> None:
    stage.slack.faults.fail_next("chat.postMessage", "ratelimited", retry_after=120)
    await stage.report()
    before = len(stage.slack.called("chat.postMessage"))
    assert stage.cards(BILLING) == []
    await stage.advance(seconds=100)
    assert len(stage.slack.called("chat.postMessage")) == before
    await stage.advance(seconds=30)
    assert len(stage.cards(BILLING)) == 1


async def test_what_became_due_while_the_process_was_down_happens_at_its_start(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.restart(minutes=50)
    assert stage.actions(ref)[:4] == ["case.opened", "window.passed", "case.escalated", "page.sent"]
    assert len(stage.dms(FAY)) == 1
    await stage.advance(minutes=30)
    assert len(stage.dms(BEN)) == 1
    _each_once(stage, ref)


@on_both_engines
async def test_buttons_from_before_a_restart_still_work(stage: Stage) -> None:
    ref = await stage.report(**LOST, event={"refund_id": "re_1"})
    stage.completes("re_1")
    await stage.advance(minutes=16)
    await stage.restart(minutes=1)
    await stage.press_in_dm(FAY, "Acknowledge")
    await stage.restart(minutes=1)
    await stage.press(FAY, "Resolve", on=ref)
    await stage.restart(minutes=1)
    assert (await stage.fill_in(FAY, reason="fixed")).ok
    assert stage.case(ref).state == "resolved"
    assert stage.broken() == []


async def test_a_start_while_slack_is_down_takes_cases_in_all_the_same(empty_stage: Stage) -> None:
    empty_stage.slack.faults.down(True)
    await empty_stage.start()
    await empty_stage.report(**LOST)
    empty_stage.slack.faults.down(False)
    await empty_stage.advance(minutes=1)
    assert len(empty_stage.cards(BILLING)) == 1


async def test_a_card_that_somebody_deleted_is_posted_again(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    old = stage.card(ref)
    del stage.slack.workspace.channels[BILLING].messages[old.ts]
    await stage.type(FAY, f"/case ack {ref}")
    assert stage.card(ref).ts != old.ts
    assert "*State*\nIn progress" in stage.card(ref).shown


async def test_a_channel_that_is_archived_becomes_a_case_that_reaches_its_people(stage: Stage) -> None:
    stage.slack.workspace.channels[BILLING].is_archived = True
    await stage.report(**LOST)
    dead = stage.cases()[-1]
    assert dead.failure_mode == "dead_letter"
    assert "is_archived" in dead.title
    assert any("A message (card) was given up" in told for told in [*stage.dms(FAY), *stage.dms(BEN)])
    await stage.advance(minutes=20)
    assert len([case for case in stage.cases() if case.failure_mode == "dead_letter"]) == 1


async def test_a_person_who_left_the_company_is_not_the_end_of_the_ladder(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    stage.slack.faults.fail_next("chat.postMessage", "user_disabled")
    await stage.press(FAY, "Escalate", on=ref)
    await stage.advance(hours=2)
    assert len(stage.dms(BEN)) >= 1
    assert stage.broken() == []
