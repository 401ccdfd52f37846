"""What comes back of an event, or does not: done, failed, late, early, twice, for nobody, and nothing at all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.desk.cases import resolve
from bot.desk.commands import Resolve
from bot.rules.actors import person
from bot.sandbox.company.systems import Mode
from tests.stories.company import BILLING, FAY, GUS
from tests.stories.conftest import on_both_engines
from tests.stories.stage import TOKEN, Stage, moment
from tests.stories.test_runs import run

REFUND = {"refund_id": "re_1", "customer_id": "cus_1", "amount_cents": 4900}
DONE, FAILED, PENDING = "completed", "rejected", "pending"


async def send(stage: Stage, kind: str, workflow: str, body: Any, *, key: str = "") -> Any:
    """Something comes over HTTP; what was answered, after all that it brought about."""
    headers = {"Authorization": f"Bearer {TOKEN}"} | ({"Idempotency-Key": key} if key else {})
    url = f"{stage.service.url}/v1/{kind}/{workflow}"
    async with stage.http.post(url, json=body, headers=headers) as response:
        answer = await response.json()
        assert response.status == 202, answer
    await stage.settle()
    return answer


async def refunded(stage: Stage, refund_id: str = "re_1", customer: str = "cus_1") -> str:
    """A refund is asked for, and billing has taken it; the event."""
    answer = await send(stage, "events", "refund", REFUND | {"refund_id": refund_id, "customer_id": customer})
    assert answer["status"] == "accepted"
    return str(answer["event"])


async def outcome(stage: Stage, state: str, refund_id: str = "re_1", **more: Any) -> Any:
    """Billing calls back."""
    key = more.pop("key", "")
    return await send(stage, "outcomes", "refund", {"refund_id": refund_id, "state": state} | more, key=key)


async def kept(stage: Stage, query: str) -> list[dict[str, Any]]:
    """What `GET /v1/outcomes` shows."""
    url = f"{stage.service.url}/v1/outcomes?{query}"
    async with stage.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
        answer = await response.json()
        assert response.status == 200, answer
        return list(answer["outcomes"])


@on_both_engines
async def test_an_outcome_that_says_done_ends_it_and_nobody_hears_of_it(stage: Stage) -> None:
    event = await refunded(stage)
    assert await outcome(stage, DONE) == {"event": event, "status": "done"}
    await stage.advance(days=1)
    assert stage.cases() == []


@on_both_engines
async def test_an_outcome_that_says_failed_is_a_case_of_its_event(stage: Stage) -> None:
    event = await refunded(stage)
    assert await outcome(stage, FAILED) == {"event": event, "status": "failed", "case": "C-1"}
    (case,) = stage.cases()
    assert (case.failure_mode, case.subject, f"E-{case.event_id}") == ("outcome_failed", "cus_1", event)
    card = stage.card("C-1")
    assert card.channel == BILLING
    assert "The outcome of cus_1 is a failure" in card.shown
    assert "What it says: outcome.state = rejected" in card.shown
    assert "Replay" in card.buttons
    await stage.advance(hours=1)
    assert [case.failure_mode for case in stage.cases()] == ["outcome_failed"]


@on_both_engines
async def test_no_outcome_within_the_window_is_a_case(stage: Stage) -> None:
    event = await refunded(stage)
    await stage.advance(minutes=9)
    assert stage.cases() == []
    await stage.advance(minutes=1)
    (case,) = stage.cases()
    assert (case.failure_mode, case.priority, f"E-{case.event_id}") == ("outcome_missing", "P1", event)
    card = stage.card("C-1").shown
    assert "No outcome came for cus_1" in card
    assert f"Its outcome was to come by {moment(minutes=10)}" in card
    assert stage.broken() == []


async def test_an_outcome_that_says_neither_keeps_the_window_running(stage: Stage) -> None:
    event = await refunded(stage)
    await stage.advance(minutes=5)
    assert await outcome(stage, PENDING) == {"event": event, "status": "waiting"}
    await stage.advance(minutes=5)
    assert [case.failure_mode for case in stage.cases()] == ["outcome_missing"]
    assert [each["status"] for each in await kept(stage, "state=matched")] == ["waiting"]


@on_both_engines
async def test_a_late_outcome_closes_the_case_that_nobody_has_taken(stage: Stage) -> None:
    event = await refunded(stage)
    await stage.advance(minutes=40)
    assert len(stage.dms(FAY)) == 1
    assert await outcome(stage, DONE) == {"event": event, "status": "late", "case": "C-1"}
    case = stage.case("C-1")
    assert (case.state, case.resolution) == ("resolved", "fixed_by_itself")
    assert stage.thread("C-1")[-2] == (
        ":incoming_envelope: The outcome of re_1 came after its time, and it is done. "
        "Nobody had taken the case, so it is closed."
    )
    assert "*Resolved*" in stage.card("C-1").shown
    assert "It fixed itself" in stage.card("C-1").shown
    said = len(stage.dms(FAY))
    await stage.advance(days=1)
    assert len(stage.dms(FAY)) == said
    assert stage.broken() == []


async def test_a_late_outcome_of_a_case_that_somebody_has_is_told_to_them(stage: Stage) -> None:
    await refunded(stage)
    await stage.advance(minutes=11)
    await stage.press(FAY, "Acknowledge", on="C-1")
    await outcome(stage, DONE)
    assert stage.case("C-1").state == "in_progress"
    assert "came after its time, and it is done. What this case is about is over" in stage.thread("C-1")[-1]


async def test_a_case_that_somebody_opened_again_is_theirs_to_close(stage: Stage) -> None:
    await refunded(stage)
    await stage.advance(minutes=11)
    await stage.press(FAY, "Resolve", on="C-1")
    await stage.fill_in(FAY, reason="fixed", note="")
    await stage.type(GUS, "/case reopen C-1 billing says that it has not paid")
    await outcome(stage, DONE)
    assert stage.case("C-1").state == "queued"


WAITS = "  - {name: came, wait_for: {outcome: done, within: 5m}}\n"


@on_both_engines
@pytest.mark.parametrize("waits", [WAITS, ""], ids=["still waiting", "over before"])
async def test_what_somebody_s_runbook_repaired_closes_by_its_checks_and_says_so(
    empty_stage: Stage, folder: Path, waits: str
) -> None:
    ask = "{name: ask, request: {connector: billing, method: POST, path: '/refunds/{{ event.refund_id }}/callback'}}"
    book = f"runbook: refund-callback\ntitle: Ask again\nsteps:\n  - {ask}\n{waits}"
    (folder / "runbooks" / "refund-callback.yml").write_text(book)
    await empty_stage.start()
    for number in (1, 2):
        await refunded(empty_stage, f"re_{number}", f"cus_{number}")
    await empty_stage.advance(minutes=11)
    empty_stage.company["billing"].kept["re_2"]["state"] = "pending"
    for number in (1, 2):
        await run(empty_stage, f"C-{number}", "refund-callback")
        await outcome(empty_stage, DONE, f"re_{number}")
    first, second = empty_stage.cases()
    assert (first.state, first.resolution, second.state) == ("resolved", "fixed", "queued")
    assert empty_stage.thread("C-1")[-2].endswith("a runbook resolved it: Fixed. Ask again, asked for by Fay Tanaka")
    assert [action in empty_stage.actions("C-1") for action in ("case.closing", "run.repaired")] == [True, True]
    assert "case.closing_refused" in empty_stage.actions("C-2")


async def test_a_late_failure_says_where_it_goes_on(stage: Stage) -> None:
    await refunded(stage)
    await stage.advance(minutes=11)
    assert (await outcome(stage, FAILED))["case"] == "C-2"
    assert [(case.failure_mode, case.state) for case in stage.cases()] == [
        ("outcome_missing", "resolved"),
        ("outcome_failed", "queued"),
    ]
    assert "came after its time, and it is a failure: C-2" in stage.thread("C-1")[-1]


@on_both_engines
async def test_an_outcome_that_is_there_before_its_delivery_is_done_is_kept_for_it(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    event = await send(stage, "events", "refund", REFUND)
    assert await outcome(stage, DONE) == {"event": event["event"], "status": "early"}
    stage.company["billing"].mode = Mode.OK
    await stage.advance(minutes=1)
    assert [each["status"] for each in await kept(stage, "state=matched")] == ["early"]
    await stage.advance(hours=1)
    assert not any(case.failure_mode == "outcome_missing" for case in stage.cases())


@on_both_engines
async def test_an_outcome_of_an_unknown_event_is_shown_and_kept_until_it_comes(stage: Stage) -> None:
    assert await outcome(stage, DONE, "re_9") == {"event": None, "status": "unmatched"}
    (shown,) = await kept(stage, "state=unmatched&workflow=refund")
    assert (shown["id"], shown["outcome"]) == ("re_9", {"refund_id": "re_9", "state": DONE})
    await refunded(stage, "re_9")
    assert await kept(stage, "state=unmatched") == []
    await stage.advance(hours=1)
    assert stage.cases() == []


async def test_an_outcome_without_its_id_is_shown_with_what_is_missing(stage: Stage) -> None:
    answer = await send(stage, "outcomes", "refund", {"refund": "re_1", "state": DONE})
    assert answer == {"event": None, "status": "unmatched", "because": "outcome.refund_id is missing"}
    (shown,) = await kept(stage, "state=unmatched")
    assert (shown["id"], shown["because"]) == (None, "outcome.refund_id is missing")


@on_both_engines
async def test_the_same_outcome_twice_counts_once(stage: Stage) -> None:
    await refunded(stage)
    first = await outcome(stage, FAILED)
    assert await outcome(stage, FAILED) == first
    twice = [{"refund_id": "re_1", "state": FAILED}] * 2
    assert (await send(stage, "outcomes", "refund", twice))["results"] == [first, first]
    assert stage.case("C-1").occurrences == 1
    assert len(await kept(stage, "workflow=refund")) == 1


async def test_a_list_with_the_same_outcome_twice_is_answered_twice_and_kept_once(stage: Stage) -> None:
    event = await refunded(stage)
    twice = [{"refund_id": "re_1", "state": FAILED}] * 2
    answer = {"event": event, "status": "failed", "case": "C-1"}
    assert (await send(stage, "outcomes", "refund", twice))["results"] == [answer, answer]
    assert stage.case("C-1").occurrences == 1


async def test_done_after_failed_is_told_and_closes_nothing(stage: Stage) -> None:
    await refunded(stage)
    await outcome(stage, FAILED)
    assert (await outcome(stage, DONE))["status"] == "done"
    assert stage.case("C-1").is_open
    assert "Another outcome of re_1 says that it is done" in stage.thread("C-1")[-1]


async def test_failed_after_done_is_a_case_that_says_so(stage: Stage) -> None:
    await refunded(stage)
    await outcome(stage, DONE)
    assert (await outcome(stage, FAILED))["case"] == "C-1"
    assert "An outcome that came before said that it is done." in stage.card("C-1").shown


async def test_what_is_sent_again_waits_for_its_outcome_anew(stage: Stage) -> None:
    await refunded(stage)
    await outcome(stage, FAILED)
    stage.company["billing"].kept.clear()
    await stage.press(FAY, "Replay", on="C-1")
    await stage.advance(minutes=1)
    assert (await outcome(stage, FAILED))["status"] == "failed"
    assert stage.case("C-1").occurrences == 2
    stage.company["billing"].kept.clear()
    await stage.press(FAY, "Replay", on="C-1")
    await stage.advance(minutes=11)
    assert stage.cases()[-1].failure_mode == "outcome_missing"


async def test_what_is_there_already_is_not_waited_for_anew(stage: Stage) -> None:
    for refund_id, customer in (("re_1", "cus_1"), ("re_2", "cus_2")):
        await refunded(stage, refund_id, customer)
    await stage.advance(minutes=11)
    for ref in ("C-1", "C-2"):
        await stage.press(FAY, "Replay", on=ref)
        assert "it is there already" in stage.thread(ref)[-1]
    await stage.service.desk.run(resolve, Resolve(1, reason="fixed"), actor=person(FAY))
    await stage.advance(minutes=11)
    assert (stage.case("C-1").state, stage.case("C-1").occurrences, len(stage.cases())) == ("resolved", 1, 2)
    assert stage.case("C-2").is_open
    assert (await outcome(stage, DONE, "re_2"))["status"] == "late"
    assert not stage.case("C-2").is_open


@on_both_engines
async def test_what_was_due_while_nothing_ran_is_noticed_at_the_next_start(stage: Stage) -> None:
    await refunded(stage)
    await stage.restart(hours=3)
    (case,) = stage.cases()
    assert case.failure_mode == "outcome_missing"
    assert len(stage.cards(BILLING)) == 1


async def test_events_of_one_customer_are_one_case_that_closes_with_the_last_of_them(stage: Stage) -> None:
    for refund_id in ("re_1", "re_2"):
        await refunded(stage, refund_id)
    await refunded(stage, "re_3", "cus_2")
    await stage.advance(minutes=11)
    assert [(case.subject, case.occurrences) for case in stage.cases()] == [("cus_1", 2), ("cus_2", 1)]
    await outcome(stage, DONE, "re_1")
    assert stage.case("C-1").is_open
    assert stage.thread("C-1")[-1].endswith("The outcome of re_1 came after its time, and it is done.")
    await outcome(stage, DONE, "re_2")
    assert not stage.case("C-1").is_open
    assert stage.case("C-2").is_open


@pytest.mark.parametrize("engine_name", ["postgres"], indirect=True)
async def test_two_services_notice_a_missing_outcome_once_and_hear_a_late_one_once(stage: Stage) -> None:
    await stage.start()
    for number in range(8):
        await refunded(stage, f"re_{number}", f"cus_{number}")
    await stage.advance(minutes=11)
    assert [(case.failure_mode, case.occurrences) for case in stage.cases()] == [("outcome_missing", 1)] * 8
    body = {"refund_id": "re_3", "state": DONE}
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def send_to(url: str) -> Any:
        async with stage.http.post(f"{url}/v1/outcomes/refund", json=body, headers=headers) as response:
            return await response.json()

    answers = await asyncio.gather(*(send_to(watch.service.url) for watch in stage.watches * 5))
    assert {(answer["event"], answer["status"]) for answer in answers} == {("E-4", "late")}
    await stage.settle()
    assert len(await kept(stage, "workflow=refund")) == 1
    assert [line for line in stage.thread("C-4") if "came after its time" in line] == [stage.thread("C-4")[-1]]
    assert stage.broken() == []
