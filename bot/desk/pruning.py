"""What nobody needs any more goes, in small steps, so that nothing waits long behind one. Not on record: what happened
is in the audit log, and these rows only served to do it once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, delete, select
from sqlmodel import col

from bot.desk.tx import Tx
from store.models import Owed, SeenRequest

REQUESTS_KEPT = timedelta(days=7)
"""So long a repeat of a request is recognised; Slack repeats for minutes, webhooks for days."""
MESSAGES_KEPT = timedelta(days=30)
"""So long a message that was sent or cancelled can be looked up. Dead ones stay, each with its case."""


def prune_requests(tx: Tx, most: int) -> int:
    """Deletes up to `most` requests that are older than they are kept; how many that were."""
    old = select(col(SeenRequest.key)).where(col(SeenRequest.at) < tx.now - REQUESTS_KEPT)
    return _delete(tx, col(SeenRequest.key), old.order_by(col(SeenRequest.at)), most)


def prune_messages(tx: Tx, most: int) -> int:
    """Deletes up to `most` messages that left, or need not leave, longer ago than they are kept; how many that were.
    Ids grow with time, so that only old rows are looked at."""
    before = tx.now - MESSAGES_KEPT
    recent = select(col(Owed.id)).where(col(Owed.created_at) >= before).order_by(col(Owed.id)).limit(1)
    first_recent = tx.session.execute(recent).scalar_one_or_none()
    old = select(col(Owed.id)).where(col(Owed.state).in_(("sent", "cancelled")), col(Owed.created_at) < before)
    if first_recent is not None:
        old = old.where(col(Owed.id) < first_recent)
    return _delete(tx, col(Owed.id), old.order_by(col(Owed.id)), most)


def _delete(tx: Tx, key: Any, old: Select[Any], most: int) -> int:
    """Another replica may be at it: what it has locked is left to it."""
    keys = list(tx.session.execute(old.limit(most).with_for_update(skip_locked=True)).scalars())
    if keys:
        tx.session.execute(delete(key.class_).where(key.in_(keys)))
    return len(keys)
