"""Drills: a failure is played through everything that a real one goes through, and what came of it is kept. A drill is
asked for by writing its row; the running service plays it, looks whether it was caught, and closes its case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, col

from bot.desk.baselines import FRESHNESS, rules
from bot.desk.events import take_in
from bot.desk.intake import Report, report_one
from bot.desk.judging import Arrival, OfDrill
from bot.desk.ongoing import load, save
from bot.desk.people import find_role
from bot.desk.telling import cancel_pages, in_thread
from bot.desk.tx import Tx
from bot.rules.actors import Actor, Kind
from bot.rules.baselines import too_few
from bot.rules.drills import OUTCOME_WITHIN, Impossible, Name, Script, write_script
from bot.rules.saying import What
from store.contract_models import Baseline, Drill, Expected, Trigger
from store.models import Case, Delivery, Owed

DRILL = Actor(Kind.SYSTEM, "drill")
AT_ONCE = 20
OVER = "It was a drill"
NOBODY_WATCHES = "no freshness window of it is looked at"


@dataclass(frozen=True, slots=True)
class Asked:
    """A drill that somebody asks for. `workflow` None: the first with which it can be played."""

    name: Name
    workflow: str | None
    by: str


def ask(session: Session, asked: Asked, *, at: datetime) -> int:
    """Writes the row that the running service plays; its number."""
    row = {"name": asked.name.value, "workflow": asked.workflow, "by": asked.by, "asked_at": at}
    written = insert(Drill).values(state="asked", because="", **row).returning(col(Drill.id))
    return int(session.connection().execute(written).scalar_one())  # type: ignore[arg-type]


def withdraw(session: Session, number: int, because: str, *, at: datetime) -> bool:
    """Takes back a drill that nothing has begun to play; whether it was."""
    mine = update(Drill).where(col(Drill.id) == number, col(Drill.state) == "asked")
    return bool(session.connection().execute(mine.values(state="impossible", because=because, ended_at=at)).rowcount)


def to_play(session: Session) -> list[int]:
    """The drills that are asked for or under way."""
    return list(session.execute(_TO_PLAY).scalars())


_IN_WORDS: Any = bindparam(None, ("asked", "running"), expanding=True, literal_execute=True)  # as the index has them
_OPEN: Any = col(Drill.state).in_(_IN_WORDS)
_TO_PLAY = select(col(Drill.id)).where(_OPEN).order_by(col(Drill.id)).limit(AT_ONCE)


def next_due(session: Session) -> datetime | None:
    """When the next drill is given up; what may be seen of it before is committed, and so looked at."""
    return session.execute(select(func.min(col(Drill.gives_up_at))).where(_OPEN)).scalar()


def carry_on(tx: Tx, number: int) -> int:
    """Plays the drill, or looks what has come of it. Returns whether that changed anything."""
    row = tx.session.execute(select(Drill).where(col(Drill.id) == number).with_for_update()).scalar_one()
    if row.state == "asked":
        _play(tx, row)
        return 1
    return _look(tx, row) if row.state == "running" else 0


def _set(tx: Tx, row: Drill, **values: Any) -> None:
    """Changes a drill, which is locked; the row shows it from now on."""
    tx.session.connection().execute(update(Drill).where(col(Drill.id) == row.id).values(**values))
    for name, value in values.items():
        set_committed_value(row, name, value)


# --- it is played


def _play(tx: Tx, row: Drill) -> None:
    name = Name(row.name)
    try:
        script = write_script(tx.policy, name, row.workflow, now=tx.now)
    except Impossible as fault:
        _set(tx, row, state="impossible", because=str(fault), started_at=tx.now, ended_at=tx.now)
        tx.record(
            "drill.impossible", workflow=_known(tx, row.workflow), drill=row.id, name=row.name, because=str(fault)
        )
        return
    tx.record("drill.started", workflow=script.workflow, drill=row.id, name=row.name, by=row.by, words=script.words)
    event_id, case_id = _silence(tx, script, row) if name is Name.SILENCE else _send(tx, script, row)
    _set(
        tx,
        row,
        state="running",
        workflow=script.workflow,
        because=script.words,
        started_at=tx.now,
        gives_up_at=tx.now + script.within,
        event_id=event_id,
        case_id=case_id,
    )


def _known(tx: Tx, workflow: str | None) -> str | None:
    """For the audit log: what calls itself a workflow and is none has no chain."""
    return workflow if workflow in tx.policy.workflows else None


def _send(tx: Tx, script: Script, row: Drill) -> tuple[int | None, int | None]:
    """Its events come in as those of any source do."""
    assert row.id is not None
    of = OfDrill(row.id, script.receiver)
    arrived = take_in(tx, [Arrival(DRILL, script.workflow, event, of) for event in script.events])
    case = next((each.case for each in reversed(arrived) if each.case), None)
    return int(arrived[0].event.removeprefix("E-")), int(case.removeprefix("C-")) if case else None


def _silence(tx: Tx, script: Script, row: Drill) -> tuple[None, int | None]:
    """The window that is looked at now ends, and nothing has come in it."""
    key = col(Baseline.workflow) == script.workflow, col(Baseline.kind) == FRESHNESS
    window = tx.session.execute(select(Baseline).where(*key)).scalar_one_or_none()
    freshness = tx.policy.workflows[script.workflow].freshness
    if window is None or freshness is None:
        return None, None
    rule = rules(tx.policy)[script.workflow, FRESHNESS]
    said = too_few(freshness, count=0, start=window.from_at, end=window.due_at, last=None, calendar=rule.calendar)
    report = Report(
        by=DRILL,
        workflow=script.workflow,
        failure_mode="stale",
        title=said.title,
        detail=said.detail,
        dedup_key=f"freshness:{row.id}",
        is_drill=True,
    )
    return None, report_one(tx, report)[0]


# --- it is looked at


def _look(tx: Tx, row: Drill) -> int:
    changed = _shorten(tx, row)
    case = _case(tx, row)
    if case is None:
        return changed + _give_up(tx, row, "nothing was detected" if row.event_id else NOBODY_WATCHES)
    if row.detected_at is None:
        role = find_role(tx.policy_of(case), case.owner)
        routed_to = f"{role.title} ({case.route.replace('_', ' ')}), {case.priority} {case.failure_mode}"
        _set(tx, row, case_id=case.id, detected_at=case.opened_at, routed_to=routed_to)
        changed += 1
    told_at = _told_at(tx, case)
    if told_at is None:
        return changed + _give_up(tx, row, "it was detected, and nobody was told")
    _set(tx, row, told_at=told_at)
    _end(tx, row, "caught", row.because)
    return changed + 1


def _shorten(tx: Tx, row: Drill) -> int:
    """A lost callback is not waited for as long as the contract says."""
    if row.name != Name.LOST_CALLBACK or row.event_id is None:
        return 0
    until = tx.now + OUTCOME_WITHIN
    waits = update(Expected).where(col(Expected.event_id) == row.event_id, col(Expected.due_at) > until)
    return int(tx.session.connection().execute(waits.values(due_at=until)).rowcount)


def _case(tx: Tx, row: Drill) -> Case | None:
    """The case that it became: known at once, or by what became of its event."""
    case_id = row.case_id
    if case_id is None and row.event_id is not None:
        column = Expected.case_id if row.name == Name.LOST_CALLBACK else Trigger.case_id
        of_event = col(Expected.event_id) if row.name == Name.LOST_CALLBACK else col(Trigger.event_id)
        case_id = tx.session.execute(select(col(column)).where(of_event == row.event_id)).scalar()
    return tx.session.get(Case, case_id) if case_id is not None else None


def _told_at(tx: Tx, case: Case) -> datetime | None:
    """When somebody was told: by direct message where the case goes to whoever is on call, else by its card."""
    if case.route == "on_call":
        sent = select(func.min(col(Owed.sent_at))).where(
            col(Owed.case_id) == case.id, col(Owed.kind) == "page", col(Owed.state) == "sent"
        )
        return tx.session.execute(sent).scalar()
    return tx.now if case.card_ts is not None else None


def _give_up(tx: Tx, row: Drill, because: str) -> int:
    if row.gives_up_at is None or tx.now < row.gives_up_at:
        return 0
    _end(tx, row, "missed", because)
    return 1


# --- it ends


def _end(tx: Tx, row: Drill, state: str, because: str) -> None:
    """What came of it is on record, and nothing of it goes on."""
    _set(tx, row, state=state, because=because, ended_at=tx.now)
    tx.record(f"drill.{state}", workflow=row.workflow, drill=row.id, name=row.name, because=because, case=_ref(row))
    if row.event_id is not None:
        _stop(tx, row.event_id, row.case_id)
    if row.case_id is not None:
        _close(tx, row, state)


def _ref(row: Drill) -> str | None:
    return f"C-{row.case_id}" if row.case_id else None


def _stop(tx: Tx, event_id: int, case_id: int | None) -> None:
    """Its events leave quarantine, and are not sent any more and wait for nothing."""
    mine = or_(col(Trigger.event_id) == event_id, and_(col(Trigger.case_id) == case_id, col(Trigger.is_drill)))
    held = update(Trigger).where(mine, col(Trigger.state) == "quarantined")
    sending = update(Delivery).where(col(Delivery.event_id) == event_id, col(Delivery.due_at).is_not(None))
    waiting = update(Expected).where(col(Expected.event_id) == event_id)
    for statement in (
        held.values(state="dropped"),
        sending.values(state="dead", due_at=None, lease_until=None, because="the drill is over"),
        waiting.values(due_at=None, lease_until=None),
    ):
        tx.session.execute(statement.execution_options(synchronize_session=False))


def _close(tx: Tx, row: Drill, state: str) -> None:
    going = load(tx, [row.case_id or 0]).get(row.case_id or 0)
    if going is None or not going.case.is_open:
        return
    case = going.case
    going.enter("resolved", at=tx.now, closed_at=tx.now, resolution=OVER, lease_until=None, snoozed_until=None)
    going.drop()
    cancel_pages(tx, case, even_if_acknowledged=True)
    tx.record("case.resolved", case_id=case.id, reason=OVER, because=f"drill.{state}")
    in_thread(tx, case, What.DRILL_OVER, caught=state == "caught", drill=row.id)
    tx.owe_card(case.id, case.channel)
    save(tx, [going])
