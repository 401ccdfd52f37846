"""What fits its schema and does not meet a precondition is held, and told as the contract says."""

from __future__ import annotations

from pathlib import Path

from tests.stories.company import BEN
from tests.stories.conftest import on_both_engines
from tests.stories.gate import change
from tests.stories.stage import Stage
from tests.stories.test_events import send

CHURNED = {"account_id": "acc_1", "account_status": "churned", "renewal_date": "2026-12-23"}


@on_both_engines
async def test_a_precondition_that_is_not_met_is_a_case_that_escalates_until_it_is_taken(
    empty_stage: Stage, folder: Path
) -> None:
    change(folder, "workflows/renewal-notice.yml", ("otherwise: ignore", "otherwise: precondition_failed"))
    await empty_stage.start()
    status, answer = await send(empty_stage, "renewal-notice", [CHURNED, CHURNED | {"account_id": "acc_2"}])
    assert status == 202
    assert [(each["status"], each["case"]) for each in answer["results"]] == [("quarantined", "C-1")] * 2
    [case] = empty_stage.cases()
    assert (case.failure_mode, case.priority, case.owner, case.occurrences) == (
        "precondition_failed",
        "P2",
        "revenue-ops",
        2,
    )
    assert "precondition 'account is active' is not met: event.account_status == 'active' is false" in (
        empty_stage.card("C-1").shown
    )
    assert empty_stage.company["marketing"].requests == 0
    await empty_stage.advance(hours=3)
    assert "Nobody has acknowledged it" in "\n".join(empty_stage.thread("C-1"))
    assert "C-1" in "\n".join(empty_stage.dms(BEN))
    assert empty_stage.broken() == []
