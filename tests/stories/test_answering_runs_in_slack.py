"""What runs ask of people in Slack: a yes before they go on, an answer to a question; and what became of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.sandbox.workspace import Message
from tests.stories.company import BEN, FAY, GUS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_runs import runs, steps
from tests.stories.test_sending_again import LOST, REFUND

LARGE = LOST | {"event": REFUND | {"amount_cents": 60_000}}
REQUEST = "POST /refunds/re_1/callback to billing"
QUESTION = """\
runbook: refund-callback
title: Ask billing for the callback again
button: Retry callback
allow: [owner]
steps:
  - name: sure
    ask: {who: owner, text: "Is <!channel> {{ case.ref }} there?"}
  - name: send
    request: {connector: billing, method: POST, path: "/refunds/re_1/callback"}
"""


async def asked(stage: Stage) -> str:
    """Somebody asks for a large refund's callback, which takes somebody else's yes."""
    stage.company["billing"].kept["re_1"] = REFUND | {"state": "completed"}
    ref = await stage.report(**LARGE)
    await stage.press(FAY, "Retry callback", on=ref)
    assert (await stage.fill_in(FAY)).errors == {}
    assert [run.state for run in runs(stage)] == ["approving"]
    return ref


def message(stage: Stage, user: str, word: str = "Ask billing") -> Message:
    """The first direct message to somebody that has this word."""
    return next(each for each in stage.slack.dms(user) if word in each.shown)


def asking_lines(stage: Stage, ref: str) -> list[Message]:
    """The lines of the case's thread that ask for a yes, or asked."""
    case = stage.case(ref)
    return [each for each in stage.slack.thread(case.channel, case.card_ts or "")[1:] if "for a yes" in each.shown]


def buttons(stage: Stage, user: str) -> list[str]:
    """The buttons of what somebody was asked."""
    return list(message(stage, user).buttons)


@on_both_engines
async def test_a_yes_is_asked_for_with_the_very_requests_and_given_in_the_direct_message(stage: Stage) -> None:
    ref = await asked(stage)
    told = stage.dms(GUS)[-1]
    assert REQUEST in told
    assert "Cannot be taken back: ask, tell.\nYou are told for *Billing escalation*." in told
    assert buttons(stage, GUS) == ["Approve", "Refuse…"]
    card = stage.card(ref)
    for shown in (told, stage.thread(ref)[-1], card.shown):
        assert "Given: Billing ID: re_1 · Tell me how it ended: yes" in shown
    assert "waits for a yes" in card.shown
    assert REQUEST in card.shown
    assert {"Approve", "Refuse…", "Stop"} <= set(card.buttons)
    await stage.press_in_dm(GUS, "Approve")
    assert steps(stage)["ask"] == "done"
    assert buttons(stage, GUS) == []
    assert "*Gus Petrov* said yes." in message(stage, GUS).shown
    (line,) = asking_lines(stage, ref)
    assert list(line.buttons) == []
    assert "UTC>: *Gus Petrov* said yes." in line.shown
    assert "said yes" in stage.card(ref).shown
    assert stage.broken() == []


async def test_who_asked_cannot_say_yes_from_the_card_and_a_double_click_is_one_yes(stage: Stage) -> None:
    ref = await asked(stage)
    await stage.press(FAY, "Approve", on=ref)
    assert "You asked for it" in stage.told(FAY)
    asking = message(stage, GUS)
    for _ in range(2):
        await stage.slack.click(GUS, asking, text="Approve")
    await stage.settle()
    assert stage.actions(ref).count("run.approved") == 1
    assert stage.actions(ref).count("refused") == 1


async def test_a_no_takes_a_reason_and_is_told_to_who_asked(stage: Stage) -> None:
    ref = await asked(stage)
    await stage.press_in_dm(GUS, "Refuse…")
    assert set((await stage.fill_in(GUS, reason="no")).errors) == {"reason"}
    assert (await stage.fill_in(GUS, reason="the customer was paid by hand")).errors == {}
    assert [run.state for run in runs(stage)] == ["declined"]
    assert buttons(stage, GUS) == []
    assert "*Gus Petrov* said no: the customer was paid by hand." in message(stage, GUS).shown
    assert "was refused" in stage.card(ref).shown
    assert "the customer was paid by hand" in stage.dms(FAY)[-1]


async def test_a_yes_on_the_card_takes_the_buttons_from_everybodys_messages(stage: Stage) -> None:
    ref = await asked(stage)
    await stage.advance(hours=1)
    assert buttons(stage, BEN) == ["Approve", "Refuse…"]
    await stage.press(BEN, "Approve", on=ref)
    for user in (GUS, BEN):
        assert buttons(stage, user) == []
        assert "*Ben Ortiz* said yes." in message(stage, user).shown


@on_both_engines
async def test_a_question_is_answered_by_whoever_is_asked_and_the_run_goes_on(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    (folder / "runbooks" / "refund-callback.yml").write_text(QUESTION)
    await stage.start()
    stage.company["billing"].kept["re_1"] = REFUND | {"state": "completed"}
    ref = await stage.report(**LOST)
    await stage.press(FAY, "Retry callback", on=ref)
    assert steps(stage) == {"sure": "waiting"}
    assert buttons(stage, FAY) == ["Yes", "No"]
    assert "<!channel>" not in str(message(stage, FAY).blocks)
    assert "is asked" in stage.card(ref).shown
    line = stage.slack.thread(stage.case(ref).channel, stage.case(ref).card_ts or "")[-1]
    await stage.slack.click(ZOE, line, text="Yes")
    await stage.settle()
    assert steps(stage) == {"sure": "waiting"}
    await stage.press_in_dm(FAY, "Yes")
    assert steps(stage) == {"sure": "done", "send": "done"}
    assert buttons(stage, FAY) == []
    assert "*Fay Tanaka* said yes." in message(stage, FAY).shown


async def test_a_no_ends_the_run_and_says_who(empty_stage: Stage, folder: Path) -> None:
    stage: Any = empty_stage
    (folder / "runbooks" / "refund-callback.yml").write_text(QUESTION)
    await stage.start()
    ref = await stage.report(**LOST)
    await stage.press(FAY, "Retry callback", on=ref)
    await stage.press_in_dm(FAY, "No")
    assert steps(stage) == {"sure": "failed"}
    assert ":x: *sure*: Fay Tanaka said no" in stage.card(ref).shown


async def test_a_question_of_a_run_that_was_stopped_asks_no_more(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    (folder / "runbooks" / "refund-callback.yml").write_text(QUESTION)
    await stage.start()
    ref = await stage.report(**LOST)
    await stage.press(FAY, "Retry callback", on=ref)
    await stage.press(FAY, "Stop", on=ref)
    assert buttons(stage, FAY) == []
    assert "This is over" in message(stage, FAY).shown


async def test_a_yes_that_nobody_gave_in_time_is_asked_for_no_more(stage: Stage) -> None:
    ref = await asked(stage)
    await stage.advance(hours=3)
    assert [run.state for run in runs(stage)] == ["declined"]
    for user in (GUS, BEN):
        assert buttons(stage, user) == []
        assert "This is over: nobody said yes in time." in message(stage, user).shown
    assert "said nothing in time" in stage.card(ref).shown
