"""Events come in by their workflow's contract: delivered once, counted when they come again, or held in quarantine
with a case. Set-based, as intake is: all that wait are one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, update

from bot.desk import deliveries
from bot.desk.holding import contradiction_report, held_report
from bot.desk.intake import Report, report_many
from bot.desk.judging import Again, Arrival, Judged, Known, came_before, differing, judge, sort
from bot.desk.kept import Came, keep
from bot.desk.once import KeyReused, Submission, once
from bot.desk.runs import delivering
from bot.desk.runs.waking import wake_waiting
from bot.desk.tx import Tx
from bot.rules.admission import Admission, Verdict, lane
from bot.rules.misfits import Misfit
from store.contract_models import Trigger
from store.ids import take
from store.models import Event
from store.rows import insert_rows

ANSWERS = {Verdict.ACCEPT: "accepted", Verdict.IGNORE: "ignored", Verdict.QUARANTINE: "quarantined"}


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of an event: its reference, and its case if it has one."""

    event: str
    status: str
    case: str | None = None


def receive(tx: Tx, submissions: Sequence[Submission[Arrival]]) -> list[tuple[Arrived, ...] | KeyReused]:
    """One answer per submission: what became of each event, or `KeyReused`. Everything is committed together."""
    return once(tx, submissions, take_in, Arrived)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of an event if it came now. `same`, `other`: the event that has its identity already, with the
    same content or with another."""

    admission: Admission
    misfit: Misfit | None
    same: int | None = None
    other: int | None = None


def foresee(tx: Tx, arrivals: Sequence[Arrival]) -> list[Foreseen]:
    """What would become of these events by the contract of now; nothing is written."""
    judged = judge(tx, arrivals)
    known = came_before(tx, judged)
    again = [(each, before) for each in judged if (before := known.get(each.key))]
    others = {id(each) for each, _ in differing(tx, again)}
    return [_foreseen(each, known.get(each.key), is_other=id(each) in others) for each in judged]


def _foreseen(each: Judged, before: Known | None, *, is_other: bool) -> Foreseen:
    if before is None or before.event_id == each.arrival.released_from:
        return Foreseen(each.admission, each.misfit)
    same, other = (None, before.event_id) if is_other else (before.event_id, None)
    return Foreseen(each.admission, each.misfit, same, other)


def take_in(tx: Tx, arrivals: Sequence[Arrival]) -> list[Arrived]:
    """Takes in events that were checked in form: what became of each."""
    judged = judge(tx, arrivals)
    known = came_before(tx, judged)
    fresh, again = sort(tx, judged, known)
    _keep(tx, fresh)
    _report(tx, fresh)
    _write_triggers(tx, fresh)
    deliveries.owe_first(tx, [_first(each) for each in fresh if _is_delivered(each)])
    delivering.owe_first(tx, [_first_run(each) for each in fresh if _is_run(each)])
    _count(tx, again)
    wake_waiting(tx, {each.arrival.workflow for each in fresh})
    return [_answer(each, known[each.key]) for each in judged]


def _keep(tx: Tx, judged: Sequence[Judged]) -> None:
    """Keeps what came; what may not be shown of it is sealed."""
    for each, event_id in zip(judged, take(tx.session, Event, len(judged)), strict=True):
        each.event_id = event_id
    keep(tx, [_came(each) for each in judged])


def _came(each: Judged) -> Came:
    came, admission = each.arrival, each.admission
    is_misfit = admission.verdict is Verdict.QUARANTINE
    return Came(
        each.event_id,
        came.workflow,
        came.content,
        each.digest,
        subject=admission.subject,
        is_misfit=is_misfit,
        policy=each.applied.policy,
    )


def _report(tx: Tx, fresh: Sequence[Judged]) -> None:
    """One case per workflow and kind of misfit, not one per event."""
    held = [each for each in fresh if each.admission.verdict is Verdict.QUARANTINE and not each.applied.is_shadow]
    results = report_many(tx, [_held(each) for each in held])
    for each, result in zip(held, results, strict=True):
        each.case_id = int(result.case.removeprefix("C-"))


def _held(each: Judged) -> Report:
    came = each.arrival
    if each.contradicts:
        report = contradiction_report(
            came.by, came.workflow, each.admission, came.content, each.event_id, first=each.contradicts.id
        )
        return replace(report, is_drill=came.is_drill, trace=came.trace)
    report = held_report(came.by, came.workflow, each.admission, each.misfit, came.content, each.event_id)
    return replace(report, is_drill=came.is_drill, trace=came.trace)


def _write_triggers(tx: Tx, fresh: Sequence[Judged]) -> None:
    insert_rows(tx.session, Trigger, [_trigger_row(tx, each) for each in fresh])
    for each in fresh:
        decided = ANSWERS[each.admission.verdict]
        tx.record(
            "event.shadowed" if each.applied.is_shadow else f"event.{decided}",
            workflow=each.arrival.workflow,
            actor=each.arrival.by,
            event=each.event_id,
            digest=each.digest,
            decided=decided,
            because=each.because,
            version=each.contract.version if each.contract else None,
            rollout=each.applied.chosen.because,
            case=_ref(each.case_id),
            drill=each.arrival.is_drill,
            released_from=_event_ref(each.arrival.released_from),
        )


def _trigger_row(tx: Tx, each: Judged) -> dict[str, Any]:
    admission, contract = each.admission, each.contract
    return {
        "event_id": each.event_id,
        "workflow": each.arrival.workflow,
        "identity": admission.identity,
        "digest": each.digest,
        "received_at": tx.now,
        "source": each.arrival.by.id,
        "subject": admission.subject,
        "lane": _lane(each),
        "state": _state(each),
        "misfit": each.misfit.as_document() if each.misfit and not each.contradicts else None,
        "because": None if each.misfit or admission.verdict is Verdict.ACCEPT else each.because,
        "case_id": each.case_id,
        "policy_digest": each.applied.policy.digest,
        "contract_version": contract.version if contract else 0,
        "released_from": each.arrival.released_from,
        "is_drill": each.arrival.is_drill,
        "seen": 1,
        "last_seen_at": tx.now,
        "trace": each.arrival.trace,
    }


def _state(each: Judged) -> str:
    if each.applied.is_shadow:
        return "shadowed"
    if each.admission.verdict is not Verdict.ACCEPT:
        return ANSWERS[each.admission.verdict]
    return "delivering" if _is_delivered(each) or _is_run(each) else "accepted"


def _is_run(each: Judged) -> bool:
    """Whether a runbook delivers it. Nothing of a drill leaves."""
    is_accepted = each.admission.verdict is Verdict.ACCEPT and not each.applied.is_shadow
    return is_accepted and not each.arrival.is_drill and delivering.runbook_of(each.contract) is not None


def _is_delivered(each: Judged) -> bool:
    is_for_nobody = each.arrival.drill is not None and each.arrival.drill.receiver is None
    is_held_back = is_for_nobody or each.applied.is_shadow
    if each.admission.verdict is not Verdict.ACCEPT or is_held_back or each.contract is None:
        return False
    return deliveries.can_deliver(each.contract)


def _first(each: Judged) -> deliveries.First:
    assert each.contract is not None
    return deliveries.First(
        each.event_id,
        each.contract,
        each.applied.policy.digest,
        each.admission.identity,
        each.digest,
        _lane(each),
        each.arrival.by,
        each.arrival.drill.receiver if each.arrival.drill else None,
    )


def _first_run(each: Judged) -> delivering.First:
    assert each.contract is not None
    return delivering.First(each.event_id, each.contract, each.applied.policy, each.arrival.by)


def _lane(each: Judged) -> str | None:
    """A drill stands in nobody's way."""
    if each.contract is None or each.arrival.is_drill:
        return None
    return lane(each.contract, each.admission.subject)


def _count(tx: Tx, again: Again) -> None:
    """What came again as it was: counted, and not delivered again."""
    counted: dict[int, int] = {}
    for _, before in again:
        before.seen += 1
        counted[before.id] = before.seen
    if counted:
        rows = [{"of": event_id, "to": seen, "at": tx.now} for event_id, seen in sorted(counted.items())]
        tx.session.connection().execute(_COUNTED, rows)


_TRIGGERS = Trigger.__table__  # type: ignore[attr-defined]
_COUNTED = (
    update(_TRIGGERS)
    .where(_TRIGGERS.c.event_id == bindparam("of"))
    .values(seen=bindparam("to"), last_seen_at=bindparam("at"))
)


def _answer(each: Judged, known: Known) -> Arrived:
    """A repeat is told the event that it repeats."""
    if known.first is each:
        return Arrived(f"E-{each.event_id}", ANSWERS[each.admission.verdict], _ref(each.case_id))
    return Arrived(f"E-{known.id}", "duplicate", _ref(known.first.case_id if known.first else known.case_id))


def _event_ref(event_id: int | None) -> str | None:
    return None if event_id is None else f"E-{event_id}"


def _ref(case_id: int | None) -> str | None:
    return None if case_id is None else f"C-{case_id}"
