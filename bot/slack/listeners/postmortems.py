"""Post-mortems: the button that opens the form, the one for another action, and the form that was sent."""

from __future__ import annotations

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack import learning
from bot.slack import postmortems as views
from bot.slack.asking import Body, of_click, of_submission, read_form
from bot.slack.edge import Edge
from bot.slack.listeners.binding import Listeners
from bot.slack.values import case_id_of


async def write(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Opens the form."""
    asker, case_id = of_click(body), case_id_of(str(body["actions"][0].get("value")))
    await edge.open_and_fill(ack, asker, lambda: learning.form(edge, asker, case_id))


async def another(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Makes room for one more action; what was filled in stays."""
    view = body["view"]
    kept = read_form(view["private_metadata"])
    draft = views.with_another(views.read_draft(view, kept))
    await edge.refill(ack, view, lambda: learning.filled(edge, case_id_of(kept.case), draft, kept))


async def sent(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Keeps what was filled in."""
    view, asker = body["view"], of_submission(body)
    kept = read_form(view["private_metadata"])
    draft = views.read_draft(view, kept)
    await edge.submit(ack, asker, learning.sent(edge, asker, case_id_of(kept.case), draft), field=views.SUMMARY)


ACTIONS: Listeners = {views.WRITE: write, views.MORE: another}
VIEWS: Listeners = {views.FORM: sent}
