"""What a run does next: decided from its runbook, what came of its steps so far, and now. Nothing here does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from runbooks.runbook import Runbook, Step
from runbooks.steps import KINDS
from runbooks.steps.shape import Names


class At(StrEnum):
    """Where a step is that was begun."""

    UNDER_WAY = "under_way"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    OVERTAKEN = "overtaken"
    """What its run was about was over first."""
    UNDOING = "undoing"
    UNDONE = "undone"
    NOT_UNDONE = "not_undone"


OVER = frozenset({At.DONE, At.SKIPPED})


@dataclass(frozen=True, slots=True)
class Begun:
    """A step that was begun. `until_at`: when it has waited long enough. `is_pause`: then it is done, not failed."""

    at: At
    until_at: datetime | None = None
    is_pause: bool = False
    because: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A run as its next step is decided: the steps that were begun, by their places. `gives_up_at`: when it has had
    its time. `children`: the places of the steps that carried out a run of which something can be taken back."""

    runbook: Runbook
    begun: Mapping[int, Begun]
    is_undoing: bool = False
    gives_up_at: datetime | None = None
    children: frozenset[int] = frozenset()


class Then(StrEnum):
    """What to do with the step at a place: begin it, leave it out, go on with it (its request, or what it is taken
    back by), look whether what it waits for has come, or take it back; or it has waited in vain, or long enough."""

    BEGIN = "begin"
    SKIP = "skip"
    GO_ON = "go_on"
    WAIT = "wait"
    IN_VAIN = "in_vain"
    WAITED = "waited"
    TAKE_BACK = "take_back"


class End(StrEnum):
    """How a run ends."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    UNDONE = "undone"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Do:
    """What to do with which step, and why. `until_at`: when to look again, while it waits."""

    then: Then
    position: int
    because: str = ""
    until_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """The run is over, or its finished steps are to be taken back (`must_undo`)."""

    end: End
    because: str
    must_undo: bool = False


def next_step(run: Progress, names: Names, now: datetime) -> Do | Over:
    """The next thing that the run does. Steps come in their order, each once; after one that failed, and when its time
    has run out, the runbook's `on_failure` decides. Raises `ExpressionFault` for a `when` that is neither true nor
    false."""
    if run.is_undoing:
        return _next_undo(run)
    for position, step in enumerate(run.runbook.steps):
        begun = run.begun.get(position)
        if begun is not None and begun.at in OVER:
            continue
        if begun is not None and begun.at is At.FAILED:
            return _failed(run, position, begun)
        if run.gives_up_at is not None and run.gives_up_at <= now:
            return _over(run, "its time ran out")
        return _go_on(position, begun, now) if begun else _begin(step, position, names)
    return Over(End.DONE, "all its steps are done")


def _begin(step: Step, position: int, names: Names) -> Do:
    if step.when is None:
        return Do(Then.BEGIN, position)
    decision = step.when.decide(names)
    return Do(Then.BEGIN if decision.met else Then.SKIP, position, decision.because)


def _go_on(position: int, begun: Begun, now: datetime) -> Do:
    if begun.at is not At.WAITING:
        return Do(Then.GO_ON, position)
    if begun.until_at is not None and begun.until_at <= now:
        return Do(Then.WAITED if begun.is_pause else Then.IN_VAIN, position)
    return Do(Then.WAIT, position, until_at=begun.until_at)


def _failed(run: Progress, position: int, begun: Begun) -> Over:
    return _over(run, f"{run.runbook.steps[position].name}: {begun.because}")


def _over(run: Progress, because: str) -> Over:
    end = End.STOPPED if run.runbook.on_failure == "stop" else End.FAILED
    must_undo = run.runbook.on_failure == "undo" and _leaves_something(run)
    return Over(end, because, must_undo)


def _next_undo(run: Progress) -> Do | Over:
    for position in sorted(run.begun, reverse=True):
        if run.begun[position].at is At.UNDOING:
            return Do(Then.GO_ON, position)
        if position in to_undo(run):
            return Do(Then.TAKE_BACK, position)
    kept = [run.runbook.steps[at].name for at, begun in sorted(run.begun.items()) if begun.at is At.NOT_UNDONE]
    if kept:
        return Over(End.FAILED, f"could not be undone: {', '.join(kept)}")
    return Over(End.UNDONE, "what it did is taken back")


def _leaves_something(run: Progress) -> bool:
    """Whether something is to be taken back, or will be when the run that a step waits for is stopped."""
    waits = any(begun.at is At.WAITING and at in run.children for at, begun in run.begun.items())
    return waits or bool(to_undo(run))


def to_undo(run: Progress) -> list[int]:
    """The places of the finished steps that say how they are taken back, or whose runs do, last first."""
    return sorted(
        (position for position, begun in run.begun.items() if _can_be_undone(run, position, begun)), reverse=True
    )


def _can_be_undone(run: Progress, position: int, begun: Begun) -> bool:
    if run.runbook.steps[position].undo is not None:
        return begun.at is At.DONE
    return position in run.children and begun.at in (At.DONE, At.FAILED, At.OVERTAKEN)


def cannot_be_undone(runbook: Runbook, others: Mapping[str, Runbook] = MappingProxyType({})) -> list[str]:
    """The names of the steps that change something and do not say how they are taken back; of a runbook among the
    `others` that a step carries out, those of its steps."""
    lasting: list[str] = []
    for step in runbook.steps:
        if step.undo is None and step.run and step.run in others:
            lasting += [f"{step.name}: {name}" for name in cannot_be_undone(others[step.run], others)]
        elif step.undo is None and KINDS[step.kind].changes(step):
            lasting.append(step.name)
    return lasting
