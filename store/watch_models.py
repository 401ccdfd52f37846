"""Tables of what watches over the product itself: whose turn it is, what is away, and what was found."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.columns import BigKey, Instant
from store.models import one_of


class Turn(SQLModel, table=True):
    """Work that one replica does at a time: `due_at` is when it is next; while one is at it, when its claim ends."""

    __tablename__: ClassVar[str] = "turns"
    name: str = Field(primary_key=True)
    due_at: datetime = Field(sa_type=Instant)
    cursor: str = ""


class Outage(SQLModel, table=True):
    """A system that we depend on is away; the row is gone when it is back."""

    __tablename__: ClassVar[str] = "outages"
    name: str = Field(primary_key=True)
    since_at: datetime = Field(sa_type=Instant)
    because: str


class Finding(SQLModel, table=True):
    """Something that should have happened and had not, found once. `until_at`: when it had happened after all."""

    __tablename__: ClassVar[str] = "findings"
    __table_args__ = (
        one_of("kind", ("late", "unsent", "left", "broken")),
        UniqueConstraint("key"),
        Index("findings_by_time", "at"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    kind: str
    key: str
    about: str
    at: datetime = Field(sa_type=Instant)
    until_at: datetime | None = Field(default=None, sa_type=Instant)
