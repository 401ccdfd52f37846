"""Nobody answers: reminders, the ladder, the person whom the rota names at that moment, and the end of the ladder."""

from __future__ import annotations

from tests.stories.company import ADA, BEN, BILLING, FAY, REVOPS
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage, moment

LOST = {"failure_mode": "outcome_missing", "title": "No callback for refund re_1"}
"""P1: 15 minutes to acknowledge, 4 hours to resolve, and the company's own ladders."""


async def test_the_card_says_all_there_is_to_know(stage: Stage) -> None:
    ref = await stage.report(title="Refund re_1 was not taken", event={"refund_id": "re_1"}, subject="cus_1")
    card = stage.card(ref)
    assert card.channel == BILLING
    for words in (
        "P1 · C-1 · Refund re_1 was not taken",
        "Refunds · delivery failed · opened",
        "*State*\nQueued",
        "*Owner*\nBilling escalation → *Fay Tanaka* (on call)",
        f"*Acknowledge by*\n{moment(minutes=10)}",
        f"*Resolve by*\n{moment(hours=2)}",
        "*About*\ncus_1",
        "*What to do:* If billing has it, ask for the callback; if not, replay.",
        f"If nobody acknowledges, *Fay Tanaka* (on call for Billing escalation) is told {moment(minutes=10)}",
    ):
        assert words in card.shown
    assert card.buttons == ["Acknowledge", "Retry", "Replay", "Retry callback", "Escalate", "Resolve"]
    assert card.mentions == []


async def test_a_second_report_of_the_same_failure_is_counted_on_the_card(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.advance(minutes=1)
    assert await stage.report(**LOST) == ref
    assert f"seen 2 times, last {moment(minutes=1)}" in stage.card(ref).shown
    assert len(stage.cards(BILLING)) == 1


@on_both_engines
async def test_silence_climbs_the_whole_ladder_and_says_when_it_is_over(stage: Stage) -> None:
    ref = await stage.report(**LOST)

    await stage.advance(minutes=8)
    (reminder,) = stage.thread(ref)
    assert f":bell: <@{FAY}>: this is to be acknowledged by {moment(minutes=15)}" in reminder
    assert stage.dms(FAY) == []

    await stage.advance(minutes=8)
    assert "It was to be acknowledged by" in stage.thread(ref)[-2]
    assert "*Fay Tanaka* of Billing escalation is told now" in stage.thread(ref)[-1]
    assert "(step 1 of 6" in stage.thread(ref)[-1]
    (told,) = stage.dms(FAY)
    assert "C-1 No callback for refund re_1" in told
    assert "Nobody has acknowledged it in time." in told
    assert stage.slack.dms(FAY)[0].buttons == ["Acknowledge", "Escalate"]
    assert "⚠️ *passed*" in stage.card(ref).shown

    await stage.advance(minutes=30)
    assert len(stage.dms(BEN)) == 1
    assert "You are told for *Revenue Ops*" in stage.dms(BEN)[0]
    assert any("C-1 No callback" in line for line in stage.notices(REVOPS))

    await stage.advance(minutes=120)
    assert len(stage.dms(FAY)) == 1 + 4
    assert "case.exhausted" in stage.actions(ref)
    assert "Everybody whom the policy names was told" in stage.card(ref).shown

    await stage.advance(hours=3)
    assert stage.case(ref).resolution_breached_at is not None
    assert stage.case(ref).is_open
    assert stage.broken() == []


@on_both_engines
async def test_acknowledging_from_the_direct_message_stops_the_ladder(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.advance(minutes=16)
    await stage.press_in_dm(FAY, "Acknowledge")
    card = stage.card(ref).shown
    assert "*State*\nIn progress" in card
    assert "*Fay Tanaka* has it until" in card
    assert "Acknowledge" not in stage.card(ref).buttons
    assert "*Fay Tanaka* has it until" in stage.thread(ref)[-1]
    await stage.advance(minutes=60)
    assert stage.dms(BEN) == []
    assert len(stage.dms(FAY)) == 1


async def test_acknowledging_cancels_what_could_not_be_sent_yet(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    stage.slack.faults.down(True)
    await stage.advance(minutes=16)
    await stage.press(FAY, "Acknowledge", on=ref)
    stage.slack.faults.down(False)
    await stage.advance(minutes=10)
    assert stage.dms(FAY) == []
    (entry,) = [entry for entry in stage.audit(ref) if entry["action"] == "case.acknowledged"]
    assert entry["detail"]["pages_cancelled"] == 1
    assert "*State*\nIn progress" in stage.card(ref).shown


@on_both_engines
async def test_an_acknowledgement_that_is_forgotten_runs_out_and_the_ladder_goes_on(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.advance(minutes=16)
    await stage.press(FAY, "Acknowledge", on=ref)
    await stage.advance(hours=2, minutes=1)
    assert "case.lease_ran_out" in stage.actions(ref)
    assert "*Fay Tanaka* had it and has said nothing since" in "\n".join(stage.thread(ref))
    assert "*State*\nQueued" in stage.card(ref).shown
    assert len(stage.dms(BEN)) == 1
    assert "Acknowledge" in stage.card(ref).buttons


async def test_who_works_on_the_case_keeps_it(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.press(FAY, "Acknowledge", on=ref)
    await stage.advance(hours=1, minutes=50)
    await stage.say(FAY, BILLING, "Still on the phone with billing.", thread=stage.case(ref).thread_ts)
    await stage.advance(hours=1)
    assert stage.case(ref).acknowledged_by == FAY
    await stage.advance(hours=1, minutes=1)
    assert stage.case(ref).acknowledged_by is None


async def test_escalate_does_the_next_step_now(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.advance(minutes=1)
    await stage.press(FAY, "Escalate", on=ref)
    assert len(stage.dms(FAY)) == 1
    await stage.press_in_dm(FAY, "Escalate")
    assert len(stage.dms(BEN)) == 1
    assert "*Fay Tanaka* escalated it" in stage.thread(ref)[-1]
    await stage.press_in_dm(BEN, "Acknowledge")
    assert stage.case(ref).acknowledged_by == BEN


async def test_a_snooze_silences_reminders_and_stops_no_clock(stage: Stage) -> None:
    ref = await stage.report(**LOST)
    await stage.type(FAY, f"/case snooze {ref} 1h")
    await stage.advance(minutes=14)
    assert not any(":bell:" in line for line in stage.thread(ref))
    await stage.advance(minutes=2)
    assert len(stage.dms(FAY)) == 1
    assert stage.dms(ADA) == []


async def test_resolving_ends_it_all(stage: Stage) -> None:
    ref = await stage.report(**LOST, event={"refund_id": "re_1"})
    stage.completes("re_1")
    await stage.press(FAY, "Acknowledge", on=ref)
    await stage.press(FAY, "Resolve", on=ref)
    submitted = await stage.fill_in(FAY, reason="fixed", note="Billing called back at last.")
    assert submitted.ok, submitted
    card = stage.card(ref)
    assert "*Resolved*" in card.shown
    assert card.buttons == ["Reopen"]
    assert "Billing called back at last." in stage.thread(ref)[-2]
    said = len(stage.thread(ref))
    await stage.advance(days=2)
    assert len(stage.thread(ref)) == said
    assert stage.dms(FAY) == []
    assert stage.broken() == []
