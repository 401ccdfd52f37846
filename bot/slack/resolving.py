"""Resolving a case by hand: the form with what there is to confirm, and what is said where something is missing."""

from __future__ import annotations

from sqlmodel import Session

from bot.desk import closing
from bot.desk.commands import Resolve
from bot.desk.reading import See
from bot.rules.refusals import Refused
from bot.slack import cards, closings
from bot.slack.acts import carry_out
from bot.slack.asking import Asker, Form, heard_at
from bot.slack.closings import Confirmation
from bot.slack.edge import Edge
from bot.slack.facts import tried_last
from bot.slack.guard import FieldRefused, Told
from bot.slack.parts import Block, actions, button, section
from bot.slack.values import seen
from store.models import Case

MISSING = "confirmation_needed"


async def resolve_form(edge: Edge, asker: Asker, ref: str, case_id: int) -> Block:
    """The form, with what this case's contract has a person confirm. Raises `Refused` where there is no such case."""
    policies = edge.context.policies

    def reading(session: Session) -> tuple[str, list[Confirmation]]:
        case = _case(session, case_id)
        checks = closing.checks_of(policies.compiled(session, case.policy_digest), case)
        return case.failure_mode, [Confirmation(each.name, each.confirm) for each in checks if each.confirm]

    failure_mode, confirmations = await edge.context.desk.read(reading)
    return closings.resolve_form(heard_at(asker, Form(ref)), failure_mode, confirmations)


async def override_form(edge: Edge, asker: Asker, ref: str, case_id: int) -> Block:
    """The form that asks why, with what failed. Raises `Refused` for those who may not, so that nobody writes a reason
    in vain."""
    await edge.context.desk.run(closing.look_at_override, See(case_id), actor=await edge.actor(asker))
    tried = await edge.context.desk.read(lambda session: tried_last(session, case_id))
    return closings.override_form(heard_at(asker, Form(ref)), tried)


def _case(session: Session, case_id: int) -> Case:
    case = session.get(Case, case_id)
    if case is None:
        raise Refused("no_such_case", f"There is no case C-{case_id}.")
    return case


async def typed(edge: Edge, asker: Asker, command: Resolve) -> Told | None:
    """Resolves what was typed. Boxes cannot be ticked in words: where there are some, a button brings the form."""
    try:
        return await carry_out(edge, asker, command)
    except Refused as refused:
        if refused.code != MISSING:
            raise
        text = f"{refused.text} Press *Resolve* and tick what is true."
    case = await edge.context.desk.read(lambda session: _case(session, command.case_id))
    pressed = button("Resolve", cards.RESOLVE, seen(case, edge.context.clock.now()), style="primary")
    return Told(text, (section(text), actions([pressed])))


async def sent(edge: Edge, asker: Asker, command: Resolve) -> Told | None:
    """Resolves what was filled in. What is not ticked is said beside the boxes."""
    try:
        return await carry_out(edge, asker, command)
    except Refused as refused:
        if refused.code != MISSING:
            raise
        raise FieldRefused(refused.code, refused.text, field=closings.CONFIRM) from None
