"""A runbook: typed inputs, who may press it, and its steps (`runbooks/NAME.yml`)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PlainValidator, StrictBool, StrictInt, StrictStr, StringConstraints
from pydantic.dataclasses import dataclass

from runbooks.added_steps import ADDED, load
from runbooks.fields import (
    ASKER,
    CASE,
    EVENT,
    INPUTS,
    RESPONSE,
    STEPS,
    ClockLength,
    ExpressionField,
    Identifier,
    Name,
    RegexField,
    TextField,
    Title,
    TreeField,
    sees,
)
from runbooks.lengths import Length
from runbooks.request import STRICT, Request, Retry

BEFORE_A_RUN = (EVENT, CASE, ASKER)
IN_A_RUN = (EVENT, CASE, ASKER, INPUTS, STEPS)
OWN_KINDS = (
    "request",
    "replay",
    "retry_failed",
    "wait_for",
    "check",
    "notify",
    "ask",
    "assign",
    "pause",
    "run",
)
ACTORS = ("owner", "on_call", "backup", "accountable", "steward")
"""Who a runbook or a ladder may name beside the roles of `team.yml`."""

InputType = Literal["text", "number", "select", "toggle", "date", "user"]
ButtonText = Annotated[StrictStr, StringConstraints(min_length=1, max_length=30)]
OptionText = Annotated[StrictStr, StringConstraints(min_length=1, max_length=75)]
MOST_INPUTS = 50
MOST_OPTIONS = 100
"""What a form in Slack can show."""


def _read_retry_failed(value: Any) -> Literal[True]:
    if value is True or value == {}:
        return True
    raise ValueError("retry_failed takes nothing; write retry_failed: {}")


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Input:
    """One field of the form that is shown before a run. `default` is rendered from the event and the case."""

    label: Title
    type: InputType = "text"
    required: StrictBool = False
    pattern: RegexField | None = None
    options: Annotated[tuple[OptionText, ...], Field(max_length=MOST_OPTIONS)] = ()
    default: Annotated[TreeField | None, sees(*BEFORE_A_RUN)] = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Approval:
    """Roles asked in order, the next one when `expires` runs out; `count` of them must say yes."""

    by: Annotated[tuple[Name, ...], Field(min_length=1)]
    when: Annotated[ExpressionField | None, sees(*BEFORE_A_RUN, INPUTS)] = None
    count: Annotated[StrictInt, Field(ge=1, le=10)] = 1
    expires: Length = Length(seconds=3_600)


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Replay:
    """Send the stored event again; `set` puts other values into fields of it first."""

    set: TreeField | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class WaitFor:
    """Wait until the outcome is done, or until an event comes for which the condition holds."""

    outcome: Literal["done"] | None = None
    event: ExpressionField | None = None
    within: Length


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Notify:
    """Tell somebody: `asker`, one of ACTORS or a role."""

    to: Name
    text: TextField


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Ask:
    """Ask somebody and wait for the answer: `asker`, one of ACTORS or a role."""

    who: Name
    text: TextField


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Assign:
    """Give the case to a role, or to a person (a text that gives a Slack id)."""

    role: Name | None = None
    user: TextField | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Undo:
    """The request that takes a step back."""

    request: Annotated[Request, sees(*IN_A_RUN)]
    expect: Annotated[ExpressionField | None, sees(*IN_A_RUN, RESPONSE)] = None
    timeout: ClockLength | None = None
    retry: Retry | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Step:
    """One step: exactly one of STEP_KINDS is set."""

    name: Identifier
    when: Annotated[ExpressionField | None, sees(*IN_A_RUN)] = None
    request: Annotated[Request | None, sees(*IN_A_RUN)] = None
    expect: Annotated[ExpressionField | None, sees(*IN_A_RUN, RESPONSE)] = None
    replay: Annotated[Replay | None, sees(*IN_A_RUN)] = None
    retry_failed: Annotated[
        Literal[True] | None, PlainValidator(_read_retry_failed, json_schema_input_type=dict[str, str])
    ] = None
    wait_for: Annotated[WaitFor | None, sees(*IN_A_RUN)] = None
    check: StrictStr | None = None
    notify: Annotated[Notify | None, sees(*IN_A_RUN)] = None
    ask: Annotated[Ask | None, sees(*IN_A_RUN)] = None
    assign: Annotated[Assign | None, sees(*IN_A_RUN)] = None
    pause: Length | None = None
    run: Name | None = None
    timeout: ClockLength | None = None
    retry: Retry | None = None
    undo: Undo | None = None

    @property
    def kind(self) -> str:
        """Which of STEP_KINDS it is."""
        return next(kind for kind in STEP_KINDS if getattr(self, kind) is not None)


def _with_added(step: Any) -> Any:
    """The step with a field for each kind that another package adds."""
    load(frozenset(step.__pydantic_fields__))
    if not ADDED:
        return step
    fields: dict[str, Any] = {name: Annotated[kind.shape | None, sees(*IN_A_RUN)] for name, kind in ADDED.items()}
    names: dict[str, Any] = {"__annotations__": fields, "__module__": __name__, "__doc__": step.__doc__}
    made = type(step.__name__, (step,), names | dict.fromkeys(fields))
    return dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)(made)


if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = _with_added(Step)
STEP_KINDS = (*OWN_KINDS, *ADDED)


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Runbook:
    """The whole of one file. `allow` holds ACTORS, roles or `anyone`."""

    name: Name = Field(alias="runbook")
    title: Title
    button: ButtonText | None = None
    style: Literal["primary", "danger"] | None = None
    inputs: Annotated[Mapping[Identifier, Input], Field(max_length=MOST_INPUTS)] = Field(default_factory=dict)
    allow: tuple[Name, ...] = ("owner", "on_call", "backup")
    approval: Approval | None = None
    warning: Annotated[TextField | None, sees(*BEFORE_A_RUN, INPUTS)] = None
    mode: Literal["live", "shadow"] = "live"
    for_each: Literal["event"] | None = None
    steps: Annotated[tuple[AnyStep, ...], Field(min_length=1, max_length=50)]
    on_failure: Literal["escalate", "undo", "stop"] = "escalate"
