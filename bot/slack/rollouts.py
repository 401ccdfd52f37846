"""How a contract is rolled out, in `/case workflows NAME`: its versions side by side, what it would have done in
shadow, and the button that puts the version before back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from bot.desk.policies import Policies
from bot.desk.proposals import find_way_back
from bot.desk.rollouts import COMPARED, STATES, Figures, figures
from bot.desk.shadows import Would, would_have
from bot.slack.parts import Block, actions, button, section
from bot.slack.proposals import ROLL_BACK
from bot.slack.words import percent, quote, spoken
from runbooks.contracts import Contract
from store.contract_models import PolicyProposal

SHADOWS = 5
ASKS = ("Roll back?", "The policy before is in force again, with all that the change brought taken back.")


@dataclass(frozen=True, slots=True)
class Rolled:
    """The versions of a contract in the last days, what it would have done in shadow, and the change that brought it,
    if that can be rolled back."""

    contract: Contract
    versions: list[Figures]
    shadowed: list[Would]
    brought_by: PolicyProposal | None


def read_rollout(session: Session, policies: Policies, contract: Contract, *, now: datetime) -> Rolled:
    """The rollout as it is now."""
    versions = figures(session, contract.workflow, now=now)
    shadowed = would_have(session, policies, contract.workflow, versions, now=now, limit=SHADOWS)
    return Rolled(contract, versions, shadowed, find_way_back(session, contract.workflow))


def rollout_blocks(rolled: Rolled) -> Iterator[Block]:
    """Nothing for a contract that is live and has been in one version."""
    if rolled.contract.rollout.mode == "live" and len(rolled.versions) < 2:
        return
    lines = [_line(each, rolled.contract) for each in rolled.versions] or ["• no event came"]
    yield section(f"*Versions side by side* ({COMPARED.days} days)\n" + "\n".join(lines))
    if rolled.shadowed:
        would = [f"• {each.event} {quote(each.words, 250)}" for each in rolled.shadowed]
        yield section("*In shadow nothing was delivered; the latest*\n" + "\n".join(would))
    if rolled.brought_by:
        value = f"{rolled.brought_by.id}:{rolled.brought_by.version}"
        yield actions([button("Roll back", ROLL_BACK, value, style="danger", asks=ASKS)])


def _line(each: Figures, contract: Contract) -> str:
    mark = " (in force)" if each.version == contract.version else ""
    success = "nothing has ended yet" if each.success is None else f"{percent(each.success)} arrived"
    states = [f"{each.by_state[state]:,} {spoken(state)}" for state in STATES if each.by_state.get(state)]
    return f"• *Version {each.version}*{mark}: {each.came:,} came, {success}: {', '.join(states)}"
