"""A case whose events have all left quarantine and arrived is told so."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.saying import What
from store.contract_models import Trigger
from store.models import Case
from store.queries.quarantine import held_of_cases

UNDER_WAY = ("delivering", "failed")
_Was = aliased(Trigger)


def arrived(tx: Tx, event_ids: Collection[int]) -> None:
    """These events were delivered: cases that wait for nothing else out of quarantine are told."""
    if not event_ids:
        return
    was = select(_Was.case_id).join(Trigger, col(Trigger.released_from) == _Was.event_id).distinct()  # type: ignore[call-overload]
    found = tx.session.execute(was.where(col(Trigger.event_id).in_(event_ids))).scalars()
    tell_if_clear(tx, [case_id for case_id in found if case_id])


def tell_if_clear(tx: Tx, case_ids: Collection[int]) -> None:
    """A line in the thread of each of these cases of which no event is held any more and none is on its way."""
    if not case_ids:
        return
    locked = select(Case).where(col(Case.id).in_(case_ids)).order_by(col(Case.id)).with_for_update()
    cases = list(tx.session.execute(locked).scalars())
    held = held_of_cases(tx.session, case_ids)
    for case in cases:
        if held.get(case.id) or not case.is_open:
            continue
        count, under_way, last = _released(tx.session, case.id)
        if count and not under_way:
            in_thread(tx, case, What.QUARANTINE_CLEARED, key=f"E-{last}", count=count)
            tx.owe_card(case.id, case.channel)


def _released(session: Session, case_id: int) -> tuple[int, int, int]:
    """How many events of the case were released, how many of them are on their way, and the last one."""
    became = select(
        func.count(),
        func.count().filter(col(Trigger.state).in_(UNDER_WAY)),
        func.coalesce(func.max(col(Trigger.event_id)), 0),
    ).select_from(Trigger)
    joined = became.join(_Was, col(Trigger.released_from) == _Was.event_id).where(_Was.case_id == case_id)  # type: ignore[arg-type]
    count, under_way, last = session.execute(joined).one()
    return count, under_way, last
