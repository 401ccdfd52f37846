"""Sends what the outbox owes to Slack: cards, lines, notices and pages, each drawn from the row as it is then."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.context import Context
from bot.desk.asked import asked as asked_in_thread
from bot.desk.outbox import Claimed, Undelivered
from bot.desk.pages import shown, shown_in_thread
from bot.desk.runs.asked import Asked
from bot.desk.runs.asked import asked as find_asked
from bot.slack.cards import Drawn, card
from bot.slack.checkpoints import checkpoint_message
from bot.slack.client import BAD_BLOCKS, GONE, NOT_A_MEMBER, delivered, error_of, undelivered
from bot.slack.facts import CardFacts, card_facts, names
from bot.slack.links import Links
from bot.slack.messages import line, notice, page
from bot.slack.parts import TEXT
from bot.slack.proposals import ProposalFacts, proposal_card, proposal_facts, proposal_notice
from bot.slack.runs_asked import asks
from bot.slack.storms import storm_line
from bot.slack.words import Names, cut, is_person
from store.models import Case
from store.serving_models import Storm

log = logging.getLogger(__name__)

Sender = Callable[[Claimed], Awaitable[Mapping[str, Any]]]

EVENT_TYPE = "pointsman_message"
LOOK_BACK = timedelta(minutes=5)
"""How far before it was owed a message is looked for: clocks differ."""
PAGES = 5


@dataclass(frozen=True, slots=True)
class _Post:
    """A message to post: where, under which thread, and under which key it is recognised."""

    channel: str
    drawn: Drawn
    key: str
    thread_ts: str | None = None


def senders(context: Context, client: AsyncWebClient) -> dict[str, Sender]:
    """The sender of each kind of message that goes to Slack. A sender returns `{"channel", "ts"}`, or raises
    `Undelivered`."""
    sending = _Sending(context, client, Links(client))
    return {
        "card": sending.card,
        "line": sending.line,
        "notice": sending.notice,
        "question": sending.question,
        "question_update": sending.question_update,
        "page": sending.page,
        "page_update": sending.page_update,
        "storm": sending.storm,
        "storm_update": sending.storm,
        "proposal": sending.proposal,
        "proposal_notice": sending.proposal_notice,
        "checkpoint": sending.checkpoint,
    }


@dataclass(frozen=True, slots=True)
class _Sending:
    context: Context
    client: AsyncWebClient
    links: Links

    async def card(self, owed: Claimed) -> Mapping[str, Any]:
        """Posts the card, or edits the one that is there. One that cannot be edited any more is posted anew."""
        facts = await self._facts(owed)
        case, drawn = facts.case, card(facts, self.context.clock.now())
        root = None if case.thread_ts == case.card_ts else case.thread_ts
        return await self._put(owed, _Post(case.channel, drawn, owed.key, root), case.card_ts)

    async def line(self, owed: Claimed) -> Mapping[str, Any]:
        """Posts a line of history in the case's thread."""
        return await self._post_line(owed, None)

    async def question(self, owed: Claimed) -> Mapping[str, Any]:
        """Posts a line that asks something. Whether it does is kept with it; of one that an earlier try may have left
        behind, nobody knows."""
        asked = await self._asked(owed)
        sent = await self._post_line(owed, asked)
        return {**sent, "shown": None if owed.maybe_sent else shown_in_thread(asked)}

    async def question_update(self, owed: Claimed) -> Mapping[str, Any]:
        """Edits a line that asked something. One that cannot be edited any more is left as it is, for good."""
        asked = await self._asked(owed)
        case, known = await self._case(owed, asked)
        drawn = line(case, owed.payload, known, self.context.clock.now(), asked=asked)
        return await self._edit(owed, case, drawn, shown_in_thread(asked))

    async def _post_line(self, owed: Claimed, asked: Asked | None) -> Mapping[str, Any]:
        case, known = await self._case(owed, asked)
        root = case.thread_ts or case.card_ts
        if root is None:
            raise Undelivered("the card that it belongs to is not posted yet")
        drawn = line(case, owed.payload, known, self.context.clock.now(), asked=asked)
        return await self._post(owed, _Post(owed.channel, drawn, owed.key, root))

    async def notice(self, owed: Claimed) -> Mapping[str, Any]:
        """Posts a line with the case's link in a role's channel."""
        case, known = await self._case(owed)
        drawn = notice(case, owed.payload, known, await self.links.of(case.channel, case.card_ts or case.thread_ts))
        return await self._post(owed, _Post(owed.channel, drawn, owed.key))

    async def page(self, owed: Claimed) -> Mapping[str, Any]:
        """Sends a direct message with the case and its first two buttons. What it `shown` of the case is kept with it;
        of one that an earlier try may have left behind, nobody knows."""
        asked = await self._asked_of_run(owed)
        facts = await self._facts(owed, asked)
        case = facts.case
        url = await self.links.of(case.channel, case.card_ts or case.thread_ts)
        drawn = page(facts, owed.payload, url, self.context.clock.now(), reader=owed.channel, asked=asked)
        channel = await self._direct(owed.channel) if owed.maybe_sent else owed.channel
        sent = await self._post(owed, _Post(channel, drawn, owed.key))
        return {**sent, "shown": None if owed.maybe_sent else _as_shown(case, asked)}

    async def page_update(self, owed: Claimed) -> Mapping[str, Any]:
        """Edits a direct message that was sent. One that cannot be edited any more is left as it is, for good."""
        asked = await self._asked_of_run(owed)
        facts = await self._facts(owed, asked)
        case = facts.case
        url = await self.links.of(case.channel, case.card_ts or case.thread_ts)
        reader = str(owed.payload["reader"])
        drawn = page(facts, owed.payload, url, self.context.clock.now(), reader=reader, asked=asked)
        return await self._edit(owed, case, drawn, _as_shown(case, asked))

    async def _edit(self, owed: Claimed, case: Case, drawn: Drawn, shows: list[Any]) -> Mapping[str, Any]:
        """Edits a message that was sent; the answer has no `ts` where it cannot be edited any more."""
        place = {"channel": owed.channel, "shown": shows}
        self._check_is_mine(owed)
        try:
            await self._update(owed.channel, str(owed.payload["ts"]), drawn)
        except (SlackApiError, Undelivered) as fault:
            if isinstance(fault, Undelivered) and not fault.permanent:
                raise
            log.warning("a message can be edited no more", extra={"case": case.ref, "because": str(fault)})
            return place
        return {**place, "ts": owed.payload["ts"]}

    async def storm(self, owed: Claimed) -> Mapping[str, Any]:
        """Posts the line that sums up what waits for a channel, or edits the one that is there."""
        storm = await self.context.desk.read(lambda session: session.get_one(Storm, int(owed.payload["storm"])))
        return await self._put(owed, _Post(storm.channel_id or owed.channel, storm_line(storm), owed.key), storm.ts)

    async def proposal(self, owed: Claimed) -> Mapping[str, Any]:
        """Posts the card of a policy that is proposed or in force, or edits the one that is there."""
        facts = await self._proposal(owed)
        if facts.is_being_posted:
            raise Undelivered("its card is being posted", retry_after=timedelta(seconds=1))
        place = facts.row.channel or owed.channel
        return await self._put(owed, _Post(place, proposal_card(facts), owed.key), facts.row.card_ts)

    async def proposal_notice(self, owed: Claimed) -> Mapping[str, Any]:
        """Tells a role where the card is that waits for its yes."""
        facts = await self._proposal(owed)
        url = await self.links.of(facts.row.channel or "", facts.row.card_ts)
        return await self._post(owed, _Post(owed.channel, proposal_notice(facts, owed.payload, url), owed.key))

    async def checkpoint(self, owed: Claimed) -> Mapping[str, Any]:
        """Tells a checkpoint of the audit log."""
        number = int(owed.payload["checkpoint"])
        drawn = await self.context.desk.read(lambda session: checkpoint_message(session, number))
        return await self._post(owed, _Post(owed.channel, drawn, owed.key))

    async def _proposal(self, owed: Claimed) -> ProposalFacts:
        policies, number = self.context.policies, int(owed.payload["proposal"])
        return await self.context.desk.read(lambda session: proposal_facts(session, policies, number, message=owed.id))

    def _check_is_mine(self, owed: Claimed) -> None:
        """To be asked right before something leaves. A process that stood still for longer than its lease must not say
        what another one has said, or draw over what it drew."""
        if owed.lease_until is not None and self.context.clock.now() >= owed.lease_until:
            raise Undelivered("its lease ran out before it was sent")

    async def _facts(self, owed: Claimed, asked: Asked | None = None) -> CardFacts:
        case_id, now, named = _case_id(owed), self.context.clock.now(), _named(owed, asked)
        return await self.context.desk.read(
            lambda session: card_facts(session, self.context.policies, case_id, now=now, named=named)
        )

    async def _asked(self, owed: Claimed) -> Asked | None:
        """What became of what the line asks."""
        return await self.context.desk.read(lambda session: asked_in_thread(session, owed.payload))

    async def _asked_of_run(self, owed: Claimed) -> Asked | None:
        """What became of what the message asks about a run."""
        if not asks(owed.payload):
            return None
        return await self.context.desk.read(lambda session: find_asked(session, owed.payload))

    async def _case(self, owed: Claimed, asked: Asked | None = None) -> tuple[Case, Names]:
        case_id, users = _case_id(owed), _named(owed, asked)
        policies = self.context.policies
        return await self.context.desk.read(
            lambda session: (session.get_one(Case, case_id), names(session, policies.in_force(session), users))
        )

    async def _direct(self, person: str) -> str:
        try:
            answer = await delivered(self.client.conversations_open(users=person), scope="kind")
        except SlackApiError as fault:
            raise undelivered(fault) from None
        return str(answer["channel"]["id"])

    async def _update(self, channel: str, ts: str, drawn: Drawn) -> Mapping[str, Any]:
        async def call(blocks: list[dict[str, Any]]) -> Mapping[str, Any]:
            answer = await delivered(
                self.client.chat_update(channel=channel, ts=ts, text=cut(drawn.text, TEXT), blocks=blocks),
                scope="kind",
            )
            return {"channel": str(answer["channel"]), "ts": str(answer["ts"])}

        return await _plain_if_refused(call, drawn)

    async def _put(self, owed: Claimed, post: _Post, ts: str | None) -> Mapping[str, Any]:
        """Edits the message that is there; posts it where none is, or where it can be edited no more."""
        self._check_is_mine(owed)
        if ts is not None:
            try:
                return await self._update(post.channel, ts, post.drawn)
            except SlackApiError as fault:
                if error_of(fault) not in GONE:
                    raise undelivered(fault) from None
                log.warning("the card is gone, it is posted anew", extra={"key": post.key, "error": error_of(fault)})
        return await self._post(owed, post)

    async def _post(self, owed: Claimed, post: _Post) -> Mapping[str, Any]:
        if owed.maybe_sent and (found := await self._find(owed, post)):
            return found

        async def call(blocks: list[dict[str, Any]]) -> Mapping[str, Any]:
            self._check_is_mine(owed)
            return await self._post_once(post, blocks)

        try:
            return await _plain_if_refused(call, post.drawn)
        except SlackApiError as fault:
            await self._join(post.channel, fault)
        try:
            return await _plain_if_refused(call, post.drawn)
        except SlackApiError as fault:
            raise undelivered(fault) from None

    async def _post_once(self, post: _Post, blocks: list[dict[str, Any]]) -> Mapping[str, Any]:
        answer = await delivered(
            self.client.chat_postMessage(
                channel=post.channel,
                text=cut(post.drawn.text, TEXT),
                blocks=blocks,
                thread_ts=post.thread_ts,
                unfurl_links=False,
                unfurl_media=False,
                metadata={"event_type": EVENT_TYPE, "event_payload": {"key": post.key}},
            ),
            scope="channel",
        )
        return {"channel": str(answer["channel"]), "ts": str(answer["ts"])}

    async def _join(self, channel: str, fault: SlackApiError) -> None:
        """Joins a public channel that the bot is not in. Raises `Undelivered` when only people can let it in."""
        if is_person(channel):
            raise undelivered(fault)
        try:
            await self.client.conversations_join(channel=channel)
        except SlackApiError as refused:
            raise Undelivered(
                f"Slack says {error_of(fault)}: somebody in {channel} has to /invite the bot ({error_of(refused)})"
            ) from None

    async def _find(self, owed: Claimed, post: _Post) -> Mapping[str, Any] | None:
        """What an earlier try left behind, by the key in the message's metadata."""
        oldest = f"{(owed.created_at - LOOK_BACK).timestamp():.6f}"
        cursor = ""
        for _ in range(PAGES):
            answer = await self._page_of(post, oldest, cursor)
            for message in answer.get("messages") or ():
                if (message.get("metadata") or {}).get("event_payload", {}).get("key") == post.key:
                    return {"channel": post.channel, "ts": str(message["ts"])}
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return None
        return None

    async def _page_of(self, post: _Post, oldest: str, cursor: str) -> Mapping[str, Any]:
        kept: dict[str, Any] = {"oldest": oldest, "limit": 200, "include_all_metadata": True}
        if cursor:
            kept["cursor"] = cursor
        if post.thread_ts:
            call = self.client.conversations_replies(channel=post.channel, ts=post.thread_ts, **kept)
        else:
            call = self.client.conversations_history(channel=post.channel, **kept)
        try:
            answer = await delivered(call, scope="channel")
        except SlackApiError as fault:
            if error_of(fault) == "not_in_channel":
                return {}
            raise Undelivered(f"nobody knows whether it arrived: {error_of(fault)}", unknown=True) from None
        data = answer.data
        return data if isinstance(data, dict) else {}


def _as_shown(case: Case, asked: Asked | None) -> list[Any]:
    return shown(case, asked.is_open if asked else None)


def _named(owed: Claimed, asked: Asked | None) -> list[str]:
    return [*people_in(owed.payload), *([asked.by] if asked and asked.by else [])]


def people_in(payload: Mapping[str, Any]) -> list[str]:
    """The people whom a payload names."""
    single = [payload.get(key) for key in ("by", "to", "person")]
    given = [each.get("person") for each in payload.get("given") or ()]
    return [str(user) for user in (*single, *given, *(payload.get("people") or ())) if user]


def _case_id(owed: Claimed) -> int:
    if owed.case_id is None:
        raise Undelivered(f"a {owed.kind} belongs to a case", permanent=True)
    return owed.case_id


async def _plain_if_refused(
    call: Callable[[list[dict[str, Any]]], Awaitable[Mapping[str, Any]]], drawn: Drawn
) -> Mapping[str, Any]:
    """The message with its blocks; should Slack refuse these, in plain words."""
    try:
        return await call(list(drawn.blocks))
    except SlackApiError as fault:
        if error_of(fault) not in BAD_BLOCKS:
            raise
        log.error("Slack refused our blocks", extra={"error": error_of(fault), "answer": str(fault.response)[:1000]})
    try:
        return await call([])
    except SlackApiError as fault:
        if error_of(fault) in GONE | NOT_A_MEMBER:
            raise
        raise undelivered(fault) from None
