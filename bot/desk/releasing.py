"""Events leave quarantine: each is judged again by the contract of now and goes the way of an event that came in, as a
new event that keeps the link to the one that it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlmodel import Session, col

from bot.desk.clearing import tell_if_clear
from bot.desk.events import Foreseen, foresee, take_in
from bot.desk.judging import Arrival, OfDrill
from bot.desk.kept import removed_from
from bot.desk.telling import in_thread
from bot.desk.tx import Tx
from bot.rules.actors import Actor, person
from bot.rules.admission import Verdict
from bot.rules.redaction import restored
from bot.rules.repair import Mending, Unfit, mended
from bot.rules.retention import why_gone
from bot.rules.saying import What
from store.contract_models import Release as ReleaseRow
from store.contract_models import Trigger
from store.models import Case
from store.queries.quarantine import HELD, Held, held_statement

BATCH = 100
"""So many events leave in one transaction; the others of a case follow by themselves."""
_WHICH = "Resolve its case with which of the two is right, drop this one, or mend what it is known by"


@dataclass(frozen=True, slots=True)
class Still:
    """An event that stays in quarantine, and why; `wrong`: what does not fit, by JSON pointer."""

    event_id: int
    because: str
    wrong: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Released:
    """What became of events that were released: let through, and of these how many were not delivered because a
    precondition ignores them or because they are known already; and those that stay."""

    count: int = 0
    ignored: int = 0
    known: int = 0
    still: list[Still] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """For the sentence about it."""
        because = self.still[0].because if self.still else ""
        return {**self.counts(), "still": len(self.still), "because": because}

    def counts(self) -> dict[str, int]:
        """What was let through."""
        return {"count": self.count, "ignored": self.ignored, "known": self.known}


@dataclass(frozen=True, slots=True)
class _Candidate:
    held: Held
    arrival: Arrival


def lock_held(tx: Tx, case_id: int, *, among: Sequence[int] | None = None, after: int = 0, upto: int) -> list[Held]:
    """Events of a case that are held, the first of them, locked: two people cannot release one twice."""
    query = held_statement().where(col(Trigger.case_id) == case_id, col(Trigger.event_id) > after)
    query = query.where(col(Trigger.event_id) <= upto)
    if among is not None:
        query = query.where(col(Trigger.event_id).in_(among))
    first = query.order_by(col(Trigger.event_id)).limit(BATCH).with_for_update(of=Trigger)
    return [Held(*row) for row in tx.session.execute(first.execution_options(populate_existing=True))]


def last_held(session: Session, case_id: int) -> tuple[int, int]:
    """The highest number of the events of a case that are held, and how many they are."""
    held = col(Trigger.case_id) == case_id, col(Trigger.state) == HELD
    highest, count = session.execute(select(func.max(col(Trigger.event_id)), func.count()).where(*held)).one()
    return highest or 0, count


def let_through(tx: Tx, case: Case, held: Sequence[Held], mending: Mending, *, by: Actor) -> Released:
    """Releases those of the events that fit once they are mended; the others stay as they are."""
    released = Released()
    candidates = _candidates(tx, held, mending, by, released)
    passing = []
    foreseen = foresee(tx, [each.arrival for each in candidates])
    for each, seen in zip(candidates, foreseen, strict=True):
        if still := _still(each, seen):
            released.still.append(still)
        else:
            passing.append((each, seen))
    _let(tx, case, passing, mending, by, released)
    return released


def _candidates(tx: Tx, held: Sequence[Held], mending: Mending, by: Actor, released: Released) -> list[_Candidate]:
    found = []
    for each, removed in zip(held, removed_from(tx.session, [one.event for one in held]), strict=True):
        if removed is None:
            released.still.append(Still(each.event.id, f"it {why_gone(each.event.gone)}"))
            continue
        try:
            content = mended(restored(each.event.content, removed), mending)
        except Unfit as unfit:
            released.still.append(Still(each.event.id, str(unfit)))
            continue
        came = Arrival(by, each.trigger.workflow, content, drill=_drill(each), released_from=each.event.id)
        found.append(_Candidate(each, came))
    return found


def _drill(held: Held) -> OfDrill | None:
    """What is released of a drill is part of it, and is not delivered."""
    return OfDrill(held.event.id) if held.trigger.is_drill else None


def _still(each: _Candidate, seen: Foreseen) -> Still | None:
    event_id = each.held.event.id
    if seen.admission.verdict is Verdict.QUARANTINE:
        misfit = seen.misfit
        if misfit is None:
            return Still(event_id, seen.admission.because)
        lines = dict(zip(misfit.pointers, misfit.lines, strict=False))
        return Still(event_id, "; ".join(misfit.lines), lines)
    if seen.other:
        return Still(event_id, f"E-{seen.other} is the same event with other content. {_WHICH}")
    return None


def _let(
    tx: Tx,
    case: Case,
    passing: Sequence[tuple[_Candidate, Foreseen]],
    mending: Mending,
    by: Actor,
    released: Released,
) -> None:
    if not passing:
        return
    _free_identities(tx, passing)
    came = take_in(tx, [each.arrival for each, _ in passing])
    tx.session.connection().execute(_RELEASED, [{"_event_id": each.held.event.id} for each, _ in passing])
    for (each, _), arrived in zip(passing, came, strict=True):
        tx.record(
            "event.released",
            case_id=case.id,
            actor=by,
            event=each.held.ref,
            released_as=arrived.event,
            status=arrived.status,
            mended=mending.pointers,
        )
        released.count += 1
        released.ignored += arrived.status == "ignored"
        released.known += arrived.status == "duplicate"


_TRIGGERS = Trigger.__table__  # type: ignore[attr-defined]
_RELEASED = update(_TRIGGERS).where(_TRIGGERS.c.event_id == bindparam("_event_id")).values(state="released")
_RENAMED = (
    update(_TRIGGERS).where(_TRIGGERS.c.event_id == bindparam("_event_id")).values(identity=bindparam("_identity"))
)


def _free_identities(tx: Tx, passing: Sequence[tuple[_Candidate, Foreseen]]) -> None:
    """An event that was known by its id already hands that on to what is released of it."""
    taken = [each.held.trigger for each, seen in passing if each.held.trigger.identity == seen.admission.identity]
    if taken:
        rows = [{"_event_id": one.event_id, "_identity": f"{one.identity}#E-{one.event_id}"} for one in taken]
        tx.session.connection().execute(_RENAMED, rows)


def owe_rest(tx: Tx, case: Case, released: Released, names: Mapping[str, str], *, after: int, upto: int) -> None:
    """The other events of the case follow, a batch at a time, whoever runs."""
    row = {
        "case_id": case.id,
        "asked_by": tx.actor.id,
        "asked_at": tx.now,
        "after_id": after,
        "upto_id": upto,
        "names": dict(names),
        "counts": {**released.counts(), "still": len(released.still)},
        "due_at": tx.now,
    }
    tx.session.execute(insert(ReleaseRow), [row])


def go_on(tx: Tx, _: None = None) -> int:
    """The next batch of the releases that are under way; how many events that were. The last one is told in the
    case's thread."""
    due = select(ReleaseRow).where(col(ReleaseRow.due_at) <= tx.now).order_by(col(ReleaseRow.due_at))
    row = tx.session.execute(due.limit(1).with_for_update(skip_locked=True)).scalar_one_or_none()
    if row is None:
        return 0
    case = tx.session.execute(select(Case).where(col(Case.id) == row.case_id).with_for_update()).scalar_one()
    held = lock_held(tx, case.id, after=row.after_id, upto=row.upto_id)
    done = let_through(tx, case, held, Mending(names=row.names), by=person(row.asked_by))
    facts = done.facts()
    counts = {name: int(facts[name]) + row.counts.get(name, 0) for name in ("count", "ignored", "known", "still")}
    is_over = len(held) < BATCH
    after = held[-1].event.id if held else row.upto_id
    changed = update(ReleaseRow).where(col(ReleaseRow.id) == row.id)
    values = changed.values(after_id=after, counts=counts, due_at=None if is_over else tx.now)
    tx.session.execute(values.execution_options(synchronize_session=False))
    if is_over:
        in_thread(tx, case, What.EVENTS_RELEASED, by=row.asked_by, **counts, because=facts["because"], left=0)
        tell_if_clear(tx, [case.id])
    tx.owe_card(case.id, case.channel)
    return max(len(held), 1)


def put_off(tx: Tx, until: datetime) -> None:
    """What could not go on is tried again then, behind the others."""
    due = select(col(ReleaseRow.id)).where(col(ReleaseRow.due_at) <= tx.now).order_by(col(ReleaseRow.due_at)).limit(1)
    first = tx.session.execute(due).scalar_one_or_none()
    later = update(ReleaseRow).where(col(ReleaseRow.id) == first).values(due_at=until)
    tx.session.execute(later.execution_options(synchronize_session=False))


def next_due(session: Session) -> datetime | None:
    """When a release goes on; None: none is under way."""
    return session.execute(select(func.min(col(ReleaseRow.due_at))).where(col(ReleaseRow.due_at).is_not(None))).scalar()
