"""The shortcuts, and the form for a new case."""

from __future__ import annotations

import json

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack import modals, opening
from bot.slack.asking import Asker, Body, chosen, of_click, of_shortcut, of_submission, read_form
from bot.slack.commands import Link
from bot.slack.edge import Edge
from bot.slack.listeners.binding import Listeners
from bot.slack.modals import WORKFLOW, Opening
from bot.slack.parts import Block

OPEN_CASE = "open_case"
OPEN_CASE_GLOBAL = "open_case_global"
OPEN_FORM = "case.open_form"


async def open_here(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """*Open a case* on a message: its thread becomes the case."""
    asker, message = of_shortcut(body), body["message"]
    root = str(message.get("thread_ts") or message["ts"])
    link, text = Link(body["channel"]["id"], root, str(message["ts"])), str(message.get("text") or "")
    await edge.open_and_fill(ack, asker, lambda: opening.thread_form(edge, asker, link, text))


async def open_anywhere(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """*Open a case* from the shortcuts menu, which knows no channel."""
    asker = of_shortcut(body)
    await edge.open(ack, asker, opening.blank_form(edge, asker))


async def open_offered(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """The button that an emoji brought."""
    asker, where = of_click(body), json.loads(body["actions"][0]["value"])
    link = Link(where["channel"], where["ts"], where["ts"])
    await edge.open_and_fill(ack, asker, lambda: opening.thread_form(edge, asker, link))


async def workflow_chosen(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Shows the failure modes of the workflow that was chosen in the form."""
    view, policy = body["view"], edge.context.policies.latest
    form, workflow = read_form(view["private_metadata"]), body["actions"][0]["selected_option"]["value"]

    async def again() -> Block:
        return modals.open_case(form, Opening(chosen(view, "title"), workflow, asks_link=not form.root_ts), policy)

    await edge.refill(ack, view, again)


async def sent(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """The form was sent."""
    view, form = body["view"], read_form(body["view"]["private_metadata"])
    asker: Asker = of_submission(body)
    await edge.submit(ack, asker, opening.sent_form(edge, asker, view, form), field="title")


SHORTCUTS: Listeners = {OPEN_CASE: open_here, OPEN_CASE_GLOBAL: open_anywhere}
ACTIONS: Listeners = {OPEN_FORM: open_offered, WORKFLOW: workflow_chosen}
VIEWS: Listeners = {modals.OPEN: sent}
