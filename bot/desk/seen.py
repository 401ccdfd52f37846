"""Requests that change nothing but are answered once, however often Slack sends them."""

from __future__ import annotations

from sqlalchemy import insert

from bot.desk.tx import Tx
from store.models import SeenRequest


def first_time(tx: Tx, key: str) -> bool:
    """Whether this request comes for the first time; it is remembered by its key."""
    if tx.session.get(SeenRequest, key) is not None:
        return False
    tx.session.execute(insert(SeenRequest), [{"key": key, "at": tx.now, "digest": "", "answer": {}}])
    return True
