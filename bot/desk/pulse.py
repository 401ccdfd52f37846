"""A beat: the smallest write there is, by which the service shows that its database takes writes."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import col

from bot.desk.tx import Tx
from store.serving_models import Pulse
from store.writing import add_new


def beat(tx: Tx, _: None) -> None:
    """Writes when it was. Raises the driver's error where that cannot be."""
    written = update(Pulse).where(col(Pulse.id) == 1).values(at=tx.now)
    if not tx.session.execute(written.execution_options(synchronize_session=False)).rowcount:  # type: ignore[attr-defined]
        add_new(tx.session, Pulse, [{"id": 1, "at": tx.now}], unique=["id"])
