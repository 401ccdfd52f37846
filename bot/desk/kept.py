"""Events as they are kept: what is redacted is sealed under its subject's key, and what is left may be shown."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785
from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk.tx import Tx
from bot.rules.redaction import Masked, masked, restored, wholly_masked
from bot.rules.refusals import Refused
from bot.rules.retention import why_gone
from runbooks.policy import Policy
from store.audit import canonical
from store.models import Event
from store.rows import insert_rows
from store.sealing import Sealed, ToSeal, desk_key, keyed, seal, subject_key_of, unseal


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as it may be shown, and what that leaves out; None where it is gone: its subject was erased, or it is
    no longer kept. `gone` is why, as its row has it."""

    shown: Mapping[str, Any]
    removed: Mapping[str, Any] | None
    gone: str | None = None


CONTENT = ("id", "content", "sealed", "subject_key", "gone")
"""The columns that say what an event carried."""


@dataclass(frozen=True, slots=True)
class Came:
    """An event to be kept. `is_misfit`: what its schema does not declare is hidden as well. `policy`: the one that it
    goes by (None: that in force)."""

    event_id: int
    workflow: str
    content: Mapping[str, Any]
    digest: str
    key: str | None = None
    subject: str | None = None
    is_misfit: bool = False
    policy: Policy | None = None


def keep(tx: Tx, many: Sequence[Came]) -> None:
    """Writes the events. A statement for all of them, and three more if something in them is sealed."""
    parts = [
        hidden_of(each.policy or tx.policy, each.workflow, each.content, is_misfit=each.is_misfit) for each in many
    ]
    sealed = _seal(tx, [(each, part.removed) for each, part in zip(many, parts, strict=True) if part.removed])
    rows = []
    for each, part in zip(many, parts, strict=True):
        subject_key, text = sealed.get(each.event_id, (None, None))
        rows.append(
            {
                "id": each.event_id,
                "workflow": each.workflow,
                "key": each.key,
                "content": part.content,
                "digest": each.digest,
                "received_at": tx.now,
                "sealed": text,
                "subject_key": subject_key,
            }
        )
    insert_rows(tx.session, Event, rows)


def hidden_of(policy: Policy, workflow: str, content: Mapping[str, Any], *, is_misfit: bool = False) -> Masked:
    """The event as it may be shown by the policy, and what that takes out of it."""
    contract = policy.workflows.get(workflow)
    redact = contract.trigger.redact if contract and contract.trigger else ()
    if not is_misfit:
        return masked(content, redact)
    schema = policy.event_schemas.get(workflow)
    return masked(content, redact, schema) if schema else wholly_masked(content)


def content_digest(key: bytes, content: Any) -> str:
    """The keyed digest of canonical JSON; where RFC 8785 refuses a number (beyond 2^53), of JSON with sorted keys:
    what an automation sent is kept all the same."""
    try:
        text = canonical(content)
    except rfc8785.CanonicalizationError:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return keyed(key, text)


def digest_of(tx: Tx, text: str) -> str:
    """The keyed digest of what somebody wrote, for the record: a short text could be guessed from a plain one."""
    return keyed(desk_key(tx.session), text)


def contents_of(session: Session, event_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """What these events carried; of one that is gone, what is left."""
    if not event_ids:
        return {}
    wanted = select(*(col(getattr(Event, name)) for name in CONTENT))
    rows = session.execute(wanted.where(col(Event.id).in_(event_ids))).all()
    removed = removed_from(session, rows)
    return {row.id: restored(row.content, gone or {}) for row, gone in zip(rows, removed, strict=True)}


def removed_from(session: Session, events: Sequence[Any]) -> list[Mapping[str, Any] | None]:
    """What was taken out of each event; None where it is gone: its subject was erased, or it is no longer kept."""
    having = [
        Sealed(event.id, event.subject_key, event.sealed) for event in events if event.sealed and event.subject_key
    ]
    opened = iter(unseal(session, having))
    found = [next(opened) if event.sealed and event.subject_key else {} for event in events]
    return [None if event.gone else removed for event, removed in zip(events, found, strict=True)]


def check_whole(session: Session, event_id: int) -> None:
    """Passes where the event is still there as it came. Raises `Refused` that says why it is not."""
    gone = session.execute(select(col(Event.gone)).where(col(Event.id) == event_id)).scalar()
    if gone:
        text = f"E-{event_id} {why_gone(gone)}: it cannot be sent again. Do by hand what is left to do, and resolve."
        raise Refused("gone", text)


def _seal(tx: Tx, having: Sequence[tuple[Came, Mapping[str, Any]]]) -> dict[int, tuple[str, str]]:
    if not having:
        return {}
    key = desk_key(tx.session)
    many = [
        ToSeal(each.event_id, subject_key_of(key, each.workflow, each.subject, event_id=each.event_id), removed)
        for each, removed in having
    ]
    texts = seal(tx.session, many, at=tx.now)
    return {each.event_id: (each.subject_key, text) for each, text in zip(many, texts, strict=True)}
