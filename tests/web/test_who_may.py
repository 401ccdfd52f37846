"""Who may report and read: by bearer token or by signature, each for its workflows and at its rate."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from bot.clock import MovableClock
from bot.desk.desk import Desk
from tests.web.conftest import HUBSPOT, MONITORS, NARROW, NOTHING, QUICK, Door, opened, report, signed


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {MONITORS}",
        MONITORS,
        f"Bearer {MONITORS}x",
        f"Bearer {MONITORS.upper()}",
        "Bearer ü\udcff",
        "Bearer " + "x" * 7_000,
    ],
)
async def test_a_wrong_credential_is_told_what_a_right_one_is(plain_door: Door, authorization: str) -> None:
    body = json.dumps(report()).encode()
    answer = await plain_door.ask("POST", "/v1/exceptions", body=body, headers={"Authorization": authorization})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="pointsman"')
    assert "connectors.yml" in answer.problem["detail"]
    assert await plain_door.accepted() == NOTHING


async def test_without_a_credential_nothing_is_said_of_a_wrong_one(plain_door: Door) -> None:
    answer = await plain_door.ask("POST", "/v1/exceptions", body=b"{}")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="pointsman"'


async def test_the_scheme_may_be_written_anyhow(plain_door: Door) -> None:
    body = json.dumps(report()).encode()
    headers = {"Authorization": f"bEARER  {MONITORS}"}
    assert (await plain_door.ask("POST", "/v1/exceptions", body=body, headers=headers)).status == 202


async def test_a_signed_report_is_taken(door: Door) -> None:
    assert (await door.post_signed(report())).json == {"case": "C-1", "occurrence": 1, "deduplicated": False}
    assert (await door.get("/v1/cases/C-1")).json["source"] == "billing"


async def test_a_signed_repeat_is_answered_as_the_first(door: Door) -> None:
    first, again = [await door.post_signed(report()) for _ in range(2)]
    assert (first.status, again.status) == (202, 202)
    assert again.text == first.text
    assert (await door.accepted())["exceptions"] == 1


async def test_the_same_message_id_signed_with_another_body_is_refused(door: Door) -> None:
    await door.post_signed(report())
    answer = await door.post_signed(report("Another"))
    assert answer.status == 422
    assert answer.problem["type"] == "urn:pointsman:problem:key-reused"


async def test_a_caught_signature_opens_nothing_else(plain_door: Door) -> None:
    caught = signed(plain_door.clock, json.dumps(report()), message_id="msg_1")
    other = json.dumps(report("Another")).encode()
    answer = await plain_door.ask("POST", "/v1/exceptions", body=other, headers=caught)
    assert answer.status == 401
    moved = caught | {"webhook-id": "msg_2"}
    answer = await plain_door.ask("POST", "/v1/exceptions", body=json.dumps(report()).encode(), headers=moved)
    assert answer.status == 401
    assert await plain_door.accepted() == NOTHING


FORGED = {
    "another signature": {"webhook-signature": "v1,AAAA"},
    "no signature": {"webhook-signature": ""},
    "another version": {"webhook-signature": "v1a,AAAA"},
    "not ascii": {"webhook-signature": "v1,ü\udcff"},
    "no id": {"webhook-id": ""},
    "no time": {"webhook-timestamp": ""},
    "time in words": {"webhook-timestamp": "now"},
    "time with a sign": {"webhook-timestamp": "-1"},
    "time out of all years": {"webhook-timestamp": "99999999999"},
    "endless time": {"webhook-timestamp": "9" * 400},
}


@pytest.mark.parametrize("other", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_signature_is_refused(plain_door: Door, other: dict[str, str]) -> None:
    answer = await plain_door.post_signed(report(), **other)
    assert answer.status == 401
    assert answer.problem["type"] == "urn:pointsman:problem:unknown-source"
    assert await plain_door.accepted() == NOTHING


@pytest.mark.parametrize(("minutes", "status"), [(4, 202), (6, 401)])
async def test_a_signature_is_good_for_five_minutes(plain_door: Door, minutes: int, status: int) -> None:
    headers = signed(plain_door.clock, json.dumps(report()), message_id="msg_1")
    plain_door.clock.advance(timedelta(minutes=minutes))
    answer = await plain_door.ask("POST", "/v1/exceptions", body=json.dumps(report()).encode(), headers=headers)
    assert answer.status == status


async def test_one_of_several_signatures_is_enough(plain_door: Door) -> None:
    good = signed(plain_door.clock, json.dumps(report()), message_id="msg_1")["webhook-signature"]
    answer = await plain_door.post_signed(report(), **{"webhook-signature": f"v1,AAAA {good}"})
    assert answer.status == 202


async def test_a_source_reports_for_its_own_workflows(door: Door) -> None:
    answer = await door.post(report(workflow="lead-routing"), token=NARROW)
    assert answer.status == 403
    assert answer.problem["detail"] == "source narrow may report for these workflows: refund"
    assert (await door.post_signed(report(workflow="lead-routing"))).status == 403
    assert await door.accepted() == NOTHING


async def test_in_a_list_what_it_may_not_is_refused_alone(door: Door) -> None:
    answer = await door.post([report(), report(workflow="lead-routing")], token=NARROW)
    good, bad = answer.json["results"]
    assert good["case"] == "C-1"
    assert bad["problem"]["status"] == 403


async def test_faster_than_its_rate_a_source_is_told_when_to_come_back(plain_door: Door) -> None:
    for title in ("One", "Two"):
        assert (await plain_door.post(report(title), token=QUICK)).status == 202
    answer = await plain_door.post(report("Three"), token=QUICK)
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "30"
    assert "2 requests in 60 s" in answer.problem["detail"]
    assert (await plain_door.post(report("Of another source"))).status == 202
    plain_door.clock.advance(timedelta(seconds=29))
    assert (await plain_door.post(report("Three"), token=QUICK)).status == 429
    plain_door.clock.advance(timedelta(seconds=1))
    assert (await plain_door.post(report("Three"), token=QUICK)).status == 202


async def test_a_credential_that_cannot_be_read_shuts_out_its_source_alone(
    sqlite_desk: Desk, clock: MovableClock, tmp_path: Path
) -> None:
    (tmp_path / "monitors").write_text(MONITORS + "\n")
    environment = {"HUBSPOT_SOURCE_TOKEN_FILE": str(tmp_path / "none"), "BILLING_WEBHOOK_SECRET": "whsec_"}
    async with opened(
        sqlite_desk, clock, environment | {"MONITORS_SOURCE_TOKEN_FILE": str(tmp_path / "monitors")}
    ) as door:
        assert (await door.post(report())).status == 202
        assert (await door.post(report(), token=HUBSPOT)).status == 401
        assert (await door.post_signed(report())).status == 401


READS = ["/v1/cases", "/v1/cases/C-1", "/v1/cases/C-1/audit", "/v1/workflows", "/v1/oncall"]


@pytest.mark.parametrize("path", READS)
async def test_reading_needs_a_source_that_may(plain_door: Door, path: str) -> None:
    await plain_door.post(report())
    assert (await plain_door.ask("GET", path)).status == 401
    refused = await plain_door.get(path, token=HUBSPOT)
    assert refused.status == 403
    assert "read: true" in refused.problem["detail"]
    assert (await plain_door.get(path)).status == 200


async def test_a_source_reads_of_its_own_workflows(door: Door) -> None:
    await door.post([report(), report(workflow="lead-routing"), report("Third")])
    listed = (await door.get("/v1/cases", token=NARROW)).json["cases"]
    assert [case["ref"] for case in listed] == ["C-3", "C-1"]
    assert (await door.get("/v1/cases?workflow=lead-routing", token=NARROW)).json["cases"] == []
    for path in ("/v1/cases/C-2", "/v1/cases/C-2/audit"):
        hidden = await door.get(path, token=NARROW)
        missing = await door.get(path.replace("C-2", "C-9"), token=NARROW)
        assert (hidden.status, missing.status) == (404, 404)
        assert hidden.text.replace("C-2", "C-9") == missing.text
    workflows = (await door.get("/v1/workflows", token=NARROW)).json["workflows"]
    assert [each["workflow"] for each in workflows] == ["refund"]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "ü", "\udcff"])
async def test_a_key_is_printable_ascii_of_bounded_length(plain_door: Door, key: str) -> None:
    answer = await plain_door.post(report(), key=key)
    assert answer.status == 400
    assert answer.problem["type"] == "urn:pointsman:problem:bad-key"
    assert await plain_door.accepted() == NOTHING
