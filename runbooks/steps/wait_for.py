"""`wait_for`: until the outcome is done, or until an event comes for which a condition holds."""

from __future__ import annotations

from runbooks.runbook import Step
from runbooks.steps.shape import Act, AwaitEvent, AwaitOutcome, Kind, Names, never


def act(step: Step, names: Names) -> Act:
    """What is waited for, and how long."""
    wait = step.wait_for
    assert wait
    return AwaitOutcome(wait.within) if wait.event is None else AwaitEvent(wait.event, wait.within)


def plainly(step: Step) -> str:
    """What is said of it before a run."""
    wait = step.wait_for
    assert wait
    what = "the outcome" if wait.event is None else f"an event with {wait.event.source}"
    return f"wait for {what}, at most {wait.within}"


KIND = Kind("wait_for", act, plainly, never)
