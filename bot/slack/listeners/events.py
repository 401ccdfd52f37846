"""What happens in channels, in direct messages and on the Home tab: replies, mentions, words to us, emoji."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

from slack_bolt import BoltResponse
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk.commands import Acknowledge, HeardReply
from bot.desk.seen import first_time
from bot.desk.threads import heard_reply
from bot.rules.actors import SYSTEM
from bot.slack import cards, commands, opening, reading
from bot.slack.acts import carry_out
from bot.slack.asking import Asker, Body, of_event
from bot.slack.commands import Link, Misread, Open, parse_case
from bot.slack.edge import Edge
from bot.slack.guard import Told
from bot.slack.listeners.binding import Listeners
from bot.slack.listeners.shortcuts import OPEN_FORM
from bot.slack.listeners.slashes import answered
from bot.slack.parts import actions, button, section
from bot.slack.places import root_of
from bot.slack.values import seen
from bot.slack.words import said
from store.models import Case

OPENS, TAKES, RESOLVES = "rotating_light", "eyes", "white_check_mark"
KEPT_SUBTYPES = (None, "file_share", "thread_broadcast")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_ADDRESSED = re.compile(rf"^\s*{_MENTION.pattern}[\s,:]*")


async def message(edge: Edge, ack: AsyncAck, body: Body) -> BoltResponse | None:
    """A reply in a case's thread is kept as its timeline, and what is said to us directly is answered. All else that is
    said in a channel is let pass."""
    event, asker = body["event"], of_event(body)
    if event.get("channel_type") == "im":
        return await _direct(edge, body)
    is_reply = event.get("thread_ts") not in (None, event.get("ts"))
    if not is_reply or event.get("subtype") not in KEPT_SUBTYPES or not asker.user or event.get("bot_id"):
        return None
    return await edge.event(asker, _heard(edge, asker, body))


async def _heard(edge: Edge, asker: Asker, body: Body) -> None:
    event = body["event"]
    case = await opening.case_of(edge, event["channel"], event["thread_ts"])
    if case is None:
        return
    reply = HeardReply(
        channel=event["channel"],
        thread_ts=event["thread_ts"],
        author=asker.user,
        text=said(str(event.get("text") or "")),
        message_ts=event["ts"],
        request_key=asker.key,
    )
    await edge.context.desk.run(heard_reply, reply, actor=await edge.actor(asker))


async def _direct(edge: Edge, body: Body) -> BoltResponse | None:
    """The words of `/case`, answered in the direct message. What is edited, deleted or our own is let pass."""
    event = body["event"]
    asker = replace(of_event(body), thread_ts=event.get("thread_ts"))
    if event.get("subtype") or event.get("bot_id") or not asker.user:
        return None
    return await edge.event(asker, _said_to_us(edge, asker, str(event.get("text") or "")))


async def _said_to_us(edge: Edge, asker: Asker, text: str) -> Told | None:
    try:
        asked = parse_case(_ADDRESSED.sub("", text))
    except Misread as misread:
        return await _once(edge, asker, Told(str(misread)))
    if asked == Open(None, ""):
        return await _once(edge, asker, Told("What is wrong? Write `open what is wrong`."))
    return await _answered_once(edge, asker, asked)


async def mention(edge: Edge, ack: AsyncAck, body: Body) -> BoltResponse | None:
    """The bot is spoken to: the words of `/case`, about the case of the thread."""
    asker = of_event(body)
    if not asker.user or body["event"].get("bot_id"):
        return None
    return await edge.event(asker, _spoken(edge, asker, body))


async def _spoken(edge: Edge, asker: Asker, body: Body) -> Told | None:
    event = body["event"]
    root = str(event.get("thread_ts") or event["ts"])
    case = await opening.case_of(edge, event["channel"], root)
    try:
        asked = parse_case(_MENTION.sub("", event["text"], count=1), of_thread=case.id if case else None)
    except Misread as misread:
        return await _once(edge, asker, Told(str(misread)))
    if isinstance(asked, Open):
        asked = Open(asked.link or Link(event["channel"], root, root), asked.title)
    if isinstance(asked, Open) and case is not None:
        return await _once(edge, asker, Told(await opening.has_one(edge, case)))
    if isinstance(asked, commands.Queue) and case is not None:
        return await _once(edge, asker, Told(await reading.addressed(edge, case, "This thread is")))
    return await _answered_once(edge, asker, asked)


async def _answered_once(edge: Edge, asker: Asker, asked: commands.Typed) -> Told | None:
    told = await answered(edge, asker, asked)
    return told if told is None or not told.blocks else await _once(edge, asker, told)


async def _once(edge: Edge, asker: Asker, told: Told) -> Told | None:
    """What answers a request that changes nothing, the first time that it comes."""
    return told if await edge.context.desk.run(first_time, asker.key, actor=SYSTEM) else None


async def reaction(edge: Edge, ack: AsyncAck, body: Body) -> BoltResponse | None:
    """An emoji: one that offers the form for a case, takes the case, or offers to resolve it."""
    event, asker = body["event"], of_event(body)
    act = EMOJI.get(event.get("reaction", "").split("::")[0])
    if act is None or event["item"].get("type") != "message" or not asker.channel or not asker.thread_ts:
        return None
    if await _case_at(edge, asker) is None:
        asker = replace(asker, thread_ts=await root_of(edge.client, asker.channel, asker.thread_ts))
    return await edge.event(asker, act(edge, asker))


async def _offer_form(edge: Edge, asker: Asker) -> Told | None:
    case = await _case_at(edge, asker)
    if case is not None:
        return await _once(edge, asker, Told(await opening.has_one(edge, case)))
    value = json.dumps({"channel": asker.channel, "ts": asker.thread_ts})
    text = "Shall this thread become a case?"
    blocks = (section(text), actions([button("Open a case", OPEN_FORM, value, style="primary")]))
    return await _once(edge, asker, Told(text, blocks))


async def _take(edge: Edge, asker: Asker) -> Told | None:
    case = await _case_at(edge, asker)
    return await carry_out(edge, asker, Acknowledge(case.id)) if case is not None else None


async def _offer_resolve(edge: Edge, asker: Asker) -> Told | None:
    case = await _case_at(edge, asker)
    if case is None or not case.is_open:
        return None
    text = f"Is {case.ref} resolved?"
    value = seen(case, edge.context.clock.now())
    blocks = (section(text), actions([button("Resolve", cards.RESOLVE, value, style="primary")]))
    return await _once(edge, asker, Told(text, blocks))


async def _case_at(edge: Edge, asker: Asker) -> Case | None:
    return await opening.case_of(edge, asker.channel or "", asker.thread_ts or "")


EMOJI: dict[str, Callable[[Edge, Asker], Awaitable[Told | None]]] = {
    OPENS: _offer_form,
    TAKES: _take,
    RESOLVES: _offer_resolve,
}


async def home_opened(edge: Edge, ack: AsyncAck, body: Body) -> BoltResponse | None:
    """Shows the Home tab as it is now."""
    if body["event"].get("tab") == "home":
        edge.guard.track(reading.publish_home(edge, of_event(body)))
    return None


EVENTS: Listeners = {
    "message": message,
    "app_mention": mention,
    "reaction_added": reaction,
    "app_home_opened": home_opened,
}
