"""Runbooks: the buttons that start, stop and undo them and show their evidence, and the forms that were sent."""

from __future__ import annotations

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack import runs, runs_doing, runs_forms
from bot.slack.asking import Asker, Body, of_click, of_submission, read_form
from bot.slack.edge import Edge
from bot.slack.listeners.binding import Listeners
from bot.slack.runs import Pressed, read_pressed
from bot.slack.values import case_id_of


def _pressed(body: Body) -> Pressed:
    return read_pressed(str(body["actions"][0].get("value")))


async def start(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Starts a runbook, or asks first what its form asks."""
    asker, pressed = of_click(body), _pressed(body)
    if pressed.asks:
        await edge.open_and_fill(ack, asker, lambda: runs_doing.start_view(edge, asker, pressed))
    else:
        asker = runs_doing.once_a_drawing(asker, "run", pressed)
        await edge.click(ack, asker, runs_doing.begin(edge, asker, case_id_of(pressed.case), pressed.runbook))


async def start_chosen(edge: Edge, ack: AsyncAck, asker: Asker, pressed: Pressed) -> None:
    """The same from the menu, where nobody was asked before: its form says what it does."""
    await edge.open_and_fill(ack, asker, lambda: runs_doing.start_view(edge, asker, pressed))


async def sent(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """The form was sent."""
    view = body["view"]
    asker, form = of_submission(body), read_form(view["private_metadata"])
    await edge.submit(ack, asker, runs_doing.sent(edge, asker, view, form))


async def evidence(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Shows what a run asked and was answered."""
    asker, pressed = of_click(body), _pressed(body)
    await edge.open_and_fill(ack, asker, lambda: runs_doing.evidence_view(edge, asker, pressed))


async def turn_page(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Shows another page of it."""
    asker, pressed = of_click(body), _pressed(body)
    await edge.refill(ack, body["view"], lambda: runs_doing.evidence_view(edge, asker, pressed))


ACTIONS: Listeners = {
    **dict.fromkeys(runs.START, start),
    runs.EVIDENCE: evidence,
    runs_forms.OLDER: turn_page,
    runs_forms.NEWER: turn_page,
}
VIEWS: Listeners = {runs_forms.STARTING: sent}
