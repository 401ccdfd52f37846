"""Erases what is kept about one subject. First its keys are dropped, which makes everything sealed unreadable at once,
in older copies of the events as well. Then what was not sealed is struck, a few hundred rows at a time: what its events
carried, what systems were asked and answered about them, and the words of its cases. The record of what happened stays,
and verifies: it has digests and references, and no such words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlmodel import Session, col

from bot.desk.letting_go import empty
from bot.desk.tx import Tx
from bot.rules.retention import ERASED
from store.closing_models import Check, Closing, PostMortem
from store.contract_models import SubjectKey, Trigger
from store.models import Attempt, Case, Delivery, Event, ExceptionReport, Note, Owed
from store.run_models import Run, RunAttempt, RunStep
from store.sealing import desk_key, erase, keyed, subject_key_of
from store.writing import strike

ASKED_AT_ONCE = 1000
STRUCK = "Erased"
"""What stands where words about a subject stood."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data goes: as the contracts' `subject` has it. `workflow` None: in all of them."""

    subject: str
    workflow: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What is kept about a subject: the keys that seal its values, its events, and the cases that are about it."""

    keys: tuple[str, ...]
    events: tuple[int, ...]
    cases: tuple[int, ...]

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.keys or self.events or self.cases)


def find(session: Session, subject: Subject, workflows: Iterable[str]) -> Found:
    """All that is kept of the subject. Reads the tables from end to end, beside the writers: it is asked for seldom,
    and an index of subjects would be one more place that has them."""
    key = desk_key(session)
    names = [subject.workflow] if subject.workflow else sorted({*workflows, *_workflows_of(session, subject)})
    ids = [subject_key_of(key, name, subject.subject, event_id=0) for name in names]
    there = select(col(SubjectKey.id)).where(col(SubjectKey.id).in_(ids), col(SubjectKey.key).is_not(None))
    sealed = select(col(Event.id)).where(col(Event.subject_key).in_(ids), col(Event.gone).is_distinct_from(ERASED))
    own = list(session.execute(_of(subject, Case, Case.id)).scalars())
    came = session.execute(_of(subject, Trigger, Trigger.event_id)).scalars()
    events = {*came, *session.execute(sealed).scalars(), *_reported(session, own)}
    cases = {*own, *_about(session, sorted(events))}
    return Found(tuple(sorted(session.execute(there).scalars())), tuple(sorted(events)), tuple(sorted(cases)))


def _of(subject: Subject, model: Any, wanted: Any) -> Any:
    mine = select(wanted).where(model.subject == subject.subject)
    return mine.where(model.workflow == subject.workflow) if subject.workflow else mine


def _workflows_of(session: Session, subject: Subject) -> set[str]:
    of = (_of(subject, model, model.workflow).distinct() for model in (Trigger, Case))
    return {name for each in of for name in session.execute(each).scalars()}


def _reported(session: Session, cases: Sequence[int]) -> Iterator[int]:
    """The events that these cases were reported with."""
    for some in _parts(cases):
        reported = select(col(ExceptionReport.event_id)).where(col(ExceptionReport.case_id).in_(some))
        yield from session.execute(reported.where(col(ExceptionReport.event_id).is_not(None))).scalars()
        first = select(col(Case.event_id)).where(col(Case.id).in_(some), col(Case.event_id).is_not(None))
        yield from session.execute(first).scalars()


def _about(session: Session, events: Sequence[int]) -> Iterator[int]:
    """The cases that were opened for one of these events, and have words of it."""
    for some in _parts(events):
        mine = select(col(Case.id)).where(col(Case.event_id).in_(some), col(Case.title) != STRUCK)
        yield from session.execute(mine).scalars()


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), ASKED_AT_ONCE):
        yield ids[start : start + ASKED_AT_ONCE]


@dataclass(frozen=True, slots=True)
class Erase:
    """Drop the keys of what was found."""

    subject: Subject
    found: Found


def drop_keys(tx: Tx, command: Erase) -> int:
    """The subject's keys are gone, and who did it is on record, with a digest of the subject that only this
    installation can make. How many there were."""
    dropped = erase(tx.session, command.found.keys, at=tx.now)
    tx.record(
        "subject.erased",
        subject_digest=keyed(desk_key(tx.session), command.subject.subject),
        of_workflow=command.subject.workflow,
        keys=dropped,
        events=len(command.found.events),
        cases=[f"C-{case_id}" for case_id in command.found.cases[:100]],
        cases_in_all=len(command.found.cases),
    )
    return dropped


def strike_events(tx: Tx, ids: Sequence[int]) -> None:
    """Nothing is left of what these events carried, and of what was asked and answered about them."""
    empty(tx, ids, ERASED)
    strike(tx.session, col(Event.id), ids, gone=ERASED, content={}, sealed=None)
    said = or_(col(Trigger.misfit).is_not(None), col(Trigger.because).is_not(None))
    why = update(Trigger).where(col(Trigger.event_id).in_(ids), said).values(because="its data was erased")
    tx.session.execute(why.execution_options(**_PLAIN))
    strike(tx.session, col(Trigger.event_id), ids, subject=None, lane=None, misfit=None)
    _strike_deliveries(tx, col(Delivery.event_id).in_(ids))
    _strike_runs(tx, or_(col(Run.event_id).in_(ids), col(Run.item_id).in_(ids)))
    strike(tx.session, col(ExceptionReport.event_id), ids, title=STRUCK, detail="", links=[])


def _strike_deliveries(tx: Tx, which: Any) -> None:
    ids = list(tx.session.execute(select(col(Delivery.id)).where(which)).scalars())
    strike(tx.session, col(Delivery.id), ids, lane=None, content=None, because="")
    tx.session.execute(delete(Attempt).where(col(Attempt.delivery_id).in_(ids)).execution_options(**_PLAIN))


def _strike_runs(tx: Tx, which: Any) -> None:
    """Those that are over: one that goes on finds its event erased, and fails in words."""
    over = select(col(Run.id)).where(which, col(Run.ended_at).is_not(None))
    ids = list(tx.session.execute(over).scalars())
    steps = list(tx.session.execute(select(col(RunStep.id)).where(col(RunStep.run_id).in_(ids))).scalars())
    strike(tx.session, col(Run.id), ids, inputs={}, because="")
    strike(tx.session, col(RunStep.id), steps, response=None, sealed=None, because="", gone_at=tx.now)
    tx.session.execute(delete(RunAttempt).where(col(RunAttempt.step_id).in_(steps)).execution_options(**_PLAIN))


_PLAIN = {"synchronize_session": False}


def strike_cases(tx: Tx, ids: Sequence[int]) -> None:
    """The words of these cases are gone: titles, texts, notes, what checks saw, what was learnt. Each has it on record,
    and its card is drawn again."""
    for case in tx.session.execute(select(Case).where(col(Case.id).in_(ids)).order_by(col(Case.id)).with_for_update()):
        _strike_case(tx, case[0])
    strike(tx.session, col(ExceptionReport.case_id), ids, title=STRUCK, detail="", links=[])
    strike(tx.session, col(Note.case_id), ids, text=STRUCK)
    written = update(PostMortem).where(col(PostMortem.case_id).in_(ids), col(PostMortem.written_at).is_not(None))
    tx.session.execute(written.values(summary=STRUCK, causes=STRUCK).execution_options(**_PLAIN))
    closings = list(tx.session.execute(select(col(Closing.id)).where(col(Closing.case_id).in_(ids))).scalars())
    strike(tx.session, col(Check.closing_id), closings, request=None, because="")
    for closing in tx.session.execute(select(Closing).where(col(Closing.id).in_(closings))).scalars():
        strike(tx.session, col(Closing.id), [closing.id], wanted=closing.wanted | {"note": ""})
    _strike_deliveries(tx, col(Delivery.case_id).in_(ids))
    _strike_runs(tx, col(Run.case_id).in_(ids))
    left = delete(Owed).where(col(Owed.case_id).in_(ids), col(Owed.state).in_(("sent", "cancelled")))
    tx.session.execute(left.where(col(Owed.kind) != "page").execution_options(**_PLAIN))


def _strike_case(tx: Tx, case: Case) -> None:
    values = {
        "title": STRUCK,
        "detail": "",
        "subject": None,
        "dedup_key": None,
        "match_key": f"erased:{case.id}",
        "route_because": "",
        "version": case.version + 1,
    }
    strike(tx.session, col(Case.id), [case.id], **values)
    tx.record("case.erased", case_id=case.id)
    tx.owe_card(case.id, case.channel)
