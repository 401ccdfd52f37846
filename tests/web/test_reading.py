"""Cases as other systems read them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from store.audit import chain_of, verify
from tests.web.conftest import Door, report


async def _filled(door: Door, count: int) -> None:
    reports = [report(f"Number {number}", workflow=("refund", "lead-routing")[number % 2]) for number in range(count)]
    assert (await door.post(reports)).status == 202


async def _refs(door: Door, query: str) -> list[str]:
    answer = await door.get(f"/v1/cases?{query}")
    assert answer.status == 200, answer.text
    return [case["ref"] for case in answer.json["cases"]]


async def test_all_cases_are_read_page_by_page_each_once(door: Door) -> None:
    await _filled(door, 120)
    pages, cursor = [], ""
    while True:
        answer = (await door.get(f"/v1/cases?limit=50{cursor}")).json
        pages.append([case["ref"] for case in answer["cases"]])
        if len(pages) == 1:
            await door.post(report("Opened while somebody reads"))
        if answer["next"] is None:
            break
        cursor = f"&cursor={answer['next']}"
    assert [len(page) for page in pages] == [50, 50, 20]
    assert [ref for page in pages for ref in page] == [f"C-{number}" for number in range(120, 0, -1)]


async def test_a_page_that_is_just_full_says_that_nothing_follows(door: Door) -> None:
    await _filled(door, 10)
    assert (await door.get("/v1/cases?limit=10")).json["next"] is None
    assert (await door.get("/v1/cases?limit=9")).json["next"] is not None


async def test_fifty_are_read_where_nothing_is_said(door: Door) -> None:
    await _filled(door, 60)
    assert len(await _refs(door, "")) == 50
    assert len(await _refs(door, "limit=500")) == 60


async def test_cases_are_found_by_state_workflow_and_owner(door: Door) -> None:
    await _filled(door, 4)
    assert await _refs(door, "workflow=refund") == ["C-3", "C-1"]
    assert await _refs(door, "owner=billing") == ["C-3", "C-1"]
    assert await _refs(door, "state=open&workflow=lead-routing") == ["C-4", "C-2"]
    assert await _refs(door, "state=queued") == ["C-4", "C-3", "C-2", "C-1"]
    assert await _refs(door, "state=resolved") == []
    assert await _refs(door, "owner=nobody-of-this-name") == []


async def test_a_filter_holds_over_pages(door: Door) -> None:
    await _filled(door, 10)
    first = (await door.get("/v1/cases?workflow=refund&limit=3")).json
    second = (await door.get(f"/v1/cases?workflow=refund&limit=3&cursor={first['next']}")).json
    assert [case["ref"] for case in first["cases"] + second["cases"]] == ["C-9", "C-7", "C-5", "C-3", "C-1"]
    assert second["next"] is None


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


BAD = {
    "limit=0": "from 1 to 500",
    "limit=501": "from 1 to 500",
    "limit=-1": "from 1 to 500",
    "limit=ten": "from 1 to 500",
    "limit=1e2": "from 1 to 500",
    "limit=%D9%A3": "from 1 to 500",
    "limit=99999999999999999999": "from 1 to 500",
    "state=opne": "known are open, queued",
    "state=%00": "NUL",
    "stat=open": "did you mean state?",
    "page=2": "known are state, workflow",
    "cursor=x": "not a cursor",
    "cursor=%ff": "not a cursor",
    "cursor=%C3%BC": "not a cursor",
    f"cursor={_cursor('v2:7')}": "not a cursor",
    f"cursor={_cursor('v1:-7')}": "not a cursor",
    f"cursor={_cursor('v1:' + '9' * 30)}": "not a cursor",
    "workflow=a%00b": "NUL",
    "owner=%00": "NUL",
    "state=open&state=queued": "more than once",
}


@pytest.mark.parametrize(("query", "words"), BAD.items())
async def test_a_bad_parameter_is_told_with_what_is_right(door: Door, query: str, words: str) -> None:
    answer = await door.get(f"/v1/cases?{query}")
    assert answer.status == 400
    assert answer.problem["type"] == "urn:pointsman:problem:bad-parameter"
    assert words in answer.problem["detail"]


@pytest.mark.parametrize("query", ["limit=", "state=", "cursor=", "workflow=%FF", "owner=%F0%9F%9A%A8"])
async def test_what_is_empty_or_strange_finds_what_it_finds(door: Door, query: str) -> None:
    assert (await door.get(f"/v1/cases?{query}")).status == 200


@pytest.mark.parametrize("ref", ["C-1", "c-1", "1"])
async def test_a_case_is_shown_by_its_name(door: Door, ref: str) -> None:
    await door.post(report())
    case = (await door.get(f"/v1/cases/{ref}")).json
    assert case["ref"] == "C-1"
    assert case["opened_at"] == "2026-11-23T09:00:00Z"
    assert case["acknowledge_due_at"] == "2026-11-23T09:10:00Z"
    assert case["resolve_due_at"] == "2026-11-23T11:00:00Z"
    assert case["deliveries"] == []


@pytest.mark.parametrize(
    "ref", ["C-2", "C-0", "C--1", "C-%D9%A1", "C-" + "9" * 30, "C-999999999999999999", "%00", "%FF"]
)
async def test_what_is_no_case_is_not_found(door: Door, ref: str) -> None:
    await door.post(report())
    for path in (f"/v1/cases/{ref}", f"/v1/cases/{ref}/audit"):
        answer = await door.get(path)
        assert answer.status == 404
        assert answer.problem["type"] == "urn:pointsman:problem:no-case"


async def test_the_last_hundred_reports_are_shown(door: Door) -> None:
    await door.post([report() for _ in range(150)])
    case = (await door.get("/v1/cases/C-1")).json
    assert case["occurrences"] == 150
    assert [each["occurrence"] for each in case["reports"]] == list(range(150, 50, -1))


async def test_the_audit_trail_tells_what_happened_and_holds(door: Door) -> None:
    await door.post(report())
    await door.post(report())
    entries: list[dict[str, Any]] = (await door.get("/v1/cases/C-1/audit")).json["entries"]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    for entry in entries:
        assert set(entry) >= {"seq", "at", "actor", "action", "detail", "hash"}
    assert entries[0]["action"] == "case.opened"
    assert entries[-1]["action"] == "exception.joined"
    assert entries[-1]["actor"] == {"kind": "source", "id": "monitors"}
    assert [after["prev_hash"] for after in entries[1:]] == [before["hash"] for before in entries[:-1]]
    assert await door.desk.read(lambda session: list(verify(session, chain=chain_of(1)))) == []


async def test_the_workflows_are_told_with_their_owners(door: Door) -> None:
    workflows = (await door.get("/v1/workflows")).json["workflows"]
    assert [each["workflow"] for each in workflows] == ["lead-routing", "refund", "renewal-notice", "support-triage"]
    refund = workflows[1]
    assert refund["owners"] == {"accountable": "billing", "steward": "revenue-ops"}
    assert "delivery_failed" in refund["failure_modes"]


async def test_who_is_on_call_is_told_for_each_role(door: Door) -> None:
    answer = (await door.get("/v1/oncall")).json
    assert answer["at"] == "2026-11-23T09:00:00Z"
    roles = {each["role"]: each for each in answer["oncall"]}
    assert roles["revenue-ops"]["person"] in ("U0ADA", "U0BEN", "U0CLEO")
    assert roles["revenue-ops"]["because"].startswith("rota revenue-ops-on-call, shift ")
    assert roles["data-steward"]["person"] is None
    assert roles["data-steward"]["members"] == ["U0CLEO"]
