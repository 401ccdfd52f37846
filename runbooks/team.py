"""Who a company is: calendars, rotas, roles and the defaults of every case (`team.yml`)."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt
from pydantic.dataclasses import dataclass

from runbooks.calendars import Calendar
from runbooks.fields import (
    ChannelId,
    ClockLength,
    Email,
    EnvironmentName,
    HttpsAddress,
    Name,
    Person,
    Title,
    UsergroupId,
)
from runbooks.lengths import Length, parse_length
from runbooks.rotas import IcalRota, Rota

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

Priority = Literal["P1", "P2", "P3", "P4"]
PauseState = Literal["waiting_for_systems", "waiting_for_customer", "manual_review"]
DataKind = Literal["payloads", "responses", "messages", "requests", "records"]
Share = Annotated[float, Field(gt=0, lt=1, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class LadderStep:
    """Whom to tell, how long after the step before (None: at once, the first only), and how often again."""

    to: Name
    after: Length | None = None
    repeat: Annotated[StrictInt, Field(ge=0, le=100)] = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Ladders:
    """`unacknowledged` starts when the response window has passed, `unresolved` when the resolution window has.

    An empty ladder of a mode or rule means that the one of the defaults holds.
    """

    unacknowledged: tuple[LadderStep, ...] = ()
    unresolved: tuple[LadderStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Windows:
    """How long until a case must be acknowledged, and until it must be resolved."""

    acknowledge: Length
    resolve: Length


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class RoleShape:
    """A role as `team.yml` has it."""

    title: Title
    channel: ChannelId
    members: tuple[Person, ...] = ()
    usergroup: UsergroupId | None = None
    calendar: Name
    on_call: Name | None = None
    backup: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Role(RoleShape):
    """Who owns cases: a queue (`channel`), people, their hours, and who helps when they do not answer.

    `on_call` names a rota (None: all members are told), `backup` another role.
    """

    name: Name


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Fallback:
    """How a role is told when Slack cannot be: an address, or a signed call to an https address."""

    email: Email | None = None
    webhook: HttpsAddress | None = None
    secret: EnvironmentName | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Checkpoints:
    """How often the audit log is signed, and where the signature is told (None: in no channel)."""

    every: ClockLength = Field(default_factory=lambda: parse_length("1h"))
    channel: ChannelId | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Defaults:
    """What holds where a contract says nothing.

    `acknowledgement_lasts` None: the shorter of 8 business hours and half of the resolution window.
    """

    unrouted: Name
    governance: Name
    thread_workflow: Name
    priorities: Mapping[Priority, Windows]
    escalation: Ladders
    remind_at: tuple[Share, ...] = (0.5, 0.8)
    acknowledgement_lasts: Length | None = None
    pauses: tuple[PauseState, ...] = ("waiting_for_customer",)
    retention: Mapping[DataKind, ClockLength] = Field(default_factory=dict)
    fallback: Fallback | None = None
    checkpoints: Checkpoints = Field(default_factory=Checkpoints)


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Team:
    """The whole of `team.yml`, every name in it known to exist.

    `rota_addresses`: the https address of each rota whose calendar must be fetched; in `rotas` it names nobody.
    """

    calendars: Mapping[str, Calendar]
    rotas: Mapping[str, Rota | IcalRota]
    rota_addresses: Mapping[str, str] = Field(default_factory=dict)
    roles: Mapping[str, Role]
    defaults: Defaults
