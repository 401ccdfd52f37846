"""The handoff matrix: what each workflow's contract says, whom that is now, and how it does."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import update
from sqlmodel import col

from bot.sandbox.company.systems import Mode
from store.contract_models import Trigger
from tests.stories.company import ADA, STRANGER, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import TOKEN, Stage
from tests.stories.test_events import LEAD, REFUND, send


async def matrix(stage: Stage) -> dict[str, Any]:
    """The workflows as a reader over HTTP has them."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with stage.http.get(f"{stage.service.url}/v1/workflows", headers=headers) as response:
        assert response.status == 200
        return {each["workflow"]: each for each in (await response.json())["workflows"]}


async def outcome(stage: Stage, refund_id: str, state: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    body = {"refund_id": refund_id, "state": state}
    async with stage.http.post(f"{stage.service.url}/v1/outcomes/refund", json=body, headers=headers) as response:
        assert response.status == 202, await response.text()
    await stage.settle()


async def test_a_workflow_is_told_with_everything_that_its_contract_says(stage: Stage) -> None:
    refund = (await matrix(stage))["refund"]
    assert refund["trigger"] == {"schema": "refund-requested.v1.json", "id": "{{ event.refund_id }}"}
    assert refund["owners"] == {"accountable": "billing", "steward": "revenue-ops"}
    assert len(refund["people"]["billing"]) == 1
    assert (refund["source_of_record"], refund["outcome"]["within"], refund["version"]) == ("billing", "10m", 1)
    assert refund["rollout"]["mode"] == "live"
    paths = {path["failure_mode"]: path for path in refund["exception_paths"]}
    assert set(paths) == {
        *("schema_drift", "duplicate", "delivery_failed", "conflict", "outcome_missing", "outcome_failed", "other")
    }
    failed = paths["delivery_failed"]
    assert (failed["named_by"], failed["priority"], failed["owner"]) == ("itself", "P1", "billing")
    assert (failed["acknowledge_within"], failed["resolve_within"]) == ("10m", "2h")
    assert failed["people"] == refund["people"]["billing"]
    assert (paths["outcome_failed"]["named_by"], paths["outcome_failed"]["priority"]) == ("other", "P2")


async def test_a_workflow_in_which_nothing_happened_is_healthy(stage: Stage) -> None:
    refund = (await matrix(stage))["refund"]
    assert (refund["state"], refund["open_cases"], refund["held"], refund["last_event_at"]) == ("healthy", 0, 0, None)
    assert refund["metric"] == {"days": 7, "came": 0, "succeeded": 0, "pending": 0, "success_rate": None}


@on_both_engines
async def test_the_success_rate_is_what_was_done_of_what_came_in_seven_days(stage: Stage) -> None:
    await send(stage, "refund", [REFUND | {"refund_id": f"re_{n}", "customer_id": f"c_{n}"} for n in range(1, 5)])
    metric = (await matrix(stage))["refund"]["metric"]
    assert (metric["came"], metric["succeeded"], metric["pending"]) == (4, 0, 4)
    await outcome(stage, "re_1", "completed")
    await outcome(stage, "re_2", "rejected")
    await stage.advance(minutes=11)
    metric = (await matrix(stage))["refund"]["metric"]
    assert (metric["came"], metric["succeeded"], metric["pending"], metric["success_rate"]) == (4, 1, 0, 0.25)
    await stage.restart(days=7)
    assert (await matrix(stage))["refund"]["metric"]["came"] == 0


@on_both_engines
async def test_what_is_held_what_failed_and_what_is_open_is_counted(stage: Stage) -> None:
    stage.company["helpdesk"].mode = Mode.FAIL
    await send(stage, "lead-routing", [LEAD, {"lead_id": "l_2", "teir": "vip"}, {"lead_id": "l_3", "teir": "vip"}])
    lead = (await matrix(stage))["lead-routing"]
    assert (lead["state"], lead["held"], lead["quarantined"], lead["open_cases"]) == ("held", 2, 2, 1)
    await stage.advance(minutes=10)
    lead = (await matrix(stage))["lead-routing"]
    assert lead["open_by_failure_mode"]["delivery_failed"] == 1
    assert (lead["metric"]["came"], lead["metric"]["succeeded"], lead["metric"]["success_rate"]) == (3, 0, 0.0)
    assert lead["last_event_at"] == "2026-11-23T09:00:00Z"


@on_both_engines
async def test_drills_are_no_part_of_the_figures(stage: Stage) -> None:
    await send(stage, "lead-routing", [LEAD, {"lead_id": "l_2", "teir": "vip"}])
    _make_drills(stage)
    lead = (await matrix(stage))["lead-routing"]
    assert (lead["metric"]["came"], lead["held"], lead["quarantined"], lead["last_event_at"]) == (0, 0, 0, None)


def _make_drills(stage: Stage) -> None:
    marked = update(Trigger).where(col(Trigger.workflow) == "lead-routing").values(is_drill=True)
    stage.database.write(lambda session: session.execute(marked)).result()


@pytest.mark.parametrize(
    ("path", "name"), [("/v1/workflows", "Workflows"), ("/v1/workflows/lead-routing/rollout", "Rollout")]
)
async def test_the_answers_have_exactly_what_the_api_says_of_them(stage: Stage, path: str, name: str) -> None:
    stage.company["billing"].mode = Mode.FAIL
    await send(stage, "lead-routing", [LEAD, {"lead_id": "l_2", "teir": "vip"}])
    await send(stage, "refund", [REFUND | {"refund_id": f"re_{n}", "customer_id": f"c_{n}"} for n in range(8)])
    await stage.advance(minutes=5)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with stage.http.get(f"{stage.service.url}/openapi.json") as response:
        schema = (await response.json())["components"]["schemas"][name]
    async with stage.http.get(f"{stage.service.url}{path}", headers=headers) as response:
        answer = await response.json()
    Draft202012Validator.check_schema(schema)
    faults = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(answer)
    assert [f"{fault.json_path}: {fault.message}" for fault in faults] == []


async def test_in_slack_each_workflow_is_a_short_section(stage: Stage) -> None:
    await send(stage, "lead-routing", {"lead_id": "l_2", "teir": "vip"})
    told = await stage.type(ZOE, "/case workflows")
    assert "*4 workflows*" in told
    assert "*Lead routing* (`lead-routing`, version 2): 1 held, 1 open case" in told
    assert "*Refunds* (`refund`, version 1): healthy" in told
    assert "Billing escalation answers for it, Revenue Ops runs it" in told
    assert "nothing came in 7 days" in told


async def test_in_slack_one_workflow_is_told_with_where_its_failures_go(stage: Stage) -> None:
    for name in ("refund", "Refunds"):
        told = await stage.type(ADA, f"/case workflows {name}")
        assert "Billing escalation: *" in told
        assert "*delivery failed*: P1 · queue · Billing escalation" in told
        assert "within 10m, resolved within 2h" in told
        assert "*outcome failed* (as other): P2" in told
    assert "Did you mean `refund`?" in await stage.type(ADA, "/case workflows refnud")


async def test_somebody_of_another_workspace_sees_no_workflows(stage: Stage) -> None:
    assert "Lead routing" not in await stage.type(STRANGER, "/case workflows", channel="C0SHARED")
