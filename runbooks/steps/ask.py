"""`ask`: asks somebody and waits for the answer, yes or no."""

from __future__ import annotations

from runbooks.runbook import Step
from runbooks.steps.shape import Act, AskPerson, Kind, Names, always


def act(step: Step, names: Names) -> Act:
    """Whom, and what."""
    assert step.ask
    return AskPerson(step.ask.who, step.ask.text.render_text(names))


def plainly(step: Step) -> str:
    """What is said of it before a run."""
    assert step.ask
    return f"ask {step.ask.who}: {step.ask.text.source}"


KIND = Kind("ask", act, plainly, always)
