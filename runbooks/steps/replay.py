"""`replay`: sends the stored event again, with `set` changed; what is held in quarantine is released."""

from __future__ import annotations

from collections.abc import Mapping

from runbooks.runbook import Step
from runbooks.steps.shape import Act, Kind, Names, SendEvent, always
from runbooks.templates import ExpressionFault, render_tree


def act(step: Step, names: Names) -> Act:
    """The event, and what of it is changed."""
    changes = render_tree(step.replay.set, names) if step.replay and step.replay.set else {}
    if not isinstance(changes, Mapping):
        raise ExpressionFault("set is a mapping of fields to values")
    return SendEvent(changes)


def plainly(step: Step) -> str:
    """What is said of it before a run."""
    return "send the event again, changed" if step.replay and step.replay.set else "send the event again"


KIND = Kind("replay", act, plainly, always)
