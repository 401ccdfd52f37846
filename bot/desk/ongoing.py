"""Cases as transactions change them: loaded with their timers and their record of states, locked, written back in
one go. One case or a thousand take the same number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import col

from bot.desk.pages import SHOWN, owe_page_updates
from bot.desk.runs import hooks
from bot.desk.tx import Tx
from bot.rules.windows import StateAt
from store.closing_models import Check, Closing
from store.database import Stale
from store.models import Case, StateChange, Timer
from store.rows import insert_rows

CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Running:
    """A timer of a case. `due_at` None: it stands still."""

    due_at: datetime | None
    step: int = 0
    attempts: int = 0


@dataclass(slots=True)
class Ongoing:
    """A case within a transaction. What is changed here is what `save` writes."""

    case: Case
    timers: dict[str, Running] = field(default_factory=dict)
    record: list[StateAt] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    entered: list[StateAt] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    stops_closing: bool = False

    def set(self, **values: Any) -> None:
        """Changes fields of the case; it shows them from now on."""
        for name, value in values.items():
            set_committed_value(self.case, name, value)
        self.values.update(values)

    def enter(self, state: str, *, at: datetime, **values: Any) -> None:
        """Puts the case to another state."""
        if state != self.case.state:
            self.stops_closing |= self.case.state == CLOSING
            self.record.append(StateAt(state, at))
            self.entered.append(StateAt(state, at))
        self.set(state=state, **values)

    def arm(self, kind: str, due_at: datetime | None, *, step: int = 0, attempts: int = 0) -> None:
        """Sets a timer; without `due_at` it stands still at this step."""
        self.timers[kind] = Running(due_at, step, attempts)
        self.touched.add(kind)

    def drop(self, *kinds: str) -> None:
        """Deletes timers (all of them, if none is named)."""
        for kind in kinds or tuple(self.timers):
            if self.timers.pop(kind, None):
                self.touched.add(kind)


def _of_these(column: Any) -> Any:
    return col(column).in_(bindparam("ids", expanding=True))


_CASES = (
    select(Case)
    .where(_of_these(Case.id))
    .order_by(col(Case.id))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_TIMERS = select(col(Timer.case_id), col(Timer.kind), col(Timer.due_at), col(Timer.step), col(Timer.attempts)).where(
    _of_these(Timer.case_id)
)
_RECORD = (
    select(col(StateChange.case_id), col(StateChange.state), col(StateChange.at))
    .where(_of_these(StateChange.case_id))
    .order_by(col(StateChange.id))
)
"""Made once: each act asks them, and making one costs more than asking it."""


def load(tx: Tx, ids: Iterable[int]) -> dict[int, Ongoing]:
    """The cases of these ids that exist, locked in the order of their ids."""
    found = {case.id: Ongoing(case) for case in tx.session.execute(_CASES, {"ids": list(ids)}).scalars()}
    these = {"ids": list(found)}
    for case_id, kind, due_at, step, attempts in tx.session.execute(_TIMERS, these):
        found[case_id].timers[kind] = Running(due_at, step, attempts)
    for case_id, state, at in tx.session.execute(_RECORD, these):
        found[case_id].record.append(StateAt(state, at))
    return found


def save(tx: Tx, many: Sequence[Ongoing]) -> None:
    """Writes what was changed, and owes the edits of direct messages that show it otherwise. A closing of which its
    case is no more, and which was not decided, is withdrawn. Raises `Stale` when a case is not as it was loaded."""
    _save_cases(tx, [going for going in many if going.values])
    owe_page_updates(tx, [going.case for going in many if not going.values.keys().isdisjoint(SHOWN)])
    _save_timers(tx, many)
    entered = [{"case_id": going.case.id, "state": at.state, "at": at.at} for going in many for at in going.entered]
    insert_rows(tx.session, StateChange, entered)
    hooks.closed(tx, [going.case for going in many if going.values.get("closed_at")])
    _withdraw_closings(tx, [going.case.id for going in many if going.stops_closing])
    for going in many:
        going.values, going.entered, going.touched, going.stops_closing = {}, [], set(), False


def _withdraw_closings(tx: Tx, case_ids: Sequence[int]) -> None:
    if not case_ids:
        return
    under_way = select(col(Closing.id)).where(col(Closing.case_id).in_(case_ids), col(Closing.state) == "checking")
    ids = list(tx.session.execute(under_way).scalars())
    withdrawn = update(Closing).where(col(Closing.id).in_(ids)).values(state="withdrawn", decided_at=tx.now)
    unasked = update(Check).where(col(Check.closing_id).in_(ids)).values(due_at=None, lease_until=None)
    for statement in (withdrawn, unasked) if ids else ():
        tx.session.execute(statement.execution_options(synchronize_session=False))


def _save_cases(tx: Tx, changed: Sequence[Ongoing]) -> None:
    """One statement for all cases of which the same fields changed."""
    alike: dict[tuple[str, ...], list[Ongoing]] = {}
    for going in changed:
        alike.setdefault(tuple(sorted(going.values)), []).append(going)
    for names, group in alike.items():
        rows = [_case_row(going) for going in group]
        result = tx.session.connection().execute(_change_of(names), rows)
        if result.rowcount != len(rows):
            raise Stale("a case is no longer as it was read")
        for going in group:
            set_committed_value(going.case, "version", going.case.version + 1)


@lru_cache(maxsize=128)
def _change_of(names: tuple[str, ...]) -> Any:
    table = Case.__table__  # type: ignore[attr-defined]
    seen = update(table).where(table.c.id == bindparam("_id"), table.c.version == bindparam("_version"))
    fields: Mapping[str, Any] = {name: bindparam(f"_{name}") for name in names}
    return seen.values(version=table.c.version + 1, **fields)


def _case_row(going: Ongoing) -> dict[str, Any]:
    fields = {f"_{name}": value for name, value in going.values.items()}
    return {"_id": going.case.id, "_version": going.case.version, **fields}


def _save_timers(tx: Tx, many: Sequence[Ongoing]) -> None:
    armed, dropped = [], []
    for going in many:
        for kind in going.touched:
            key = {"case_id": going.case.id, "kind": kind}
            timer = going.timers.get(kind)
            if timer is None:
                dropped.append({f"_{name}": value for name, value in key.items()})
            else:
                armed.append(key | {"due_at": timer.due_at, "step": timer.step, "attempts": timer.attempts})
    if dropped:
        tx.session.connection().execute(_drop_timer(), dropped)
    if armed:
        tx.session.connection().execute(_put_timer(tx.session.get_bind().dialect.name), armed)


@cache
def _drop_timer() -> Any:
    table = Timer.__table__  # type: ignore[attr-defined]
    return delete(table).where(table.c.case_id == bindparam("_case_id"), table.c.kind == bindparam("_kind"))


@cache
def _put_timer(dialect: str) -> Any:
    own: Any = sqlite if dialect == "sqlite" else postgresql
    put = own.insert(Timer.__table__)  # type: ignore[attr-defined]
    given = {name: put.excluded[name] for name in ("due_at", "step", "attempts")}
    return put.on_conflict_do_update(index_elements=["case_id", "kind"], set_=given | {"lease_until": None})
