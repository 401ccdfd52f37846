"""Checkpoints: the signed root over all audit chains at a moment, kept here and told outside.

What is signed (Ed25519) is the checkpoint's `body`, canonical JSON, byte for byte as it is kept."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from sqlalchemy import func, select
from sqlmodel import Session, col

from store.audit import canonical
from store.audit_models import Checkpoint
from store.rows import insert_rows

FORMAT = "pointsman-checkpoint-v1"
"""In each body, so that no other text that the key signs can pass for a checkpoint."""
WANTED = "an Ed25519 key is wanted, as PEM or as the base64 of its 32 bytes"


class BadKey(ValueError):
    """What was given is no Ed25519 key; the text says what is wanted, and nothing of what was given."""


def private_key(text: str) -> Ed25519PrivateKey:
    """The key that signs. Raises `BadKey`."""
    if not text.lstrip().startswith("-----BEGIN"):
        return Ed25519PrivateKey.from_private_bytes(_raw(text))
    try:
        key = load_pem_private_key(text.strip().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey(f"{WANTED}; this PEM has no private key that can be read") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{WANTED}; this is a key of another kind")
    return key


def public_key(text: str) -> Ed25519PublicKey:
    """A key that signatures are checked with. Raises `BadKey`."""
    if not text.lstrip().startswith("-----BEGIN"):
        return Ed25519PublicKey.from_public_bytes(_raw(text))
    try:
        key = load_pem_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey(f"{WANTED}; this PEM has no public key that can be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey(f"{WANTED}; this is a key of another kind")
    return key


def _raw(text: str) -> bytes:
    try:
        raw = b64decode(text.strip(), validate=True)
    except (NotBase64, ValueError):
        raise BadKey(WANTED) from None
    if len(raw) != 32:
        raise BadKey(f"{WANTED}; this has {len(raw)} bytes")
    return raw


def public_text(key: Ed25519PublicKey) -> str:
    """A public key as it is written down: the base64 of its bytes."""
    return b64encode(key.public_bytes_raw()).decode()


def body_of(*, number: int, at: datetime, size: int, root: str) -> str:
    """What is signed."""
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds")
    return canonical({"format": FORMAT, "number": number, "at": stamp, "size": size, "root": root})


def signature_of(key: Ed25519PrivateKey, body: str) -> str:
    """The signature of a body, in base64."""
    return b64encode(key.sign(body.encode())).decode()


def is_signed(body: str, signature: str, keys: Iterable[Ed25519PublicKey]) -> bool:
    """Whether one of the keys signed the body."""
    try:
        raw = b64decode(signature, validate=True)
    except (NotBase64, ValueError):
        return False
    return any(_is_by(key, raw, body) for key in keys)


def _is_by(key: Ed25519PublicKey, raw: bytes, body: str) -> bool:
    try:
        key.verify(raw, body.encode())
    except InvalidSignature:
        return False
    return True


def last(session: Session) -> Checkpoint | None:
    """The newest checkpoint."""
    newest = select(Checkpoint).order_by(col(Checkpoint.number).desc()).limit(1)
    return session.execute(newest).scalar_one_or_none()


def last_number(session: Session) -> int:
    """The number of the newest checkpoint; 0: there is none."""
    return int(session.execute(select(func.coalesce(func.max(col(Checkpoint.number)), 0))).scalar_one())


def keep(session: Session, *, number: int, at: datetime, body: str, signature: str) -> None:
    """Writes a checkpoint."""
    insert_rows(session, Checkpoint, [{"number": number, "at": at, "body": body, "signature": signature}])
