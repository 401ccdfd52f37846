"""The audit log beside checkpoints that were kept outside: what was cut off, removed, rolled back or forged.

A file of checkpoints is believed as far as its signatures go: its leaves are put together again, and only where they
give the root that was signed does it say anything about the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import func, select, tuple_
from sqlmodel import Session, col

from store import checkpoints
from store.audit_models import Checkpoint
from store.checkpoint_file import read_line
from store.leaves import BLOCK, leaf_data
from store.merkle import leaf_hash, root_of
from store.models import AuditEntry

AT_ONCE = 500
_E: Any = AuditEntry.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint whose signature is good."""

    number: int
    size: int
    root: str
    body: str


@dataclass(slots=True)
class Proof:
    """What a file says: `last` is its newest checkpoint that holds, `heads` the last entry of each chain as of then
    (none, if the file has only checkpoints, as Slack shows them); `faults` is what is wrong with the file itself."""

    last: Signed | None = None
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    checkpoints: dict[int, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Tree:
    """The leaves of a file so far."""

    chains: list[tuple[str, int, str]] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    blocks: dict[int, bytes] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)

    def put(self, said: dict[str, Any]) -> str | None:
        """Takes in a leaf; what is wrong with it."""
        place, leaf = said.get("place"), (said.get("chain"), said.get("seq"), said.get("hash"))
        if not (isinstance(place, int) and isinstance(leaf[0], str) and isinstance(leaf[1], int)):
            return "it is neither a leaf nor a checkpoint"
        if not 0 <= place <= len(self.chains):
            return f"the leaves before place {place} are missing"
        known, hash_ = (str(leaf[0]), leaf[1], str(leaf[2])), leaf_hash(leaf_data(str(leaf[0]), leaf[1], str(leaf[2])))
        if place == len(self.chains):
            self.chains.append(known)
            self.hashes.append(hash_)
        elif self.chains[place][0] != known[0] or self.chains[place][1] > known[1]:
            return f"{known[0]} goes back to entry {known[1]}"
        self.chains[place], self.hashes[place] = known, hash_
        self.touched.add(place // BLOCK)
        return None

    def root(self) -> str:
        """The root over all leaves, in hex."""
        for block in self.touched:
            self.blocks[block] = root_of(self.hashes[block * BLOCK : (block + 1) * BLOCK])
        self.touched.clear()
        return root_of([self.blocks[block] for block in sorted(self.blocks)]).hex()


def read_proof(lines: Iterable[str], keys: Sequence[Ed25519PublicKey]) -> Proof:
    """What a file of checkpoints says. A line that was never finished counts for nothing."""
    proof, tree = Proof(), _Tree()
    for number, line in enumerate(lines, 1):
        said = read_line(line)
        if said is None:
            continue
        fault = _checkpoint(proof, tree, said, keys) if "checkpoint" in said else tree.put(said)
        if fault:
            proof.faults.append(f"line {number} of the file: {fault}")
    return proof


def _checkpoint(proof: Proof, tree: _Tree, said: dict[str, Any], keys: Sequence[Ed25519PublicKey]) -> str | None:
    body, signature = said.get("checkpoint"), said.get("signature")
    signed = _read_body(body) if isinstance(body, str) else None
    if signed is None:
        return "it is no checkpoint of this format"
    if not (isinstance(signature, str) and checkpoints.is_signed(signed.body, signature, keys)):
        return f"checkpoint {signed.number} is forged: it is not signed with this key"
    if proof.last and signed.number <= proof.last.number:
        return f"checkpoint {signed.number} comes after {proof.last.number}: the file was put together from others"
    proof.checkpoints[signed.number] = signed.body
    if tree.chains and (len(tree.chains), tree.root()) != (signed.size, signed.root):
        return f"checkpoint {signed.number}: the leaves before it do not give its root: the file was changed"
    proof.last, proof.heads = signed, {chain: (seq, hash_) for chain, seq, hash_ in tree.chains}
    return None


def _read_body(body: str) -> Signed | None:
    said = read_line(body)
    if not said or said.get("format") != checkpoints.FORMAT:
        return None
    number, size, root = said.get("number"), said.get("size"), said.get("root")
    if not (isinstance(number, int) and isinstance(size, int) and isinstance(root, str)):
        return None
    return Signed(number, size, root, body)


def against(session: Session, proof: Proof, keys: Sequence[Ed25519PublicKey]) -> Iterator[str]:
    """What is wrong with the file, and what of the log is not as its checkpoints have it: nothing when all is well."""
    yield from proof.faults
    if proof.last is None:
        yield "the file has no checkpoint that holds: nothing was compared"
        return
    yield from _own_checkpoints(session, proof, keys)
    heads = list(proof.heads.items())
    for start in range(0, len(heads), AT_ONCE):
        yield from _heads(session, dict(heads[start : start + AT_ONCE]), proof.last.number)


def _own_checkpoints(session: Session, proof: Proof, keys: Sequence[Ed25519PublicKey]) -> Iterator[str]:
    """The checkpoints in the database beside those outside."""
    assert proof.last
    newest = checkpoints.last_number(session)
    if newest < proof.last.number:
        its_last = f"its last checkpoint is {newest}" if newest else "it has no checkpoint"
        yield f"the database was rolled back behind checkpoint {proof.last.number}: {its_last}"
    for each in session.execute(select(Checkpoint).order_by(col(Checkpoint.number))).scalars():
        if proof.checkpoints.get(each.number, each.body) != each.body:
            yield f"checkpoint {each.number} of the database is another one than outside"
        elif not checkpoints.is_signed(each.body, each.signature, keys):
            yield f"checkpoint {each.number} of the database is forged: it is not signed with this key"


def _heads(session: Session, heads: dict[str, tuple[int, str]], number: int) -> Iterator[str]:
    """The chains whose last entry as of a checkpoint is not on record, or is another one."""
    wanted = [(chain, seq) for chain, (seq, _) in heads.items() if seq]
    rows = session.execute(select(_E.c.chain, _E.c.hash).where(tuple_(_E.c.chain, _E.c.seq).in_(wanted)))
    there = {row.chain: row.hash for row in rows}
    off = [chain for chain, seq in wanted if there.get(chain) != heads[chain][1]]
    if not off:
        return
    lasts = select(_E.c.chain, func.max(_E.c.seq)).where(_E.c.chain.in_(off)).group_by(_E.c.chain)
    found = {chain: int(last) for chain, last in session.execute(lasts)}
    for chain in off:
        yield _told(chain, heads[chain][0], found.get(chain), number)


def _told(chain: str, seq: int, last: int | None, number: int) -> str:
    if last is None:
        return f"{chain} was removed: checkpoint {number} has {seq} entries of it"
    if last < seq:
        return f"{chain}: its tail was cut: checkpoint {number} has {seq} entries of it, and there are {last}"
    return f"{chain} entry {seq} was rewritten: checkpoint {number} has another one"
