"""The slow pass over all audit chains: each is followed from its first entry again, a slice at a time, for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session

from store.audit import Broken, follow, genesis, verify
from store.audit_models import AuditLeaf
from store.models import AuditEntry

MOST_CHAINS, MOST_ENTRIES = 1000, 10_000
"""Of one slice: half a second beside the writers."""
_E: Any = AuditEntry.__table__  # type: ignore[attr-defined]
_L: Any = AuditLeaf.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Slice:
    """What was found, and where the next slice begins. `healed` are the places of chains that hold again."""

    broken: tuple[tuple[int, Broken], ...]
    healed: tuple[int, ...]
    cursor: str


def recheck(session: Session, cursor: str) -> Slice:
    """Follows the next chains up to the entry that was seen last. The cursor is empty for the first slice, and again
    behind the last one."""
    place, seq, hash_ = _read(cursor)
    found: list[tuple[int, Broken]] = []
    healed: list[int] = []
    left = MOST_ENTRIES
    page = select(_L).where(_L.c.place >= place).order_by(_L.c.place).limit(MOST_CHAINS)
    for leaf in session.execute(page).all():
        start = (seq, hash_) if leaf.place == place and seq else (0, genesis(leaf.chain))
        entries = _entries(session, leaf, start[0], left)
        left -= len(entries)
        last, broken = _judged(leaf, entries, start, is_cut=left <= 0)
        if left <= 0 and broken is None and last[0] < leaf.seq:
            return Slice(tuple(found), tuple(healed), f"{leaf.place}:{last[0]}:{last[1]}")
        if broken:
            found.append((leaf.place, broken))
        elif leaf.broken and not list(verify(session, chain=leaf.chain)):
            healed.append(leaf.place)
        place = leaf.place + 1
        if left <= 0:
            return Slice(tuple(found), tuple(healed), f"{place}:0:")
    is_over = session.execute(select(_L.c.place).where(_L.c.place >= place).limit(1)).first() is None
    return Slice(tuple(found), tuple(healed), "" if is_over else f"{place}:0:")


def _read(cursor: str) -> tuple[int, int, str]:
    place, _, rest = cursor.partition(":")
    seq, _, hash_ = rest.partition(":")
    return int(place or 0), int(seq or 0), hash_


def _entries(session: Session, leaf: Any, after: int, most: int) -> Sequence[Any]:
    own = select(_E).where(_E.c.chain == leaf.chain, _E.c.seq > after, _E.c.seq <= leaf.seq)
    return session.execute(own.order_by(_E.c.seq).limit(most)).all()


def _judged(
    leaf: Any, entries: Sequence[Any], start: tuple[int, str], *, is_cut: bool
) -> tuple[tuple[int, str], Broken | None]:
    """Up to where the chain holds, and what is wrong with it."""
    followed = follow(leaf.chain, entries, start)
    last = followed.seq, followed.hash
    if followed.broken or (is_cut and last[0] < leaf.seq):
        return last, followed.broken
    if last[0] < leaf.seq:
        return last, Broken(leaf.chain, last[0] + 1, "it is missing, and was there before")
    return last, None if last[1] == leaf.hash else Broken(leaf.chain, leaf.seq, "it was rewritten since it was seen")


def keep_rechecked(session: Session, slice_: Slice) -> None:
    """Marks the chains that do not hold, and takes the mark from those that hold again."""
    marks = [(place, f"entry {broken.seq}: {broken.why}") for place, broken in slice_.broken]
    for place, why in (*marks, *((place, "") for place in slice_.healed)):
        session.execute(update(_L).where(_L.c.place == place).values(broken=why))
