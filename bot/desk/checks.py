"""The machine checks of closings: claimed by lease, asked by a job outside of any transaction, kept with their
evidence, and what follows from the last of a closing decided with its answer.

The case is locked before the check, as every act does it: two answers of one closing come one after the other, and only
the last of them decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from bot.desk import closing
from bot.desk.deliveries import case_names
from bot.desk.intake import report_policy_fault
from bot.desk.kept import removed_from
from bot.desk.ongoing import load
from bot.desk.passing import probed, take_turn
from bot.desk.policies import Policies
from bot.desk.tx import Tx
from bot.rules.closing import LONGEST_WAIT, PATIENCE, Found
from bot.rules.redaction import restored
from bot.rules.sending import next_attempt_at
from runbooks import contracts
from runbooks.policy import Policy
from store.closing_models import Check, Closing
from store.models import Case, Event
from store.queries.quarantine import held_of_cases, misfit_of_case
from store.sealing import desk_key, keyed

LEASE = timedelta(seconds=90)
"""Longer than a check may take."""


@dataclass(frozen=True, slots=True)
class Question:
    """A check of a case as it is asked. `names` is what its texts and its condition see; `shown_event` is the event as
    it may be shown, `removed` what that leaves out. `is_drill`: nothing of it may leave."""

    check: contracts.Check
    policy: Policy
    names: Mapping[str, Any]
    shown_event: Mapping[str, Any]
    removed: Mapping[str, Any]
    is_drill: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check found, and why, in words; `values` are those that its condition read, where it is not met. All but
    `body`, which is for its digest only, may be kept.
    `fault`: what is wrong with the policy, if that is why. `share` (0 to 1) is the jitter of the next wait."""

    found: Found
    because: str
    request: Mapping[str, Any] | None = None
    status: int | None = None
    body: str | None = None
    fault: str = ""
    retry_after: timedelta | None = None
    share: float = 1.0
    values: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A check to ask now. `connector`: to whom its request goes ("": it has none, or is a drill's); `is_probe`: it asks
    whether that system is back; `is_held`: that is left alone, so that nothing is asked."""

    id: int
    case_id: int
    name: str
    attempts: int
    connector: str = ""
    is_probe: bool = False
    is_held: bool = False


def question(session: Session, policy: Policy, case: Case, check: contracts.Check, *, now: datetime) -> Question:
    """The check, about this case as it is now. Of an event that is gone, nothing is seen."""
    event, removed = _event_of(session, case)
    held = held_of_cases(session, [case.id]).get(case.id, 0)
    about = case_names(case, quarantined=held, misfit=misfit_of_case(session, case.id))
    names = {"event": restored(event, removed), "case": about, "now": now}
    return Question(check, policy, names, event, removed, case.is_drill)


def _event_of(session: Session, case: Case) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    event = session.get(Event, case.event_id) if case.event_id else None
    if event is None:
        return {}, {}
    [removed] = removed_from(session, [event])
    return (event.content, removed) if removed is not None else ({}, {})


def question_of(session: Session, policies: Policies, claimed: Claimed, *, now: datetime) -> Question:
    """What a claimed check asks, by the policy that its case was opened with."""
    case = session.get_one(Case, claimed.case_id)
    policy = policies.compiled(session, case.policy_digest)
    check = next(each for each in closing.checks_of(policy, case) if each.name == claimed.name)
    return question(session, policy, case, check, now=now)


def claim(tx: Tx, limit: int) -> list[Claimed]:
    """Takes checks that are due, for one lease. One whose asker did not come back is asked again: a check changes
    nothing."""
    due = select(col(Check.id)).where(col(Check.due_at) <= tx.now).order_by(col(Check.due_at)).limit(limit)
    ids = list(tx.session.execute(due.with_for_update(skip_locked=True)).scalars())
    if not ids:
        return []
    wanted = select(col(Check.id), col(Closing.case_id), col(Check.name), col(Check.attempts) + 1)
    mine = wanted.join(Closing, col(Closing.id) == col(Check.closing_id)).where(col(Check.id).in_(ids))
    found = [_addressed(tx, Claimed(*row)) for row in tx.session.execute(mine.order_by(col(Check.id))).all()]
    claimed = [each for name in sorted({each.connector for each in found}) for each in _passing(tx, name, found)]
    until = tx.now + LEASE
    values = {"lease_until": until, "due_at": until, "attempts": col(Check.attempts) + 1}
    _write(tx, [each.id for each in claimed], **values)
    return claimed


def _addressed(tx: Tx, claimed: Claimed) -> Claimed:
    """With the connector that it asks. Where that cannot be known, whoever asks it finds out why."""
    case = tx.session.get_one(Case, claimed.case_id)
    if case.is_drill:
        return claimed
    found = closing.checks_of(tx.policy_of(case), case)
    request = next((each.request for each in found if each.name == claimed.name), None)
    return replace(claimed, connector=(request.connector if request else None) or "")


def _passing(tx: Tx, connector: str, found: Sequence[Claimed]) -> list[Claimed]:
    """Those for a connector that have their turn now, and those that it holds, which are not asked; the others wait
    for their turn."""
    mine = [each for each in found if each.connector == connector]
    if not connector:
        return mine
    turn = take_turn(tx, connector, len(mine), lease=LEASE)
    if turn.is_held or turn.is_probe:
        passing = [replace(each, is_probe=True) for each in mine[: turn.passing]]
        return [*passing, *(replace(each, is_held=True) for each in mine[turn.passing :])]
    _write(tx, [each.id for each in mine[turn.passing :]], due_at=turn.again_at)
    return mine[: turn.passing]


def _write(tx: Tx, ids: Sequence[int], **values: Any) -> None:
    some = update(Check).where(col(Check.id).in_(ids))
    tx.session.execute(some.values(**values).execution_options(synchronize_session=False))


@dataclass(frozen=True, slots=True)
class Came:
    """The answer to a claimed check."""

    claimed: Claimed
    answer: Answer


def answered(tx: Tx, came: Came) -> None:
    """Keeps the evidence. An answer that says nothing is asked for again, a few times; the last of a closing decides
    it, in the name of who asked for it. An answer that comes after another process took the check over, or after the
    closing was withdrawn, changes nothing."""
    claimed, answer = came.claimed, came.answer
    going = load(tx, [claimed.case_id])[claimed.case_id]
    if claimed.is_probe and answer.request is not None:
        because = f"it answered {answer.status}" if answer.status else answer.because
        probed(tx, claimed.connector, answer.status, because, workflow=going.case.workflow)
    locked = select(Check).where(col(Check.id) == claimed.id).with_for_update()
    row = tx.session.execute(locked.execution_options(populate_existing=True)).scalar_one()
    if row.due_at is None or row.attempts != claimed.attempts:
        return
    again_at = _again_at(tx, row, answer)
    state = row.state if again_at else answer.found.state
    values = {"state": state, "due_at": again_at, "lease_until": None, "at": tx.now, **_evidence(tx, answer)}
    mine = update(Check).where(col(Check.id) == row.id).values(**values)
    tx.session.execute(mine.execution_options(synchronize_session=False))
    tx.owe_card(going.case.id, going.case.channel)
    if again_at:
        return
    if answer.fault:
        report_policy_fault(tx, going.case.workflow, answer.fault)
    asked_by = closing.wish_of(tx.session.get_one(Closing, row.closing_id)).by
    part = Tx(tx.session, tx.now, asked_by, tx.policies)
    if said := closing.settle(part, going, row.closing_id):
        closing.make_known(part, going, said)
        part.flush()


def _again_at(tx: Tx, row: Check, answer: Answer) -> datetime | None:
    if answer.found is not Found.UNKNOWN or (answer.retry_after or timedelta(0)) > LONGEST_WAIT:
        return None
    return next_attempt_at(
        PATIENCE, made=row.attempts, now=tx.now, share=answer.share, retry_after=answer.retry_after, key_ends_at=None
    )


def _evidence(tx: Tx, answer: Answer) -> dict[str, Any]:
    digest = keyed(desk_key(tx.session), answer.body) if answer.body is not None else None
    request = dict(answer.request) if answer.request is not None else None
    return {
        "request": request,
        "status": answer.status,
        "body_digest": digest,
        "because": answer.because,
        "found": answer.values,
    }


def some_are_due(session: Session, now: datetime) -> bool:
    """Whether a claim would find something."""
    return session.execute(select(col(Check.id)).where(col(Check.due_at) <= now).limit(1)).first() is not None


def next_due(session: Session) -> datetime | None:
    """When the next check may be asked, or asked again; None: none is owed."""
    return session.execute(select(func.min(col(Check.due_at))).where(col(Check.due_at).is_not(None))).scalar()
