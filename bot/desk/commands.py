"""What can be asked of the desk about cases: each command is the argument of the function of the same name.

`request_key` names the request that brought it (`slack:click:<trigger_id>`): a second one with the same key does
nothing and is answered as the first was. Persons are Slack ids, roles and workflows are names of the policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.rules.saying import What


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command: `what` happened and the facts of its sentence (JSON values; instants as ISO 8601).
    `repeated`: the same request came before. `existed`: the thread had its case already. `case_id` is 0 and `ref`
    empty where no case is concerned."""

    case_id: int
    ref: str
    what: What
    facts: Mapping[str, Any] = field(default_factory=dict)
    repeated: bool = False
    existed: bool = False


@dataclass(frozen=True, slots=True)
class OnCase:
    """A command about a case."""

    case_id: int
    request_key: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Acknowledge(OnCase):
    """I take it."""


@dataclass(frozen=True, slots=True)
class Assign(OnCase):
    """Give it to a person."""

    person: str


@dataclass(frozen=True, slots=True)
class HandOff(OnCase):
    """Give it to another role, which owns it from now on."""

    role: str


@dataclass(frozen=True, slots=True)
class SetPriority(OnCase):
    """P1 to P4."""

    priority: str


@dataclass(frozen=True, slots=True)
class Snooze(OnCase):
    """Silence its reminders: a length (`2h`, `4bh`), or `next business day`."""

    length: str


@dataclass(frozen=True, slots=True)
class AddNote(OnCase):
    """A line for its timeline. `message_ts`: the message that it is, if it is one."""

    text: str
    message_ts: str | None = None


@dataclass(frozen=True, slots=True)
class SetState(OnCase):
    """in_progress, waiting_for_systems, waiting_for_customer or manual_review."""

    state: str


@dataclass(frozen=True, slots=True)
class Resolve(OnCase):
    """It is fixed: a reason of `bot.rules.closing.REASONS`, and a note if there is more to say. `decision`: which of
    two that differ is right, where the failure mode is one of `bot.rules.closing.DECISIONS`. `confirmed`: the names of
    the checks that the actor confirms. `override`: why it is closed in spite of its checks; what is left out then is
    as it was wanted before."""

    reason: str
    note: str = ""
    decision: str = ""
    confirmed: tuple[str, ...] = ()
    override: str = ""


@dataclass(frozen=True, slots=True)
class Fail(OnCase):
    """It cannot be fixed, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reopen(OnCase):
    """It was not fixed after all, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Escalate(OnCase):
    """Do the next step of its ladder now."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A message of a thread, as it was when the thread became a case."""

    author: str
    text: str
    message_ts: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OpenThread:
    """A thread becomes a case in place. `workflow` None: the one of the channel, else the policy's default. `is_cut`:
    more was said there than `replies`."""

    channel: str
    thread_ts: str
    title: str
    workflow: str | None = None
    failure_mode: str | None = None
    priority: str | None = None
    detail: str = ""
    replies: tuple[Reply, ...] = ()
    is_cut: bool = False
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class OpenByHand:
    """A case that belongs to no thread; its card goes to its owner's channel."""

    title: str
    workflow: str | None = None
    failure_mode: str | None = None
    priority: str | None = None
    detail: str = ""
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class HeardReply:
    """A message in a thread. Where a case has the thread it is kept as the case's timeline."""

    channel: str
    thread_ts: str
    author: str
    text: str
    message_ts: str
    request_key: str | None = None


@dataclass(frozen=True, slots=True)
class OverrideRota:
    """A person takes a stretch of a rota (named itself, or by a role that has it)."""

    rota: str
    start_at: datetime
    end_at: datetime
    person: str
    request_key: str | None = None
