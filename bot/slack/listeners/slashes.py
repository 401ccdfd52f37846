"""The slash commands."""

from __future__ import annotations

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk.commands import Resolve
from bot.slack import answers, commands, holding, learning, opening, reading, resolving, runs_doing
from bot.slack.acts import carry_out, send_again
from bot.slack.asking import Asker, Body, of_command
from bot.slack.commands import Misread, parse_case, parse_oncall
from bot.slack.edge import Edge
from bot.slack.guard import Told
from bot.slack.inventory import workflows
from bot.slack.listeners.binding import Listeners
from bot.slack.overriding import take


async def case(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """`/case …`"""
    asker = of_command(body)
    try:
        asked = parse_case(str(body.get("text") or ""))
    except Misread as misread:
        await ack(str(misread))
        return
    if isinstance(asked, commands.Open) and not asked.title:
        await open_form(edge, ack, asker, asked)
    else:
        await edge.slash(ack, asker, answered(edge, asker, asked))


async def open_form(edge: Edge, ack: AsyncAck, asker: Asker, asked: commands.Open) -> None:
    """Asks for what is missing in a form."""
    link = asked.link
    if link is None:
        await edge.open(ack, asker, opening.blank_form(edge, asker))
    else:
        await edge.open_and_fill(ack, asker, lambda: opening.thread_form(edge, asker, link))


async def answered(edge: Edge, asker: Asker, asked: commands.Typed) -> Told | None:
    """The answer to what was typed. Raises `Refused`."""
    match asked:
        case commands.Queue() | commands.List():
            return await reading.list_cases(edge, asker, asked)
        case commands.Show():
            return await reading.show(edge, asker, asked.case_id)
        case commands.Open():
            return await opening.typed(edge, asker, asked)
        case commands.Send():
            return await send_again(edge, asker, asked.case_id, asked.verb)
        case commands.Start():
            return await runs_doing.typed(edge, asker, asked.case_id, asked.runbook)
        case commands.PostMortem() | commands.Workflows() | commands.Quarantine():
            return await _looked_up(edge, asker, asked)
        case commands.Help():
            return answers.help_told()
        case Resolve():
            return await resolving.typed(edge, asker, asked)
    return await carry_out(edge, asker, asked)


async def _looked_up(
    edge: Edge, asker: Asker, asked: commands.PostMortem | commands.Workflows | commands.Quarantine
) -> Told | None:
    match asked:
        case commands.PostMortem():
            return await learning.typed(edge, asker, asked.case_id)
        case commands.Workflows():
            return await workflows(edge, asker, asked.name)
        case commands.Quarantine():
            return await holding.list_held_events(edge, asker, asked.of)


async def oncall(edge: Edge, ack: AsyncAck, body: Body) -> None:
    """`/oncall …`"""
    asker = of_command(body)
    try:
        asked = parse_oncall(str(body.get("text") or ""))
    except Misread as misread:
        await ack(str(misread))
        return
    match asked:
        case commands.Take():
            await edge.slash(ack, asker, take(edge, asker, asked))
        case commands.OnCall():
            await edge.slash(ack, asker, reading.on_call(edge, asker, asked.role))
        case _:
            told = answers.help_told(oncall=True)
            await ack(text=told.text, blocks=list(told.blocks))


COMMANDS: Listeners = {"/case": case, "/oncall": oncall}
