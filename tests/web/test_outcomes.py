"""`/v1/outcomes`: who may send and read, what is refused, and that a repeat changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.conftest import BLIND, HUBSPOT, JSON_TYPE, MONITORS, NARROW, Answer, Door

DONE = {"refund_id": "re_1", "state": "completed"}
NOTICE = {"account_id": "acc_1", "renewal_date": "2026-12-23", "state": "sent"}


async def post(door: Door, content: Any, *, workflow: str = "refund", token: str = MONITORS, **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    sent = {"Authorization": f"Bearer {token}", **JSON_TYPE} | headers
    return await door.ask("POST", f"/v1/outcomes/{workflow}", body=body, headers=sent)


async def shown(door: Door, query: str = "", *, token: str = MONITORS) -> list[dict[str, Any]]:
    answer = await door.get(f"/v1/outcomes?{query}", token=token)
    assert answer.status == 200, answer
    return list(answer.json["outcomes"])


async def test_an_outcome_that_matches_nothing_is_taken_and_shown(door: Door) -> None:
    answer = await post(door, DONE)
    assert (answer.status, answer.json) == (202, {"event": None, "status": "unmatched"})
    (outcome,) = await shown(door, "state=unmatched&workflow=refund")
    assert outcome == {
        "workflow": "refund",
        "id": "re_1",
        "event": None,
        "state": "unmatched",
        "status": "unmatched",
        "because": "outcome.state == 'completed'",
        "received_at": "2026-11-23T09:00:00Z",
        "source": "monitors",
        "outcome": DONE,
    }


async def test_fields_that_the_contract_redacts_are_not_kept(plain_door: Door) -> None:
    await post(plain_door, NOTICE | {"contact_email": "pat@customer.example"}, workflow="renewal-notice")
    (outcome,) = await shown(plain_door)
    assert outcome["outcome"] == NOTICE | {"contact_email": "•••"}


async def test_a_source_sends_and_reads_for_its_own_workflows_alone(plain_door: Door) -> None:
    await post(plain_door, NOTICE, workflow="renewal-notice")
    await post(plain_door, DONE, token=NARROW)
    refused = await post(plain_door, NOTICE, workflow="renewal-notice", token=NARROW)
    assert (refused.status, refused.problem["type"]) == (403, "urn:pointsman:problem:workflow-not-allowed")
    assert [each["workflow"] for each in await shown(plain_door, token=NARROW)] == ["refund"]
    assert await shown(plain_door, "workflow=renewal-notice", token=NARROW) == []


async def test_without_a_credential_nothing_is_taken_and_without_read_nothing_shown(plain_door: Door) -> None:
    assert (await post(plain_door, DONE, token=BLIND)).status == 401
    assert (await plain_door.get("/v1/outcomes", token=HUBSPOT)).status == 403
    assert await shown(plain_door) == []


@pytest.mark.parametrize(
    ("workflow", "content", "status", "kind", "words"),
    [
        ("refnud", DONE, 404, "no-outcome-wanted", "no contract is named so"),
        ("lead-routing", DONE, 404, "no-outcome-wanted", "its contract has no `outcome`"),
        ("refund", "done", 422, "bad-outcome", "an outcome is a JSON object"),
        ("refund", [DONE, 7], 422, "bad-outcome", "number 2 is not"),
        ("refund", [], 422, "bad-outcome", "1 to 500"),
        ("refund", [DONE] * 501, 422, "bad-outcome", "this one has 501"),
        ("refund", b"{", 400, "not-json", "not JSON"),
    ],
)
async def test_what_cannot_be_an_outcome_is_refused_in_words(
    plain_door: Door, workflow: str, content: Any, status: int, kind: str, words: str
) -> None:
    answer = await post(plain_door, content, workflow=workflow)
    assert (answer.status, answer.problem["type"]) == (status, f"urn:pointsman:problem:{kind}")
    assert words in answer.problem["detail"]
    assert await shown(plain_door) == []


async def test_a_repeat_with_its_key_is_answered_as_before_and_another_body_is_refused(door: Door) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await post(door, DONE, **key)
    assert (await post(door, DONE, **key)).json == first.json
    assert len(await shown(door)) == 1
    reused = await post(door, DONE | {"state": "rejected"}, **key)
    assert (reused.status, reused.problem["type"]) == (422, "urn:pointsman:problem:key-reused")


async def test_numbers_that_no_double_holds_are_kept_as_they_came(door: Door) -> None:
    large = DONE | {"amount": 2**70}
    assert (await post(door, large)).status == 202
    assert (await post(door, large)).status == 202
    (outcome,) = await shown(door)
    assert outcome["outcome"]["amount"] == 2**70


async def test_a_cloud_event_is_the_outcome_in_it(plain_door: Door) -> None:
    cloud = {"specversion": "1.0", "id": "1", "source": "/billing", "type": "refund.completed", "data": DONE}
    answer = await post(plain_door, cloud, **{"Content-Type": "application/cloudevents+json"})
    assert answer.status == 202
    assert [each["outcome"] for each in await shown(plain_door)] == [DONE]


async def test_outcomes_are_shown_page_by_page_the_latest_first(plain_door: Door) -> None:
    await post(plain_door, [DONE | {"refund_id": f"re_{n}"} for n in range(3)])
    first = (await plain_door.get("/v1/outcomes?limit=2")).json
    assert [each["id"] for each in first["outcomes"]] == ["re_2", "re_1"]
    last = (await plain_door.get(f"/v1/outcomes?limit=2&cursor={first['next']}")).json
    assert ([each["id"] for each in last["outcomes"]], last["next"]) == (["re_0"], None)


@pytest.mark.parametrize("query", ["state=lost", "stat=early", "limit=0", "cursor=x"])
async def test_a_parameter_that_there_is_not_is_refused(plain_door: Door, query: str) -> None:
    answer = await plain_door.get(f"/v1/outcomes?{query}")
    assert (answer.status, answer.problem["type"]) == (400, "urn:pointsman:problem:bad-parameter")
