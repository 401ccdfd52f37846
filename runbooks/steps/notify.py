"""`notify`: tells somebody."""

from __future__ import annotations

from runbooks.runbook import Step
from runbooks.steps.shape import Act, Kind, Names, Tell, always


def act(step: Step, names: Names) -> Act:
    """Whom, and what."""
    assert step.notify
    return Tell(step.notify.to, step.notify.text.render_text(names))


def plainly(step: Step) -> str:
    """What is said of it before a run."""
    assert step.notify
    return f"tell {step.notify.to}: {step.notify.text.source}"


KIND = Kind("notify", act, plainly, always)
