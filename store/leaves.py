"""What was last seen of each audit chain: looked at where it has grown, kept as the leaves of one Merkle tree.

Looking costs what has changed, however many chains there are: an append marks the head of its chain, and a look takes
the marked ones in small reads, from the entry that was seen last. A chain keeps its place in the tree for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import and_, bindparam, false, func, or_, select, text, update
from sqlmodel import Session

from store.audit import STREAMED, Broken, Followed, canonical, fault_of, follow, head_fault
from store.audit_models import AuditBlock, AuditLeaf
from store.merkle import leaf_hash, root_of
from store.models import AuditEntry, AuditHead
from store.rows import Unless, insert_rows

MOST_CHAINS, MOST_ENTRIES = 500, 10_000
"""Of one look: about a tenth of a second beside the writers, and some milliseconds in which others wait."""
BLOCK = 256
"""Leaves of one stretch; a power of two, as the tree over stretches wants it."""

_E: Any = AuditEntry.__table__  # type: ignore[attr-defined]
_H: Any = AuditHead.__table__  # type: ignore[attr-defined]
_L: Any = AuditLeaf.__table__  # type: ignore[attr-defined]
_B: Any = AuditBlock.__table__  # type: ignore[attr-defined]
IS_CHANGED, IS_BROKEN = text("audit_heads.is_changed"), text("audit_leaves.broken <> ''")
"""Word for word as the indexes of some rows have it: only then SQLite uses them."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A chain as it was found: it holds up to `seq`, and `broken` says why no further. `place` None: it is new."""

    chain: str
    place: int | None
    head_seq: int
    seq: int
    hash: str
    broken: str


@dataclass(frozen=True, slots=True)
class Look:
    """Chains that were looked at; the next look begins `after` this one."""

    looked: tuple[Looked, ...]
    after: str


def leaf_data(chain: str, seq: int, hash_: str) -> bytes:
    """What a leaf is made of: canonical JSON of the chain's name, the number of its last entry, and that one's hash."""
    return canonical({"chain": chain, "seq": seq, "hash": hash_}).encode()


def look(session: Session, after: str) -> Look | None:
    """Looks at the next chains that have changed, by name after `after`; None: there are no more. One that has grown by
    more than is read at once is looked at again by the next look."""
    heads = session.execute(_changed(after)).all()
    if not heads:
        return None
    entries = session.execute(_entries([head.chain for head in heads])).all()
    cut = entries[-1].chain if len(entries) > MOST_ENTRIES else None
    grown = {chain: list(own) for chain, own in groupby(entries, lambda entry: str(entry.chain))}
    looked: list[Looked] = []
    for head in heads:
        looked.append(_judged(head, grown.get(head.chain, []), whole=head.chain != cut))
        if head.chain == cut:
            return Look(tuple(looked), cut if looked[-1].broken else after)
        after = head.chain
    return Look(tuple(looked), after)


def _changed(after: str) -> Any:
    leaf = _L.c.place, _L.c.seq.label("leaf_seq"), _L.c.hash.label("leaf_hash")
    joined = _H.outerjoin(_L, _L.c.chain == _H.c.chain)
    wanted = select(_H.c.chain, _H.c.seq, _H.c.hash, *leaf).select_from(joined)
    return wanted.where(IS_CHANGED, _H.c.chain > after).order_by(_H.c.chain).limit(MOST_CHAINS)


def _entries(chains: Sequence[str]) -> Any:
    """The entries of these chains from the one that was seen last on."""
    joined = _H.outerjoin(_L, _L.c.chain == _H.c.chain)
    joined = joined.join(_E, and_(_E.c.chain == _H.c.chain, _E.c.seq >= func.coalesce(_L.c.seq, 0)))
    mine = select(_E).select_from(joined).where(_H.c.chain.in_(chains))
    return mine.order_by(_H.c.chain, _E.c.seq).limit(MOST_ENTRIES + 1)


def _judged(head: Any, entries: Sequence[Any], *, whole: bool) -> Looked:
    followed = _followed(head, entries)
    broken = followed.broken or (head_fault(head.chain, followed, head.seq, head.hash) if whole else None)
    why = f"entry {broken.seq}: {broken.why}" if broken else ""
    return Looked(head.chain, head.place, head.seq, followed.seq, followed.hash, why)


def _followed(head: Any, entries: Sequence[Any]) -> Followed:
    """How far the chain holds from the entry on that was seen last, which is the first of these if it is there."""
    if not head.leaf_seq:
        return follow(head.chain, entries)
    start = head.leaf_seq, head.leaf_hash
    if not entries or entries[0].seq != head.leaf_seq:
        return Followed(*start, Broken(head.chain, head.leaf_seq, "it is missing, and was there before"))
    if entries[0].hash != head.leaf_hash or fault_of(entries[0]):
        return Followed(*start, Broken(head.chain, head.leaf_seq, "it was rewritten: it was another one before"))
    return follow(head.chain, entries[1:], start)


def keep(session: Session, looked: Sequence[Looked], number: int) -> None:
    """Writes what was seen, as of checkpoint `number`. Only one process may do so at a time; what was appended since
    the look stays marked."""
    fresh = enumerate((each for each in looked if each.place is None), next_place(session))
    insert_rows(session, AuditLeaf, [_row(place, each, number) for place, each in fresh])
    known = [{"of": each.place, **_row(each.place, each, number)} for each in looked if each.place is not None]
    is_as_before = _L.c.seq == bindparam("to_seq")
    mine, values = update(_L).where(_L.c.place == bindparam("of")), ("seq", "hash", "number", "broken")
    told = mine.where(is_as_before).values(broken=bindparam("to_broken"))
    moved = mine.where(~is_as_before).values({name: bindparam(f"to_{name}") for name in values})
    if known:
        rows = [{"of": row["of"], **{f"to_{name}": row[name] for name in values}} for row in known]
        session.connection().execute(
            told, [{name: row[name] for name in ("of", "to_seq", "to_broken")} for row in rows]
        )
        session.connection().execute(moved, rows)
    _unmark(session, [each for each in looked if each.broken or each.seq == each.head_seq])


def _row(place: int | None, each: Looked, number: int) -> dict[str, Any]:
    seen = {"chain": each.chain, "seq": each.seq, "hash": each.hash}
    return {"place": place, **seen, "number": number, "broken": each.broken}


def _unmark(session: Session, looked: Sequence[Looked]) -> None:
    seen = [{"of": each.chain, "head_seq": each.head_seq} for each in sorted(looked, key=lambda each: each.chain)]
    if seen:
        as_seen = update(_H).where(_H.c.chain == bindparam("of"), _H.c.seq == bindparam("head_seq"))
        session.connection().execute(as_seen.values(is_changed=false()), seen)


def next_place(session: Session) -> int:
    """How many leaves there are: the place of the next one."""
    return int(session.execute(select(func.coalesce(func.max(_L.c.place) + 1, 0))).scalar_one())


def newest_number(session: Session) -> int:
    """The number of the checkpoint that the newest leaves are of; 0: there are none."""
    return int(session.execute(select(func.coalesce(func.max(_L.c.number), 0))).scalar_one())


def broken(session: Session) -> list[Broken]:
    """The chains that did not hold when they were looked at."""
    rows = session.execute(select(_L.c.chain, _L.c.broken).where(IS_BROKEN).order_by(_L.c.chain))
    return [_read_broken(row.chain, row.broken) for row in rows]


def _read_broken(chain: str, said: str) -> Broken:
    number, _, why = said.removeprefix("entry ").partition(": ")
    return Broken(chain, int(number), why)


def vanished(session: Session, *, chain: str | None = None) -> Iterator[Broken]:
    """The chains whose last entry that was seen is not on record any more, or is another one. Reads all leaves."""
    same = and_(_E.c.chain == _L.c.chain, _E.c.seq == _L.c.seq)
    is_other = or_(_E.c.hash.is_(None), _E.c.hash != _L.c.hash)
    gone = select(_L.c.chain, _L.c.seq).select_from(_L.outerjoin(_E, same)).where(is_other, _L.c.seq > 0)
    gone = gone.where(_L.c.chain == chain) if chain else gone
    for row in session.execute(gone.order_by(_L.c.chain), execution_options=STREAMED):
        yield Broken(row.chain, row.seq, "it was cut off or rewritten: it was seen before as another one")


# --- the tree over the leaves


def stale_blocks(session: Session, number: int) -> list[int]:
    """The stretches with leaves that are newer than checkpoint `number`."""
    newer = select((_L.c.place // BLOCK).label("block")).where(_L.c.number > number).distinct()
    return sorted(session.execute(newer).scalars())


def block_root(session: Session, block: int) -> str:
    """The root over the leaves of one stretch, in hex."""
    mine = select(_L.c.chain, _L.c.seq, _L.c.hash).where(_L.c.place >= block * BLOCK, _L.c.place < (block + 1) * BLOCK)
    return root_of([leaf_hash(leaf_data(*row)) for row in session.execute(mine.order_by(_L.c.place))]).hex()


def keep_blocks(session: Session, roots: Sequence[tuple[int, str]]) -> None:
    """Writes the roots of stretches."""
    rows = [{"place": place, "root": root} for place, root in roots]
    insert_rows(session, AuditBlock, rows, unless=Unless(("place",)))
    if rows:
        mine = update(_B).where(_B.c.place == bindparam("of")).values(root=bindparam("to"))
        session.connection().execute(mine, [{"of": row["place"], "to": row["root"]} for row in rows])


def root(session: Session) -> str:
    """The root over all leaves, in hex, by the roots of their stretches."""
    roots = session.execute(select(_B.c.root).order_by(_B.c.place)).scalars()
    return root_of([bytes.fromhex(each) for each in roots]).hex()
