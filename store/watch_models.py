"""Tables of what watches over the product itself: whose turn it is, what is away, and what was found."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.columns import BigKey, Instant
from store.models import index_where, one_of


class Turn(SQLModel, table=True):
    """Work that one replica does at a time: `due_at` is when it is next; while one is at it, when its claim ends."""

    __tablename__: ClassVar[str] = "turns"
    name: str = Field(primary_key=True)
    due_at: datetime = Field(sa_type=Instant)
    cursor: str = ""


class Outage(SQLModel, table=True):
    """A system that we depend on was away last from then; `until_at` None: it still is."""

    __tablename__: ClassVar[str] = "outages"
    name: str = Field(primary_key=True)
    since_at: datetime = Field(sa_type=Instant)
    because: str
    until_at: datetime | None = Field(default=None, sa_type=Instant)


class Finding(SQLModel, table=True):
    """Something that should have happened and had not, found once; `case_id` None: nobody is told yet."""

    __tablename__: ClassVar[str] = "findings"
    __table_args__ = (
        one_of("kind", ("late", "unsent", "left", "broken")),
        UniqueConstraint("key"),
        Index("findings_by_time", "kind", "at"),
        index_where("findings_untold", "id", where="case_id IS NULL"),
    )
    id: int | None = Field(default=None, primary_key=True, sa_type=BigKey)
    kind: str
    key: str
    about: str
    at: datetime = Field(sa_type=Instant)
    case_id: int | None = Field(default=None, sa_type=BigKey)
