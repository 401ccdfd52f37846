"""Reports that are taken: one, many, the same again; each with its case, and only once it is on disk."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from tests.web.conftest import NOTHING, Door, report


async def test_a_report_opens_a_case_and_says_which(door: Door) -> None:
    answer = await door.post(report(detail="502 from billing", subject="cus_1", links=["https://logs.acme.test/1?a=b"]))
    assert answer.status == 202
    assert answer.json == {"case": "C-1", "occurrence": 1, "deduplicated": False}
    case = (await door.get("/v1/cases/C-1")).json
    assert (case["workflow"], case["failure_mode"], case["priority"]) == ("refund", "delivery_failed", "P1")
    assert (case["owner"], case["state"], case["source"]) == ("billing", "queued", "monitors")
    assert (case["detail"], case["subject"]) == ("502 from billing", "cus_1")
    assert case["reports"][0]["links"] == ["https://logs.acme.test/1?a=b"]


async def test_the_same_failure_joins_its_open_case(door: Door) -> None:
    await door.post(report(subject="cus_1"))
    again = await door.post(report("REFUND  r-1 failed", subject="cus_1"))
    other = await door.post(report(subject="cus_2"))
    assert again.json == {"case": "C-1", "occurrence": 2, "deduplicated": True}
    assert other.json == {"case": "C-2", "occurrence": 1, "deduplicated": False}


async def test_the_senders_own_key_joins_whatever_the_title(door: Door) -> None:
    await door.post(report("One title", dedup_key="R-1"))
    again = await door.post(report("Quite another", dedup_key="R-1"))
    elsewhere = await door.post(report("One title", dedup_key="R-1", workflow="lead-routing"))
    assert again.json == {"case": "C-1", "occurrence": 2, "deduplicated": True}
    assert elsewhere.json["case"] == "C-2"


async def test_an_unknown_workflow_is_a_case_for_the_unrouted_role(door: Door) -> None:
    answer = await door.post({"workflow": "payroll", "title": "Nobody knows me"})
    assert answer.status == 202
    case = (await door.get(f"/v1/cases/{answer.json['case']}")).json
    assert (case["workflow"], case["owner"], case["priority"]) == ("payroll", "revenue-ops", "P3")
    assert case["failure_mode"] == "other"


async def test_a_priority_that_is_asked_for_is_taken(door: Door) -> None:
    await door.post(report(priority="P3"))
    assert (await door.get("/v1/cases/C-1")).json["priority"] == "P3"


async def test_nothing_and_an_empty_text_count_as_not_given(door: Door) -> None:
    empty = {"failure_mode": "", "priority": "", "subject": "", "dedup_key": "", "event_key": ""}
    nothing = dict.fromkeys(["detail", "event", "links", *empty])
    assert (await door.post({"workflow": "refund", "title": "Empty", **empty})).status == 202
    assert (await door.post({"workflow": "refund", "title": "Empty", **nothing})).json["deduplicated"]


async def test_each_of_a_list_gets_its_result_in_its_place(door: Door) -> None:
    reports = [report(f"Refund {number} failed") for number in range(499)]
    answer = await door.post([*reports, reports[0]])
    assert answer.status == 202
    results = answer.json["results"]
    assert [each["case"] for each in results] == [f"C-{number + 1}" for number in range(499)] + ["C-1"]
    assert results[-1] == {"case": "C-1", "occurrence": 2, "deduplicated": True}


async def test_a_bad_one_in_a_list_has_its_problem_and_the_others_are_taken(door: Door) -> None:
    bad: list[Any] = [{"workflow": "refund"}, 7, None, [], report(titel="x"), report(priority="P9")]
    answer = await door.post([report("First"), *bad, report("Last")])
    assert answer.status == 202
    first, *refused, last = answer.json["results"]
    assert (first["case"], last["case"]) == ("C-1", "C-2")
    problems = [each["problem"] for each in refused]
    assert {problem["status"] for problem in problems} == {422}
    assert problems[0]["errors"] == [{"pointer": "/1/title", "detail": "this is required"}]
    assert problems[4]["errors"] == [{"pointer": "/5/titel", "detail": "unknown key; did you mean title?"}]
    assert (await door.accepted())["cases"] == 2


async def test_a_list_without_a_good_one_is_refused_with_each_problem(door: Door) -> None:
    answer = await door.post([{"workflow": "refund"}, {}])
    assert answer.status == 422
    assert len(answer.problem["results"]) == 2
    assert await door.accepted() == NOTHING


async def test_a_repeat_under_the_same_key_is_answered_as_the_first(door: Door) -> None:
    first = await door.post(report(), key="k-1")
    await door.post(report())
    again = await door.post(report(), key="k-1")
    assert again.text == first.text
    assert (await door.get("/v1/cases/C-1")).json["occurrences"] == 2


async def test_a_list_is_repeated_whole(door: Door) -> None:
    content = [report("One"), {"workflow": "refund"}, report("Two")]
    first, again = [await door.post(content, key="k-1") for _ in range(2)]
    assert first.status == 202
    assert again.text == first.text
    assert (await door.accepted())["exceptions"] == 2


async def test_another_body_under_the_same_key_is_refused(door: Door) -> None:
    await door.post(report(), key="k-1")
    answer = await door.post(report("Another"), key="k-1")
    assert answer.status == 422
    assert answer.problem["type"] == "urn:pointsman:problem:key-reused"
    assert (await door.accepted())["cases"] == 1


async def test_a_key_is_the_senders_own(door: Door) -> None:
    await door.post(report("One"), key="k-1")
    assert (await door.post(report("Two"), key="k-1", token="hubspot-token")).json["case"] == "C-2"


async def test_many_at_once_under_one_key_are_one(door: Door) -> None:
    answers = await asyncio.gather(*(door.post(report(), key="k-1") for _ in range(20)))
    assert {(answer.status, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert await door.accepted() == {"cases": 1, "exceptions": 1, "events": 0, "requests": 1}


async def test_two_bodies_at_once_under_one_key_are_one_of_them(door: Door) -> None:
    answers = await asyncio.gather(*(door.post(report(f"Number {number}"), key="k-1") for number in range(10)))
    assert sorted(answer.status for answer in answers) == [202] + [422] * 9
    assert (await door.accepted())["cases"] == 1


async def test_many_at_once_of_one_failure_are_one_case(door: Door) -> None:
    answers = await asyncio.gather(*(door.post(report()) for _ in range(20)))
    assert sorted(answer.json["occurrence"] for answer in answers) == list(range(1, 21))
    assert (await door.accepted())["cases"] == 1


async def test_it_is_not_answered_before_it_is_on_disk(door: Door) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def holds_the_writers(_: Session) -> None:
        writing.set()
        assert go_on.wait(30)

    held = [door.desk.database.write(holds_the_writers) for _ in range(4)]
    await asyncio.to_thread(writing.wait, 30)
    asked = asyncio.create_task(door.post(report()))
    done, _ = await asyncio.wait({asked}, timeout=0.2)
    assert not done
    go_on.set()
    await asyncio.gather(*map(asyncio.wrap_future, held))
    assert (await asked).status == 202


@pytest.mark.parametrize("table", ["cases", "exceptions", "audit_entries", "outbox"])
async def test_what_fails_on_the_way_to_the_disk_is_not_accepted(door: Door, table: str) -> None:
    await asyncio.wrap_future(door.desk.database.write(lambda session: _break(session, table)))
    answer = await door.post(report(event={"refund_id": "R-1"}), key="k-1")
    assert answer.status == 500
    assert answer.problem["reference"]
    assert table not in answer.text
    assert await door.accepted() == NOTHING


def _break(session: Session, table: str) -> None:
    """Every insert into the table fails from now on."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text(f"CREATE TRIGGER b BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'planted'); END"))
        return
    planted = "BEGIN RAISE EXCEPTION 'planted'; END"
    session.execute(text(f"CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ {planted} $$"))
    session.execute(text(f"CREATE TRIGGER b BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION planted()"))
