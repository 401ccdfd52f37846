"""`assign`: gives the case to a role or to a person."""

from __future__ import annotations

from runbooks.runbook import Step
from runbooks.steps.shape import Act, Give, Kind, Names, always


def act(step: Step, names: Names) -> Act:
    """To whom."""
    assert step.assign
    user = step.assign.user.render_text(names) if step.assign.user else None
    return Give(step.assign.role, user)


def plainly(step: Step) -> str:
    """What is said of it before a run."""
    assert step.assign
    to = step.assign.role or (step.assign.user.source if step.assign.user else "")
    return f"give the case to {to}"


KIND = Kind("assign", act, plainly, always)
