"""A runbook goes first when a case opens: it fixes it and the case closes through its checks, or the case takes its
route with all that was tried."""

from __future__ import annotations

from typing import Any

from tests.stories.company import BEN
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_runs import runs, steps

SILENT: dict[str, Any] = {
    "workflow": "renewal-notice",
    "failure_mode": "outcome_missing",
    "title": "No outcome came for acc-1",
    "subject": "acc-1",
    "event": {
        "account_id": "acc-1",
        "account_status": "active",
        "renewal_date": "2026-12-23",
        "contact_email": "kim@customer.example",
        "sent_at": "2026-11-23T09:00:00Z",
    },
}


async def outcome(stage: Stage, state: str = "sent") -> None:
    """Marketing tells what became of the notice."""
    stage.company["marketing"].kept["acc-1"] = {"due": "2026-12-23", "state": state}
    headers = {"Authorization": f"Bearer {stage.environment['MONITORS_SOURCE_TOKEN']}"}
    body = {"account_id": "acc-1", "renewal_date": "2026-12-23", "state": state}
    async with stage.http.post(f"{stage.service.url}/v1/outcomes/renewal-notice", json=body, headers=headers) as came:
        assert came.status == 202, await came.text()
    await stage.settle()


@on_both_engines
async def test_a_fix_that_works_closes_the_case_through_its_checks_and_pages_nobody(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    assert stage.case(ref).route == "auto_fix"
    assert stage.company["marketing"].last.startswith("POST /notices")
    assert stage.dms(BEN) == []
    await outcome(stage)
    print(stage.thread(ref), stage.actions(ref), steps(stage))
    print(stage.card(ref).shown)
    assert stage.case(ref).state == "resolved"
    assert [run.state for run in runs(stage)] == ["done"]
    assert stage.dms(BEN) == []


@on_both_engines
async def test_a_fix_that_gives_up_takes_the_route_with_what_it_tried(stage: Stage) -> None:
    ref = await stage.report(**SILENT)
    print(stage.card(ref).shown)
    await stage.advance(minutes=9)
    assert stage.case(ref).route == "auto_fix"
    await stage.advance(minutes=2)
    print(stage.thread(ref), stage.actions(ref), steps(stage), stage.dms(BEN))
    print(stage.card(ref).shown)
    assert stage.case(ref).route == "on_call"
