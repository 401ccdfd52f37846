"""The audit log: append-only chains of SHA-256 over RFC 8785 canonical JSON, one per case and one for the desk.

What is stored is what is hashed: `body` holds the canonical bytes, `hash = SHA-256(prev_hash || body)`. The first
entry of a chain follows `genesis(chain)`, so that an entry cannot be moved to another chain. Appends lock the head
row of their chain, and `UNIQUE(prev_hash)` refuses a fork whatever the code above does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785
from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session, col

from store.models import AuditEntry, AuditHead

DESK = "desk"
"""The chain of what belongs to no case: policy changes, sign-ins, refused requests."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Something that happened. `detail` carries digests of payloads, never payloads."""

    chain: str
    action: str
    actor: Mapping[str, Any]
    detail: Mapping[str, Any]
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry of a chain that does not hold, and why."""

    chain: str
    seq: int
    why: str

    def __str__(self) -> str:
        return f"{self.chain} entry {self.seq}: {self.why}"


def chain_of(case_id: int) -> str:
    """The chain of a case."""
    return f"case:{case_id}"


def genesis(chain: str) -> str:
    """What the first entry of a chain follows."""
    return hashlib.sha256(f"pointsman:{chain}".encode()).hexdigest()


def entry_hash(prev_hash: str, body: str) -> str:
    """The hash of an entry: SHA-256 over the hash before it and its canonical body (UTF-8)."""
    return hashlib.sha256(prev_hash.encode() + body.encode()).hexdigest()


def canonical(value: Any) -> str:
    """RFC 8785 canonical JSON. The standard encoder writes the same bytes for what has no floats, no astral
    keys and no large integers, and is thirty times faster; all else goes to the reference implementation."""
    if _is_plain(value):
        return _ENCODER.encode(value)
    return rfc8785.dumps(value).decode()


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
_SAFE_INTEGER = 2**53 - 1


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    if kind is int:
        return bool(-_SAFE_INTEGER <= value <= _SAFE_INTEGER)
    if kind is dict:
        return all(type(key) is str and key.isascii() and _is_plain(item) for key, item in value.items())
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    return kind is bool or value is None


def append(session: Session, entries: Sequence[NewEntry], *, at: datetime) -> None:
    """Writes the entries to the ends of their chains, in their order, within the caller's transaction."""
    if not entries:
        return
    heads = _lock_heads(session, {entry.chain for entry in entries if not entry.is_first})
    known = set(heads)
    rows = []
    for entry in entries:
        seq, prev_hash = heads.get(entry.chain) or (0, genesis(entry.chain))
        body = canonical(_body(entry, seq + 1, at))
        row: dict[str, Any] = {
            "chain": entry.chain,
            "seq": seq + 1,
            "body": body,
            "prev_hash": prev_hash,
            "hash": entry_hash(prev_hash, body),
        }
        rows.append(row)
        heads[entry.chain] = (seq + 1, row["hash"])
    session.execute(insert(AuditEntry), rows)
    _move_heads(session, heads, known)


def _body(entry: NewEntry, seq: int, at: datetime) -> dict[str, Any]:
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds")
    return {
        "chain": entry.chain,
        "seq": seq,
        "at": stamp,
        "actor": dict(entry.actor),
        "action": entry.action,
        "detail": dict(entry.detail),
    }


def _lock_heads(session: Session, chains: set[str]) -> dict[str, tuple[int, str]]:
    if not chains:
        return {}
    wanted = select(col(AuditHead.chain), col(AuditHead.seq), col(AuditHead.hash)).where(
        col(AuditHead.chain).in_(sorted(chains))
    )
    rows = session.execute(wanted.order_by(col(AuditHead.chain)).with_for_update())
    return {chain: (seq, head) for chain, seq, head in rows}


def _move_heads(session: Session, heads: Mapping[str, tuple[int, str]], known: set[str]) -> None:
    fresh = [{"chain": chain, "seq": seq, "hash": head} for chain, (seq, head) in heads.items() if chain not in known]
    moved = [{"of": chain, "to_seq": heads[chain][0], "to_hash": heads[chain][1]} for chain in sorted(known)]
    if fresh:
        session.execute(insert(AuditHead), fresh)
    if moved:
        table = AuditHead.__table__  # type: ignore[attr-defined]
        move = update(table).where(table.c.chain == bindparam("of"))
        session.connection().execute(move.values(seq=bindparam("to_seq"), hash=bindparam("to_hash")), moved)


def read(session: Session, chain: str) -> list[dict[str, Any]]:
    """The entries of a chain in order, each with its hash and the one that it follows."""
    entries = session.execute(_entries(chain))
    return [_told(entry) for entry in entries]


def export(session: Session) -> Iterator[dict[str, Any]]:
    """All entries of all chains, chain by chain, as `read` tells them; not all in memory at once."""
    return map(_told, session.execute(_entries(None)).yield_per(1000))


def _told(entry: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(entry.body)
    return content | {"prev_hash": entry.prev_hash, "hash": entry.hash}


def verify(session: Session, *, chain: str | None = None) -> Iterator[Broken]:
    """The first break of each chain that does not hold, in the order of chains; nothing when all hold.

    Finds an edited, a removed, a reordered and an inserted entry, and a head that is not the last entry."""
    heads = dict(session.execute(_heads(chain)).tuples().all())
    for name, entries in _by_chain(session.execute(_entries(chain)).yield_per(1000)):
        broken = _check(name, entries, heads.pop(name, None))
        if broken:
            yield broken
    for name in sorted(heads):
        yield Broken(name, 1, "the chain has a head but no entries: they were removed")


def _entries(chain: str | None) -> Any:
    columns = select(AuditEntry.__table__)  # type: ignore[attr-defined]
    ordered = columns.order_by(col(AuditEntry.chain), col(AuditEntry.seq))
    return ordered.where(col(AuditEntry.chain) == chain) if chain else ordered


def _heads(chain: str | None) -> Any:
    heads = select(col(AuditHead.chain), col(AuditHead.hash))
    return heads.where(col(AuditHead.chain) == chain) if chain else heads


def _by_chain(rows: Iterable[Any]) -> Iterator[tuple[str, list[Any]]]:
    name: str | None = None
    entries: list[Any] = []
    for row in rows:
        if row.chain != name and entries:
            yield entries[0].chain, entries
            entries = []
        name = row.chain
        entries.append(row)
    if entries:
        yield entries[0].chain, entries


def _check(chain: str, entries: Iterable[Any], head: str | None) -> Broken | None:
    expected, last = genesis(chain), 0
    for entry in entries:
        why = _fault_of(entry, last + 1, expected)
        if why:
            return Broken(chain, entry.seq, why)
        expected, last = entry.hash, entry.seq
    if head != expected:
        return Broken(chain, last + 1, "the head names another last entry: one was removed from the end")
    return None


def _fault_of(entry: Any, seq: int, prev_hash: str) -> str | None:
    if entry.seq != seq:
        return f"entry {seq} is missing"
    if entry.hash != entry_hash(entry.prev_hash, entry.body):
        return "its content does not fit its hash: it was edited"
    if entry.prev_hash != prev_hash:
        return "it does not follow the entry before it: one was inserted, removed or reordered"
    return None if _names(entry.body, entry.chain, seq) else "its content names another place in the log: it was moved"


def _names(body: str, chain: str, seq: int) -> bool:
    content = json.loads(body)
    return bool(content.get("chain") == chain and content.get("seq") == seq)
