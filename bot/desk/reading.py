"""Reading is for full members of the workspace, and for those whom a role lists; anybody else is refused, on record."""

from __future__ import annotations

from dataclasses import dataclass

from bot.desk.acting import is_listed
from bot.desk.tx import Tx
from bot.rules.refusals import Refused


@dataclass(frozen=True, slots=True)
class See:
    """Somebody wants to see cases, or this one."""

    case_id: int | None = None


def see(tx: Tx, command: See) -> None:
    """Passes for those who may read. Raises `Refused` for guests, bots and users of other workspaces."""
    if tx.actor.is_ours or is_listed(tx, tx.actor.id):
        return
    who = tx.actor.why_not_ours or "guests, bots and users of other workspaces"
    raise Refused("not_allowed", f"You cannot see cases: {who} may act only where a role lists them as a member.")
