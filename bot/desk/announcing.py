"""A proposal's card has its place: those whose yes is needed are told where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update
from sqlmodel import col

from bot.desk.people import find_role
from bot.desk.tx import Tx
from bot.rules.changes import Need, read_needs
from store.contract_models import PolicyProposal


def placed(tx: Tx, payload: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Keeps where the card is, so that it is edited from then on. When it is there for the first time and waits, a
    notice is owed to the channel of each role whose yes is needed and whose channel is another one."""
    is_mine = col(PolicyProposal.id) == payload["proposal"]
    row = tx.session.execute(select(PolicyProposal).where(is_mine).with_for_update()).scalar_one()
    is_first = row.card_ts is None
    place = update(PolicyProposal).where(is_mine).values(channel=result["channel"], card_ts=result["ts"])
    tx.session.execute(place.execution_options(synchronize_session=False))
    if is_first and row.state == "proposed":
        for channel, roles in _channels(tx, read_needs(row.needs), but=result["channel"]).items():
            told = {"proposal": row.id, "roles": roles}
            tx.owe("proposal_notice", f"proposal_notice:{row.id}:{channel}", channel=channel, payload=told)


def _channels(tx: Tx, needs: tuple[Need, ...], *, but: str) -> dict[str, list[str]]:
    """The channels to tell, and the roles that each stands for."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(seated.role for need in needs for seated in need.seats):
        role = find_role(tx.policy, name)
        if role.channel != but:
            found.setdefault(role.channel, []).append(role.name)
    return found
