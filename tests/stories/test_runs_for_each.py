"""A runbook that is carried out once for each event in quarantine."""

from __future__ import annotations

from pathlib import Path

from tests.stories.company import BEN
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_quarantine import held
from tests.stories.test_runs import run, runs
from tests.stories.test_undo import confirmed

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
    assert "1 of 3 events. Events: 2 done, 1 failed, 0 left." in "\n".join(empty_stage.thread("C-1"))


async def test_what_is_done_and_what_is_left_is_said_before_stop_and_after_it(empty_stage: Stage, folder: Path) -> None:
    path = folder / "runbooks" / "rename-property.yml"
    path.write_text(path.read_text().replace("on_failure: stop", "  - {name: breath, pause: 1h}"))
    await empty_stage.start()
    for number in range(4):
        await held(empty_stage, account_id=f"acc_{number}")
    await run(empty_stage, "C-1", "rename-property", by=BEN, **NAMES)
    await empty_stage.advance(hours=1)
    at = f"besides E-{runs(empty_stage)[0].item_id}, which it"
    done = f"Events: 1 done, which stay so; 0 failed; 2 left, {at} is at."
    assert done in confirmed(empty_stage, "C-1", "Stop")
    await empty_stage.press(BEN, "Stop", on="C-1")
    after = f"stopped it. Events: 1 done, 0 failed, 2 left, {at} was at."
    assert after in empty_stage.thread("C-1")[-2] + empty_stage.thread("C-1")[-1]
