"""The tables that watch over the audit chains: what was last seen of each, and the checkpoints signed over all."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.columns import BigKey, Instant
from store.models import index_where


class AuditLeaf(SQLModel, table=True):
    """The last entry of a chain that was found to hold: a leaf of the tree that checkpoints sign, at its `place` for
    ever. `number` is that of the first checkpoint which has it so; `broken` says why what follows does not hold."""

    __tablename__: ClassVar[str] = "audit_leaves"
    __table_args__ = (
        UniqueConstraint("chain"),
        Index("audit_leaves_by_number", "number"),
        index_where("audit_leaves_broken", "chain", where="broken <> ''"),
    )
    place: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs={"autoincrement": False})
    chain: str
    seq: int
    hash: str
    number: int
    broken: str = ""


class AuditBlock(SQLModel, table=True):
    """The root over the leaves of one stretch of places, so that a checkpoint reads only the stretches that changed."""

    __tablename__: ClassVar[str] = "audit_blocks"
    place: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs={"autoincrement": False})
    root: str


class Checkpoint(SQLModel, table=True):
    """The signed root over all leaves at a moment. `body` is what is signed."""

    __tablename__: ClassVar[str] = "checkpoints"
    number: int = Field(primary_key=True, sa_type=BigKey, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=Instant)
    body: str
    signature: str
