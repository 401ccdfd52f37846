"""A case closes when it is shown to be fixed: its checks are asked, what they found is kept, and one that does not hold
keeps it open, unless somebody who may says why it closes all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.company.systems import Mode
from tests.stories.company import ADA, CLEO, DEE, FAY, GUS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import TOKEN, Stage

REFUND = {"refund_id": "re_1", "customer_id": "cus_1", "amount_cents": 4900}
THERE = {"refund_id": "re_1", "amount_cents": 4900, "state": "completed"}
NOTICE = {"account_id": "acc_1", "due": "2026-12-23", "state": "sent"}
CHECK = "billing says completed"
MANAGER = "the account manager knows"
WHY = "billing confirmed it on the phone"


async def failed_refund(stage: Stage) -> str:
    """A refund that was not taken, with its event."""
    return await stage.report(event=REFUND)


async def resolve(stage: Stage, ref: str, *, by: str = FAY, **given: Any) -> None:
    """Somebody resolves the case by its form."""
    await stage.press(by, "Resolve", on=ref)
    submitted = await stage.fill_in(by, **({"reason": "fixed", "note": "sent by hand"} | given))
    assert submitted.ok, submitted


async def shown(stage: Stage, ref: str) -> Any:
    """What `GET /v1/cases/{ref}` answers."""
    url = f"{stage.service.url}/v1/cases/{ref}"
    async with stage.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
        assert response.status == 200
        return await response.json()


def entry(stage: Stage, ref: str, action: str) -> Any:
    """The one entry of the case's record that has this action."""
    (found,) = [each for each in stage.audit(ref) if each["action"] == action]
    return found


# --- it holds


@on_both_engines
async def test_it_closes_when_its_check_holds_and_the_record_says_by_which_evidence(stage: Stage) -> None:
    stage.company["billing"].kept["re_1"] = dict(THERE)
    ref = await failed_refund(stage)
    await resolve(stage, ref)
    assert stage.case(ref).state == "resolved"
    assert "You asked to close it" in stage.told(FAY)
    assert [line.split(" ")[0] for line in stage.thread(ref)][:2] == [":hourglass_flowing_sand:", ":white_check_mark:"]
    resolved = entry(stage, ref, "case.resolved")
    assert resolved["actor"] == {"kind": "person", "id": FAY}
    (evidence,) = resolved["detail"]["checks"]
    assert (evidence["check"], evidence["state"], evidence["status"]) == (CHECK, "passed", 200)
    assert len(evidence["body_digest"]) == 64
    assert f"*Checks*: :white_check_mark: {CHECK}" in stage.card(ref).shown
    assert stage.broken() == []


async def test_other_systems_read_what_the_checks_found(stage: Stage) -> None:
    stage.company["billing"].kept["re_1"] = dict(THERE)
    ref = await failed_refund(stage)
    await resolve(stage, ref)
    (closing,) = (await shown(stage, ref))["closings"]
    assert (closing["state"], closing["asked_by"]) == ("passed", FAY)
    (check,) = closing["checks"]
    assert (check["name"], check["kind"], check["state"], check["status"]) == (CHECK, "request", "passed", 200)
    assert (check["request"]["method"], check["request"]["path"]) == ("GET", "/refunds/re_1")
    assert "token-of-billing" not in str(closing)


async def test_a_mode_without_checks_closes_at_once(stage: Stage) -> None:
    ref = await stage.report(failure_mode="other", event=REFUND)
    await resolve(stage, ref)
    assert stage.case(ref).state == "resolved"
    assert stage.company["billing"].requests == 0
    assert (await shown(stage, ref))["closings"] == []


async def test_a_mode_that_the_contract_does_not_name_has_the_checks_of_all_modes(stage: Stage) -> None:
    ref = await stage.report(workflow="support-triage", failure_mode="printer_on_fire")
    assert "tick: The customer has been answered." in await stage.type(ADA, f"/case resolve {ref} fixed")


async def test_a_condition_without_a_request_is_asked_too(stage: Stage) -> None:
    url, sent = f"{stage.service.url}/v1/events/renewal-notice", {"account_id": "acc_1"}
    async with stage.http.post(url, json=sent, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
        ref = (await response.json())["case"]
    await stage.settle()
    await resolve(stage, ref, by=ADA)
    assert stage.case(ref).state == "queued"
    said = "*nothing is left in quarantine*: case.quarantined == 0 is false; found: case.quarantined is 1"
    assert said in stage.thread(ref)[-1]
    assert said in stage.card(ref).shown
    assert "case.quarantined is 1" not in str(stage.audit(ref))


# --- it does not hold


@on_both_engines
async def test_a_check_that_fails_keeps_it_open_and_says_what_to_do(stage: Stage) -> None:
    ref = await failed_refund(stage)
    await stage.press(FAY, "Acknowledge", on=ref)
    await resolve(stage, ref)
    case = stage.case(ref)
    assert (case.state, case.resolution, case.closed_at) == ("in_progress", None, None)
    line = stage.thread(ref)[-1]
    assert f"<@{FAY}>: it is not closed" in line
    assert f"*{CHECK}*: it answered 404" in line
    assert "Fix that and press *Resolve* again. Billing escalation can close it all the same, with a reason." in line
    card = stage.card(ref).shown
    assert "*Not closed*" in card
    assert "it answered 404" in card
    refused = entry(stage, ref, "case.closing_refused")
    assert refused["actor"] == {"kind": "person", "id": FAY}
    assert refused["detail"]["failed"] == [CHECK]
    assert stage.broken() == []


async def test_what_was_fixed_closes_when_it_is_resolved_again(stage: Stage) -> None:
    ref = await failed_refund(stage)
    await resolve(stage, ref)
    stage.company["billing"].kept["re_1"] = dict(THERE)
    await stage.slack.click(FAY, _last_line(stage, ref), text="Resolve")
    await stage.settle()
    await stage.fill_in(FAY, reason="fixed")
    assert stage.case(ref).state == "resolved"
    assert [each["state"] for each in (await shown(stage, ref))["closings"]] == ["passed", "refused"]


def _last_line(stage: Stage, ref: str) -> Any:
    case = stage.case(ref)
    return stage.slack.thread(case.channel, case.thread_ts or case.card_ts or "")[-1]


@on_both_engines
async def test_a_system_that_is_down_is_asked_a_few_times_and_then_nobody_knows(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.mode = Mode.FAIL
    ref = await failed_refund(stage)
    await resolve(stage, ref)
    assert stage.case(ref).state == "closing"
    assert "Closing, asked by Fay Tanaka" in stage.card(ref).shown.replace("*", "")
    assert "Resolve" not in stage.card(ref).buttons
    await stage.advance(minutes=1)
    assert billing.requests == 4
    assert stage.case(ref).state == "queued"
    assert f"{CHECK}: nobody knows: it answered 503" in stage.thread(ref)[-1].replace("*", "")


async def test_a_system_that_comes_back_in_time_is_heard(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.kept["re_1"], billing.mode = dict(THERE), Mode.FAIL
    ref = await failed_refund(stage)
    await resolve(stage, ref)
    billing.mode = Mode.OK
    await stage.advance(minutes=1)
    assert stage.case(ref).state == "resolved"
    assert billing.requests == 2


async def test_who_we_are_is_not_asked_again(stage: Stage) -> None:
    stage.company["billing"].refuses = 401
    ref = await failed_refund(stage)
    await resolve(stage, ref)
    assert stage.company["billing"].requests == 1
    assert "it answered 401: it does not take our credentials" in stage.thread(ref)[-1]


async def test_a_check_that_cannot_be_filled_in_says_what_is_missing(stage: Stage) -> None:
    ref = await stage.report()
    await resolve(stage, ref)
    assert "it cannot be asked: event.refund_id is missing" in stage.thread(ref)[-1]
    assert stage.company["billing"].requests == 0


# --- while it is closing


@pytest.fixture
async def closing(stage: Stage) -> str:
    """A case that is closing, whose check gets no answer yet; Fay has it."""
    stage.company["billing"].mode = Mode.FAIL
    ref = await failed_refund(stage)
    await stage.press(FAY, "Acknowledge", on=ref)
    await resolve(stage, ref)
    assert stage.case(ref).state == "closing"
    return ref


async def test_a_second_wish_is_told_that_it_is_closing_already(stage: Stage, closing: str) -> None:
    told = await stage.type(GUS, f"/case resolve {closing} fixed")
    assert f"{closing} is closing: its checks are asked" in told
    assert len((await shown(stage, closing))["closings"]) == 1


async def test_it_can_be_stopped_and_is_where_it_was(stage: Stage, closing: str) -> None:
    asked = stage.company["billing"].requests
    await stage.choose(FAY, "reopen", on=closing)
    await stage.fill_in(FAY, reason="the ledger is still wrong")
    assert (stage.case(closing).state, stage.case(closing).reopened) == ("in_progress", 0)
    await stage.advance(minutes=2)
    assert stage.company["billing"].requests == asked
    assert stage.case(closing).state == "in_progress"
    assert (await shown(stage, closing))["closings"][0]["state"] == "withdrawn"
    assert "stopped its closing: the ledger is still wrong" in stage.thread(closing)[-1]


async def test_a_hand_off_withdraws_it(stage: Stage, closing: str) -> None:
    await stage.type(FAY, f"/case handoff {closing} revenue-ops")
    stage.company["billing"].kept["re_1"], stage.company["billing"].mode = dict(THERE), Mode.OK
    await stage.advance(minutes=2)
    assert (stage.case(closing).state, stage.case(closing).owner) == ("queued", "revenue-ops")


async def test_giving_it_up_withdraws_it(stage: Stage, closing: str) -> None:
    await stage.type(FAY, f"/case fail {closing} nobody can fix this any more")
    await stage.advance(minutes=2)
    assert stage.case(closing).state == "failed"
    assert (await shown(stage, closing))["closings"][0]["state"] == "withdrawn"


async def test_who_takes_it_meanwhile_has_it_when_it_does_not_close(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    ref = await failed_refund(stage)
    await resolve(stage, ref)
    await stage.press(GUS, "Acknowledge", on=ref)
    assert stage.case(ref).state == "closing"
    await stage.advance(minutes=1)
    assert (stage.case(ref).state, stage.case(ref).acknowledged_by) == ("in_progress", GUS)


@on_both_engines
async def test_a_restart_goes_on_with_what_was_owed(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.kept["re_1"], billing.mode = dict(THERE), Mode.FAIL
    ref = await failed_refund(stage)
    await resolve(stage, ref)
    billing.mode = Mode.OK
    await stage.restart(minutes=10)
    assert stage.case(ref).state == "resolved"
    assert entry(stage, ref, "case.resolved")["actor"]["id"] == FAY


@on_both_engines
async def test_two_replicas_ask_once_and_decide_once(stage: Stage) -> None:
    stage.company["billing"].kept["re_1"] = dict(THERE)
    await stage.start()
    refs = [await stage.report(event=REFUND | {"customer_id": f"cus_{n}"}, subject=f"s{n}") for n in range(4)]
    for ref in refs:
        await resolve(stage, ref)
    for ref in refs:
        assert stage.actions(ref).count("case.resolved") == 1
    assert stage.company["billing"].requests == len(refs)
    assert stage.broken() == []


# --- what a person confirms


@pytest.fixture
async def missed(stage: Stage) -> str:
    """A notice that was not delivered: a machine looks whether it is there, and a person has told the manager."""
    stage.company["marketing"].kept["acc_1"] = dict(NOTICE)
    return await stage.report(workflow="renewal-notice", failure_mode="delivery_failed", subject="acc_1")


@on_both_engines
async def test_what_is_ticked_is_kept_with_who_ticked_it(stage: Stage, missed: str) -> None:
    await resolve(stage, missed, by=ADA, confirm=[MANAGER])
    assert stage.case(missed).state == "resolved"
    (closing,) = (await shown(stage, missed))["closings"]
    found = {check["name"]: (check["kind"], check["state"], check["by"]) for check in closing["checks"]}
    assert found[MANAGER] == ("confirm", "confirmed", ADA)
    assert found["the account has its notice"] == ("request", "passed", None)
    on_record = entry(stage, missed, "case.resolved")["detail"]["checks"]
    assert [(each["check"], each.get("by")) for each in on_record if each["state"] == "confirmed"] == [(MANAGER, ADA)]


SECOND_BOX = """  - name: the calendar is right
    for: [missed]
    confirm: I have looked at the calendar.
"""


async def test_what_is_not_ticked_is_said_in_the_form(empty_stage: Stage, folder: Path) -> None:
    path = folder / "workflows" / "renewal-notice.yml"
    path.write_text(path.read_text() + SECOND_BOX)
    await empty_stage.start()
    ref = await empty_stage.report(workflow="renewal-notice", failure_mode="missed", subject="acc_1")
    await empty_stage.press(ADA, "Resolve", on=ref)
    refused = await empty_stage.fill_in(ADA, reason="fixed", confirm=[MANAGER])
    assert refused.errors == {"confirm": f"{ref} is not closed yet: tick: I have looked at the calendar."}
    assert (await empty_stage.fill_in(ADA, confirm=[MANAGER, "the calendar is right"])).ok
    assert empty_stage.case(ref).state == "resolved"


async def test_a_command_is_told_what_to_tick_with_a_button_for_it(stage: Stage, missed: str) -> None:
    told = await stage.type(ADA, f"/case resolve {missed} fixed sent by hand")
    assert "is not closed yet: tick: I have told the account manager." in told
    assert stage.case(missed).state == "queued"
    await stage.slack.click(ADA, stage.slack.ephemerals(ADA)[-1], text="Resolve")
    await stage.settle()
    await stage.fill_in(ADA, reason="fixed", confirm=[MANAGER])
    assert stage.case(missed).state == "resolved"


async def test_what_is_only_confirmed_closes_at_once(stage: Stage) -> None:
    ref = await stage.report(workflow="renewal-notice", failure_mode="missed", subject="acc_1")
    await resolve(stage, ref, by=ADA, confirm=[MANAGER])
    assert stage.case(ref).state == "resolved"
    assert "closing" not in [line.split()[1] for line in stage.thread(ref)]
    assert "You resolved it" in stage.told(ADA)


# --- in spite of a check


@pytest.fixture
async def refused(stage: Stage) -> str:
    """A case that did not close."""
    ref = await failed_refund(stage)
    await resolve(stage, ref, reason="worked_around")
    assert stage.case(ref).state == "queued"
    return ref


@on_both_engines
async def test_it_can_be_closed_anyway_with_a_reason_that_stays_for_ever(stage: Stage, refused: str) -> None:
    asking = _last_line(stage, refused)
    await stage.slack.click(ADA, asking, text="Close anyway…")
    await stage.settle()
    assert "You cannot close it in spite of a failed check" in str(stage.form(ADA).blocks)
    assert "override" not in str(stage.form(ADA).blocks)
    await stage.slack.click(GUS, asking, text="Close anyway…")
    await stage.settle()
    assert "it answered 404" in str(stage.form(GUS).blocks)
    short = await stage.fill_in(GUS, override="because")
    assert "at least 10 characters" in short.errors["override"]
    assert (await stage.fill_in(GUS, override=WHY)).ok
    case = stage.case(refused)
    assert (case.state, case.resolution, case.overridden_by) == ("resolved", "worked_around", GUS)
    assert f"*Closed in spite of its checks* by *Gus Petrov*: {WHY}" in stage.card(refused).shown
    assert WHY in await stage.type(ADA, f"/case show {refused}")
    read = await shown(stage, refused)
    assert (read["overridden_by"], read["override_reason"]) == (GUS, WHY)
    assert (read["closings"][0]["state"], read["closings"][0]["overridden_by"]) == ("overridden", GUS)
    assert entry(stage, refused, "case.checks_overridden")["detail"] == {"reason": WHY, "failed": [CHECK]}
    assert "closed it in spite of its checks" in stage.thread(refused)[-2]
    decided = stage.slack.message(asking.channel, asking.ts)
    assert list(decided.buttons) == []
    assert f"UTC>: *Gus Petrov* closed it in spite of its checks: {WHY}." in decided.shown
    await stage.type(GUS, f"/case reopen {refused} billing was wrong about it")
    assert stage.case(refused).overridden_by == GUS
    assert "It was closed once in spite of its checks" in stage.card(refused).shown.replace("*", "")
    assert stage.broken() == []


async def test_it_can_be_closed_anyway_in_words(stage: Stage, refused: str) -> None:
    told = await stage.type(FAY, f"/case resolve {refused} override {WHY}")
    assert "You closed it in spite of its checks" in told
    assert stage.case(refused).override_reason == WHY


@pytest.mark.parametrize("user", [ADA, CLEO, ZOE])
async def test_only_the_owner_and_who_answers_for_it_may(stage: Stage, refused: str, user: str) -> None:
    """Ada and Cleo are its steward's, and may resolve it; Zoe is nobody to it."""
    told = await stage.type(user, f"/case resolve {refused} override {WHY}")
    assert "You cannot" in told
    assert stage.case(refused).state == "queued"


async def test_a_short_reason_is_none(stage: Stage, refused: str) -> None:
    assert "at least 10 characters" in await stage.type(FAY, f"/case resolve {refused} override because")
    assert stage.case(refused).is_open


async def test_there_is_nothing_to_override_before_a_check_has_failed(stage: Stage) -> None:
    ref = await failed_refund(stage)
    told = await stage.type(FAY, f"/case resolve {ref} override {WHY}")
    assert "none of its checks has failed; resolve it, and they are asked" in told
    assert stage.case(ref).is_open


async def test_what_nobody_can_confirm_can_be_overridden_at_once(stage: Stage) -> None:
    ref = await stage.report(workflow="support-triage", failure_mode="misrouted", subject="c_1")
    await stage.type(DEE, f"/case resolve {ref} override it was spam, there is no customer")
    assert stage.case(ref).state == "resolved"
    assert (await shown(stage, ref))["closings"][0]["checks"][0]["state"] == "unconfirmed"


# --- it does not break


@on_both_engines
async def test_a_conflict_has_its_decision_and_its_check(stage: Stage) -> None:
    stage.company["billing"].kept["re_1"] = dict(THERE)
    ref = await stage.report(failure_mode="conflict", event=REFUND)
    assert "say which is right" in await stage.type(CLEO, f"/case resolve {ref} fixed")
    await stage.type(CLEO, f"/case resolve {ref} receiver fixed looked at both")
    assert stage.case(ref).state == "resolved"
    assert "The receiver is right. looked at both" in stage.thread(ref)[-2]


async def test_the_clock_runs_on_while_it_closes(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    ref = await failed_refund(stage)
    await stage.press(FAY, "Acknowledge", on=ref)
    await stage.choose(FAY, "waiting_for_customer", on=ref)
    due_at = stage.case(ref).resolve_due_at
    await stage.advance(minutes=10)
    await resolve(stage, ref)
    assert (stage.case(ref).resolve_due_at - due_at).total_seconds() == 600
    await stage.advance(minutes=1)
    assert stage.case(ref).state == "waiting_for_customer"
    assert "stands still" in stage.card(ref).shown
