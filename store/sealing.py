"""Personal data: digests that only this installation can make, and values sealed with a key per subject.

A digest of a small set of values (an e-mail, a customer number) can be guessed from a plain hash; a keyed one cannot.
What is sealed is gone when its subject's key is dropped, from backups of the events as well, while the record of what
happened still verifies."""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Engine, bindparam, select, update
from sqlmodel import Session, col

from store.contract_models import DeskKey, SubjectKey
from store.rows import Unless, insert_rows

FORM = "v1:"
NONCE = 12
KEY = 32


@dataclass(frozen=True, slots=True)
class ToSeal:
    """Values of an event, by JSON pointer, and the id of the key to seal them with."""

    event_id: int
    subject_key: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was sealed, as its event keeps it."""

    event_id: int
    subject_key: str
    sealed: str


_KNOWN: WeakKeyDictionary[Engine, bytes] = WeakKeyDictionary()
_DESK_KEY = select(col(DeskKey.key)).where(col(DeskKey.id) == 1)
_KEYS = select(col(SubjectKey.id), col(SubjectKey.key)).where(col(SubjectKey.id).in_(bindparam("ids", expanding=True)))


def desk_key(session: Session) -> bytes:
    """The installation's own key, which its database was made with and keeps for ever: asked once for each engine."""
    engine = session.get_bind().engine
    if engine not in _KNOWN:
        _KNOWN[engine] = bytes(session.execute(_DESK_KEY).scalar_one())
    return _KNOWN[engine]


def keyed(key: bytes, text: str) -> str:
    """HMAC-SHA-256 in hex: the same for the same text, and told by nobody who has not the key."""
    return hmac.new(key, text.encode(errors="surrogatepass"), "sha256").hexdigest()


def subject_key_of(key: bytes, workflow: str, subject: str | None, *, event_id: int) -> str:
    """The id of the key of one subject of a workflow; an event that names no subject is its own."""
    return keyed(key, json.dumps([workflow, subject] if subject is not None else [workflow, None, event_id]))


def seal(session: Session, many: Sequence[ToSeal], *, at: datetime) -> list[str]:
    """What each event keeps in the place of its values. The keys that are not there are made."""
    keys = _keys_to_seal(session, {each.subject_key for each in many}, at)
    return [_sealed(keys[each.subject_key], each) for each in many]


def unseal(session: Session, many: Sequence[Sealed]) -> list[dict[str, Any] | None]:
    """The values of each; None where the key was dropped: they are gone."""
    if not many:
        return []
    keys = _present(session, {each.subject_key for each in many})
    return [_values(keys.get(each.subject_key), each) for each in many]


def erase(session: Session, subject_keys: Iterable[str], *, at: datetime) -> int:
    """Drops the keys: what was sealed with them cannot be read any more, here or in a copy of the events. Returns how
    many there were."""
    dropped = update(SubjectKey).where(col(SubjectKey.id).in_(sorted(subject_keys)), col(SubjectKey.key).is_not(None))
    values = dropped.values(key=None, dropped_at=at).execution_options(synchronize_session=False)
    return int(session.execute(values).rowcount)  # type: ignore[attr-defined]


def _keys_to_seal(session: Session, ids: set[str], at: datetime) -> dict[str, bytes]:
    keys = _present(session, ids)
    if missing := sorted(ids - keys.keys()):
        rows = [{"id": each, "key": secrets.token_bytes(KEY), "made_at": at, "dropped_at": None} for each in missing]
        insert_rows(session, SubjectKey, rows, unless=Unless(("id",)))
        for each in missing:
            _renew(session, each, at)
        keys |= _present(session, set(missing))
    return keys


def _present(session: Session, ids: set[str]) -> dict[str, bytes]:
    found = session.execute(_KEYS, {"ids": sorted(ids)}) if ids else ()
    return {key_id: bytes(key) for key_id, key in found if key is not None}


def _renew(session: Session, key_id: str, at: datetime) -> None:
    """A subject that was erased and comes again gets another key: what was sealed before stays gone."""
    dropped = update(SubjectKey).where(col(SubjectKey.id) == key_id, col(SubjectKey.key).is_(None))
    values = dropped.values(key=secrets.token_bytes(KEY), made_at=at, dropped_at=None)
    session.execute(values.execution_options(synchronize_session=False))


def _sealed(key: bytes, each: ToSeal) -> str:
    nonce = secrets.token_bytes(NONCE)
    text = json.dumps(each.values, separators=(",", ":")).encode()
    return FORM + b64encode(nonce + AESGCM(key).encrypt(nonce, text, _bound_to(each.event_id))).decode()


def _values(key: bytes | None, each: Sealed) -> dict[str, Any] | None:
    if key is None:
        return None
    kept = b64decode(each.sealed.removeprefix(FORM))
    try:
        text = AESGCM(key).decrypt(kept[:NONCE], kept[NONCE:], _bound_to(each.event_id))
    except InvalidTag:  # sealed with a key that was dropped
        return None
    values: dict[str, Any] = json.loads(text)
    return values


def _bound_to(event_id: int) -> bytes:
    """What is sealed belongs to its event: moved to another one, it does not open."""
    return f"event:{event_id}".encode()
