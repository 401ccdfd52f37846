"""The execution contract of a workflow (`workflows/NAME.yml`)."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr
from pydantic.dataclasses import dataclass

from runbooks.fields import (
    CASE,
    EVENT,
    OUTCOME,
    RESPONSE,
    ChannelId,
    ClockLength,
    ExpressionField,
    Name,
    TextField,
    Title,
    Words,
    sees,
)
from runbooks.lengths import Length
from runbooks.request import STRICT, Request, Retry
from runbooks.team import Ladders, Priority

MACHINE_MODES = (
    "schema_drift",
    "precondition_failed",
    "duplicate",
    "delivery_failed",
    "outcome_missing",
    "outcome_failed",
    "missed",
    "stale",
    "conflict",
    "policy_fault",
    "dead_letter",
)
"""The failure modes that the machine itself reports."""

OTHER = "other"
"""The mode of a contract that takes what it does not name."""

Risk = Literal["critical", "high", "medium", "low"]
Route = Literal["owner_queue", "on_call"]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Owners:
    """Roles: `accountable` answers for the result; `steward` runs it and answers first."""

    accountable: Name
    steward: Name


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Trigger:
    """What starts the workflow: its schema (a file of `schemas/`), its identity, whom it is about.

    `ignore`: fields that may differ in a second delivery. `redact`: fields that are shown to nobody.
    """

    schema: StrictStr
    id: Annotated[TextField, sees(EVENT)]
    subject: Annotated[TextField | None, sees(EVENT)] = None
    ignore: tuple[StrictStr, ...] = ()
    redact: tuple[StrictStr, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Precondition:
    """What must hold before anything is delivered; `otherwise` is `ignore` or a failure mode."""

    name: Title
    expect: Annotated[ExpressionField, sees(EVENT)]
    otherwise: Name


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Find:
    """Asks whether what is to be sent is there already."""

    request: Annotated[Request, sees(EVENT)]
    found: Annotated[ExpressionField, sees(EVENT, RESPONSE)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Verify:
    """Asks, some time after a yes, whether the state is right."""

    after: Length | None = None
    request: Annotated[Request, sees(EVENT)]
    expect: Annotated[ExpressionField, sees(EVENT, RESPONSE)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Deliver:
    """Where a valid event goes: `connector` and `request`, or a `runbook` of several steps.

    `timeout` None: the connector's. `key_lasts`: how long the receiver remembers an Idempotency-Key.
    """

    connector: Name | None = None
    request: Annotated[Request | None, sees(EVENT)] = None
    expect: Annotated[ExpressionField | None, sees(EVENT, RESPONSE)] = None
    already: Annotated[ExpressionField | None, sees(EVENT, RESPONSE)] = None
    timeout: ClockLength | None = None
    retry: Retry = Field(default_factory=Retry)
    order: Literal["none", "subject"] = "none"
    key_lasts: ClockLength = Length(seconds=86_400)
    find: Find | None = None
    verify: Verify | None = None
    runbook: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class OutcomeRule:
    """What must come back, from the moment of delivery. Neither done nor failed: still waiting."""

    id: Annotated[TextField, sees(OUTCOME)]
    done: Annotated[ExpressionField, sees(OUTCOME)]
    failed: Annotated[ExpressionField | None, sees(OUTCOME)] = None
    within: Length


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Freshness:
    """At least so many events in each aligned window."""

    at_least: Annotated[StrictInt, Field(ge=1)]
    every: Length
    calendar: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Census:
    """The ids that should have come, asked from the source of record."""

    every: Length
    calendar: Name | None = None
    request: Annotated[Request, sees()]
    ids: Annotated[ExpressionField, sees(RESPONSE)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class AutoFix:
    """The runbook that goes first, and how long until the case takes its route."""

    runbook: Name
    give_up_after: Length


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Handling:
    """How a case is handled; what a mode and a routing rule have in common. None: not said here."""

    priority: Priority | None = None
    owner: Name | None = None
    auto_fix: AutoFix | None = None
    next_step: Words | None = None
    acknowledge_within: Length | None = None
    resolve_within: Length | None = None
    escalation: Ladders | None = None
    group_by: Annotated[TextField | None, sees(EVENT, CASE)] = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Mode(Handling):
    """One failure mode. `owner` None: the steward. With `auto_fix`, `route` is where the case goes after it."""

    route: Route = "owner_queue"
    runbooks: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class RoutingRule(Handling):
    """Where `when` holds, what is said here wins over the mode; the first rule that matches is the only one."""

    name: Title
    when: Annotated[ExpressionField, sees(EVENT, CASE)]
    route: Route | None = None
    runbooks: tuple[Name, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Check:
    """What must hold before a case closes: an `expect` (with a request, or without), or a person's `confirm`.

    `modes` (`for` in the file) empty: all failure modes.
    """

    name: Title
    modes: tuple[Name, ...] = Field(default=(), alias="for")
    request: Annotated[Request | None, sees(EVENT, CASE)] = None
    expect: Annotated[ExpressionField | None, sees(EVENT, CASE, RESPONSE)] = None
    confirm: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Rollout:
    """How much of it is carried out: `percent` of the subjects in canary, and where `match` holds."""

    mode: Literal["shadow", "canary", "live"] = "live"
    percent: Annotated[float, Field(ge=0, le=100, strict=True)] | None = None
    match: Annotated[ExpressionField | None, sees(EVENT)] = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class ContractShape:
    """A contract as its file has it."""

    workflow: Name
    version: Annotated[StrictInt, Field(ge=1, le=1_000_000)]
    title: Title
    purpose: Words | None = None
    risk: Risk
    owners: Owners
    source_of_record: Name | None = None
    threads: tuple[ChannelId, ...] = ()
    trigger: Trigger | None = None
    preconditions: tuple[Precondition, ...] = ()
    deliver: Deliver | None = None
    outcome: OutcomeRule | None = None
    freshness: Freshness | None = None
    census: Census | None = None
    exceptions: Mapping[Name, Mode] = Field(default_factory=dict)
    routing: tuple[RoutingRule, ...] = ()
    checks: tuple[Check, ...] = ()
    on_open: tuple[Name, ...] = ()
    on_close: tuple[Name, ...] = ()
    rollout: Rollout = Field(default_factory=Rollout)
    change_gate: StrictBool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Contract(ContractShape):
    """A contract whose every name is known to exist.

    `digest` covers the file and the schema and runbooks that it uses: SHA-256 in hex over their data, so that
    comments and layout do not count.
    """

    digest: str

    @property
    def is_gated(self) -> bool:
        """True if a change waits for two people: as `change_gate` says, or else by the risk."""
        return self.risk in ("critical", "high") if self.change_gate is None else self.change_gate
