"""The tables of enforced contracts: what came, what must come back, what is expected by the clock, and who agreed to
a change. Their rows point to those of `store.models`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.columns import BigKey, Document, Instant
from store.models import index_where, one_of


class Trigger(SQLModel, table=True):
    """An event that came in by its workflow's contract, and what became of it. `identity` is what its contract says it
    is known by (of a misfit: the digest of what came; of one that contradicts another: the identity of that one, with
    its own digest); `digest` is over what may not differ in a second delivery."""

    __tablename__: ClassVar[str] = "triggers"
    __table_args__ = (
        one_of(
            "state",
            (
                "accepted",
                "delivering",
                "delivered",
                "failed",
                "quarantined",
                "ignored",
                "shadowed",
                "released",
                "dropped",
            ),
        ),
        UniqueConstraint("identity", "workflow"),
        Index("triggers_by_arrival", "workflow", "received_at"),
        Index("triggers_of_case", "case_id", "event_id"),
        index_where("triggers_in_quarantine", "workflow", "event_id", where="state = 'quarantined'"),
        index_where("triggers_held", "event_id", where="state = 'quarantined'"),
        index_where("triggers_of_drills", "workflow", "received_at", where="is_drill"),
        index_where(
            "triggers_astray",
            "workflow",
            "received_at",
            "state",
            where="state IN ('failed', 'quarantined', 'ignored', 'shadowed', 'released', 'dropped')",
        ),
        index_where(
            "triggers_in_lane", "lane", "event_id", where="lane IS NOT NULL AND state IN ('delivering', 'failed')"
        ),
        index_where("triggers_of_released", "released_from", where="released_from IS NOT NULL"),
    )
    event_id: int = Field(primary_key=True, sa_type=BigKey, foreign_key="events.id")
    workflow: str
    identity: str
    digest: str
    received_at: datetime = Field(sa_type=Instant)
    source: str
    subject: str | None = None
    lane: str | None = None
    state: str
    misfit: dict[str, Any] | None = Field(default=None, sa_type=Document)
    because: str | None = None
    """Why it is not delivered, where no `misfit` says it."""
    case_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="cases.id")
    policy_digest: str = Field(foreign_key="policies.digest")
    contract_version: int
    released_from: int | None = Field(default=None, sa_type=BigKey, foreign_key="events.id")
    is_drill: bool = False
    seen: int = 1
    last_seen_at: datetime = Field(sa_type=Instant)
    delivered_at: datetime | None = Field(default=None, sa_type=Instant)
    trace: str | None = None
    """The trace of its sender, as W3C Trace Context writes it, should traces be kept."""


class Release(SQLModel, table=True):
    """The events of a case that somebody released together and that are not through yet: from `after_id` (which is
    done) to `upto_id`, mended in the same way. Without `due_at` it is over."""

    __tablename__: ClassVar[str] = "releases"
    __table_args__ = (index_where("releases_due", "due_at", where="due_at IS NOT NULL"),)
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    case_id: int = Field(sa_type=BigKey, foreign_key="cases.id")
    asked_by: str
    asked_at: datetime = Field(sa_type=Instant)
    after_id: int = Field(sa_type=BigKey)
    upto_id: int = Field(sa_type=BigKey)
    names: dict[str, str] = Field(default_factory=dict, sa_type=Document)
    counts: dict[str, int] = Field(default_factory=dict, sa_type=Document)
    due_at: datetime | None = Field(default=None, sa_type=Instant)


class SubjectKey(SQLModel, table=True):
    """The key that the personal fields of one subject's events are sealed with; dropped, they are gone. `id` is the
    keyed digest of workflow and subject (`store.sealing`)."""

    __tablename__: ClassVar[str] = "subject_keys"
    id: str = Field(primary_key=True)
    key: bytes | None = Field(default=None, sa_type=LargeBinary)
    made_at: datetime = Field(sa_type=Instant)
    dropped_at: datetime | None = Field(default=None, sa_type=Instant)


class DeskKey(SQLModel, table=True):
    """The one key of this installation that digests of personal data are made with."""

    __tablename__: ClassVar[str] = "desk_keys"
    id: int = Field(primary_key=True)
    key: bytes = Field(sa_type=LargeBinary)


class Expected(SQLModel, table=True):
    """The outcome that an event's delivery has to bring: due at the end of its window while `waiting`. `superseded`:
    another event has taken the place of this one."""

    __tablename__: ClassVar[str] = "expected"
    __table_args__ = (
        one_of("state", ("waiting", "done", "failed", "missing", "late", "superseded")),
        Index("expected_by_key", "workflow", "key"),
        index_where("expected_due", "due_at", where="due_at IS NOT NULL"),
        index_where("expected_in_vain", "workflow", "since_at", where="state IN ('missing', 'failed')"),
        index_where("expected_taken", "lease_until", where="lease_until IS NOT NULL"),
    )
    event_id: int = Field(primary_key=True, sa_type=BigKey, foreign_key="events.id")
    workflow: str
    key: str
    state: str = "waiting"
    since_at: datetime = Field(sa_type=Instant)
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    policy_digest: str = Field(foreign_key="policies.digest")
    case_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="cases.id")
    settled_at: datetime | None = Field(default=None, sa_type=Instant)


class OutcomeCame(SQLModel, table=True):
    """An outcome that came, matched with its event or kept until one comes; `superseded`: its event was delivered
    again since."""

    __tablename__: ClassVar[str] = "outcomes"
    __table_args__ = (
        one_of("state", ("matched", "early", "unmatched", "superseded")),
        Index("outcomes_by_key", "key", "workflow", "id"),
        Index("outcomes_of_event", "event_id"),
        index_where("outcomes_kept", "state", "id", where="state IN ('early', 'unmatched')"),
        index_where("outcomes_unlike_most", "state", "id", where="state <> 'matched'"),
        Index("outcomes_of_workflow", "workflow", "id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    workflow: str
    key: str
    digest: str
    content: dict[str, Any] = Field(sa_type=Document)
    meaning: str
    because: str = ""
    status: str
    """What its sender was told, and is told again."""
    received_at: datetime = Field(sa_type=Instant)
    source: str
    state: str
    event_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="events.id")


class Baseline(SQLModel, table=True):
    """The next look of a workflow's freshness window or census."""

    __tablename__: ClassVar[str] = "baselines"
    __table_args__ = (one_of("kind", ("freshness", "census")), Index("baselines_due", "due_at"))
    workflow: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    from_at: datetime = Field(sa_type=Instant)
    due_at: datetime = Field(sa_type=Instant)
    rule: str
    """What the window was computed from: another rule in the contract begins anew."""
    attempts: int = 0
    again_at: datetime | None = Field(default=None, sa_type=Instant)
    """When a census that could not be asked is asked again."""
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    case_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="cases.id")


class Missed(SQLModel, table=True):
    """An id that a census named because no event of it had come; `came_at`: one did, later."""

    __tablename__: ClassVar[str] = "missed"
    __table_args__ = (index_where("missed_still", "workflow", "identity", where="came_at IS NULL"),)
    workflow: str = Field(primary_key=True)
    identity: str = Field(primary_key=True)
    case_id: int = Field(sa_type=BigKey, foreign_key="cases.id")
    named_at: datetime = Field(sa_type=Instant)
    came_at: datetime | None = Field(default=None, sa_type=Instant)


class ConnectorState(SQLModel, table=True):
    """How a connector answers: while it is not `closed`, what goes there is held until `probe_at`. `free_at`: by its
    rate, nothing leaves before. `failed_event`: the last event whose result is not known."""

    __tablename__: ClassVar[str] = "connector_states"
    __table_args__ = (one_of("state", ("closed", "open", "refused")),)
    connector: str = Field(primary_key=True)
    state: str = "closed"
    failures: int = 0
    failed_event: int | None = Field(default=None, sa_type=BigKey)
    since_at: datetime = Field(sa_type=Instant)
    probe_at: datetime | None = Field(default=None, sa_type=Instant)
    free_at: datetime | None = Field(default=None, sa_type=Instant)
    because: str = ""
    case_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="cases.id")


class ConnectorHealth(SQLModel, table=True):
    """What a connector's `health` path answered: `failures` in a row were no good answer, `since_at` its state is what
    it is, `answered_at` it answered last, well or not. `due_at`: when it is asked next; while somebody asks it, when
    that claim ends."""

    __tablename__: ClassVar[str] = "connector_health"
    __table_args__ = (
        one_of("state", ("unknown", "up", "down")),
        index_where("connector_health_due", "due_at", where="due_at IS NOT NULL"),
    )
    connector: str = Field(primary_key=True)
    state: str = "unknown"
    failures: int = 0
    since_at: datetime = Field(sa_type=Instant)
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
    status: int | None = None
    because: str = ""


class PolicyProposal(SQLModel, table=True):
    """A folder that waits for people's yes or needed none, and what became of it. `replaced`: it was in force, and
    another one is; `superseded`: another folder came before it had all that it needed."""

    __tablename__: ClassVar[str] = "proposals"
    __table_args__ = (
        one_of("state", ("proposed", "in_force", "replaced", "superseded", "withdrawn", "rolled_back")),
        index_where("one_proposal_waits", "state", where="state = 'proposed'", unique=True),
        Index("proposals_of_digest", "digest", "id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    digest: str = Field(foreign_key="policies.digest")
    before: str | None = Field(default=None, foreign_key="policies.digest")
    state: str
    proposed_at: datetime = Field(sa_type=Instant)
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
    decided_by: str | None = None
    needs: list[dict[str, Any]] = Field(default_factory=list, sa_type=Document)
    """The yeses that it takes: for which part of the folder, of which seats and roles."""
    told: dict[str, Any] = Field(default_factory=dict, sa_type=Document)
    """The difference in words, and what it would have done to what came lately."""
    channel: str | None = None
    card_ts: str | None = None
    version: int = 1


class Approval(SQLModel, table=True):
    """Somebody's yes to a proposal, for one of the parts that need it: `seats` are those that the person could fill."""

    __tablename__: ClassVar[str] = "approvals"
    proposal_id: int = Field(primary_key=True, sa_type=BigKey, foreign_key="proposals.id")
    part: str = Field(primary_key=True)
    person: str = Field(primary_key=True)
    seats: list[str] = Field(default_factory=list, sa_type=Document)
    at: datetime = Field(sa_type=Instant)


class ContractVersion(SQLModel, table=True):
    """A contract as it was in force: which policy had it first, for canaries and the way back."""

    __tablename__: ClassVar[str] = "contract_versions"
    __table_args__ = (
        one_of("state", ("current", "before", "rolled_back")),
        Index("contract_versions_of_workflow", "workflow", "id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    workflow: str
    digest: str
    version: int
    policy_digest: str = Field(foreign_key="policies.digest")
    since_at: datetime = Field(sa_type=Instant)
    state: str


class Drill(SQLModel, table=True):
    """A failure that was played through the running service, and how it was caught."""

    __tablename__: ClassVar[str] = "drills"
    __table_args__ = (
        one_of("state", ("asked", "running", "caught", "missed", "impossible")),
        Index("drills_of_event", "event_id"),
        index_where("drills_to_play", "id", where="state IN ('asked', 'running')"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    name: str
    workflow: str | None = None
    """None until it is played: the first workflow that it can be played with."""
    by: str
    asked_at: datetime = Field(sa_type=Instant)
    state: str = "asked"
    because: str = ""
    """What is played, or why it cannot be."""
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    gives_up_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    event_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="events.id")
    case_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="cases.id")
    detected_at: datetime | None = Field(default=None, sa_type=Instant)
    routed_to: str | None = None
    told_at: datetime | None = Field(default=None, sa_type=Instant)
