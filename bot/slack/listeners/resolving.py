"""*Resolve* and *Close anyway…*: the buttons, and their forms that were sent."""

from __future__ import annotations

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk.commands import Resolve
from bot.slack import cards, closings, resolving
from bot.slack.acts import carry_out
from bot.slack.asking import Body, chosen, of_click, of_submission, read_form, ticked
from bot.slack.edge import Edge
from bot.slack.listeners.binding import Listeners
from bot.slack.values import case_id_of, read_seen


async def resolve(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Asks how it was resolved, which is right where two things differ, and what there is to confirm."""
    asker, seen = of_click(body), read_seen(str(body["actions"][0].get("value")))
    await edge.open_and_fill(ack, asker, lambda: resolving.resolve_form(edge, asker, seen.case, seen.case_id))


async def close_anyway(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Asks why it is closed in spite of its checks."""
    asker, seen = of_click(body), read_seen(str(body["actions"][0].get("value")))
    await edge.open_and_fill(ack, asker, lambda: resolving.override_form(edge, asker, seen.case, seen.case_id))


async def resolved(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Carries out what was filled in."""
    view = body["view"]
    asker, form = of_submission(body), read_form(view["private_metadata"])
    reason, note, decision = (chosen(view, name) for name in ("reason", "note", "decision"))
    command = Resolve(case_id_of(form.case), reason, note, decision, ticked(view, closings.CONFIRM))
    await edge.submit(ack, asker, resolving.sent(edge, asker, command), field="note")


async def overridden(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Closes it in spite of its checks."""
    view = body["view"]
    asker, form = of_submission(body), read_form(view["private_metadata"])
    command = Resolve(case_id_of(form.case), "", override=chosen(view, "override"))
    await edge.submit(ack, asker, carry_out(edge, asker, command), field="override")


ACTIONS: Listeners = {cards.RESOLVE: resolve, cards.CLOSE_ANYWAY: close_anyway}
VIEWS: Listeners = {closings.RESOLVE: resolved, closings.OVERRIDE: overridden}
