"""What every listener works with: runs a request for somebody, answers Slack in time, and tells the person."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from slack_bolt import BoltResponse
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.context import Context
from bot.desk.commands import Outcome
from bot.desk.desk import Act
from bot.rules.actors import Actor
from bot.rules.refusals import Refused
from bot.slack.asking import Asker
from bot.slack.directory import Directory
from bot.slack.facts import names
from bot.slack.guard import FAULT, NOT_RECORDED, Guard, Result, Told, fault_reference, in_time, in_words
from bot.slack.homes import Homes
from bot.slack.links import Links
from bot.slack.parts import TEXT, modal, section
from bot.slack.replies import reply
from bot.slack.senders import people_in
from bot.slack.words import cut

log = logging.getLogger(__name__)
C = TypeVar("C")

DIRECT = "D"
"""How Slack's ids of direct messages begin."""

LOADING = modal("One moment", [section(":hourglass_flowing_sand: Looking it up…")])
Filling = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Edge:
    """Built once with the app."""

    context: Context
    client: AsyncWebClient
    directory: Directory
    links: Links
    guard: Guard = field(default_factory=Guard)
    homes: Homes = field(default_factory=Homes)

    async def actor(self, asker: Asker) -> Actor:
        """Who asks, judged."""
        return await self.directory.actor(asker.user, team=asker.team)

    async def look_up(self, person: str) -> None:
        """Has Slack say who somebody is whom a case or a shift is given to, so that the desk can judge them."""
        await self.directory.actor(person, team=None)

    async def run(self, asker: Asker, act: Act[C, Outcome], command: C) -> Told | None:
        """Carries out a command and says what came of it; None when the same request came before. Raises `Refused`."""
        outcome = await self.context.desk.run(act, command, actor=await self.actor(asker))
        self.homes.acted(asker.user)
        return None if outcome.repeated else Told("", words=lambda: self.told(outcome))

    async def told(self, outcome: Outcome) -> Told:
        """What came of somebody's own request, in words to them."""
        policies, users = self.context.policies, people_in(outcome.facts)
        known = await self.context.desk.read(lambda session: names(session, policies.in_force(session), users))
        if outcome.existed:
            return Told(f"This thread is a case already: *{outcome.ref}*.")
        return Told(reply(outcome, known))

    async def click(self, ack: AsyncAck, asker: Asker, work: Awaitable[Result]) -> None:
        """Answers a click: acknowledged within the limit, its result told to the person alone."""
        task = self.guard.start(work)
        is_done = await in_time(task)
        await ack()
        if not is_done:
            self.guard.track(self.tell(asker, Told(NOT_RECORDED)))
        self.guard.track(self._tell_when_done(asker, task))

    async def submit(self, ack: AsyncAck, asker: Asker, work: Awaitable[Result], *, field: str = "") -> None:
        """Answers a form: what is wrong is shown in it, beside the field that is wrong or else beside `field` (none:
        in its place); else it closes."""
        task = self.guard.start(work)
        if not await in_time(task):
            await ack()
            self.guard.track(self.tell(asker, Told(NOT_RECORDED)))
            self.guard.track(self._tell_when_done(asker, task))
        elif (told := task.result()) and told.code:
            await _show_wrong(ack, told, told.field or field)
        else:
            await ack(response_action="clear")
            self.guard.track(self._tell_when_done(asker, task))

    async def slash(self, ack: AsyncAck, asker: Asker, work: Awaitable[Result]) -> None:
        """Answers a slash command: with its result, if that is there in time."""
        task = self.guard.start(in_words(work))
        if not await in_time(task):
            await ack(NOT_RECORDED)
            self.guard.track(self._tell_when_done(asker, task))
        elif told := task.result():
            await ack(text=cut(told.text, TEXT), blocks=list(told.blocks) or None)
        else:
            await ack()

    async def event(self, asker: Asker, work: Awaitable[Result]) -> BoltResponse | None:
        """Answers an event. What is not done in time, or failed, is asked of Slack again: its key makes it once."""
        task = self.guard.start(in_words(work))
        if not await in_time(task):
            return BoltResponse(status=503, body="not recorded yet")
        told = task.result()
        if told is not None and asker.channel:
            self.guard.track(self.tell(asker, told))
        return BoltResponse(status=503, body="not recorded") if told and told.code == FAULT else None

    async def open(self, ack: AsyncAck, asker: Asker, view: Mapping[str, Any]) -> None:
        """Opens a modal that is complete."""
        await ack()
        self.guard.track(self._open(asker, view, None))

    async def open_and_fill(self, ack: AsyncAck, asker: Asker, fill: Filling) -> None:
        """Opens a modal at once, while its trigger is good, and fills it when what it shows is there."""
        await ack()
        self.guard.track(self._open(asker, LOADING, fill))

    async def refill(self, ack: AsyncAck, view: Mapping[str, Any], fill: Filling) -> None:
        """Shows something else in a modal that is open."""
        await ack()
        self.guard.track(self._refilled(view, _filled(fill)))

    async def ask(self, asker: Asker, view: Mapping[str, Any]) -> Result:
        """Opens a form as the answer to what was asked; what is told where Slack does not open it."""
        return await self._opened(asker, view, None)

    async def _refilled(self, view: Mapping[str, Any], filling: Awaitable[Mapping[str, Any]]) -> None:
        try:
            await self.client.views_update(view_id=view["id"], hash=view["hash"], view=dict(await filling))
        except Exception:
            log.warning("a form could not be filled", exc_info=True)

    async def _open(self, asker: Asker, view: Mapping[str, Any], fill: Filling | None) -> None:
        task = self.guard.start(self._opened(asker, view, fill))
        await self._tell_when_done(asker, task)

    async def _opened(self, asker: Asker, view: Mapping[str, Any], fill: Filling | None) -> Result:
        filling = self.guard.track(_filled(fill)) if fill else None
        try:
            opened = await self.client.views_open(trigger_id=asker.trigger_id or "", view=dict(view))
        except Exception:
            log.warning("a form did not open", exc_info=True)
            if filling:
                filling.cancel()
            return Told("Slack did not open the form in time. Press again.", code="not_opened")
        if filling:
            await self._refilled(opened["view"], filling)
        return None

    async def tell(self, asker: Asker, told: Told) -> None:
        """Tells the person alone: where they asked, or else in a direct message. What cannot be told is logged."""
        for way in (self._by_response_url, self._in_conversation, self._by_message):
            try:
                if await way(asker, told):
                    return
            except Exception:
                log.warning(
                    "somebody could not be told", extra={"user": asker.user, "way": way.__name__}, exc_info=True
                )

    async def _tell_when_done(self, asker: Asker, task: asyncio.Task[Result]) -> None:
        told = await self.guard.start(in_words(task))
        if told is not None:
            await self.tell(asker, told)

    async def _by_response_url(self, asker: Asker, told: Told) -> bool:
        if not asker.response_url:
            return False
        hook = AsyncWebhookClient(asker.response_url, session=self.client.session, retry_handlers=[])
        body: dict[str, Any] = {
            "text": cut(told.text, TEXT),
            "response_type": "ephemeral",
            "replace_original": False,
        }
        if told.blocks:
            body["blocks"] = list(told.blocks)
        if asker.thread_ts:
            body["thread_ts"] = asker.thread_ts
        return (await hook.send_dict(body)).status_code == 200

    async def _in_conversation(self, asker: Asker, told: Told) -> bool:
        """For the person's eyes only; in a direct message everything is, and there it stays."""
        if not asker.channel:
            return False
        said: dict[str, Any] = {
            "channel": asker.channel,
            "thread_ts": asker.thread_ts,
            "text": cut(told.text, TEXT),
            "blocks": list(told.blocks) or None,
        }
        if asker.channel.startswith(DIRECT):
            await self.client.chat_postMessage(**said)
        else:
            await self.client.chat_postEphemeral(user=asker.user, **said)
        return True

    async def _by_message(self, asker: Asker, told: Told) -> bool:
        await self.client.chat_postMessage(
            channel=asker.user, text=cut(told.text, TEXT), blocks=list(told.blocks) or None
        )
        return True


async def _filled(fill: Filling) -> Mapping[str, Any]:
    """What a form shows; where that cannot be had, why."""
    try:
        return await fill()
    except Refused as refused:
        return modal("That did not work", [section(refused.text)])
    except Exception:
        reference = fault_reference()
        return modal("That did not work", [section(f"It is our fault. If it happens again, tell us *{reference}*.")])


async def _show_wrong(ack: AsyncAck, told: Told, field: str) -> None:
    wrong = dict(told.wrong) or ({field: told.text} if field else {})
    if wrong:
        await ack(response_action="errors", errors=wrong)
    else:
        await ack(response_action="update", view=modal("That did not work", [section(told.text)]))
