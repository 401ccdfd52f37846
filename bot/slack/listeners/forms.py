"""The forms about a case that were sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk.commands import AddNote, Assign, Fail, HandOff, Reopen, SetPriority, Snooze
from bot.slack import modals
from bot.slack.acts import carry_out, send_again
from bot.slack.asking import Body, chosen, of_submission, read_form
from bot.slack.edge import Edge
from bot.slack.listeners.binding import Listeners
from bot.slack.values import case_id_of

Filled = Callable[[str], str]
FORMS: dict[str, tuple[str, Callable[[int, Filled], Any]]] = {
    modals.ASSIGN: ("person", lambda case, filled: Assign(case, filled("person"))),
    modals.HAND_OFF: ("role", lambda case, filled: HandOff(case, filled("role"))),
    modals.SNOOZE: ("length", lambda case, filled: Snooze(case, filled("length"))),
    modals.PRIORITY: ("priority", lambda case, filled: SetPriority(case, filled("priority"))),
    modals.NOTE: ("text", lambda case, filled: AddNote(case, filled("text"))),
    modals.FAIL: ("reason", lambda case, filled: Fail(case, filled("reason"))),
    modals.REOPEN: ("reason", lambda case, filled: Reopen(case, filled("reason"))),
}
"""For each form: the field beside which a refusal is shown, and the command that it becomes."""


async def sent(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Carries out what was filled in."""
    view = body["view"]
    asker, form = of_submission(body), read_form(view["private_metadata"])
    field, command = FORMS[view["callback_id"]]
    asked = command(case_id_of(form.case), lambda block_id: chosen(view, block_id))
    await edge.submit(ack, asker, carry_out(edge, asker, asked), field=field)


async def confirmed(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Sends what may do its work twice: somebody said yes."""
    asker, form = of_submission(body), read_form(body["view"]["private_metadata"])
    work = send_again(edge, asker, case_id_of(form.case), form.verb, confirmed=True)
    await edge.submit(ack, asker, work)


VIEWS: Listeners = {**dict.fromkeys(FORMS, sent), modals.CONFIRM: confirmed}
