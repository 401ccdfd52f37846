"""The example company's runbooks: each kind of failure has one, and each does what its title says."""

from __future__ import annotations

import pytest

from runbooks.policy import load, read_folder
from tests.conftest import EXAMPLE_COMPANY
from tests.stories.company import BEN, CLEO, DEE
from tests.stories.stage import Stage

LEAD = {"lead_id": "lead_7", "tier": "vip", "ticket_id": "T-7"}


async def moved(stage: Stage) -> str:
    """A lead of a VIP is with the wrong team, and whoever owns the case moves its ticket."""
    stage.company["helpdesk"].kept["T-7"] = {"ticket_id": "T-7", "team": "onboarding"}
    ref = await stage.report(
        workflow="lead-routing", failure_mode="misrouted", title="lead_7 went to onboarding", event=LEAD
    )
    await stage.press(BEN, "Move ticket", on=ref)
    assert "The ticket leaves the queue that it is in now." in stage.form(BEN).shown
    assert set((await stage.fill_in(BEN)).errors) == {"input:team"}
    assert (await stage.fill_in(BEN, **{"input:team": "strategic"})).errors == {}
    return ref


async def test_a_ticket_is_moved_to_the_team_that_was_chosen(stage: Stage) -> None:
    ref = await moved(stage)
    assert stage.company["helpdesk"].kept["T-7"]["team"] == "strategic"
    assert "Ticket T-7 is with strategic now." in str(stage.thread(ref))
    assert "Ticket T-7 is with strategic now." in str(stage.dms(DEE))


async def test_a_ticket_that_was_moved_goes_back_to_the_team_that_it_was_with(stage: Stage) -> None:
    ref = await moved(stage)
    await stage.press(BEN, "Undo", on=ref)
    assert stage.company["helpdesk"].kept["T-7"]["team"] == "onboarding"
    assert "*move*: taken back" in stage.card(ref).shown


def test_each_kind_of_failure_that_a_contract_names_has_a_runbook() -> None:
    workflows = load(read_folder(EXAMPLE_COMPANY)).workflows.values()
    without = [
        f"{contract.workflow} {mode}"
        for contract in workflows
        for mode, handling in contract.exceptions.items()
        if mode != "other" and not handling.runbooks and not handling.auto_fix
    ]
    assert without == []


@pytest.mark.parametrize("mode", ["missed", "stale"])
async def test_renewals_that_did_not_come_are_asked_for_again(stage: Stage, mode: str) -> None:
    stage.company["crm"].kept["acc_1"] = {"id": "acc_1", "notice_id": "acc_1:2026-12-23"}
    ref = await stage.report(workflow="renewal-notice", failure_mode=mode, title="No renewals came")
    await stage.press(BEN, "Ask the CRM", on=ref)
    assert (await stage.fill_in(BEN)).errors == {}
    assert stage.company["crm"].last == "POST /renewals/send → 202"
    assert "The CRM sends 1 renewals again." in str(stage.dms(BEN))


async def test_a_notice_that_was_not_taken_is_sent_again(stage: Stage) -> None:
    event = {"account_id": "acc_1", "account_status": "active", "renewal_date": "2026-12-23"}
    told = {"workflow": "renewal-notice", "failure_mode": "delivery_failed", "title": "Not taken"}
    ref = await stage.report(**told, event=event, event_key="acc_1:2026-12-23")
    await stage.press(BEN, "Send again", on=ref)
    assert stage.company["marketing"].kept["acc_1"]["due"] == "2026-12-23"


@pytest.mark.parametrize("mode", ["duplicate", "conflict"])
async def test_two_refunds_that_differ_are_laid_side_by_side(stage: Stage, mode: str) -> None:
    stage.company["billing"].kept["re_1"] = {"refund_id": "re_1", "amount_cents": 1200, "state": "completed"}
    ref = await stage.report(failure_mode=mode, event={"refund_id": "re_1", "amount_cents": 2100})
    await stage.press(CLEO, "Compare", on=ref)
    said = "Billing has refund re_1 as completed, with 1200 cents; the event of this case says 2100."
    assert said in stage.dms(CLEO)[-1]
