"""A ticket that went to the wrong team is moved by the example company's runbook, and back."""

from __future__ import annotations

from tests.stories.company import BEN, DEE
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
