"""Quarantine: the buttons that show an event or a case's events, and the forms that were sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack import cards, holding
from bot.slack import quarantine as views
from bot.slack.asking import Asker, Body, Form, heard_at, of_click, of_submission, read_form
from bot.slack.edge import Edge
from bot.slack.guard import Result
from bot.slack.listeners.binding import Listeners
from bot.slack.parts import Block
from bot.slack.values import read_seen

Sent = Callable[[Edge, Asker, Body, Form], Awaitable[Result]]


async def look(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Shows one event."""
    await _show(edge, ack, body, read_form(body["actions"][0]["value"]), holding.event_view)


async def of_case(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Shows the events of a case."""
    await _show(edge, ack, body, read_form(body["actions"][0]["value"]), holding.case_view)


async def of_card(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """The same, from the card."""
    seen = read_seen(str(body["actions"][0].get("value")))
    await _show(edge, ack, body, Form(seen.case), holding.case_view)


async def of_workflow(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Shows the events of a workflow, from the Home tab."""
    asker, workflow = of_click(body), str(body["actions"][0]["value"])
    await edge.open_and_fill(ack, asker, lambda: holding.workflow_view(edge, asker, workflow))


async def dropping(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Asks why an event is to be dropped."""

    async def form(edge: Edge, asker: Asker, form: Form) -> Block:
        return views.drop_form(form)

    await _show(edge, ack, body, read_form(body["actions"][0]["value"]), form)


async def _show(
    edge: Edge, ack: AsyncAck, body: Body, form: Form, view_of: Callable[[Edge, Asker, Form], Awaitable[Block]]
) -> None:
    """In the modal that is open, or in one of its own."""
    asker, view = of_click(body), body.get("view") or {}
    if view.get("type") == "modal":
        before = read_form(view.get("private_metadata") or "")
        await edge.refill(ack, view, lambda: view_of(edge, asker, heard_at(_at(asker, before), form)))
    else:
        await edge.open_and_fill(ack, asker, lambda: view_of(edge, asker, heard_at(asker, form)))


def _at(asker: Asker, before: Form) -> Asker:
    """The asker, heard where the first form was asked for."""
    return Asker(asker.user, asker.team, asker.key, channel=before.channel, thread_ts=before.thread_ts)


async def sent(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Carries out what was filled in."""
    view, form = body["view"], read_form(body["view"]["private_metadata"])
    asker, carry_out = of_submission(body), SENT[view["callback_id"]]
    field = "reason" if view["callback_id"] == views.DROP else ""
    await edge.submit(ack, asker, carry_out(edge, asker, view, form), field=field)


SENT: dict[str, Sent] = {
    views.RELEASE_ONE: holding.release_one,
    views.RELEASE_MANY: holding.release_many,
    views.DROP: holding.drop_one,
}
ACTIONS: Listeners = {
    cards.RELEASE: of_card,
    views.LOOK: look,
    views.OF_CASE: of_case,
    views.OF_WORKFLOW: of_workflow,
    views.DROPPING: dropping,
}
VIEWS: Listeners = dict.fromkeys(SENT, sent)
