"""The card's buttons and its menu."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk.commands import Acknowledge, Escalate, SetState
from bot.slack import cards, modals
from bot.slack.acts import carry_out, send_again
from bot.slack.asking import Asker, Body, Form, heard_at, of_click, read_form
from bot.slack.edge import Edge
from bot.slack.listeners import runs
from bot.slack.listeners.binding import Listeners
from bot.slack.parts import Block
from bot.slack.reading import audit_page
from bot.slack.runs import STARTS, Pressed
from bot.slack.values import Seen, case_id_of, read_block_id, read_seen

FORMS: dict[str, Callable[[Form], Block]] = {
    "assign": modals.assign,
    "snooze": modals.snooze,
    "priority": modals.priority,
    "note": modals.note,
    "fail": modals.fail,
    "reopen": modals.reopen,
}


def _pressed(body: Body) -> Seen:
    return read_seen(str(body["actions"][0].get("value")))


def _once_a_drawing(asker: Asker, action: str, seen: Seen) -> Asker:
    """The asker of what a double click must not do twice: one person's clicks on one drawing are one request."""
    return replace(asker, key=f"slack:click:{asker.user}:{action}:{seen.case}:{seen.version}:{seen.drawn}")


async def acknowledge(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Takes the case."""
    asker, seen = of_click(body), _pressed(body)
    await edge.click(ack, asker, carry_out(edge, asker, Acknowledge(seen.case_id)))


async def escalate(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Takes the next step of its ladder now."""
    seen = _pressed(body)
    asker = _once_a_drawing(of_click(body), cards.ESCALATE, seen)
    await edge.click(ack, asker, carry_out(edge, asker, Escalate(seen.case_id)))


async def retry(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Takes up what failed last."""
    await _send(edge, ack, body, "retry")


async def replay(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Sends the stored event again."""
    await _send(edge, ack, body, "replay")


async def reopen(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Asks why it is open again."""
    await _form(edge, ack, of_click(body), "reopen", _pressed(body))


async def more(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """What was chosen from the menu: a form, the audit trail, or another state."""
    action = body["actions"][0]
    asker, seen, word = of_click(body), read_block_id(action["block_id"]), action["selected_option"]["value"]
    if word == "audit":
        await edge.open_and_fill(ack, asker, lambda: audit_page(edge, asker, seen.case_id, 0))
    elif word.startswith(STARTS):
        pressed = Pressed(seen.case, runbook=word.removeprefix(STARTS), version=seen.version, drawn=seen.drawn)
        await runs.start_chosen(edge, ack, asker, pressed)
    elif word == "hand_off" or word in FORMS:
        await _form(edge, ack, asker, word, seen)
    else:
        await edge.click(ack, asker, carry_out(edge, asker, SetState(seen.case_id, word)))


async def turn_page(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Shows another page of the audit trail."""
    asker, form = of_click(body), read_form(body["actions"][0]["value"])
    await edge.refill(ack, body["view"], lambda: audit_page(edge, asker, case_id_of(form.case), form.page))


async def _send(edge: Edge, ack: AsyncAck, body: Body, verb: str) -> None:
    seen = _pressed(body)
    asker = _once_a_drawing(of_click(body), verb, seen)
    await edge.click(ack, asker, send_again(edge, asker, seen.case_id, verb))


async def _form(edge: Edge, ack: AsyncAck, asker: Asker, word: str, seen: Seen) -> None:
    form = heard_at(asker, Form(seen.case))
    view = modals.hand_off(form, edge.context.policies.latest) if word == "hand_off" else FORMS[word](form)
    await edge.open(ack, asker, view)


ACTIONS: Listeners = {
    cards.ACKNOWLEDGE: acknowledge,
    cards.ESCALATE: escalate,
    cards.RETRY: retry,
    cards.REPLAY: replay,
    cards.REOPEN: reopen,
    cards.MENU: more,
    modals.OLDER: turn_page,
    modals.NEWER: turn_page,
}
