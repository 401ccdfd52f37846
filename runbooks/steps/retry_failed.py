"""`retry_failed`: takes up the delivery or the run that failed last, at the step that failed."""

from __future__ import annotations

from runbooks.runbook import Step
from runbooks.steps.shape import Act, Kind, Names, SendFailed, always


def act(step: Step, names: Names) -> Act:
    """What failed, once more."""
    return SendFailed()


def plainly(step: Step) -> str:
    """What is said of it before a run."""
    return "take up what failed"


KIND = Kind("retry_failed", act, plainly, always)
