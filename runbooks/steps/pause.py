"""`pause`: waits, by the clock or in business time."""

from __future__ import annotations

from runbooks.runbook import Step
from runbooks.steps.shape import Act, Kind, Names, Pause, never


def act(step: Step, names: Names) -> Act:
    """How long."""
    assert step.pause
    return Pause(step.pause)


def plainly(step: Step) -> str:
    """What is said of it before a run."""
    return f"wait {step.pause}"


KIND = Kind("pause", act, plainly, never)
