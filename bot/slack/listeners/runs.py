"""Runbooks: the buttons that start, answer, stop and undo them, their evidence, and the forms that were sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk.runs.approvals import Approve, Refuse, approve, refuse
from bot.desk.runs.proposals import DoIt, NotThis, do_it, not_this
from bot.desk.runs.questions import AnswerQuestion, answer_question
from bot.desk.runs.undoing import StopRun, UndoRun, stop_run, undo_run
from bot.slack import runs, runs_asked, runs_doing, runs_forms
from bot.slack.asking import Asker, Body, Form, chosen, heard_at, of_click, of_submission, read_form
from bot.slack.edge import Edge
from bot.slack.listeners.binding import Listener, Listeners
from bot.slack.runs import Pressed, read_pressed
from bot.slack.values import case_id_of

Made = Callable[[int, Pressed, str], Any]
ACTS: dict[str, tuple[Callable[..., Any], Made]] = {
    runs.APPROVE: (approve, lambda case, pressed, key: Approve(case, pressed.run, request_key=key)),
    runs.DO_IT: (do_it, lambda case, pressed, key: DoIt(case, pressed.run, request_key=key)),
    runs.STOP: (stop_run, lambda case, pressed, key: StopRun(case, pressed.run, request_key=key)),
    runs.UNDO: (undo_run, lambda case, pressed, key: UndoRun(case, pressed.run, request_key=key)),
    runs_asked.YES: (
        answer_question,
        lambda case, pressed, key: AnswerQuestion(case, pressed.step, True, request_key=key),
    ),
    runs_asked.NO: (
        answer_question,
        lambda case, pressed, key: AnswerQuestion(case, pressed.step, False, request_key=key),
    ),
}
"""What each button does at once: the desk function, and its command."""
REASONS = {runs.REFUSE: runs_forms.REFUSING, runs.NOT_THIS: runs_forms.NOT_THIS}
"""The buttons that ask for a reason first, and their forms."""


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


def _acting(action: str) -> Listener:
    """One person's clicks on one drawing are one request."""
    act, make = ACTS[action]

    async def pressed(edge: Edge, ack: AsyncAck, body: Body) -> None:
        pressed = _pressed(body)
        asker = runs_doing.once_a_drawing(of_click(body), action, pressed)
        await edge.click(ack, asker, edge.run(asker, act, make(case_id_of(pressed.case), pressed, asker.key)))

    return pressed


async def ask_why(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Asks why not."""
    action, asker, pressed = str(body["actions"][0]["action_id"]), of_click(body), _pressed(body)
    form = heard_at(asker, Form(pressed.case, run=pressed.run))
    await edge.open_and_fill(ack, asker, lambda: runs_doing.reason_view(edge, asker, form, REASONS[action]))


async def refused(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """Says no, and why."""
    view = body["view"]
    asker, form = of_submission(body), read_form(view["private_metadata"])
    case_id, reason = case_id_of(form.case), chosen(view, "reason")
    if view["callback_id"] == runs_forms.REFUSING:
        work = edge.run(asker, refuse, Refuse(case_id, form.run, reason, request_key=asker.key))
    else:
        work = edge.run(asker, not_this, NotThis(case_id, form.run, reason, request_key=asker.key))
    await edge.submit(ack, asker, work, field="reason")


ACTIONS: Listeners = {
    **dict.fromkeys(runs.START, start),
    **{action: _acting(action) for action in ACTS},
    **dict.fromkeys(REASONS, ask_why),
    runs.EVIDENCE: evidence,
    runs_forms.OLDER: turn_page,
    runs_forms.NEWER: turn_page,
}
VIEWS: Listeners = {runs_forms.STARTING: sent, runs_forms.REFUSING: refused, runs_forms.NOT_THIS: refused}
