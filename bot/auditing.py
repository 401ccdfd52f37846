"""The audit log at the command line: what of it does not hold, and all that somebody else needs to find out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import select
from sqlmodel import Session, col

from bot.settings import Settings
from bot.start import StartFault
from store import audit, leaves
from store.audit_models import AuditLeaf, Checkpoint
from store.checkpoint_file import line_of
from store.checkpoint_proof import Proof, against, read_proof
from store.checkpoints import BadKey, private_key, public_key
from store.models import AuditEntry, AuditHead


def signing_key(settings: Settings) -> Ed25519PrivateKey | None:
    """The key that signs checkpoints; None: there is none. Raises `StartFault` for what is no key."""
    if settings.audit_key is None:
        return None
    try:
        return private_key(settings.audit_key.get_secret_value())
    except BadKey as fault:
        raise StartFault(f"POINTSMAN_AUDIT_KEY: {fault}; `openssl genpkey -algorithm ed25519` makes one") from None


def checking_keys(given: Sequence[str], settings: Settings) -> list[Ed25519PublicKey]:
    """The public keys that were given, each as a file or as text; without one, that of the key that signs. Raises
    `StartFault`."""
    own = signing_key(settings) if not given else None
    if not given and own is None:
        raise StartFault("--key: name the public key that checkpoints are signed with; `pointsman doctor` prints it")
    return [_public(each) for each in given] or ([own.public_key()] if own else [])


def _public(given: str) -> Ed25519PublicKey:
    try:
        path = Path(given)
        return public_key(path.read_text(encoding="utf-8") if path.is_file() else given)
    except (BadKey, OSError, UnicodeDecodeError) as fault:
        raise StartFault(f"--key: {fault if isinstance(fault, BadKey) else 'it cannot be read'}") from None


def read_file(path: Path, keys: Sequence[Ed25519PublicKey]) -> Proof:
    """What a file of checkpoints says. Raises `StartFault` for one that cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return read_proof(lines, keys)
    except OSError as fault:
        raise StartFault(f"--checkpoints: cannot read {path}: {fault.strerror}") from None


def faults_of(session: Session, chain: str | None, proof: Proof | None, keys: Sequence[Ed25519PublicKey]) -> list[str]:
    """What of the log does not hold, in itself and beside what was kept of it."""
    broken = list(audit.verify(session, chain=chain))
    named = {each.chain for each in broken}
    gone = [each for each in leaves.vanished(session, chain=chain) if each.chain not in named]
    beside = list(against(session, proof, keys)) if proof else []
    return [str(each) for each in (*broken, *gone)] + beside


def exported(session: Session) -> Iterator[str]:
    """All that somebody needs to verify the log without this program, one JSON object a line: entries with their bytes
    as they are stored, the head of each chain, the leaves of the last checkpoint, and the checkpoints."""
    for entry in session.execute(_all(AuditEntry, "chain", "seq", "body", "prev_hash", "hash"), **_STREAMED):
        yield _line("entry", entry)
    for head in session.execute(_all(AuditHead, "chain", "seq", "hash"), **_STREAMED):
        yield _line("head", head)
    for leaf in session.execute(_all(AuditLeaf, "place", "chain", "seq", "hash", "number"), **_STREAMED):
        yield _line("leaf", leaf)
    for checkpoint in session.execute(select(Checkpoint).order_by(col(Checkpoint.number))).scalars():
        yield line_of(checkpoint)


_STREAMED: Any = {"execution_options": audit.STREAMED}


def _all(model: Any, *names: str) -> Any:
    table = model.__table__
    return select(*(table.c[name] for name in names)).order_by(*table.primary_key.columns)


def _line(kind: str, row: Any) -> str:
    return json.dumps({"kind": kind, **row._mapping}, ensure_ascii=False)
