"""A runbook that is carried out once for each event in quarantine."""

from __future__ import annotations

from pathlib import Path

from tests.stories.company import BEN
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_quarantine import held
from tests.stories.test_runs import run, runs

NAMES = {"from": "renewal_dt", "to": "renewal_date"}


@on_both_engines
async def test_a_run_that_failed_for_some_of_its_events_has_failed(empty_stage: Stage, folder: Path) -> None:
    path = folder / "runbooks" / "rename-property.yml"
    path.write_text(path.read_text().replace("on_failure: stop", "on_failure: escalate"))
    await empty_stage.start()
    await held(empty_stage, account_id="acc_1")
    await held(empty_stage, account_id="acc_1", arr_cents=5)
    await held(empty_stage, account_id="acc_3")
    await run(empty_stage, "C-1", "rename-property", by=BEN, **NAMES)
    (only,) = runs(empty_stage)
    assert (only.state, only.because) == ("failed", "it did not go through for 1 of 3 events")
    assert only.counts == {"done": 2, "failed": 1}
    assert "case.escalated" in empty_stage.actions("C-1")
