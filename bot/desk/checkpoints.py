"""Checkpoints of the audit log: what was looked at of its chains is kept, and signed as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session

from bot.desk import turns
from bot.desk.turns import Mine
from bot.desk.tx import Tx
from store import checkpoints, leaves
from store.leaves import Looked

TURN = "checkpoints"
KIND = "checkpoint"
"""Of the message that tells it in Slack."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Chains that were looked at, in somebody's turn."""

    mine: Mine
    looked: Sequence[Looked]


@dataclass(frozen=True, slots=True)
class Sign:
    """All that had changed was looked at. `roots` are those of the stretches of leaves that changed; without a `key`
    nothing is signed."""

    mine: Mine
    roots: Sequence[tuple[int, str]] = ()
    key: Ed25519PrivateKey | None = None


def keep_looked(tx: Tx, command: Keep) -> Mine:
    """Writes what was found, for the next checkpoint. Raises `Overtaken`."""
    mine = turns.renew(tx, command.mine)
    leaves.keep(tx.session, command.looked, checkpoints.last_number(tx.session) + 1)
    return mine


def is_new(session: Session) -> bool:
    """Whether the leaves are others than those of the last checkpoint."""
    return leaves.newest_number(session) > checkpoints.last_number(session)


def sign(tx: Tx, command: Sign) -> int | None:
    """Ends the turn; with a key, and where something has changed, with a checkpoint: its number. It is owed to the
    channel that the policy names. Raises `Overtaken`."""
    told = tx.policy.team.defaults.checkpoints
    turns.end(tx, command.mine, due_at=tx.now + timedelta(seconds=told.every.seconds))
    if command.key is None or not is_new(tx.session):
        return None
    leaves.keep_blocks(tx.session, command.roots)
    number, size = checkpoints.last_number(tx.session) + 1, leaves.next_place(tx.session)
    body = checkpoints.body_of(number=number, at=tx.now, size=size, root=leaves.root(tx.session))
    signature = checkpoints.signature_of(command.key, body)
    checkpoints.keep(tx.session, number=number, at=tx.now, body=body, signature=signature)
    if told.channel:
        tx.owe(KIND, f"{KIND}:{number}", channel=told.channel, payload={"checkpoint": number})
    return number
