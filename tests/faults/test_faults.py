"""A short part of the fault suite with a fixed seed; `make faults` does the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ENGINES
from tests.faults.suite import Run, carried_out

SEEDS = {"sqlite": 9, "postgres": 5}
"""Of plans without a fault that has to be waited out: a silent Slack, a replica that stands still."""
KILLS = 1
"""All are killed once more at its end."""
RARE = ("clicks", "notes")


@pytest.mark.parametrize("engine", ENGINES)
async def test_nothing_is_lost_and_nothing_doubled_when_the_service_dies_and_slack_and_systems_fail(
    tmp_path: Path, engine: str
) -> None:
    run = Run(engine, SEEDS[engine], KILLS, pause=0.5, patience=60, is_short=True)
    async with carried_out(run, tmp_path) as report:
        assert report.is_clean, report.as_text(run)
        assert all(row.count for row in report.rows if not row.what.startswith(("clicks", "notes"))), report.as_text(
            run
        )
