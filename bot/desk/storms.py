"""Storms: where more new cards wait for a channel than people can read, a line for each workflow says how many. It is
edited in place, and says in the end that all are there. The cards come one after the other, the most urgent first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlmodel import Session, col

from bot.desk.pace import empty
from bot.desk.tx import Tx
from bot.rules.storms import TOLD_EVERY, Course, Waiting, course
from store.models import Case, Owed
from store.serving_models import Storm
from store.writing import add_new

MOST = 20_000
"""So many cards are counted, and no more."""
Place = tuple[str, str]
"""A channel and a workflow."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about the line of one workflow in one channel."""

    place: Place
    course: Course
    waiting: Waiting


def changes(session: Session, now: datetime) -> list[Change]:
    """What there is to do: lines to begin, and those whose time it is to be edited. What waits is counted only where
    a channel takes no new card, or did not a while ago."""
    known = {(row.channel, row.workflow): row for row in session.execute(_UNDER_WAY)}
    if not known and not empty(session, now).channels_of_cards:
        return []
    waiting = _waiting(session)
    in_channel: dict[str, int] = {}
    for (channel, _), each in waiting.items():
        in_channel[channel] = in_channel.get(channel, 0) + each.total
    found = []
    for place in sorted({*waiting, *known}):
        here, row = waiting.get(place, Waiting({})), known.get(place)
        is_due = row is None or row.due_at <= now
        to_do = course(here.total, in_channel=in_channel.get(place[0], 0), is_summed_up=row is not None)
        if to_do and is_due:
            found.append(Change(place, to_do, here))
    return found


def tell(tx: Tx, found: Sequence[Change]) -> int:
    """Writes down how many wait now, and owes each line: its message, or its edit where that is posted. How many
    lines that was."""
    for each in found:
        if each.course is Course.BEGIN:
            _begin(tx, each)
        else:
            _go_on(tx, each)
    return len(found)


def _begin(tx: Tx, change: Change) -> None:
    channel, workflow = change.place
    total, counts = change.waiting.total, dict(change.waiting.counts)
    row = {"channel": channel, "workflow": workflow, "since_at": tx.now, "due_at": tx.now + TOLD_EVERY}
    row |= {"counts": counts, "most": total, "ts": None}
    add_new(tx.session, Storm, [row], unique=["channel", "workflow"], among="due_at IS NOT NULL")
    storm = _locked(tx, change.place)
    if storm is not None and storm.ts is None:
        tx.owe("storm", f"storm:{storm.id}", channel=channel, payload={"storm": storm.id})


def _go_on(tx: Tx, change: Change) -> None:
    storm = _locked(tx, change.place)
    if storm is None or storm.due_at is None or storm.due_at > tx.now:
        return
    counts, is_over = dict(change.waiting.counts), change.course is Course.END
    values = {
        "counts": counts,
        "most": max(storm.most, change.waiting.total),
        "due_at": None if is_over else tx.now + TOLD_EVERY,
    }
    written = update(Storm).where(col(Storm.id) == storm.id).values(**values)
    tx.session.execute(written.execution_options(synchronize_session=False))
    if storm.ts is not None and (is_over or counts != storm.counts):
        tx.owe("storm_update", f"storm:{storm.id}:now", channel=storm.channel, payload={"storm": storm.id})


def placed(tx: Tx, payload: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """The line is posted: from then on it is edited."""
    here = update(Storm).where(col(Storm.id) == payload["storm"])
    values = here.values(ts=result.get("ts"), channel_id=result.get("channel"))
    tx.session.execute(values.execution_options(synchronize_session=False))


def next_due(session: Session) -> datetime | None:
    """When the next line is to be looked at; None: there is none."""
    return session.execute(select(func.min(col(Storm.due_at))).where(col(Storm.due_at).is_not(None))).scalar()


def _locked(tx: Tx, place: Place) -> Storm | None:
    here = col(Storm.channel) == place[0], col(Storm.workflow) == place[1]
    wanted = select(Storm).where(*here, col(Storm.due_at).is_not(None)).with_for_update()
    return tx.session.execute(wanted.execution_options(populate_existing=True)).scalar_one_or_none()


def _waiting(session: Session) -> dict[Place, Waiting]:
    counted: dict[Place, dict[str, int]] = {}
    for row in session.execute(_COUNTED):
        counted.setdefault((row.channel, row.workflow), {})[row.priority] = row.number
    return {place: Waiting(counts) for place, counts in counted.items()}


_STATES: Any = bindparam(None, ("owed", "sending"), expanding=True, literal_execute=True)
_SOME = (
    select(col(Owed.channel), col(Case.workflow), col(Case.priority))
    .join(Case, col(Case.id) == col(Owed.case_id))
    .where(col(Owed.state).in_(_STATES), col(Owed.kind) == "card", col(Case.card_ts).is_(None))
    .limit(MOST)
    .subquery()
)
_GROUP = (_SOME.c.channel, _SOME.c.workflow, _SOME.c.priority)
_COUNTED = select(*_GROUP, func.count().label("number")).group_by(*_GROUP)
_UNDER_WAY = select(col(Storm.channel), col(Storm.workflow), col(Storm.due_at)).where(col(Storm.due_at).is_not(None))
