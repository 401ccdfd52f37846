"""The tables of runbooks under way: runs, their steps and requests, and who said yes. Their rows point to those of
`store.models`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.columns import BigKey, Document, Instant
from store.models import index_where, one_of


class Run(SQLModel, table=True):
    """A runbook that is carried out. It goes by the runbook of `policy_digest`, whatever is in force later. `position`
    is the step it is at; with `upto_id` it is carried out once for each held event of its case up to that one, and
    `item_id` is the one that it is at. `due_at`: when it is looked at next; of one that somebody is at work on, when
    that claim ends (`lease_until`). `gives_up_at`: the end of its time as an auto-fix; that clock stands still since
    `waits_for_yes_since`. `proposed_at`: when it stopped to say what it would do, `accepted_by`: who said Do it (at
    `accepted_at`), `refused_by`: who said Not this; `undo_by`: who had it taken back. `overtaken_by`: what fixed its
    case before it did, in words."""

    __tablename__: ClassVar[str] = "runs"
    __table_args__ = (
        one_of("cause", ("pressed", "auto_fix", "delivery", "on_open", "on_close", "step")),
        one_of(
            "state",
            ("held", "approving", "running", "proposed", "undoing", "done", "failed", "stopped", "undone", "declined"),
        ),
        index_where("runs_due", "due_at", where="due_at IS NOT NULL"),
        index_where("runs_under_way", "workflow", "id", where="ended_at IS NULL"),
        Index("runs_of_case", "case_id", "id"),
        Index("runs_of_event", "event_id", "id"),
        Index("runs_of_runbook", "workflow", "cause", "asked_at"),
        index_where("runs_proposed", "workflow", "proposed_at", where="proposed_at IS NOT NULL"),
        index_where("runs_of_step", "parent_id", where="parent_id IS NOT NULL"),
        index_where("runs_of_item", "item_id", where="item_id IS NOT NULL"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    case_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="cases.id")
    event_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="events.id")
    workflow: str
    runbook: str
    policy_digest: str = Field(foreign_key="policies.digest")
    cause: str
    mode: str = "live"
    parent_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="runs.id")
    parent_position: int | None = None
    asked_by: str
    asked_at: datetime = Field(sa_type=Instant)
    inputs: dict[str, Any] = Field(default_factory=dict, sa_type=Document)
    state: str
    position: int = 0
    item_id: int | None = Field(default=None, sa_type=BigKey, foreign_key="events.id")
    upto_id: int | None = Field(default=None, sa_type=BigKey)
    counts: dict[str, int] = Field(default_factory=dict, sa_type=Document)
    because: str = ""
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    gives_up_at: datetime | None = Field(default=None, sa_type=Instant)
    waits_for_yes_since: datetime | None = Field(default=None, sa_type=Instant)
    proposed_at: datetime | None = Field(default=None, sa_type=Instant)
    accepted_by: str | None = None
    accepted_at: datetime | None = Field(default=None, sa_type=Instant)
    refused_by: str | None = None
    undo_by: str | None = None
    overtaken_by: str = ""
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    version: int = 1


class RunStep(SQLModel, table=True):
    """A step of a run that was begun, and what came of it. `response` is what later steps see of it, and what is shown;
    `sealed` is the same where it holds what is redacted. `link_id` is the delivery, run or question that it waits
    for. `unanswered`: so many requests went under its key of which nobody knows what they did. `gone_at`: since when
    what it got is no longer kept."""

    __tablename__: ClassVar[str] = "run_steps"
    __table_args__ = (
        one_of(
            "state",
            ("under_way", "waiting", "done", "failed", "skipped", "overtaken", "undoing", "undone", "not_undone"),
        ),
        UniqueConstraint("run_id", "item_id", "position"),
        index_where("run_steps_waiting", "kind", "link_id", where="state = 'waiting'"),
        index_where("run_steps_with_evidence", "ended_at", where="response IS NOT NULL OR sealed IS NOT NULL"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    run_id: int = Field(sa_type=BigKey, foreign_key="runs.id")
    item_id: int = Field(default=0, sa_type=BigKey)
    position: int
    name: str
    kind: str
    state: str
    generation: int = 1
    key_born_at: datetime | None = Field(default=None, sa_type=Instant)
    attempts: int = 0
    unanswered: int = 0
    started_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    until_at: datetime | None = Field(default=None, sa_type=Instant)
    response: dict[str, Any] | None = Field(default=None, sa_type=Document)
    sealed: str | None = None
    because: str = ""
    link_id: int | None = Field(default=None, sa_type=BigKey)
    gone_at: datetime | None = Field(default=None, sa_type=Instant)


class RunAttempt(SQLModel, table=True):
    """One request of a step, and what came back (bounded, secrets struck out)."""

    __tablename__: ClassVar[str] = "run_attempts"
    __table_args__ = (one_of("purpose", ("step", "undo")), Index("run_attempts_of_step", "step_id", "id"))
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    step_id: int = Field(sa_type=BigKey, foreign_key="run_steps.id")
    purpose: str
    at: datetime = Field(sa_type=Instant)
    request: dict[str, Any] = Field(sa_type=Document)
    status: int | None = None
    response: str = ""
    error: str = ""


class RunApproval(SQLModel, table=True):
    """A yes that was asked of a role before a run may go on, and the answer. `seat`: its place among all that were
    asked. A role that may give more than one has a row for each."""

    __tablename__: ClassVar[str] = "run_approvals"
    __table_args__ = (one_of("answer", ("", "yes", "no", "expired", "nobody")),)
    run_id: int = Field(primary_key=True, sa_type=BigKey, foreign_key="runs.id")
    seat: int = Field(primary_key=True)
    role: str
    asked_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    answer: str = ""
    by: str | None = None
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
    reason: str = ""
