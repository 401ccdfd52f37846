"""The audit log: append-only chains of SHA-256 over RFC 8785 canonical JSON: one per case, one for the events
of each workflow, and one for the desk.

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
from itertools import chain as prepended
from itertools import groupby
from typing import Any

import rfc8785
from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import Text, bindparam, cast, exists, func, literal, select, true, update
from sqlmodel import Session, col

from store.models import AuditEntry, AuditHead, Case
from store.rows import insert_rows, lock_rows

DESK = "desk"
"""The chain of what belongs to no case: policy changes, sign-ins, refused requests."""

STREAMED = {"yield_per": 1000}

_ENTRIES = AuditEntry.__table__  # type: ignore[attr-defined]
_HEADS = AuditHead.__table__  # type: ignore[attr-defined]


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


def chain_of_workflow(workflow: str) -> str:
    """The chain of a workflow's events."""
    return f"workflow:{workflow}"


def genesis(chain: str) -> str:
    """What the first entry of a chain follows."""
    return hashlib.sha256(f"pointsman:{chain}".encode()).hexdigest()


def entry_hash(prev_hash: str, body: str) -> str:
    """The hash of an entry: SHA-256 over the hash before it and its canonical body (UTF-8)."""
    return hashlib.sha256(prev_hash.encode() + body.encode()).hexdigest()


def canonical(value: Any) -> str:
    """RFC 8785 canonical JSON. Raises `rfc8785.CanonicalizationError`, a `ValueError`, for what has none: integers
    beyond 2^53, NaN and infinities, halves of surrogate pairs, keys that are no text, what is not JSON.

    pydantic's encoder writes the same bytes for what has no floats, no keys beyond ASCII and no large integers, once
    its keys are sorted, and is a hundred times faster; all else goes to the reference implementation."""
    try:
        return to_json(_sorted(value)).decode()
    except _NotPlain:
        return _by_the_reference(value)
    except PydanticSerializationError as fault:
        raise rfc8785.CanonicalizationError("a text has half of a surrogate pair") from fault


def _by_the_reference(value: Any) -> str:
    try:
        return rfc8785.dumps(value).decode()
    except UnicodeEncodeError as fault:
        raise rfc8785.CanonicalizationError("a text has half of a surrogate pair") from fault


class _NotPlain(Exception):
    """The fast encoder would write other bytes than RFC 8785 wants."""


_SAFE_INTEGER = 2**53 - 1
_PLAIN = frozenset((str, bool, type(None)))


def _sorted(value: Any) -> Any:
    """The value with its keys in their order. Raises `_NotPlain` for floats, integers that a double does not hold,
    and keys whose order by code point may not be that by UTF-16 unit."""
    kind = type(value)
    if kind in _PLAIN or (kind is int and -_SAFE_INTEGER <= value <= _SAFE_INTEGER):
        return value
    if kind is dict and all(type(key) is str and key.isascii() for key in value):
        return {key: each if type(each := value[key]) is str else _sorted(each) for key in sorted(value)}
    if kind is list or kind is tuple:
        return [_sorted(each) for each in value]
    raise _NotPlain


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
    insert_rows(session, AuditEntry, rows)
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
    rows = lock_rows(session, "SELECT chain, seq, hash FROM audit_heads WHERE chain AMONG ORDER BY chain", chains)
    return {chain: (seq, head) for chain, seq, head in rows}


def _move_heads(session: Session, heads: Mapping[str, tuple[int, str]], known: set[str]) -> None:
    fresh = [{"chain": chain, "seq": seq, "hash": head} for chain, (seq, head) in heads.items() if chain not in known]
    moved = [{"of": chain, "to_seq": heads[chain][0], "to_hash": heads[chain][1]} for chain in sorted(known)]
    insert_rows(session, AuditHead, fresh)
    if moved:
        table = AuditHead.__table__  # type: ignore[attr-defined]
        move = update(table).where(table.c.chain == bindparam("of"))
        values = move.values(seq=bindparam("to_seq"), hash=bindparam("to_hash"), is_changed=true())
        session.connection().execute(values, moved)


def read(session: Session, chain: str) -> list[dict[str, Any]]:
    """The entries of a chain in order, each with its hash and the one that it follows."""
    return [_told(entry) for entry in session.execute(_entries(chain))]


def _told(entry: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(entry.body)
    return content | {"prev_hash": entry.prev_hash, "hash": entry.hash}


def _entries(chain: str | None, *more: Any) -> Any:
    ordered = select(_ENTRIES, *more).order_by(_ENTRIES.c.chain, _ENTRIES.c.seq)
    return ordered.where(_ENTRIES.c.chain == chain) if chain else ordered


def verify(session: Session, *, chain: str | None = None) -> Iterator[Broken]:
    """The first break of each chain that does not hold; nothing when all hold. With `chain`, of that one only.

    Finds an edited, a removed, a reordered and an inserted entry, a head that is not the last entry, and a case
    without a chain. What it cannot see by itself is a chain whose end was rewritten together with its head: that is
    what checkpoints are for."""
    for name, entries in groupby(session.execute(_with_heads(chain), execution_options=STREAMED), _chain_of_row):
        broken = _check(name, entries)
        if broken:
            yield broken
    for name in session.execute(_heads_alone(chain)).scalars():
        yield Broken(name, 1, "it is missing, and all after it: the chain has only its head")
    for case_id in session.execute(_cases_without_chain(chain)).scalars():
        yield Broken(chain_of(case_id), 1, "it is missing: the case exists, and nothing of its chain")


def count(session: Session, *, chain: str | None = None) -> tuple[int, int]:
    """How many entries there are, in how many chains, by the heads of the chains."""
    heads = select(func.coalesce(func.sum(_HEADS.c.seq), 0), func.count()).select_from(_HEADS)
    entries, chains = session.execute(heads.where(_HEADS.c.chain == chain) if chain else heads).one()
    return int(entries), int(chains)


def _chain_of_row(row: Any) -> str:
    return str(row.chain)


def _with_heads(chain: str | None) -> Any:
    heads = _HEADS.c.seq.label("head_seq"), _HEADS.c.hash.label("head_hash")
    joined = _entries(chain, *heads)
    return joined.select_from(_ENTRIES.outerjoin(_HEADS, _HEADS.c.chain == _ENTRIES.c.chain))


def _heads_alone(chain: str | None) -> Any:
    has_entries = exists().where(_ENTRIES.c.chain == _HEADS.c.chain)
    alone = select(_HEADS.c.chain).where(~has_entries).order_by(_HEADS.c.chain)
    return alone.where(_HEADS.c.chain == chain) if chain else alone


def _cases_without_chain(chain: str | None) -> Any:
    name = literal("case:") + cast(col(Case.id), Text)
    known = exists().where(_ENTRIES.c.chain == name), exists().where(_HEADS.c.chain == name)
    without = select(col(Case.id)).where(~known[0], ~known[1]).order_by(col(Case.id))
    return without.where(name == chain) if chain else without


def _check(chain: str, entries: Iterator[Any]) -> Broken | None:
    """The first break among the entries of one chain, which are in the order of their numbers."""
    first = next(entries)
    followed = follow(chain, prepended([first], entries))
    return followed.broken or head_fault(chain, followed, first.head_seq, first.head_hash)


@dataclass(frozen=True, slots=True)
class Followed:
    """The last entry up to which a chain holds, and the break after it."""

    seq: int
    hash: str
    broken: Broken | None = None


def follow(chain: str, entries: Iterable[Any], start: tuple[int, str] | None = None) -> Followed:
    """How far the entries, which are in their order, hold one after the other and after the one that they `start`
    behind (its number and hash; None: they are the first ones)."""
    last, expected = start or (0, genesis(chain))
    for entry in entries:
        if entry.seq != last + 1:
            return Followed(last, expected, Broken(chain, last + 1, "it is missing"))
        why = fault_of(entry)
        if why:
            return Followed(last, expected, Broken(chain, entry.seq, why))
        if entry.prev_hash != expected:
            why = "it was rewritten: what comes after it follows another entry"
            return Followed(last, expected, Broken(chain, max(last, 1), why))
        last, expected = entry.seq, entry.hash
    return Followed(last, expected)


def fault_of(entry: Any) -> str | None:
    """What is wrong with an entry in itself."""
    if entry.hash != entry_hash(entry.prev_hash, entry.body):
        return "it was edited: its content does not fit its hash"
    if not _is_at_its_place(entry):
        return "its content names another place in the log: one was inserted, removed or moved"
    return None


def _is_at_its_place(entry: Any) -> bool:
    try:
        content = json.loads(entry.body)
        return bool((content["chain"], content["seq"]) == (entry.chain, entry.seq))
    except (ValueError, TypeError, KeyError):
        return False


def head_fault(chain: str, last: Followed, head_seq: int | None, head_hash: str | None) -> Broken | None:
    """What is wrong with a chain whose head is this and whose last entry is that."""
    if head_seq is None:
        return Broken(chain, last.seq, "the head of the chain, which names it, is missing")
    if head_seq > last.seq:
        return Broken(chain, last.seq + 1, "it is missing: the head of the chain is a later entry")
    if head_seq < last.seq:
        return Broken(chain, head_seq + 1, "it was inserted: the head of the chain is an earlier entry")
    if head_hash != last.hash:
        return Broken(chain, last.seq, "it was rewritten: the head of the chain has another hash")
    return None
