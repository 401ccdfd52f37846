"""`run`: carries out another runbook."""

from __future__ import annotations

from runbooks.runbook import Step
from runbooks.steps.shape import Act, Kind, Names, RunRunbook, always


def act(step: Step, names: Names) -> Act:
    """Which one."""
    return RunRunbook(step.run or "")


def plainly(step: Step) -> str:
    """What is said of it before a run."""
    return f"run {step.run}"


KIND = Kind("run", act, plainly, always)
