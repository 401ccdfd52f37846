"""`check`: asks what a check of the contract asks."""

from __future__ import annotations

from runbooks.runbook import Step
from runbooks.steps.shape import Act, Kind, Names, RunCheck, never


def act(step: Step, names: Names) -> Act:
    """The check, by its name."""
    return RunCheck(step.check or "")


def plainly(step: Step) -> str:
    """What is said of it before a run."""
    return f"check: {step.check}"


KIND = Kind("check", act, plainly, never)
