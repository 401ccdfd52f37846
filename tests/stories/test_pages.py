"""A direct message stays true: it is edited when somebody takes the case, closes it or opens it again."""

from __future__ import annotations

from tests.stories.company import ADA, BEN
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage

NOTICE = {"workflow": "renewal-notice", "failure_mode": "stale", "title": "No notice since Friday"}
"""P1, and its route is on_call: Ben is told at opening."""


def _edits(stage: Stage) -> int:
    """Direct messages that were edited."""
    return len([call for call in stage.slack.called("chat.update") if str(call.args["channel"]).startswith("D")])


@on_both_engines
async def test_a_direct_message_says_who_took_the_case_how_it_ended_and_that_it_is_open_again(stage: Stage) -> None:
    ref = await stage.report(**NOTICE)
    assert stage.slack.dms(BEN)[-1].buttons == ["Acknowledge", "Escalate"]
    await stage.press(ADA, "Acknowledge", on=ref)
    assert "*Ada Lindqvist* has it." in stage.dms(BEN)[-1]
    assert stage.slack.dms(BEN)[-1].buttons == ["Escalate"]
    await stage.press(ADA, "Resolve", on=ref)
    assert (await stage.fill_in(ADA, reason="fixed")).ok
    assert "*Resolved*" in stage.dms(BEN)[-1]
    assert stage.slack.dms(BEN)[-1].buttons == []
    await stage.press(ADA, "Reopen", on=ref)
    assert (await stage.fill_in(ADA, reason="It came back this morning.")).ok
    first, told_again = stage.slack.dms(BEN)
    assert first.buttons == told_again.buttons == ["Acknowledge", "Escalate"]


@on_both_engines
async def test_whoever_a_case_is_given_to_reads_that_they_have_it_and_can_say_that_they_are_on_it(stage: Stage) -> None:
    ref = await stage.report(**NOTICE)
    await stage.press(ADA, "Acknowledge", on=ref)
    await stage.type(ADA, f"/case assign {ref} <@{BEN}>")
    for told in stage.slack.dms(BEN):
        assert "You have it. To be resolved by" in told.shown
        assert told.buttons == ["Acknowledge", "Escalate"]
    assert "*Ben Ortiz* has it until" in stage.card(ref).shown
    await stage.slack.click(BEN, stage.slack.dms(BEN)[-1], text="Acknowledge")
    await stage.settle()
    assert stage.case(ref).acknowledged_by == BEN
    assert [told.buttons for told in stage.slack.dms(BEN)] == [["Escalate"], ["Escalate"]]


async def test_a_direct_message_that_left_before_the_card_gets_its_link(stage: Stage) -> None:
    ref = await stage.report(**NOTICE)
    case = stage.case(ref)
    [sent] = [call for call in stage.slack.called("chat.postMessage") if call.args["channel"] == BEN]
    assert "/archives/" not in str(sent.args["blocks"])
    assert f"/archives/{case.channel}/p{(case.card_ts or '').replace('.', '')}" in stage.dms(BEN)[-1]
    assert _edits(stage) == 1


async def test_the_lease_that_runs_out_brings_the_button_back(stage: Stage) -> None:
    ref = await stage.report(**NOTICE)
    await stage.press(ADA, "Acknowledge", on=ref)
    await stage.advance(hours=3)
    assert stage.case(ref).acknowledged_at is None
    assert stage.slack.dms(BEN)[0].buttons == ["Acknowledge", "Escalate"]


async def test_what_changes_nothing_in_it_edits_nothing(stage: Stage) -> None:
    ref = await stage.report(**NOTICE)
    before = _edits(stage)
    assert before == 1  # the link to the card
    for _ in range(3):
        await stage.report(**NOTICE)
    await stage.type(ADA, f"/case note {ref} I look at it.")
    assert stage.case(ref).occurrences == 4
    assert _edits(stage) == before


async def test_a_direct_message_that_is_gone_is_no_dead_letter(stage: Stage) -> None:
    ref = await stage.report(**NOTICE)
    page = stage.slack.dms(BEN)[-1]
    stage.slack.workspace.channels[page.channel].messages.pop(page.ts)
    await stage.press(ADA, "Acknowledge", on=ref)
    await stage.press(ADA, "Resolve", on=ref)
    assert (await stage.fill_in(ADA, reason="fixed")).ok
    assert [case.failure_mode for case in stage.cases()] == ["stale"]
    assert len([call for call in stage.slack.called("chat.update") if call.args["channel"] == page.channel]) <= 2
