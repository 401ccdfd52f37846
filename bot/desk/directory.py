"""What Slack says of people and user groups, kept so that a click need not ask each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import insert, select, update
from sqlmodel import col

from bot.desk.tx import Tx
from store.models import Person


@dataclass(frozen=True, slots=True)
class Known:
    """A person as Slack has them; for a user group, its id and its `members`."""

    id: str
    team_id: str | None = None
    name: str = ""
    email: str | None = None
    is_bot: bool = False
    is_guest: bool = False
    is_deleted: bool = False
    members: tuple[str, ...] | None = None


def keep_people(tx: Tx, known: Sequence[Known]) -> int:
    """Keeps what Slack said, in place of what it said before; returns how many rows that were. Not on record: it is
    a copy of what Slack knows."""
    rows = {each.id: _row(tx, each) for each in known}
    there = set(tx.session.execute(select(col(Person.id)).where(col(Person.id).in_(rows))).scalars())
    new = [row for key, row in rows.items() if key not in there]
    if new:
        tx.session.execute(insert(Person), new)
    for key in sorted(there):
        tx.session.execute(update(Person).where(col(Person.id) == key).values(**rows[key]))
    return len(rows)


def _row(tx: Tx, known: Known) -> dict[str, object]:
    row = asdict(known) | {"checked_at": tx.now}
    row["email"] = known.email.lower() if known.email else None
    row["members"] = None if known.members is None else list(known.members)
    return row
