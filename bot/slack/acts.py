"""Which desk function carries out which command, and how a command that was typed or pressed is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.desk import cases, commands, sending_again
from bot.desk.commands import Outcome
from bot.desk.escalations import escalate
from bot.desk.threads import open_by_hand, open_thread
from bot.rules.refusals import Refused
from bot.slack.asking import Asker, Form
from bot.slack.edge import Edge
from bot.slack.guard import Told
from bot.slack.modals import confirm

ACTS: Mapping[type[Any], Callable[..., Outcome]] = {
    commands.Acknowledge: cases.acknowledge,
    commands.Assign: cases.assign,
    commands.HandOff: cases.hand_off,
    commands.SetPriority: cases.set_priority,
    commands.Snooze: cases.snooze,
    commands.AddNote: cases.add_note,
    commands.SetState: cases.set_state,
    commands.Resolve: cases.resolve,
    commands.Fail: cases.fail,
    commands.Reopen: cases.reopen,
    commands.Escalate: escalate,
    commands.OpenThread: open_thread,
    commands.OpenByHand: open_by_hand,
    sending_again.AskRetry: sending_again.ask_retry,
    sending_again.AskReplay: sending_again.ask_replay,
}


async def carry_out(edge: Edge, asker: Asker, command: Any) -> Told | None:
    """Carries out a command once for the asker's request, however often that comes. Raises `Refused`."""
    act = ACTS[type(command)]
    if isinstance(command, commands.Assign):
        await edge.look_up(command.person)
    return await edge.run(asker, act, replace(command, request_key=asker.key))


async def send_again(edge: Edge, asker: Asker, case_id: int, verb: str, *, confirmed: bool = False) -> Told | None:
    """Retry or replay. What may do its work twice is asked about in a form first. Raises `Refused`."""
    make = sending_again.AskRetry if verb == "retry" else sending_again.AskReplay
    try:
        return await carry_out(edge, asker, make(case_id, confirmed=confirmed))
    except Refused as refused:
        if refused.code != "needs_confirmation" or confirmed:
            raise
        if asker.trigger_id is None:
            how = f"To say yes, press *{verb.capitalize()}* on its card, or type `/case run C-{case_id} {verb}`."
            raise Refused(refused.code, f"{refused.text} {how}") from None
        form = Form(f"C-{case_id}", channel=asker.channel, thread_ts=asker.thread_ts, verb=verb)
        return await edge.ask(asker, confirm(form, refused.text))
