"""Connectors as they answer: which may be sent to now and how much, which are left alone until a probe, and the one
case that says so. Correct for any number of replicas: what is decided is decided on the connector's locked row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, exists, func, or_, select, update
from sqlmodel import Session, col

from bot.desk.connector_words import OF_SYSTEM, detail_of, title_of
from bot.desk.healing import News
from bot.desk.healing import tell as tell_healed
from bot.desk.intake import Report, report_one
from bot.desk.ongoing import load, save
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.rules.circuit import Circuit, Heard, State, Then, goes_down, step
from bot.rules.health import speaks_for
from bot.rules.rates import after, passes
from bot.rules.saying import What
from runbooks.connectors import variables_of
from store.columns import Instant
from store.contract_models import ConnectorHealth, ConnectorState
from store.models import Case, Delivery
from store.rows import Unless, insert_rows

LONGEST_PAUSE = timedelta(minutes=1)
"""So long one event's Retry-After holds back the others of its connector; the event itself waits as long as it says."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A connector that has something due and may be sent to: how much of it, and whether that is a probe."""

    connector: str
    state: State
    free_at: datetime | None
    passing: int

    @property
    def is_probe(self) -> bool:
        """Whether what passes asks if the system is back."""
        return self.state is not State.CLOSED


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a request, for its connector. `denied_before`: the same delivery was refused by it earlier."""

    connector: str
    heard: Heard
    event_id: int
    workflow: str
    because: str
    is_probe: bool
    denied_before: bool
    retry_after: timedelta | None


@dataclass(frozen=True, slots=True)
class Down:
    """A system is down by its health path: since when, and what that answered."""

    since_at: datetime
    because: str


@dataclass(slots=True)
class Listened:
    """A connector within a transaction, and what became of it."""

    connector: str
    circuit: Circuit
    was: State
    since_at: datetime
    probe_at: datetime | None
    free_at: datetime | None
    because: str
    case_id: int | None
    workflow: str = ""
    is_to_tell: bool = False
    down: Down | None = None
    """What its health path says, where that is that it is down."""

    @property
    def is_shut_off(self) -> bool:
        """Whether it is left alone now."""
        return self.circuit.state is not State.CLOSED


_TABLE = ConnectorState.__table__  # type: ignore[attr-defined]
_DUE = Delivery.__table__  # type: ignore[attr-defined]
"""Core statements, made once: they are asked after every commit."""
_COLUMNS = ("connector", "state", "failures", "failed_event", "since_at", "probe_at", "free_at", "because", "case_id")
_NOW: Any = bindparam("now", type_=Instant)
_OPENS_AT = case((_TABLE.c.state == "closed", _TABLE.c.free_at), else_=_TABLE.c.probe_at)
_NAMES = _TABLE.c.connector.in_(bindparam("names", expanding=True))
_KNOWN = select(_TABLE.c.connector).where(_NAMES)
_PASSABLE = (
    select(_TABLE.c.connector, _TABLE.c.state)
    .where(
        or_(_OPENS_AT.is_(None), _OPENS_AT <= _NOW),
        exists().where(_DUE.c.connector == _TABLE.c.connector, _DUE.c.due_at <= _NOW),
    )
    .order_by(_TABLE.c.connector)
)
_SOME = _PASSABLE.limit(1)
_FIRST_DUE = (
    select(func.min(_DUE.c.due_at))
    .where(_DUE.c.connector == _TABLE.c.connector, _DUE.c.due_at.is_not(None))
    .correlate(_TABLE)
    .scalar_subquery()
)
_NEXT = select(_OPENS_AT, _FIRST_DUE)
_ROWS = select(*(_TABLE.c[name] for name in _COLUMNS)).where(_NAMES)
_LOCKED = _ROWS.order_by(_TABLE.c.connector).with_for_update()
_HEALTH = ConnectorHealth.__table__  # type: ignore[attr-defined]
_DOWN = select(_HEALTH.c.connector, _HEALTH.c.since_at, _HEALTH.c.because).where(
    _HEALTH.c.connector.in_(bindparam("names", expanding=True)), _HEALTH.c.state == "down"
)
_ONE = update(_TABLE).where(_TABLE.c.connector == bindparam("_connector"))
_FREE = _ONE.values(free_at=bindparam("_at", type_=Instant))
_PROBED = _ONE.values(probe_at=bindparam("_at", type_=Instant))


def know(tx: Tx, connectors: Iterable[str]) -> None:
    """From now on it is looked for what is due to these connectors."""
    names = set(connectors)
    missing = names - set(tx.session.connection().execute(_KNOWN, {"names": sorted(names)}).scalars())
    row = {"state": "closed", "failures": 0, "since_at": tx.now, "because": ""}
    insert_rows(
        tx.session,
        ConnectorState,
        [{"connector": each, **row} for each in sorted(missing)],
        unless=Unless(("connector",)),
    )


# --- what may leave


def some_may_pass(session: Session, now: datetime) -> bool:
    """Whether something is due that its connector lets pass."""
    return session.connection().execute(_SOME, {"now": now}).first() is not None


def next_passing(session: Session) -> datetime | None:
    """When the next delivery is due and its connector lets it pass; None: none is under way."""
    rows = session.connection().execute(_NEXT)
    return min((max(opens_at or due_at, due_at) for opens_at, due_at in rows if due_at is not None), default=None)


def passable(tx: Tx) -> Sequence[tuple[str, str]]:
    """The connectors, and their states, that have something due and may be sent to."""
    return [(name, state) for name, state in tx.session.connection().execute(_PASSABLE, {"now": tx.now})]


def gate(tx: Tx, connector: str, state: str, wanted: int) -> Gate:
    """How much of what is wanted passes now. One with a rate, or one that is left alone, is locked for it."""
    known = tx.policy.connectors.get(connector)
    rate = known.rate if known else None
    if rate is None and state == "closed":
        return Gate(connector, State.CLOSED, None, wanted)
    row = tx.session.connection().execute(_LOCKED, {"names": [connector]}).one()
    now_state, probe_at, free_at = row.state, row.probe_at, row.free_at
    if now_state != "closed":
        return Gate(connector, State(now_state), None, 0 if probe_at and probe_at > tx.now else min(1, wanted))
    if free_at and free_at > tx.now:
        return Gate(connector, State.CLOSED, free_at, 0)
    return Gate(connector, State.CLOSED, free_at, passes(rate, free_at, tx.now, wanted=wanted) if rate else wanted)


def passed(tx: Tx, gate: Gate, count: int, *, lease: timedelta) -> None:
    """So many left. A probe is the only one until it is answered, or its lease is over."""
    known = tx.policy.connectors.get(gate.connector)
    if not count:
        return
    if gate.is_probe:
        tx.session.connection().execute(_PROBED, {"_connector": gate.connector, "_at": tx.now + lease})
    elif known and known.rate:
        free_at = after(known.rate, gate.free_at, tx.now, left=count)
        tx.session.connection().execute(_FREE, {"_connector": gate.connector, "_at": free_at})


# --- what comes back


def listen(tx: Tx, results: Sequence[Result]) -> dict[str, Listened]:
    """Takes in what the results say of their connectors, in their order. Where all is well nothing is locked and
    nothing is written."""
    names = sorted({each.connector for each in results})
    found = _load(tx, _ROWS, names)
    is_well = all(each.heard is Heard.ANSWER for each in results)
    if is_well and all(each.circuit == Circuit() for each in found.values()):
        return found
    found = _locked(tx, names)
    for each in results:
        if each.connector in found:
            _hear(tx, found[each.connector], each)
    rows = [_row(each) for each in found.values()]
    tx.session.connection().execute(_WRITTEN, rows)
    return found


def _load(tx: Tx, statement: Any, names: Sequence[str]) -> dict[str, Listened]:
    found = {}
    for row in tx.session.connection().execute(statement, {"names": names}):
        name, state, failures, failed_event, *rest = row
        found[name] = Listened(name, Circuit(State(state), failures, failed_event), State(state), *rest)
    return found


def _locked(tx: Tx, names: Sequence[str]) -> dict[str, Listened]:
    found = _load(tx, _LOCKED, names)
    for name, since_at, because in tx.session.connection().execute(_DOWN, {"names": list(names)}):
        if name in found:
            found[name].down = Down(since_at, because)
    return found


def _hear(tx: Tx, seen: Listened, result: Result) -> None:
    taken = step(
        seen.circuit,
        result.heard,
        event_id=result.event_id,
        is_probe=result.is_probe,
        denied_before=result.denied_before,
        is_down=seen.down is not None,
    )
    if taken.circuit.state is not seen.circuit.state:
        seen.since_at = tx.now
    seen.circuit = taken.circuit
    if taken.then is not Then.NOTHING:
        seen.is_to_tell = True
        seen.because, seen.workflow = result.because, result.workflow
        seen.probe_at = tx.now + taken.probe_in if taken.probe_in else None
    if result.heard is Heard.BUSY and result.retry_after:
        until = tx.now + min(result.retry_after, LONGEST_PAUSE)
        seen.free_at = max(seen.free_at or until, until)


_WRITTEN = _ONE.values(
    **{name: bindparam(f"_{name}") for name in ("state", "failures", "failed_event", "because")},
    **{name: bindparam(f"_{name}", type_=Instant) for name in ("since_at", "probe_at", "free_at")},
)


def _row(seen: Listened) -> dict[str, Any]:
    return {
        "_connector": seen.connector,
        "_state": seen.circuit.state.value,
        "_failures": seen.circuit.failures,
        "_failed_event": seen.circuit.failed_event,
        "_because": seen.because,
        "_since_at": seen.since_at,
        "_probe_at": seen.probe_at,
        "_free_at": seen.free_at,
    }


# --- what is told


def tell(tx: Tx, heard: Iterable[Listened]) -> None:
    """One case for a connector that is left alone, which says how much is held as of the last probe; it heals when the
    connector answers again."""
    for seen in heard:
        if not seen.is_to_tell:
            continue
        is_over = seen.circuit.state is State.CLOSED and seen.down is None
        if seen.case_id and (is_over or not _is_of_its_kind(seen)):
            tell_healed(tx, [_back(tx, seen, seen.case_id)])
        _keep_case(tx, seen, None if is_over else _put_case(tx, seen))


def went_down(tx: Tx, connector: str) -> None:
    """Its health path says so: one case, the one that its circuit has or would have."""
    seen = _locked(tx, [connector])[connector]
    taken = goes_down(seen.circuit)
    if taken.then is Then.SHUT_OFF and taken.probe_in:
        seen.circuit, seen.since_at = taken.circuit, tx.now
        seen.probe_at, seen.because = tx.now + taken.probe_in, "its health path says that it is down"
        tx.session.connection().execute(_WRITTEN, [_row(seen)])
    _keep_case(tx, seen, _put_case(tx, seen))


def came_up(tx: Tx, connector: str) -> None:
    """Its health path answers well again. What is held goes on with an event that is asked about now; where nothing is
    held, the case is over."""
    seen = _locked(tx, [connector])[connector]
    if seen.circuit.state is State.CLOSED and seen.case_id:
        tell_healed(tx, [_back(tx, seen, seen.case_id)])
        _keep_case(tx, seen, None)
    elif seen.circuit.state is not State.CLOSED:
        ask_now(tx, connector)
        seen.probe_at = tx.now
        _keep_case(tx, seen, _put_case(tx, seen))


def _is_of_its_kind(seen: Listened) -> bool:
    """Whether its case is still about the same: that it refuses us, or that it does not answer."""
    return (seen.was is State.REFUSED) == (seen.circuit.state is State.REFUSED)


def _back(tx: Tx, seen: Listened, case_id: int) -> News:
    facts = {"connector": seen.connector, "held": held(tx.session, seen.connector)}
    return News(case_id, What.CONNECTOR_BACK, is_over=True, facts=facts)


def _put_case(tx: Tx, seen: Listened) -> int:
    """The open case of this connector, as it is now; opened if there is none."""
    title, detail = title_of(seen), _detail(tx, seen)
    going = load(tx, [seen.case_id]).get(seen.case_id) if seen.case_id and _is_of_its_kind(seen) else None
    if going and going.case.is_open:
        going.set(title=title, detail=detail)
        save(tx, [going])
        tx.owe_card(going.case.id, going.case.channel)
        return going.case.id
    kind = State.REFUSED if seen.circuit.state is State.REFUSED else State.OPEN
    report = Report(
        by=SYSTEM,
        workflow=seen.workflow or speaks_for(tx.policy, seen.connector),
        failure_mode="delivery_failed",
        title=title,
        detail=detail,
        next_step=_next_step(seen),
        dedup_key=f"{OF_SYSTEM}{seen.connector}:{kind}",
    )
    case_id, is_new = report_one(tx, report)
    because = seen.down.because if seen.down and not seen.is_shut_off else seen.because
    tx.record(f"connector.{kind}", case_id=case_id, connector=seen.connector, because=because)
    if not is_new:
        going = load(tx, [case_id])[case_id]
        going.set(detail=detail)
        save(tx, [going])
    return case_id


def _keep_case(tx: Tx, seen: Listened, case_id: int | None) -> None:
    if case_id != seen.case_id:
        kept = update(ConnectorState).where(col(ConnectorState.connector) == seen.connector)
        tx.session.execute(kept.values(case_id=case_id).execution_options(synchronize_session=False))


def _next_step(seen: Listened) -> str:
    if seen.circuit.state is State.REFUSED:
        return f"Put right the credentials of {seen.connector}, then press Retry: what is held goes on by itself."
    return (
        f"See what is wrong with {seen.connector}. Nothing has to be sent by hand: what is held goes on by itself when "
        "it answers; Retry asks it now."
    )


def _detail(tx: Tx, seen: Listened) -> str:
    known = tx.policy.connectors.get(seen.connector)
    return detail_of(seen, held(tx.session, seen.connector), variables_of(known) if known else ())


def held(session: Session, connector: str) -> int:
    """How many deliveries to this connector have not come to their end."""
    waiting = select(func.count()).where(col(Delivery.connector) == connector, col(Delivery.due_at).is_not(None))
    return int(session.execute(waiting).scalar_one())


# --- what people do about it


def of_case(session: Session, case: Case) -> str | None:
    """The connector that this case is about, while it is left alone."""
    mine = select(col(ConnectorState.connector)).where(
        col(ConnectorState.case_id) == case.id, col(ConnectorState.state) != "closed"
    )
    return session.execute(mine).scalars().first()


def ask_now(tx: Tx, connector: str) -> None:
    """The next probe is due now."""
    _ask(tx, col(ConnectorState.connector) == connector)


def ask_refused(tx: Tx, _: None = None) -> None:
    """Those that refused our credentials are asked now: a start or another policy may have brought other ones."""
    _ask(tx, col(ConnectorState.state) == "refused")


def _ask(tx: Tx, which: Any) -> None:
    shut = col(ConnectorState.state) != "closed", col(ConnectorState.probe_at) > tx.now
    now = update(ConnectorState).where(which, *shut).values(probe_at=tx.now)
    tx.session.execute(now.execution_options(synchronize_session=False))
