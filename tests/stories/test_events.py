"""Events come in by their contract: delivered once, counted when they come again, held when they do not fit."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bot.sandbox.company.systems import Mode
from tests.stories.company import FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import TOKEN, Stage

REFUND = {"refund_id": "re_1", "customer_id": "cus_1", "amount_cents": 1200}
LEAD = {"lead_id": "l_1", "tier": "vip"}


async def send(stage: Stage, workflow: str, body: Any, **headers: str) -> tuple[int, Any]:
    """Sends an event, or what calls itself one, and waits for all that it brings about."""
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): text for name, text in headers.items()}
    text = body if isinstance(body, str) else json.dumps(body)
    async with stage.http.post(f"{stage.service.url}/v1/events/{workflow}", data=text, headers=sent) as response:
        answer = response.status, await response.json()
    await stage.settle()
    return answer


@on_both_engines
async def test_an_event_that_fits_is_delivered_once(stage: Stage) -> None:
    assert await send(stage, "refund", REFUND) == (202, {"event": "E-1", "status": "accepted"})
    assert await send(stage, "refund", REFUND) == (202, {"event": "E-1", "status": "duplicate"})
    assert list(stage.company["billing"].kept) == ["re_1"]
    assert stage.company["billing"].requests == 1
    assert stage.cases() == []
    assert stage.broken() == []


@on_both_engines
async def test_many_of_the_same_at_once_are_delivered_once(stage: Stage) -> None:
    answers = await asyncio.gather(*(send(stage, "refund", REFUND) for _ in range(12)))
    statuses = [answer["status"] for _, answer in answers]
    assert (statuses.count("accepted"), statuses.count("duplicate")) == (1, 11)
    assert stage.company["billing"].requests == 1


async def test_fields_that_may_differ_do_not_make_another_event(stage: Stage) -> None:
    notice = {
        "account_id": "acc_1",
        "account_status": "active",
        "renewal_date": "2026-12-23",
        "contact_email": "pat@customer.example",
    }
    assert (await send(stage, "renewal-notice", notice | {"sent_at": "2026-11-23T09:00:00Z"}))[1][
        "status"
    ] == "accepted"
    assert (await send(stage, "renewal-notice", notice | {"sent_at": "2026-11-23T09:05:00Z"}))[1][
        "status"
    ] == "duplicate"


@on_both_engines
async def test_the_same_identity_with_other_content_is_a_case_and_is_not_delivered(stage: Stage) -> None:
    await send(stage, "refund", REFUND)
    status, answer = await send(stage, "refund", REFUND | {"amount_cents": 9900})
    assert (status, answer["status"]) == (202, "quarantined")
    case = stage.case(answer["case"])
    assert (case.failure_mode, case.owner) == ("duplicate", "data-steward")
    assert stage.company["billing"].kept["re_1"]["amount_cents"] == 1200


@on_both_engines
async def test_what_does_not_fit_is_one_case_per_kind_of_misfit(stage: Stage) -> None:
    misfits = [{"lead_id": f"l_{n}", "teir": "vip"} for n in range(5)]
    _, answer = await send(stage, "lead-routing", misfits)
    cases = {each["case"] for each in answer["results"]}
    assert {each["status"] for each in answer["results"]} == {"quarantined"}
    assert len(cases) == 1
    case = stage.case(cases.pop())
    assert (case.failure_mode, case.occurrences) == ("schema_drift", 5)
    assert "teir" in case.title
    assert "tier" in case.title
    assert stage.company["helpdesk"].requests == 0
    _, other = await send(stage, "lead-routing", {"lead_id": 7, "tier": "vip"})
    assert other["case"] != case.ref


async def test_what_fails_its_precondition_is_ignored_on_record(stage: Stage) -> None:
    notice = {"account_id": "acc_1", "account_status": "churned", "renewal_date": "2026-12-23"}
    assert (await send(stage, "renewal-notice", notice))[1]["status"] == "ignored"
    assert stage.company["marketing"].requests == 0
    assert stage.cases() == []


@on_both_engines
async def test_what_cannot_be_delivered_is_a_case_after_its_last_attempt(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    await send(stage, "refund", REFUND)
    await stage.advance(minutes=5)
    (case,) = stage.cases()
    assert (case.failure_mode, case.priority, case.subject) == ("delivery_failed", "P1", "cus_1")
    assert stage.company["billing"].requests == 3
    stage.company["billing"].mode = Mode.OK
    await stage.press(FAY, "Retry", on=case.ref)
    assert "The retry went through" in stage.thread(case.ref)[-1]
    assert list(stage.company["billing"].kept) == ["re_1"]


@on_both_engines
async def test_a_later_event_of_a_subject_waits_behind_a_failed_one(stage: Stage) -> None:
    helpdesk = stage.company["helpdesk"]
    helpdesk.mode = Mode.FAIL
    await send(stage, "lead-routing", LEAD)
    await stage.advance(minutes=10)
    (case,) = stage.cases()
    helpdesk.mode = Mode.OK
    before = helpdesk.requests
    await send(stage, "lead-routing", {"lead_id": "l_2", "tier": "growth"})
    assert helpdesk.requests == before + 1
    assert case.is_open


async def test_an_unknown_workflow_is_a_case_for_the_unrouted_role(stage: Stage) -> None:
    status, answer = await send(stage, "no-such-workflow", {"id": 1})
    assert (status, answer["status"]) == (202, "quarantined")
    assert stage.case(answer["case"]).owner == "revenue-ops"


async def test_a_restart_in_between_delivers_what_was_accepted(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    await send(stage, "refund", REFUND)
    stage.company["billing"].mode = Mode.OK
    await stage.restart(minutes=2)
    assert list(stage.company["billing"].kept) == ["re_1"]


CLOUD = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "com.example.refund"}


async def test_a_cloud_event_is_read_in_each_of_its_forms(stage: Stage) -> None:
    structured = {"Content_Type": "application/cloudevents+json; charset=utf-8"}
    _, first = await send(stage, "refund", CLOUD | {"data": REFUND}, **structured)
    assert first == {"event": "E-1", "status": "accepted"}
    headers = {f"ce_{name}": text for name, text in CLOUD.items()}
    _, second = await send(stage, "refund", REFUND | {"refund_id": "re_2"}, **headers)
    assert second == {"event": "E-2", "status": "accepted"}
    batch = [CLOUD | {"data": REFUND | {"refund_id": f"re_{n}"}} for n in (3, 4)]
    _, third = await send(stage, "refund", batch, Content_Type="application/cloudevents-batch+json")
    assert [each["event"] for each in third["results"]] == ["E-3", "E-4"]
    await stage.advance(seconds=1)
    assert sorted(stage.company["billing"].kept) == ["re_1", "re_2", "re_3", "re_4"]


async def test_what_calls_itself_a_cloud_event_and_is_none_is_refused_with_why(stage: Stage) -> None:
    structured = {"Content_Type": "application/cloudevents+json"}
    without_source = {name: text for name, text in CLOUD.items() if name != "source"}
    for body, why in (
        (without_source | {"data": REFUND}, "source"),
        (CLOUD | {"specversion": "0.1", "data": REFUND}, "specversion"),
        (CLOUD | {"time": "yesterday", "data": REFUND}, "time"),
        (CLOUD | {"data_base64": "%%%"}, "base64"),
        ([CLOUD], "object"),
    ):
        status, problem = await send(stage, "refund", body, **structured)
        assert status == 400
        assert why in problem["detail"]


async def test_what_is_no_object_or_too_much_is_refused(stage: Stage) -> None:
    assert (await send(stage, "refund", "7"))[0] == 422
    assert (await send(stage, "refund", [REFUND, 7]))[0] == 422
    assert (await send(stage, "refund", [REFUND] * 501))[0] == 422
    assert (await send(stage, "refund", "{"))[0] == 400
    assert (await send(stage, "refund", REFUND, Authorization="Bearer wrong"))[0] == 401


@on_both_engines
async def test_a_repeat_under_its_key_is_answered_as_the_first_was(stage: Stage) -> None:
    first = await send(stage, "refund", REFUND, Idempotency_Key="k-1")
    assert await send(stage, "refund", REFUND, Idempotency_Key="k-1") == first
    assert (await send(stage, "refund", REFUND | {"refund_id": "re_2"}, Idempotency_Key="k-1"))[0] == 422
