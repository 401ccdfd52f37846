"""What every kind of step is: what it has done when its turn comes, and how an answer to its request is judged.

A kind decides and does nothing: it returns one of the acts, which the desk carries out, keeps on record and repeats by
its own rules. So a kind of somebody else's cannot do more than the ten here can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from runbooks.fields import TreeField
from runbooks.filling import Filled
from runbooks.lengths import Length
from runbooks.templates import Expression

Names = Mapping[str, Any]
"""What texts and conditions see: `event, case, inputs, steps, asker, now`."""
SAFE = ("GET", "HEAD")
"""Methods that change nothing (RFC 9110, section 9.2.1)."""


@dataclass(frozen=True, slots=True)
class Call:
    """Sends a request to a connector. `timeout` None: the connector's."""

    connector: str
    filled: Filled
    timeout: Length | None = None

    @property
    def is_safe(self) -> bool:
        """Whether it may be made again, and in shadow mode, for it changes nothing."""
        return self.filled.method in SAFE


@dataclass(frozen=True, slots=True)
class SendEvent:
    """Sends the stored event again, with these fields changed; one that is held is released."""

    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SendFailed:
    """Takes up what failed last."""


@dataclass(frozen=True, slots=True)
class AwaitOutcome:
    """Waits until the event's outcome is done."""

    within: Length


@dataclass(frozen=True, slots=True)
class AwaitEvent:
    """Waits until an event of the workflow comes for which the condition holds."""

    condition: Expression
    within: Length


@dataclass(frozen=True, slots=True)
class RunCheck:
    """Asks what a check of the contract asks."""

    name: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Tells somebody: `asker`, a part in the case (`owner`, …) or a role."""

    to: str
    text: str


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Asks somebody and waits for yes or no."""

    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Give:
    """Gives the case to a role or to a person."""

    role: str | None
    user: str | None


@dataclass(frozen=True, slots=True)
class Pause:
    """Waits, by the clock or in the owner's business time."""

    length: Length


@dataclass(frozen=True, slots=True)
class RunRunbook:
    """Carries out another runbook, and goes on when that is done."""

    name: str


Act = (
    Call | SendEvent | SendFailed | AwaitOutcome | AwaitEvent | RunCheck | Tell | AskPerson | Give | Pause | RunRunbook
)


AddedAct = Call | RunCheck | Tell | Give
"""What a kind of somebody else's may have done: nothing that waits."""


class Judgement(StrEnum):
    """What an answer means. `DENIED`: the system refuses who we are. `UNKNOWN`: it may have happened or not."""

    DONE = "done"
    REFUSED = "refused"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Answer(Protocol):
    """What came back of a request (`runbooks.calls.Answer`)."""

    @property
    def status(self) -> int | None: ...
    @property
    def error(self) -> str: ...
    def as_names(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement, and why, in words."""

    judgement: Judgement
    because: str


ActOf = Callable[[Any, Names], Act]
JudgeOf = Callable[[Any, Names, Answer], Judged]


def judge_by_expect(step: Any, names: Names, answer: Answer) -> Judged:
    """By the step's `expect`, or else by 2xx. No answer, 429 and 5xx say nothing of what happened; 401 and 403 are
    about who we are. Raises `ExpressionFault` for a condition that is neither true nor false."""
    status = answer.status
    if status is None:
        return Judged(Judgement.UNKNOWN, answer.error)
    because, met = f"it answered {status}", status < 300
    if step.expect is not None:
        decision = step.expect.decide({**names, "response": answer.as_names()})
        because, met = decision.because, decision.met
    if met:
        return Judged(Judgement.DONE, because)
    if status in (401, 403):
        return Judged(Judgement.DENIED, f"it answered {status}")
    if status == 429 or status >= 500:
        return Judged(Judgement.UNKNOWN, f"it answered {status}")
    said = f"it answered {status}"
    return Judged(Judgement.REFUSED, said if step.expect is None else f"{said}: {because}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of step. `act(step, names)` is what it has done; it raises `Missing` or `ExpressionFault` where a text
    cannot be filled in. `judge(step, names, answer)` reads the answer to its request, if it makes one. `plainly(step)`
    says in a few words, before a run, what the step will do. `changes(step)`: whether it changes something somewhere,
    so that it waits for a person's yes in shadow mode."""

    name: str
    act: ActOf
    plainly: Callable[[Any], str]
    changes: Callable[[Any], bool]
    judge: JudgeOf = judge_by_expect
    shape: Any = TreeField
    """What stands under its name in a runbook, as a pydantic type: by default anything, with texts in it that see what
    a run sees. Only kinds that another package adds are read by it."""


def always(_: Any) -> bool:
    """The step changes something."""
    return True


def never(_: Any) -> bool:
    """The step changes nothing."""
    return False
