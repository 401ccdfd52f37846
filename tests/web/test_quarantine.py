"""What readers see of quarantine over HTTP: masked, by page, each for its own workflows; and nothing to press."""

from __future__ import annotations

import json
from typing import Any

from tests.web.conftest import HUBSPOT, MONITORS, NARROW, Door

SECRET = "ada.lovelace@private.test"
MISFIT = {"account_id": "acc_1", "account_status": "active", "renewal_dt": "2026-12-23", "contact_email": SECRET}


async def send(door: Door, workflow: str, content: Any) -> Any:
    body = json.dumps(content).encode()
    headers = {"Authorization": f"Bearer {MONITORS}", "Content-Type": "application/json"}
    answer = await door.ask("POST", f"/v1/events/{workflow}", body=body, headers=headers)
    assert answer.status == 202, answer
    return answer.json


async def test_what_is_held_is_shown_masked_with_what_does_not_fit(door: Door) -> None:
    sent = await send(door, "renewal-notice", MISFIT)
    [shown] = (await door.get("/v1/quarantine")).json["events"]
    assert (shown["event"], shown["case"], shown["seen"]) == (sent["event"], sent["case"], 1)
    assert shown["title"] == "renewal_dt came, renewal_date was wanted"
    assert (shown["misfit"]["found"], shown["misfit"]["wanted"]) == ("renewal_dt", "renewal_date")
    assert shown["content"] == {
        "account_id": "acc_1",
        "account_status": "active",
        "renewal_dt": "•••",
        "contact_email": "•••",
    }


async def test_it_is_read_by_page_and_by_workflow(door: Door) -> None:
    for number in range(3):
        await send(door, "renewal-notice", MISFIT | {"account_id": f"acc_{number}"})
    await send(door, "refund", {"refund_id": 7})
    first = (await door.get("/v1/quarantine?workflow=renewal-notice&limit=2")).json
    assert [each["subject"] for each in first["events"]] == ["acc_2", "acc_1"]
    second = (await door.get(f"/v1/quarantine?workflow=renewal-notice&limit=2&cursor={first['next']}")).json
    assert ([each["subject"] for each in second["events"]], second["next"]) == (["acc_0"], None)
    assert len((await door.get("/v1/quarantine")).json["events"]) == 4


async def test_a_source_sees_its_own_workflows_only(door: Door) -> None:
    await send(door, "renewal-notice", MISFIT)
    await send(door, "refund", {"refund_id": 7})
    events = (await door.get("/v1/quarantine", token=NARROW)).json["events"]
    assert [each["workflow"] for each in events] == ["refund"]


async def test_only_readers_may_look_and_nobody_releases_over_http(door: Door) -> None:
    sent = await send(door, "renewal-notice", MISFIT)
    assert (await door.get("/v1/quarantine", token=HUBSPOT)).status == 403
    assert (await door.get("/v1/quarantine?state=held")).problem["status"] == 400
    headers = {"Authorization": f"Bearer {MONITORS}"}
    released = await door.ask("POST", f"/v1/quarantine/{sent['event']}/release", headers=headers)
    assert released.status == 404
