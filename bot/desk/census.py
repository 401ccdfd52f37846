"""A census: the ids that should have come, as the source of record names them; those that did not are one case, and
each that comes later is crossed off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlmodel import Session, col

from bot.desk import passing
from bot.desk.baselines import LEASE, DueBaseline, change, claimed, go_on
from bot.desk.healing import News, tell
from bot.desk.intake import Report, report_one, report_policy_fault
from bot.desk.passing import Turn
from bot.desk.tx import Tx
from bot.rules.actors import TIMER
from bot.rules.admission import LONGEST_IDENTITY
from bot.rules.baselines import Said, never_came, not_asked
from bot.rules.saying import What
from bot.rules.sending import Backoff, next_attempt_at
from runbooks.templates import ExpressionFault, Missing
from store.contract_models import Baseline, Missed, Trigger
from store.models import Event
from store.writing import add_new

BACKOFF = Backoff(5, timedelta(minutes=1), 2.0, timedelta(minutes=10))
LONGEST_TRYING = timedelta(days=1)
AT_ONCE = 1_000
NAMED_IN_LINE = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What a census was answered. `ids` None: it could not be asked, `because` of that, and `may_pass` says whether
    another try may help (not before `retry_after`); `fault` is one of the contract. `share` (0 to 1) is the jitter of
    the next wait. `is_probe`: it asked whether the system is back, if it `was_sent`."""

    due: DueBaseline
    connector: str
    ids: tuple[str, ...] | None
    because: str = ""
    may_pass: bool = False
    fault: str | None = None
    share: float = 1.0
    retry_after: timedelta | None = None
    status: int | None = None
    was_sent: bool = False
    is_probe: bool = False


def counted(tx: Tx, asked: Asked) -> None:
    """Compares the ids with what came: those of which there is no event are named in one case. One that could not be
    asked is tried again, and told when its tries are used up."""
    if asked.is_probe and asked.was_sent:
        because = asked.because or f"it answered {asked.status}"
        passing.probed(tx, asked.connector, asked.status, because, workflow=asked.due.workflow)
    found = claimed(tx, asked.due)
    if found is None:
        return
    row, rule = found
    if asked.ids is None and not asked.fault and _put_off(tx, row, asked):
        return
    case_id = row.case_id
    if asked.fault:
        report_policy_fault(tx, row.workflow, asked.fault)
    elif asked.ids is None:
        said = not_asked(asked.connector, asked.because, end=row.due_at, attempts=row.attempts + 1)
        case_id = _report(tx, row.workflow, said, "census:not_asked")
    else:
        if case_id is not None:
            tell(tx, [News(case_id, What.CENSUS_ASKED, is_over=True)])
            case_id = None
        _compare(tx, row, asked, tuple(dict.fromkeys(each[:LONGEST_IDENTITY] for each in asked.ids)))
    go_on(tx, row, rule, case_id=case_id)


def take_turn(tx: Tx, due: DueBaseline) -> Turn | None:
    """Whether a census may be asked now. None: not now; it is looked at again when its connector lets something pass,
    without a try less."""
    rule = due.policy.workflows[due.workflow].census
    assert rule is not None
    turn = passing.take_turn(tx, rule.request.connector or "", 1, lease=LEASE)
    if turn.passing:
        return turn
    if claimed(tx, due):
        change(tx, due.workflow, due.kind, again_at=turn.again_at)
    return None


def _put_off(tx: Tx, row: Baseline, asked: Asked) -> bool:
    made = row.attempts + 1
    ends_at = tx.now + LONGEST_TRYING
    again_at = next_attempt_at(
        BACKOFF, made=made, now=tx.now, share=asked.share, retry_after=asked.retry_after, key_ends_at=ends_at
    )
    if again_at is None or not asked.may_pass:
        return False
    change(tx, row.workflow, row.kind, attempts=made, again_at=again_at)
    return True


def _compare(tx: Tx, row: Baseline, asked: Asked, ids: Sequence[str]) -> None:
    missed = _without_event(tx, row.workflow, ids)
    named = set(_among(tx.session, col(Missed.identity), col(Missed.workflow) == row.workflow, missed))
    new = [each for each in missed if each not in named]
    tx.record("census.taken", workflow=row.workflow, asked=len(ids), missed=len(missed), new=len(new))
    if not new:
        return
    held = select(func.count()).where(col(Trigger.workflow) == row.workflow, col(Trigger.state) == "quarantined")
    quarantined = int(tx.session.execute(held).scalar_one())
    said = never_came(new, asked=len(ids), connector=asked.connector, end=row.due_at, quarantined=quarantined)
    case_id = _report(tx, row.workflow, said, "census:missed")
    rows = [{"workflow": row.workflow, "identity": each, "case_id": case_id, "named_at": tx.now} for each in new]
    add_new(tx.session, Missed, rows, unique=["workflow", "identity"])


def _without_event(tx: Tx, workflow: str, ids: Sequence[str]) -> list[str]:
    """Those of which no event came, in their order. One that is held in quarantine came."""
    came = set(_among(tx.session, col(Trigger.identity), _counts(workflow), ids))
    came |= set(_held(tx, workflow)) if len(came) < len(ids) else set()
    return [each for each in ids if each not in came]


def _counts(workflow: str) -> ColumnElement[bool]:
    return and_(col(Trigger.workflow) == workflow, col(Trigger.is_drill).is_(False))


def _held(tx: Tx, workflow: str) -> Iterator[str]:
    """The ids of misfits in quarantine, which are known by the digest of what came, as far as they have one."""
    trigger = tx.policy.workflows[workflow].trigger
    if trigger is None:
        return
    misfits = select(col(Event.content)).join(Trigger, col(Trigger.event_id) == col(Event.id))
    misfits = misfits.where(_counts(workflow), col(Trigger.state) == "quarantined").order_by(col(Event.id).desc())
    for content in tx.session.execute(misfits.limit(AT_ONCE)).scalars():
        with suppress(Missing, ExpressionFault):
            yield trigger.id.render_text({"event": content, "now": tx.now})[:LONGEST_IDENTITY]


def _among(session: Session, column: Any, where: ColumnElement[bool], ids: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(ids), AT_ONCE):
        wanted = select(column).where(where, column.in_(ids[start : start + AT_ONCE]))
        yield from session.execute(wanted).scalars()


def _report(tx: Tx, workflow: str, said: Said, dedup_key: str) -> int:
    case_id, _ = report_one(
        tx,
        Report(
            by=TIMER,
            workflow=workflow,
            failure_mode="missed",
            title=said.title,
            detail=said.detail,
            dedup_key=dedup_key,
        ),
    )
    return case_id


# --- what came after all


def some_came(session: Session) -> bool:
    """Whether an event came of an id that a census missed."""
    return session.execute(_came_after_all().limit(1)).first() is not None


def cross_off(tx: Tx, _: None = None) -> int:
    """Crosses off the ids that came, in the threads of their cases; a case of which all came is over. Returns how many
    ids that were."""
    rows = tx.session.execute(_came_after_all().with_for_update(of=Missed)).all()
    by_case: dict[int, list[str]] = {}
    for workflow, identity, case_id in rows:
        key = col(Missed.workflow) == workflow, col(Missed.identity) == identity
        tx.session.execute(
            update(Missed).where(*key).values(came_at=tx.now).execution_options(synchronize_session=False)
        )
        by_case.setdefault(case_id, []).append(identity)
    tell(tx, [_news(tx, case_id, ids) for case_id, ids in by_case.items()])
    return len(rows)


def _came_after_all() -> Any:
    is_same = and_(col(Trigger.workflow) == col(Missed.workflow), col(Trigger.identity) == col(Missed.identity))
    rows = select(col(Missed.workflow), col(Missed.identity), col(Missed.case_id)).join(Trigger, is_same)
    return rows.where(col(Missed.came_at).is_(None), col(Trigger.is_drill).is_(False)).order_by(
        col(Missed.workflow), col(Missed.identity)
    )


def _news(tx: Tx, case_id: int, came: Sequence[str]) -> News:
    still = select(func.count()).where(col(Missed.case_id) == case_id, col(Missed.came_at).is_(None))
    left = int(tx.session.execute(still).scalar_one())
    facts = {"ids": list(came[:NAMED_IN_LINE]), "came": len(came), "left": left}
    return News(case_id, What.MISSED_CAME, is_over=not left, facts=facts)
