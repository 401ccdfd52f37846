"""What has to come by the clock and does not: a workflow that goes quiet, and the ids that a census misses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.company.systems import Mode
from tests.stories.company import ADA, BEN, REVOPS
from tests.stories.conftest import on_both_engines
from tests.stories.stage import TOKEN, Stage, moment

NOTICE = {"account_status": "active", "renewal_date": "2026-12-23"}
CENSUS = """census:                             # which ones were missed, not only whether any came
  every: 1bd
  calendar: support-emea
  request: {connector: crm, path: "/accounts?renewing_on={{ now | plus('30d') | date }}"}
  ids: response.body.accounts | map(attribute='notice_id') | list
"""
FRESHNESS = "freshness: {at_least: 1, every: 1bd, calendar: support-emea}\n"
CLOSES = {"hours": 8}
"""From the beginning of a story, Monday at 10:00 in Berlin, until the business day ends there."""


@pytest.fixture
def rules() -> tuple[str, str]:
    """What the contract of renewal notices says of freshness and census, in the place of what it says."""
    return "", ""


@pytest.fixture
def folder(folder: Path, rules: tuple[str, str]) -> Path:
    """The company's folder, with these rules."""
    file = folder / "workflows" / "renewal-notice.yml"
    text = file.read_text()
    assert FRESHNESS in text
    assert CENSUS in text
    file.write_text(text.replace(FRESHNESS, rules[0]).replace(CENSUS, rules[1]) + "\nchange_gate: false\n")
    return folder


def fresh(rule: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rules", [(f"freshness: {rule}\n", "")])


with_census = pytest.mark.parametrize("rules", [("", CENSUS)])


async def notice(stage: Stage, account: str, **more: Any) -> str:
    """The CRM says that a renewal is due."""
    url = f"{stage.service.url}/v1/events/renewal-notice"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with stage.http.post(url, json=NOTICE | {"account_id": account} | more, headers=headers) as response:
        answer = await response.json()
        assert response.status == 202, answer
    await stage.settle()
    await called_back(stage, account)
    return str(answer["status"])


async def called_back(stage: Stage, account: str) -> None:
    """Marketing says that it has sent the notice."""
    url = f"{stage.service.url}/v1/outcomes/renewal-notice"
    body = {"account_id": account, "renewal_date": NOTICE["renewal_date"], "state": "sent"}
    async with stage.http.post(url, json=body, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
        assert response.status == 202
    await stage.settle()


def renewing(stage: Stage, *accounts: str) -> None:
    """The accounts whose renewal is near, as the CRM knows them."""
    stage.company["crm"].kept = {
        account: {"id": account, "notice_id": f"{account}:{NOTICE['renewal_date']}"} for account in accounts
    }


# --- freshness


@fresh("{at_least: 2, every: 1h}")
@on_both_engines
async def test_fewer_events_than_wanted_in_a_window_are_one_case(stage: Stage) -> None:
    await notice(stage, "acc_1")
    await stage.advance(minutes=59)
    assert stage.cases() == []
    await stage.advance(minutes=1)
    (case,) = stage.cases()
    assert (case.failure_mode, case.workflow, case.owner) == ("stale", "renewal-notice", "revenue-ops")
    card = stage.card("C-1").shown
    assert "1 of at least 2 events came in 1h" in card
    assert re.search(f"1 came from {re.escape(moment())}[^>]*> to {re.escape(moment(hours=1))}", card)
    assert f"The last one came {moment()}" in card
    await stage.advance(hours=2)
    (case,) = stage.cases()
    assert case.occurrences == 3
    assert len(stage.cards(REVOPS)) == 1
    assert stage.broken() == []


@fresh("{at_least: 2, every: 1h}")
async def test_enough_events_are_no_case(stage: Stage) -> None:
    for hour in range(3):
        for account in ("a", "b"):
            await notice(stage, f"{account}_{hour}")
        await stage.advance(hours=1)
    assert stage.cases() == []


@fresh("{at_least: 1, every: 1h}")
@on_both_engines
async def test_a_case_that_nobody_has_taken_heals_when_events_flow_again(stage: Stage) -> None:
    await stage.advance(hours=1, minutes=10)
    assert stage.case("C-1").is_open
    await notice(stage, "acc_1")
    case = stage.case("C-1")
    assert (case.state, case.resolution) == ("resolved", "fixed_by_itself")
    assert stage.thread("C-1")[-1] == (
        f":incoming_envelope: Events come again: 1 since {moment(hours=1)}{{date_short_pretty}} at {{time}}|"
        "2026-11-23 10:00 UTC>. Nobody had taken the case, so it is closed."
    )
    await stage.advance(minutes=50)
    assert len(stage.cases()) == 1
    await stage.advance(hours=1)
    assert [case.is_open for case in stage.cases()] == [False, True]


@fresh("{at_least: 1, every: 1h}")
async def test_a_case_that_somebody_has_is_told_that_events_flow_again(stage: Stage) -> None:
    await stage.advance(hours=1)
    await stage.press(BEN, "Acknowledge", on="C-1")
    await notice(stage, "acc_1")
    assert stage.case("C-1").state == "in_progress"
    assert "What this case is about is over; whoever has it closes it." in stage.thread("C-1")[-1]
    said = len(stage.thread("C-1"))
    await notice(stage, "acc_2")
    assert len(stage.thread("C-1")) == said


@fresh("{at_least: 2, every: 1h}")
async def test_duplicates_do_not_count_and_what_is_held_does(stage: Stage) -> None:
    assert await notice(stage, "acc_1") == "accepted"
    assert await notice(stage, "acc_1") == "duplicate"
    await stage.advance(hours=1)
    assert [case.failure_mode for case in stage.cases()] == ["stale"]
    await notice(stage, "acc_2")
    assert await notice(stage, "acc_3", account_status="gone") == "quarantined"
    assert stage.case("C-1").resolution == "fixed_by_itself"


@fresh("{at_least: 1, every: 1bd, calendar: support-emea}")
@on_both_engines
async def test_a_business_day_is_looked_at_when_it_closes(stage: Stage) -> None:
    await stage.advance(**CLOSES)
    assert stage.cases() == []  # the first whole window begins here
    await stage.advance(hours=23)
    assert stage.cases() == []
    await stage.advance(hours=1)
    (case,) = stage.cases()
    assert "0 came from Mon 2026-11-23 18:00 CET to Tue 2026-11-24 18:00 CET" in case.detail


@fresh("{at_least: 1, every: 1h}")
@on_both_engines
async def test_a_window_that_ended_while_nothing_ran_is_judged_at_the_next_start(stage: Stage) -> None:
    await stage.restart(hours=30)
    (case,) = stage.cases()
    assert (case.failure_mode, case.occurrences) == ("stale", 1)
    await stage.advance(hours=1)
    assert stage.case("C-1").occurrences == 2


@fresh("{at_least: 1, every: 1h}")
async def test_another_rule_begins_with_the_next_whole_window(stage: Stage, folder: Path) -> None:
    await stage.advance(minutes=20)
    file = folder / "workflows" / "renewal-notice.yml"
    file.write_text(file.read_text().replace("every: 1h", "every: 30m").replace("version: 3", "version: 4"))
    await stage.service.read_policy_again()
    await stage.advance(minutes=39)
    assert stage.cases() == []
    await stage.advance(minutes=1)
    (case,) = stage.cases()
    assert case.title == "0 of at least 1 events came in 30m"


# --- census


@with_census
@on_both_engines
async def test_a_census_names_the_ids_that_did_not_come(stage: Stage) -> None:
    await stage.advance(**CLOSES)
    renewing(stage, "acc_1", "acc_2", "acc_3")
    await notice(stage, "acc_2")
    await stage.advance(days=1)
    (case,) = stage.cases()
    assert (case.failure_mode, case.route) == ("missed", "on_call")
    assert case.title == "2 never came: acc_1:2026-12-23, acc_3:2026-12-23"
    assert case.detail.splitlines()[1:] == ["- acc_1:2026-12-23", "- acc_3:2026-12-23"]
    assert stage.company["crm"].last == "GET /accounts → 200"
    assert len(stage.dms(BEN)) == 1
    await stage.advance(days=1)
    assert [(case.failure_mode, case.occurrences) for case in stage.cases()] == [("missed", 1)]
    assert stage.broken() == []


@with_census
@on_both_engines
async def test_ids_that_come_later_are_crossed_off_and_the_last_one_closes_the_case(stage: Stage) -> None:
    renewing(stage, "acc_1", "acc_2", "acc_3")
    await stage.advance(days=1, **CLOSES)
    await notice(stage, "acc_1")
    assert stage.thread("C-1")[-1] == ":incoming_envelope: Came: acc_1:2026-12-23. Still missing: 2."
    assert stage.case("C-1").is_open
    await notice(stage, "acc_2")
    await notice(stage, "acc_3")
    assert stage.thread("C-1")[-1] == (
        ":incoming_envelope: Came: acc_3:2026-12-23. Still missing: none. Nobody had taken the case, so it is closed."
    )
    assert stage.case("C-1").resolution == "fixed_by_itself"


@with_census
async def test_what_is_held_in_quarantine_came(stage: Stage) -> None:
    renewing(stage, "acc_1")
    assert await notice(stage, "acc_1", account_status="gone") == "quarantined"
    await stage.advance(days=1, **CLOSES)
    assert [case.failure_mode for case in stage.cases()] == ["schema_drift"]


@with_census
@on_both_engines
async def test_a_census_that_cannot_be_asked_is_tried_again_and_then_told(stage: Stage) -> None:
    stage.company["crm"].mode = Mode.FAIL
    await stage.advance(days=1, **CLOSES)
    asked = stage.company["crm"].requests
    assert asked >= 1
    await stage.advance(hours=1)
    assert stage.company["crm"].requests == 5
    (case,) = stage.cases()
    assert (case.failure_mode, case.priority) == ("missed", "P1")
    assert "crm was asked 5 times: it answered 503" in case.detail
    stage.company["crm"].mode = Mode.OK
    await stage.advance(days=1)
    assert stage.case("C-1").resolution == "fixed_by_itself"
    assert "The census could be asked again." in "\n".join(stage.thread("C-1"))


@with_census
async def test_a_census_is_asked_again_when_the_system_says(stage: Stage) -> None:
    crm = stage.company["crm"]
    crm.mode, crm.retry_after = Mode.FAIL, 1200
    await stage.advance(days=1, hours=8)
    assert crm.requests == 1
    await stage.advance(minutes=19)
    assert crm.requests == 1
    await stage.advance(minutes=1)
    assert crm.requests == 2


@with_census
async def test_a_census_that_is_answered_in_time_after_all_is_no_case(stage: Stage) -> None:
    stage.company["crm"].mode = Mode.FAIL
    await stage.advance(days=1, hours=8)
    stage.company["crm"].mode = Mode.OK
    await stage.advance(hours=1)
    assert stage.cases() == []


@pytest.mark.parametrize("rules", [("", CENSUS.replace(" | map(attribute='notice_id') | list", ""))])
async def test_ids_that_are_none_are_a_fault_of_the_policy(stage: Stage) -> None:
    renewing(stage, "acc_1")
    await stage.advance(days=1, **CLOSES)
    (case,) = stage.cases()
    assert case.failure_mode == "policy_fault"
    assert "census.ids gives something else than a list of texts and numbers" in case.detail


@with_census
async def test_an_id_that_a_person_has_closed_is_not_named_again(stage: Stage) -> None:
    renewing(stage, "acc_1")
    await stage.advance(days=1, **CLOSES)
    await stage.press(ADA, "Resolve", on="C-1")
    await stage.fill_in(ADA, reason="worked_around", note="Told them by phone.", confirm=["the account manager knows"])
    renewing(stage, "acc_1", "acc_2")
    await stage.advance(days=1)
    assert [case.title for case in stage.cases() if case.is_open] == ["1 never came: acc_2:2026-12-23"]


@pytest.mark.parametrize("rules", [("freshness: {at_least: 1, every: 1h}\n", CENSUS)])
@pytest.mark.parametrize("engine_name", ["postgres"], indirect=True)
async def test_two_services_look_at_each_window_once(stage: Stage) -> None:
    await stage.start()
    renewing(stage, "acc_1", "acc_2")
    await stage.advance(hours=3)
    (stale,) = stage.cases()
    assert stale.occurrences == 3
    await stage.advance(days=1, hours=5)
    assert sorted(case.failure_mode for case in stage.cases()) == ["missed", "stale"]
    assert stage.company["crm"].requests == 1
    assert stage.broken() == []
