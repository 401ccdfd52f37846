"""The tables. CHECK constraints and unique indexes back the rules, so that no caller can break them.

What is kept for a person to read later (audit entries) is never changed; everything else is working state.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text, true
from sqlmodel import Field, SQLModel

from store.columns import BigKey, Document, Instant

STATES = ("queued", "in_progress", "waiting_for_systems", "waiting_for_customer", "manual_review", "closing")
CLOSED = ("resolved", "failed")
PRIORITIES = ("P1", "P2", "P3", "P4")
ROUTES = ("auto_fix", "owner_queue", "on_call")

SQLModel.metadata.naming_convention = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
}
"""The names that PostgreSQL gives by itself; a migration needs them on SQLite as well."""


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """CHECK that a column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def index_where(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows for which `where` holds."""
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


class PolicyVersion(SQLModel, table=True):
    """A policy folder as it was when it came into force: its texts by relative path."""

    __tablename__: ClassVar[str] = "policies"
    digest: str = Field(primary_key=True)
    files: dict[str, str] = Field(sa_type=Document)
    recorded_at: datetime = Field(sa_type=Instant)


class PolicyInForce(SQLModel, table=True):
    """The one row that says which policy decides."""

    __tablename__: ClassVar[str] = "policy_in_force"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)
    id: int = Field(primary_key=True)
    digest: str = Field(foreign_key="policies.digest")
    since_at: datetime = Field(sa_type=Instant)


class Case(SQLModel, table=True):
    """An exception or a thread that somebody owns, until it is shown to be fixed."""

    __tablename__: ClassVar[str] = "cases"
    __table_args__ = (
        one_of("state", STATES + CLOSED),
        one_of("priority", PRIORITIES),
        one_of("route", ROUTES),
        CheckConstraint("(closed_at IS NOT NULL) = (state IN ('resolved', 'failed'))", name="closed_with_state"),
        CheckConstraint("occurrences >= 1", name="occurred"),
        index_where("one_open_case_per_match", "match_key", where="closed_at IS NULL", unique=True),
        index_where(
            "one_open_case_per_thread",
            "channel",
            "thread_ts",
            where="closed_at IS NULL AND thread_ts IS NOT NULL",
            unique=True,
        ),
        index_where("open_by_number", "id", where="closed_at IS NULL"),
        index_where("open_by_workflow", "workflow", "failure_mode", where="closed_at IS NULL AND NOT is_drill"),
        index_where("open_by_owner", "owner", "id", where="closed_at IS NULL"),
        index_where("open_by_assignee", "assignee", "id", where="closed_at IS NULL"),
        index_where("missed_response", "response_breached_at", where="response_breached_at IS NOT NULL"),
        index_where("missed_resolution", "resolution_breached_at", where="resolution_breached_at IS NOT NULL"),
        Index("by_state", "state", "id"),
        Index("by_workflow", "workflow", "id"),
        Index("by_owner", "owner", "id"),
        index_where("by_thread", "channel", "thread_ts", where="thread_ts IS NOT NULL"),
        index_where("by_card", "channel", "card_ts", where="card_ts IS NOT NULL"),
        index_where("actions_of_case", "follows_id", "id", where="follows_id IS NOT NULL"),
        index_where("cases_of_event", "event_id", where="event_id IS NOT NULL"),
    )
    id: int = Field(primary_key=True, sa_type=BigKey)
    workflow: str
    failure_mode: str
    title: str
    detail: str = ""
    subject: str | None = None
    source: str
    risk: str
    priority: str
    state: str
    route: str
    route_rule: str
    route_because: str = ""
    owner: str
    assignee: str | None = None
    match_key: str
    dedup_key: str | None = None
    fingerprint: str
    policy_digest: str = Field(foreign_key="policies.digest")
    contract_version: int | None = None
    next_step: str | None = None
    event_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="events.id")
    opened_at: datetime = Field(sa_type=Instant)
    opened_by: str
    last_seen_at: datetime = Field(sa_type=Instant)
    occurrences: int = 1
    acknowledge_due_at: datetime = Field(sa_type=Instant)
    resolve_due_at: datetime = Field(sa_type=Instant)
    response_from_at: datetime = Field(sa_type=Instant)
    acknowledged_at: datetime | None = Field(default=None, sa_type=Instant)
    acknowledged_by: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    snoozed_until: datetime | None = Field(default=None, sa_type=Instant)
    response_breached_at: datetime | None = Field(default=None, sa_type=Instant)
    resolution_breached_at: datetime | None = Field(default=None, sa_type=Instant)
    exhausted: bool = False
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
    resolution: str | None = None
    reopened: int = 0
    is_drill: bool = False
    overridden_by: str | None = None
    override_reason: str | None = None
    follows_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="cases.id")
    """The case whose post-mortem this is an action of."""
    channel: str
    thread_ts: str | None = None
    card_ts: str | None = None
    notice_channel: str | None = None
    version: int = 1
    trace: str | None = None
    """Where it began, as W3C Trace Context writes it, should traces be kept."""

    @property
    def ref(self) -> str:
        """What people call the case."""
        return f"C-{self.id}"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to act."""
        return self.closed_at is None


class Event(SQLModel, table=True):
    """What an automation sent, kept so that it can be sent again. `content` is what may be shown of it; `sealed` are
    the values that were taken out, under the key `subject_key`. `gone`: why none of it is kept any more (`old`: for its
    age, `erased`: for its subject); `drop_at`: when the row may go as well, if nothing else names it."""

    __tablename__: ClassVar[str] = "events"
    __table_args__ = (
        Index("events_by_key", "workflow", "key"),
        index_where("events_whole", "received_at", where="gone IS NULL"),
        index_where("events_to_drop", "drop_at", where="drop_at IS NOT NULL"),
    )
    id: int = Field(primary_key=True, sa_type=BigKey)
    workflow: str
    key: str | None = None
    digest: str
    content: dict[str, Any] = Field(sa_type=Document)
    received_at: datetime = Field(sa_type=Instant)
    sealed: str | None = None
    subject_key: str | None = None
    gone: str | None = None
    drop_at: datetime | None = Field(default=None, sa_type=Instant)


class ExceptionReport(SQLModel, table=True):
    """One report of one failure; the first opens the case, the others are counted."""

    __tablename__: ClassVar[str] = "exceptions"
    __table_args__ = (
        UniqueConstraint("case_id", "occurrence"),
        index_where("exceptions_of_event", "event_id", where="event_id IS NOT NULL"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    case_id: int = Field(sa_type=BigKey, foreign_key="cases.id")
    occurrence: int
    received_at: datetime = Field(sa_type=Instant)
    source: str
    title: str
    detail: str = ""
    event_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="events.id")
    links: list[str] = Field(default_factory=list, sa_type=Document)


class Timer(SQLModel, table=True):
    """A deadline: a row with `due_at`. One of a kind per case; a step moves it on or deletes it. Without `due_at`
    it stands still, and keeps its step until the clock runs again."""

    __tablename__: ClassVar[str] = "timers"
    __table_args__ = (
        one_of("kind", ("response", "resolution", "lease", "snooze")),
        Index("timers_due", "due_at"),
    )
    case_id: int = Field(primary_key=True, sa_type=BigKey, foreign_key="cases.id")
    kind: str = Field(primary_key=True)
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    step: int = 0
    attempts: int = 0
    lease_until: datetime | None = Field(default=None, sa_type=Instant)


class Owed(SQLModel, table=True):
    """A message that must leave: written with what caused it, sent after the commit."""

    __tablename__: ClassVar[str] = "outbox"
    __table_args__ = (
        one_of("state", ("owed", "sending", "sent", "dead", "cancelled")),
        index_where("one_owed_per_key", "key", where="state = 'owed'", unique=True),
        index_where("outbox_due", "not_before_at", "id", where="state IN ('owed', 'sending')"),
        index_where("outbox_by_case", "case_id", "id", where="state IN ('owed', 'sending')"),
        index_where("edited_with_case", "case_id", where="kind IN ('page', 'question') AND state = 'sent'"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    kind: str
    key: str
    case_id: int | None = Field(default=None, sa_type=BigKey)
    channel: str
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=Document)
    while_unacknowledged: bool = False
    state: str = "owed"
    created_at: datetime = Field(sa_type=Instant)
    not_before_at: datetime = Field(sa_type=Instant)
    attempts: int = 0
    maybe_sent: bool = False
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
    result: dict[str, Any] | None = Field(default=None, sa_type=Document)


class AuditEntry(SQLModel, table=True):
    """One thing that happened, in the chain of its case or of the desk. `body` is what is hashed."""

    __tablename__: ClassVar[str] = "audit_entries"
    __table_args__ = (UniqueConstraint("prev_hash"),)
    chain: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    body: str
    prev_hash: str
    hash: str


class AuditHead(SQLModel, table=True):
    """The last entry of a chain; its row is the lock that appends take. `is_changed`: nobody has looked at it yet."""

    __tablename__: ClassVar[str] = "audit_heads"
    __table_args__ = (index_where("audit_heads_changed", "chain", where="is_changed"),)
    chain: str = Field(primary_key=True)
    seq: int
    hash: str
    is_changed: bool = Field(default=True, sa_column_kwargs={"server_default": true()})


class StateChange(SQLModel, table=True):
    """When a case left its opening state for another one: what the resolution clock is computed from."""

    __tablename__: ClassVar[str] = "state_changes"
    __table_args__ = (Index("state_changes_of_case", "case_id", "id"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    case_id: int = Field(sa_type=BigKey, foreign_key="cases.id")
    state: str
    at: datetime = Field(sa_type=Instant)


class Note(SQLModel, table=True):
    """A line of the case's timeline that a person wrote: a reply in its thread, or a note."""

    __tablename__: ClassVar[str] = "notes"
    __table_args__ = (UniqueConstraint("case_id", "message_ts"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    case_id: int = Field(sa_type=BigKey, foreign_key="cases.id")
    at: datetime = Field(sa_type=Instant)
    author: str
    text: str
    message_ts: str | None = None


class Paged(SQLModel, table=True):
    """A person or role told to act on a case; being told gives the right to act on it."""

    __tablename__: ClassVar[str] = "paged"
    case_id: int = Field(primary_key=True, sa_type=BigKey, foreign_key="cases.id")
    who: str = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)


class SeenRequest(SQLModel, table=True):
    """A request that was carried out, by the key that its sender repeats; the answer is given again."""

    __tablename__: ClassVar[str] = "requests"
    __table_args__ = (Index("requests_by_age", "at"),)
    key: str = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    digest: str = ""
    answer: dict[str, Any] | None = Field(default=None, sa_type=Document)


class RotaOverride(SQLModel, table=True):
    """Somebody takes a stretch of a rota, whoever would have had it."""

    __tablename__: ClassVar[str] = "overrides"
    __table_args__ = (
        CheckConstraint("start_at < end_at", name="ends_after_start"),
        Index("by_rota", "rota", "end_at"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    rota: str
    start_at: datetime = Field(sa_type=Instant)
    end_at: datetime = Field(sa_type=Instant)
    person: str
    made_by: str
    made_at: datetime = Field(sa_type=Instant)


class Delivery(SQLModel, table=True):
    """An event on its way to the workflow's connector, under one Idempotency-Key (a generation). `due_at` is when it
    may be looked at next: of one that somebody is at work on, when that claim ends (`lease_until`)."""

    __tablename__: ClassVar[str] = "deliveries"
    __table_args__ = (
        one_of("verb", ("deliver", "retry", "replay")),
        one_of(
            "state",
            ("finding", "sending", "verifying", "delivered", "already_there", "refused", "unknown", "dead"),
        ),
        UniqueConstraint("event_id", "generation"),
        Index("deliveries_of_case", "case_id", "id"),
        index_where("deliveries_due", "connector", "due_at", where="due_at IS NOT NULL"),
        index_where("deliveries_in_lane", "lane", "event_id", where="lane IS NOT NULL AND due_at IS NOT NULL"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    case_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="cases.id")
    event_id: int = Field(sa_type=BigKey, foreign_key="events.id")
    workflow: str
    connector: str
    lane: str | None = None
    verb: str
    generation: int
    idempotency_key: str
    key_born_at: datetime = Field(sa_type=Instant)
    policy_digest: str = Field(foreign_key="policies.digest")
    state: str
    content: dict[str, Any] | None = Field(default=None, sa_type=Document)
    asked_by: str
    asked_at: datetime = Field(sa_type=Instant)
    confirmed: bool = False
    attempts: int = 0
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    status: int | None = None
    because: str = ""


class Attempt(SQLModel, table=True):
    """One request of a delivery, and what came back (bounded, secrets struck out)."""

    __tablename__: ClassVar[str] = "attempts"
    __table_args__ = (Index("attempts_of_delivery", "delivery_id", "id"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    delivery_id: int = Field(sa_type=BigKey, foreign_key="deliveries.id")
    at: datetime = Field(sa_type=Instant)
    purpose: str
    request: dict[str, Any] = Field(sa_type=Document)
    status: int | None = None
    response: str = ""
    error: str = ""


class Person(SQLModel, table=True):
    """What Slack last said of a person or a user group: who may act depends on it."""

    __tablename__: ClassVar[str] = "people"
    id: str = Field(primary_key=True)
    team_id: str | None = None
    name: str = ""
    email: str | None = None
    is_bot: bool = False
    is_guest: bool = False
    is_deleted: bool = False
    members: list[str] | None = Field(default=None, sa_type=Document)
    checked_at: datetime = Field(sa_type=Instant)


class RotaCalendar(SQLModel, table=True):
    """The last good copy of a calendar that a rota is kept in, by its https address."""

    __tablename__: ClassVar[str] = "rota_calendars"
    address: str = Field(primary_key=True)
    text: str
    fetched_at: datetime = Field(sa_type=Instant)
