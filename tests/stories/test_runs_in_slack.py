"""Runbooks in Slack: pressed on the card, asked for in a form, followed on the card, with the evidence behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.stories.company import ADA, BEN, FAY, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import TOKEN, Stage, moment
from tests.stories.test_quarantine import held, notices
from tests.stories.test_runs import completed, runs, steps
from tests.stories.test_sending_again import LOST, REFUND


async def late_callback(stage: Stage) -> str:
    """Billing has the refund, and its callback never came."""
    stage.company["billing"].kept["re_1"] = REFUND | {"state": "completed"}
    return await stage.report(**LOST)


@on_both_engines
async def test_a_runbook_is_pressed_filled_in_and_followed_on_the_card(stage: Stage) -> None:
    ref = await late_callback(stage)
    await stage.press(FAY, "Retry callback", on=ref)
    assert "POST /refunds/re_1/callback to billing" in stage.form(FAY).shown
    assert "Cannot be taken back:* ask and tell" in stage.form(FAY).shown
    assert (await stage.fill_in(FAY)).errors == {}
    assert "You started Ask billing for the callback again" in stage.told(FAY)
    card = stage.card(ref)
    assert "*ask*: it answered 202" in card.shown
    assert f":hourglass_flowing_sand: *acknowledged*: waits for the outcome, until {moment(minutes=5)}" in card.shown
    assert "Retry callback" not in card.buttons
    await completed(stage)
    card = stage.card(ref)
    assert ":white_check_mark: *Ask billing for the callback again* is done" in card.shown
    assert "asked by *Fay Tanaka*" in card.shown
    assert "Retry callback" in card.buttons
    assert stage.broken() == []


async def test_the_evidence_is_behind_one_click(stage: Stage) -> None:
    ref = await late_callback(stage)
    await stage.press(FAY, "Retry callback", on=ref)
    await stage.fill_in(FAY)
    await stage.press(ADA, "Evidence", on=ref)
    shown = stage.form(ADA).shown
    assert "POST /refunds/re_1/callback" in shown
    assert "it answered *202*" in shown
    assert '{"callback": "sent"}' in shown
    assert "token-of-billing" not in shown


async def test_other_systems_read_the_run_with_its_steps_and_their_requests(stage: Stage) -> None:
    ref = await late_callback(stage)
    await stage.press(FAY, "Retry callback", on=ref)
    await stage.fill_in(FAY)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with stage.http.get(f"{stage.service.url}/v1/cases/{ref}", headers=headers) as response:
        (run,) = (await response.json())["runs"]
    assert (run["runbook"], run["state"], run["asked_by"]) == ("refund-callback", "running", FAY)
    assert run["inputs"] == {"billing_id": "re_1", "follow_up": True}
    assert [(step["name"], step["state"], len(step["attempts"])) for step in run["steps"]] == [
        ("ask", "done", 1),
        ("acknowledged", "waiting", 0),
    ]


async def test_what_is_wrong_is_told_beside_its_field_and_nothing_runs(stage: Stage) -> None:
    ref = await late_callback(stage)
    await stage.press(FAY, "Retry callback", on=ref)
    submitted = await stage.fill_in(FAY, **{"input:billing_id": "1 or 2"})
    assert submitted.errors == {"input:billing_id": "Write it like re_1042."}
    assert runs(stage) == []
    assert (await stage.fill_in(FAY, **{"input:billing_id": "re_1"})).errors == {}
    assert [run.inputs for run in runs(stage)] == [{"billing_id": "re_1", "follow_up": True}]


async def test_who_may_not_run_it_is_told_before_they_fill_anything_in(stage: Stage) -> None:
    ref = await late_callback(stage)
    await stage.press(ZOE, "Retry callback", on=ref)
    assert "You cannot run this on it" in stage.form(ZOE).shown
    assert stage.actions(ref)[-1] == "refused"
    assert runs(stage) == []


async def test_a_command_opens_the_form_and_names_what_there_is(stage: Stage) -> None:
    ref = await late_callback(stage)
    await stage.type(FAY, f"/case run {ref} refund-callback")
    assert (await stage.fill_in(FAY)).errors == {}
    assert steps(stage)["ask"] == "done"
    told = await stage.type(FAY, f"/case run {ref} refund-calback")
    assert "has no runbook 'refund-calback'; it has: refund-callback" in told


async def test_a_mention_says_where_the_form_is(stage: Stage) -> None:
    ref = await late_callback(stage)
    case = stage.case(ref)
    await stage.say(FAY, case.channel, f"<@{stage.slack.app.bot_user}> run {ref} refund-callback", thread=case.card_ts)
    assert "asks for something first" in stage.told(FAY)
    assert runs(stage) == []


async def test_a_warning_is_said_before_and_nothing_runs_without_a_yes(empty_stage: Stage, folder: Path) -> None:
    path = folder / "runbooks" / "rename-property.yml"
    path.write_text(f'{path.read_text()}warning: "Customers get {{{{ case.quarantined }}}} mails."\n')
    await empty_stage.start()
    await held(empty_stage, account_id="acc_1")
    await empty_stage.press(BEN, "Map and release", on="C-1")
    form = empty_stage.form(BEN)
    assert "Customers get 1 mails." in form.shown
    assert "for each of 1 held events" in form.shown
    assert runs(empty_stage) == []
    assert (await empty_stage.fill_in(BEN)).errors == {}
    assert notices(empty_stage) == {"acc_1": "2026-12-23"}


async def test_a_run_for_each_event_is_counted_on_the_card(stage: Stage) -> None:
    for number in range(3):
        await held(stage, account_id=f"acc_{number}")
    await stage.press(BEN, "Map and release", on="C-1")
    assert (await stage.fill_in(BEN)).errors == {}
    assert "For each event: *3 done*" in stage.card("C-1").shown


NO_INPUTS = """\
runbook: refund-callback
title: Ask billing for the callback again
button: Retry callback
allow: [owner]
steps:
  - name: ask
    request: {connector: billing, method: POST, path: "/refunds/re_1/callback"}
"""


async def test_a_runbook_that_asks_nothing_starts_at_the_first_click_and_once(empty_stage: Stage, folder: Path) -> None:
    (folder / "runbooks" / "refund-callback.yml").write_text(NO_INPUTS)
    await empty_stage.start()
    ref = await late_callback(empty_stage)
    card = empty_stage.card(ref)
    pressed = next(each for block in card.blocks for each in block.get("elements", ()) if "Retry callback" in str(each))
    assert "Cannot be taken back: ask" in pressed["confirm"]["text"]["text"]
    await asyncio.gather(*(empty_stage.slack.click(FAY, card, text="Retry callback") for _ in range(2)))
    await empty_stage.settle()
    assert [run.state for run in runs(empty_stage)] == ["done"]
    assert empty_stage.company["billing"].last == "POST /refunds/re_1/callback → 202"


AGAIN = """\
runbook: refund-callback
title: Send it again
button: Send again
allow: [owner]
steps:
  - {name: send, replay: {}}
"""


async def test_what_may_happen_twice_is_confirmed_before_it_starts(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    (folder / "runbooks" / "refund-callback.yml").write_text(AGAIN)
    workflow = folder / "workflows" / "refund.yml"
    text = workflow.read_text()
    start, end = text.index("  find:"), text.index("  verify:")
    workflow.write_text(text[:start] + text[end:])
    await stage.start()
    ref = await stage.report(**{name: value for name, value in LOST.items() if name != "event_key"})
    await stage.press(FAY, "Send again", on=ref)
    assert "It may happen twice" in stage.form(FAY).shown
    assert runs(stage) == []
    submitted = await stage.fill_in(FAY, confirmed=["yes"])
    assert submitted.ok, submitted
    assert steps(stage) == {"send": "done"}


async def test_runbooks_that_are_out_of_sight_are_in_the_menu(empty_stage: Stage, folder: Path) -> None:
    stage = empty_stage
    names = [f"more-{number}" for number in range(7)]
    for name in names:
        steps_ = "steps:\n  - {name: wait, pause: 1m}\n"
        (folder / "runbooks" / f"{name}.yml").write_text(f"runbook: {name}\ntitle: {name}\nallow: [owner]\n{steps_}")
    workflow = folder / "workflows" / "refund.yml"
    listed = f"runbooks: [{', '.join(names)}]"
    workflow.write_text(workflow.read_text().replace("runbooks: [refund-callback]", listed, 1))
    await stage.start()
    ref = await late_callback(stage)
    assert [name for name in names if name in stage.card(ref).buttons] == names[:5]
    await stage.choose(FAY, "run:more-6", on=ref)
    assert "wait: wait 1m" in stage.form(FAY).shown
    assert (await stage.fill_in(FAY)).errors == {}
    assert [run.runbook for run in runs(stage)] == ["more-6"]


async def test_a_drill_and_a_closed_case_offer_no_runbooks(stage: Stage) -> None:
    ref = await late_callback(stage)
    await stage.choose(FAY, "fail", on=ref)
    await stage.fill_in(FAY, reason="the customer took it back")
    assert "Retry callback" not in stage.card(ref).buttons
    await stage.type(FAY, f"/case run {ref} refund-callback")
    assert "is closed" in stage.told(FAY)
