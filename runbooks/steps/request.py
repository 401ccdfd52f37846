"""`request`, with `expect`: asks a system to do something, or what it has."""

from __future__ import annotations

from runbooks.filling import fill
from runbooks.runbook import Step, Undo
from runbooks.steps.shape import SAFE, Act, Call, Kind, Names


def act(step: Step | Undo, names: Names) -> Act:
    """The request with all its texts filled in."""
    assert step.request
    return Call(step.request.connector or "", fill(step.request, names), step.timeout)


def plainly(step: Step | Undo) -> str:
    """`POST /refunds/… to billing`."""
    assert step.request
    return f"{step.request.method} {step.request.path.source} to {step.request.connector}"


def changes(step: Step | Undo) -> bool:
    """Whether its method may change something (RFC 9110, section 9.2.1)."""
    assert step.request
    return step.request.method not in SAFE


KIND = Kind("request", act, plainly, changes)
