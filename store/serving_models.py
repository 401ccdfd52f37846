"""Tables of the service itself: what shows that the database takes writes, and how fast messages may leave."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlmodel import Field, SQLModel

from store.columns import BigKey, Document, Instant
from store.models import index_where


class Pulse(SQLModel, table=True):
    """One row, written when somebody asks whether the service is able to work."""

    __tablename__: ClassVar[str] = "pulses"
    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=Instant)


class Pace(SQLModel, table=True):
    """A bucket of tokens that all replicas take from: it is full at `full_at`, and nobody takes any before
    `held_until`."""

    __tablename__: ClassVar[str] = "paces"
    name: str = Field(primary_key=True)
    full_at: datetime = Field(sa_type=Instant)
    held_until: datetime | None = Field(default=None, sa_type=Instant)


class Storm(SQLModel, table=True):
    """A line that sums up the cases of a workflow whose cards wait for a channel. Without `due_at` it is over."""

    __tablename__: ClassVar[str] = "storms"
    __table_args__ = (
        index_where("one_storm_at_a_time", "channel", "workflow", where="due_at IS NOT NULL", unique=True),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    channel: str
    workflow: str
    since_at: datetime = Field(sa_type=Instant)
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    counts: dict[str, int] = Field(default_factory=dict, sa_type=Document)
    most: int
    channel_id: str | None = None
    ts: str | None = None
