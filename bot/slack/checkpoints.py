"""A checkpoint of the audit log, as it is told in a channel: to be kept by Slack, where nobody at the database can
change it."""

from __future__ import annotations

import json

from sqlmodel import Session

from bot.slack.cards import Drawn
from bot.slack.parts import section
from bot.slack.words import date
from store.audit_models import Checkpoint
from store.checkpoint_file import line_of


def checkpoint_message(session: Session, number: int) -> Drawn:
    """The checkpoint in words, and as the line that `pointsman audit verify --checkpoints` reads."""
    row = session.get_one(Checkpoint, number)
    size = json.loads(row.body)["size"]
    said = f":lock_with_ink_pen: Checkpoint {number} of the audit log: {size:,} chains, {date(row.at)}"
    return Drawn(said, (section(f"{said}\n```{line_of(row)}```"),))
