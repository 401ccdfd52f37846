"""The tables of how cases end: what was checked before one closed, and what was learnt afterwards. Their rows point to
those of `store.models`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.columns import BigKey, Document, Instant
from store.models import index_where, one_of


class Closing(SQLModel, table=True):
    """Somebody's wish to resolve a case, and what came of it. `state_before` is where the case goes back to when a
    check does not hold; `override_reason`: why it was closed all the same."""

    __tablename__: ClassVar[str] = "closings"
    __table_args__ = (
        one_of("state", ("checking", "passed", "refused", "overridden", "withdrawn")),
        index_where("one_closing_at_a_time", "case_id", where="state = 'checking'", unique=True),
        Index("closings_of_case", "case_id", "id"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    case_id: int = Field(sa_type=BigKey, foreign_key="cases.id")
    asked_by: str
    asked_at: datetime = Field(sa_type=Instant)
    state: str = "checking"
    state_before: str
    wanted: dict[str, Any] = Field(default_factory=dict, sa_type=Document)
    """The reason, note and decision that it will be closed with."""
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
    overridden_by: str | None = None
    override_reason: str | None = None


class Check(SQLModel, table=True):
    """One check of a closing: a machine's, with its evidence, or a person's confirmation (`by`). `because` names no
    value; `found` are the values that its condition read, as they may be shown."""

    __tablename__: ClassVar[str] = "checks"
    __table_args__ = (
        one_of("kind", ("request", "confirm")),
        one_of("state", ("owed", "passed", "failed", "unknown", "confirmed", "unconfirmed")),
        UniqueConstraint("closing_id", "name"),
        index_where("checks_due", "due_at", where="due_at IS NOT NULL"),
        index_where("checks_with_evidence", "at", where="request IS NOT NULL"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    closing_id: int = Field(sa_type=BigKey, foreign_key="closings.id")
    name: str
    kind: str
    state: str = "owed"
    attempts: int = 0
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    at: datetime | None = Field(default=None, sa_type=Instant)
    by: str | None = None
    request: dict[str, Any] | None = Field(default=None, sa_type=Document)
    status: int | None = None
    body_digest: str | None = None
    because: str = ""
    found: str = ""


class PostMortem(SQLModel, table=True):
    """What was learnt from a case: owed when it closes, written by a person, changed until it is right."""

    __tablename__: ClassVar[str] = "post_mortems"
    __table_args__ = (index_where("post_mortems_to_write", "case_id", where="written_at IS NULL"),)
    case_id: int = Field(primary_key=True, sa_type=BigKey, foreign_key="cases.id")
    owed_at: datetime = Field(sa_type=Instant)
    because: str
    """Why the case gets one."""
    written_at: datetime | None = Field(default=None, sa_type=Instant)
    written_by: str | None = None
    summary: str = ""
    causes: str = ""
    version: int = 1
