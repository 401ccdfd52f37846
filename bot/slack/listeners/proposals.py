"""The buttons on the card of a proposed policy."""

from __future__ import annotations

from collections.abc import Callable

from slack_bolt.context.ack.async_ack import AsyncAck
from sqlmodel import Session

from bot.desk import proposals
from bot.desk.comparing import Compared, compare
from bot.desk.proposals import Decide, Decided
from bot.desk.tx import Tx
from bot.slack.asking import Asker, Body, of_click
from bot.slack.edge import Edge
from bot.slack.facts import names
from bot.slack.guard import Told
from bot.slack.listeners.binding import Listener, Listeners
from bot.slack.proposals import AGAIN, APPROVE, ROLL_BACK, WITHDRAW, Pressed, decided, read_pressed

ACTS: dict[str, Callable[[Tx, Decide], Decided]] = {
    APPROVE: proposals.approve,
    WITHDRAW: proposals.withdraw,
    ROLL_BACK: proposals.roll_back,
    AGAIN: proposals.propose_again,
}


def _listener(action: str) -> Listener:
    async def pressed(edge: Edge, ack: AsyncAck, body: Body) -> None:
        asker, seen = of_click(body), read_pressed(str(body["actions"][0].get("value")))
        await edge.click(ack, asker, _decide(edge, asker, action, seen))

    return pressed


async def _decide(edge: Edge, asker: Asker, action: str, seen: Pressed) -> Told | None:
    """Carries out the decision; one person's clicks on one drawing are one. Raises `Refused`."""
    desk, policies = edge.context.desk, edge.context.policies
    compared = await desk.read(lambda session: _prepared(edge, session, action, seen.proposal))
    key = f"slack:click:{asker.user}:{action}:{seen.proposal}:{seen.version}"
    command = Decide(seen.proposal, key, compared)
    outcome = await desk.run(ACTS[action], command, actor=await edge.actor(asker))
    if outcome.repeated:
        return None
    known = await desk.read(lambda session: names(session, policies.in_force(session), ()))
    return Told(decided(outcome, action, known))


def _prepared(edge: Edge, session: Session, action: str, proposal: int) -> Compared | None:
    """What takes long is done beside the writers: both policies are compiled, and one that is proposed again is
    compared with the one in force."""
    policies = edge.context.policies
    digests = proposals.digests_of(session, proposal)
    policy, *_ = [policies.compiled(session, digest) for digest in digests]
    return compare(session, policies, policy, now=edge.context.clock.now()) if action == AGAIN else None


ACTIONS: Listeners = {action: _listener(action) for action in ACTS}
