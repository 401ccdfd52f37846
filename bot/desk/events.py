"""Events come in by their workflow's contract: delivered once, counted when they come again, or held in quarantine
with a case. Set-based, as intake is: all that wait are one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import bindparam, update

from bot.desk import deliveries
from bot.desk.holding import held_report, misfit
from bot.desk.intake import Report, report_many
from bot.desk.kept import Came, keep
from bot.desk.once import KeyReused, Submission, once
from bot.desk.rollouts import Applied, Rollouts
from bot.desk.runs.waking import wake_waiting
from bot.desk.tx import Tx
from bot.rules.actors import Actor
from bot.rules.admission import Admission, Verdict, admit, lane, sameness
from bot.rules.drills import Receiver
from bot.rules.misfits import Misfit
from runbooks.contracts import Contract
from store.contract_models import Trigger
from store.ids import take
from store.models import Event
from store.rows import insert_rows, lock_rows
from store.sealing import desk_key, keyed

ANSWERS = {Verdict.ACCEPT: "accepted", Verdict.IGNORE: "ignored", Verdict.QUARANTINE: "quarantined"}


@dataclass(frozen=True, slots=True)
class OfDrill:
    """Which drill an event is of, and who takes it in place of the connector (None: it is not to be delivered)."""

    number: int
    receiver: Receiver | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as it came. A drill's is never delivered outside, is no other event's duplicate, and counts in no
    figure."""

    by: Actor
    workflow: str
    content: Mapping[str, Any]
    drill: OfDrill | None = None
    released_from: int | None = None
    """The event in quarantine that it was, before a person released it."""

    @property
    def is_drill(self) -> bool:
        """Whether it is part of a drill."""
        return self.drill is not None


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of an event: its reference, and its case if it has one."""

    event: str
    status: str
    case: str | None = None


@dataclass(slots=True)
class _Judged:
    """An event and what the rules say of it; its ids as they become known."""

    arrival: Arrival
    applied: Applied
    admission: Admission
    digest: str
    misfit: Misfit | None
    event_id: int = 0
    case_id: int | None = None

    @property
    def contract(self) -> Contract | None:
        """The version of the contract that it goes by."""
        return self.applied.contract

    @property
    def key(self) -> str:
        """What a second delivery of it is known by."""
        return f"{self.arrival.workflow}\0{self.admission.identity}"


@dataclass(slots=True)
class _Known:
    """An event that came before, or earlier in this call."""

    event_id: int
    digest: str
    case_id: int | None
    seen: int
    first: _Judged | None = None


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
    digest = partial(keyed, desk_key(tx.session))
    rollouts = Rollouts(tx)
    judged = [_judge(tx, arrival, rollouts, digest) for arrival in arrivals]
    known = _known(tx, judged)
    return [_foreseen(each, known.get(each.key)) for each in judged]


def _foreseen(each: _Judged, before: _Known | None) -> Foreseen:
    if before is None or before.event_id == each.arrival.released_from:
        return Foreseen(each.admission, each.misfit)
    is_same = before.digest == each.digest
    return Foreseen(
        each.admission, each.misfit, before.event_id if is_same else None, None if is_same else before.event_id
    )


def take_in(tx: Tx, arrivals: Sequence[Arrival]) -> list[Arrived]:
    """Takes in events that were checked in form: what became of each."""
    digest = partial(keyed, desk_key(tx.session))
    rollouts = Rollouts(tx)
    judged = [_judge(tx, arrival, rollouts, digest) for arrival in arrivals]
    known = _known(tx, judged)
    fresh: list[_Judged] = []
    again: list[tuple[_Judged, _Known]] = []
    for each in judged:
        before = known.get(each.key)
        if before is None:
            known[each.key] = _Known(0, each.digest, None, 1, each)
            fresh.append(each)
        else:
            again.append((each, before))
    other = [(each, before) for each, before in again if each.digest != before.digest and not each.applied.is_shadow]
    _keep(tx, [*fresh, *(each for each, _ in other)])
    _report(tx, fresh)
    _write_triggers(tx, fresh)
    deliveries.owe_first(tx, [_first(each) for each in fresh if _is_delivered(each)])
    _count(tx, [(each, before) for each, before in again if each.digest == before.digest])
    _report_conflicts(tx, other)
    wake_waiting(tx, {each.arrival.workflow for each in fresh})
    return [_answer(each, known[each.key]) for each in judged]


def _judge(tx: Tx, arrival: Arrival, rollouts: Rollouts, digest: Callable[[str], str]) -> _Judged:
    applied = rollouts.applied(arrival.workflow, arrival.content)
    contract, schema = applied.contract, applied.policy.event_schemas.get(arrival.workflow)
    violations = schema.misfits(arrival.content) if schema else ()
    names = {"event": arrival.content, "now": tx.now}
    admission = admit(contract, arrival.content, violations, names=names, digest=digest)
    if arrival.drill:
        admission = replace(admission, identity=f"drill {arrival.drill.number} {admission.identity}")
    found = misfit(applied.policy, arrival.workflow, admission, arrival.content)
    return _Judged(arrival, applied, admission, digest(sameness(contract, arrival.content)), found)


def _known(tx: Tx, judged: Sequence[_Judged]) -> dict[str, _Known]:
    """The events of these identities that came before, locked in the order of their ids."""
    rows = lock_rows(tx.session, _CAME_BEFORE, {each.admission.identity for each in judged})
    return {
        f"{workflow}\0{identity}": _Known(event_id, digest, case_id, seen)
        for workflow, identity, event_id, digest, case_id, seen in rows
    }


_CAME_BEFORE = (
    "SELECT workflow, identity, event_id, digest, case_id, seen FROM triggers WHERE identity AMONG ORDER BY event_id"
)


def _keep(tx: Tx, judged: Sequence[_Judged]) -> None:
    """Keeps what came; what may not be shown of it is sealed."""
    for each, event_id in zip(judged, take(tx.session, Event, len(judged)), strict=True):
        each.event_id = event_id
    keep(tx, [_came(each) for each in judged])


def _came(each: _Judged) -> Came:
    came, admission = each.arrival, each.admission
    is_misfit = admission.verdict is Verdict.QUARANTINE
    return Came(each.event_id, came.workflow, came.content, each.digest, subject=admission.subject, is_misfit=is_misfit)


def _report(tx: Tx, fresh: Sequence[_Judged]) -> None:
    """One case per workflow and kind of misfit, not one per event."""
    held = [each for each in fresh if each.admission.verdict is Verdict.QUARANTINE and not each.applied.is_shadow]
    results = report_many(tx, [_held(each) for each in held])
    for each, result in zip(held, results, strict=True):
        each.case_id = int(result.case.removeprefix("C-"))


def _held(each: _Judged) -> Report:
    came = each.arrival
    report = held_report(came.by, came.workflow, each.admission, each.misfit, came.content, each.event_id)
    return replace(report, is_drill=came.is_drill)


def _write_triggers(tx: Tx, fresh: Sequence[_Judged]) -> None:
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
            because=each.admission.because,
            version=each.contract.version if each.contract else None,
            rollout=each.applied.chosen.because,
            case=_ref(each.case_id),
            drill=each.arrival.is_drill,
            released_from=_event_ref(each.arrival.released_from),
        )


def _trigger_row(tx: Tx, each: _Judged) -> dict[str, Any]:
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
        "misfit": each.misfit.as_document() if each.misfit else None,
        "case_id": each.case_id,
        "policy_digest": each.applied.policy.digest,
        "contract_version": contract.version if contract else 0,
        "released_from": each.arrival.released_from,
        "is_drill": each.arrival.is_drill,
        "seen": 1,
        "last_seen_at": tx.now,
    }


def _state(each: _Judged) -> str:
    if each.applied.is_shadow:
        return "shadowed"
    if each.admission.verdict is not Verdict.ACCEPT:
        return ANSWERS[each.admission.verdict]
    return "delivering" if _is_delivered(each) else "accepted"


def _is_delivered(each: _Judged) -> bool:
    is_for_nobody = each.arrival.drill is not None and each.arrival.drill.receiver is None
    is_held_back = is_for_nobody or each.applied.is_shadow
    if each.admission.verdict is not Verdict.ACCEPT or is_held_back or each.contract is None:
        return False
    return deliveries.can_deliver(each.contract)


def _first(each: _Judged) -> deliveries.First:
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


def _lane(each: _Judged) -> str | None:
    """A drill stands in nobody's way."""
    if each.contract is None or each.arrival.is_drill:
        return None
    return lane(each.contract, each.admission.subject)


def _count(tx: Tx, again: Sequence[tuple[_Judged, _Known]]) -> None:
    """What came again as it was: counted, and not delivered again."""
    counted: dict[int, int] = {}
    for _, before in again:
        before.seen += 1
        event_id = before.first.event_id if before.first else before.event_id
        counted[event_id] = before.seen
    if counted:
        rows = [{"of": event_id, "to": seen, "at": tx.now} for event_id, seen in sorted(counted.items())]
        tx.session.connection().execute(_COUNTED, rows)


_TRIGGERS = Trigger.__table__  # type: ignore[attr-defined]
_COUNTED = (
    update(_TRIGGERS)
    .where(_TRIGGERS.c.event_id == bindparam("of"))
    .values(seen=bindparam("to"), last_seen_at=bindparam("at"))
)


def _report_conflicts(tx: Tx, other: Sequence[tuple[_Judged, _Known]]) -> None:
    """The same identity with other content: a person decides which of the two is right."""
    reports = []
    for each, before in other:
        first = before.first.event_id if before.first else before.event_id
        reports.append(
            Report(
                by=each.arrival.by,
                workflow=each.arrival.workflow,
                failure_mode="duplicate",
                title=f"Two events say that they are the same, and differ: E-{first} and E-{each.event_id}",
                detail=f"E-{first} came first and is what was delivered or held; E-{each.event_id} was not delivered.",
                subject=each.admission.subject,
                event=each.arrival.content,
                event_id=each.event_id,
                dedup_key=f"duplicate:{first}",
                is_drill=each.arrival.is_drill,
            )
        )
    for (each, _), result in zip(other, report_many(tx, reports), strict=True):
        each.case_id = int(result.case.removeprefix("C-"))


def _answer(each: _Judged, known: _Known) -> Arrived:
    """A repeat is told the event that it repeats; what differs from it is told its own."""
    if known.first is each:
        return Arrived(f"E-{each.event_id}", ANSWERS[each.admission.verdict], _ref(each.case_id))
    first = known.first.event_id if known.first else known.event_id
    if each.event_id:
        return Arrived(f"E-{each.event_id}", "quarantined", _ref(each.case_id))
    return Arrived(f"E-{first}", "duplicate", _ref(known.first.case_id if known.first else known.case_id))


def _event_ref(event_id: int | None) -> str | None:
    return None if event_id is None else f"E-{event_id}"


def _ref(case_id: int | None) -> str | None:
    return None if case_id is None else f"C-{case_id}"
