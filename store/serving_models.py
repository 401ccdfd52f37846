"""Tables of the service itself: what shows that the database takes writes, and how fast messages may leave."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlmodel import Field, SQLModel

from store.columns import Instant


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
