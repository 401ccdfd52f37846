"""The slow pass over all audit chains: each is followed from its first entry again, a slice at a time, for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, true, update
from sqlmodel import Session

from store.audit import Broken, follow, genesis, verify
from store.audit_models import AuditLeaf
from store.models import AuditEntry, AuditHead

MOST_CHAINS, MOST_ENTRIES = 1000, 10_000
"""Of one slice: half a second beside the writers."""
_E: Any = AuditEntry.__table__  # type: ignore[attr-defined]
_H: Any = AuditHead.__table__  # type: ignore[attr-defined]
_L: Any = AuditLeaf.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Slice:
    """What was found, and where the next slice begins. `healed` are the places of chains that hold again, `forgotten`
    the names of those that have grown and are not marked as changed."""

    broken: tuple[tuple[int, Broken], ...]
    healed: tuple[int, ...]
    forgotten: tuple[str, ...]
    cursor: str


@dataclass(slots=True)
class _Finding:
    broken: list[tuple[int, Broken]] = field(default_factory=list)
    healed: list[int] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def until(self, cursor: str) -> Slice:
        return Slice(tuple(self.broken), tuple(self.healed), tuple(self.forgotten), cursor)


def recheck(session: Session, cursor: str) -> Slice:
    """Follows the next chains up to the entry that was seen last. The cursor is empty for the first slice, and again
    behind the last one."""
    place, seq, hash_ = _read(cursor)
    finding, left = _Finding(), MOST_ENTRIES
    for leaf in session.execute(_page(place)).all():
        start = (seq, hash_) if leaf.place == place and seq else (0, genesis(leaf.chain))
        entries = _entries(session, leaf, start[0], left)
        left -= len(entries)
        last, broken = _judged(leaf, entries, start, is_cut=left <= 0)
        if left <= 0 and broken is None and last[0] < leaf.seq:
            return finding.until(f"{leaf.place}:{last[0]}:{last[1]}")
        _take_in(session, finding, leaf, broken)
        place = leaf.place + 1
        if left <= 0:
            return finding.until(f"{place}:0:")
    if session.execute(select(_L.c.place).where(_L.c.place >= place).limit(1)).first():
        return finding.until(f"{place}:0:")
    finding.forgotten += session.execute(_NEVER_SEEN).scalars()
    return finding.until("")


def _page(place: int) -> Any:
    joined = _L.outerjoin(_H, _H.c.chain == _L.c.chain)
    wanted = select(_L, _H.c.seq.label("head_seq"), _H.c.is_changed).select_from(joined)
    return wanted.where(_L.c.place >= place).order_by(_L.c.place).limit(MOST_CHAINS)


_NEVER_SEEN = (
    select(_H.c.chain)
    .select_from(_H.outerjoin(_L, _L.c.chain == _H.c.chain))
    .where(_L.c.place.is_(None), _H.c.is_changed.is_(False))
    .limit(MOST_CHAINS)
)
"""Asked once in a whole pass: it reads all heads."""


def _take_in(session: Session, finding: _Finding, leaf: Any, broken: Broken | None) -> None:
    if broken:
        finding.broken.append((leaf.place, broken))
    elif leaf.broken and not list(verify(session, chain=leaf.chain)):
        finding.healed.append(leaf.place)
    elif not leaf.broken and leaf.head_seq != leaf.seq and not leaf.is_changed:
        finding.forgotten.append(leaf.chain)


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
    if leaf.seq and (leaf.head_seq is None or leaf.head_seq < leaf.seq):
        return last, Broken(leaf.chain, leaf.seq, "the head of the chain, which named it, is missing or an earlier one")
    if last[0] < leaf.seq:
        return last, Broken(leaf.chain, last[0] + 1, "it is missing, and was there before")
    return last, None if last[1] == leaf.hash else Broken(leaf.chain, leaf.seq, "it was rewritten since it was seen")


def keep_rechecked(session: Session, slice_: Slice) -> None:
    """Marks the chains that do not hold, takes the mark from those that hold again, and lets what was forgotten be
    looked at."""
    marks = [(place, f"entry {broken.seq}: {broken.why}") for place, broken in slice_.broken]
    for place, why in (*marks, *((place, "") for place in slice_.healed)):
        session.execute(update(_L).where(_L.c.place == place).values(broken=why))
    if slice_.forgotten:
        session.execute(update(_H).where(_H.c.chain.in_(slice_.forgotten)).values(is_changed=true()))
