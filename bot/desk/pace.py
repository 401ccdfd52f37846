"""How fast messages leave, over all replicas: the buckets of Slack's limits are rows, which a claim locks and takes its
tokens from. So the limits hold however many processes send, and what one of them is told to wait for all heed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlmodel import Session, col

from bot.desk.tx import Tx
from bot.rules.pacing import Bucket, limit_of
from store.serving_models import Pace
from store.writing import add_new

CHANNEL = "channel:"
CARDS = "cards:"


@dataclass(frozen=True, slots=True)
class Empty:
    """The buckets without a token, and when each has one again."""

    until: Mapping[str, datetime]

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that take nothing now."""
        return tuple(name.removeprefix(CHANNEL) for name in self.until if name.startswith(CHANNEL))

    @property
    def channels_of_cards(self) -> tuple[str, ...]:
        """The channels that take no new card now."""
        return tuple(name.removeprefix(CARDS) for name in self.until if name.startswith(CARDS))

    @property
    def has_updates(self) -> bool:
        """Whether no message can be edited now."""
        return "updates" in self.until


def empty(session: Session, now: datetime) -> Empty:
    """Which buckets are without a token."""
    rows = session.execute(_IN_USE, {"now": now})
    times = {row.name: _free_at(row.name, row.full_at, row.held_until) for row in rows}
    return Empty({name: at for name, at in times.items() if at > now})


def take(tx: Tx, wanted: Sequence[Sequence[str]]) -> list[bool]:
    """For each message, in order, whether it may leave now: all its buckets have a token, which it takes. The buckets
    stay locked until the commit, so that two claims never take the same token."""
    rows = _locked(tx, {name for names in wanted for name in names})
    known = {name: Bucket(limit_of(name), row.full_at) for name, row in rows.items()}
    held = {name for name, row in rows.items() if row.held_until is not None and row.held_until > tx.now}
    may: list[bool] = []
    spent: set[str] = set()
    for names in wanted:
        may.append(not any(name in held or known[name].free_at() > tx.now for name in names))
        if may[-1]:
            known |= {name: known[name].spent(tx.now) for name in names}
            spent |= set(names)
    if spent:
        written = [{"bucket": name, "full": known[name].full_at} for name in sorted(spent)]
        tx.session.connection().execute(_SPENT, written)
    return may


def hold(tx: Tx, name: str, until: datetime) -> None:
    """Nobody takes a token from this bucket before `until`."""
    row = _locked(tx, {name})[name]
    if row.held_until is None or row.held_until < until:
        held = update(Pace).where(col(Pace.name) == name).values(held_until=until)
        tx.session.execute(held.execution_options(synchronize_session=False))


def _locked(tx: Tx, names: Iterable[str]) -> dict[str, Any]:
    """The rows of these buckets, locked in the order of their names; one that is not there is full."""
    wanted = sorted(names)
    rows = {row.name: row for row in tx.session.execute(_LOCKED, {"names": wanted})} if wanted else {}
    if missing := [name for name in wanted if name not in rows]:
        full = [{"name": name, "full_at": tx.now} for name in missing]
        add_new(tx.session, Pace, full, unique=["name"])
        rows |= {row.name: row for row in tx.session.execute(_LOCKED, {"names": missing})}
    return rows


def _free_at(name: str, full_at: datetime, held_until: datetime | None) -> datetime:
    free_at = Bucket(limit_of(name), full_at).free_at()
    return free_at if held_until is None else max(free_at, held_until)


_COLUMNS = (col(Pace.name), col(Pace.full_at), col(Pace.held_until))
_IN_USE = select(*_COLUMNS).where(
    or_(col(Pace.full_at) > bindparam("now"), col(Pace.held_until) > bindparam("now")),
)
_LOCKED = (
    select(*_COLUMNS)
    .where(col(Pace.name).in_(bindparam("names", expanding=True)))
    .order_by(col(Pace.name))
    .with_for_update()
)
_TABLE = Pace.__table__  # type: ignore[attr-defined]
_SPENT = update(_TABLE).where(_TABLE.c.name == bindparam("bucket")).values(full_at=bindparam("full"))
