"""What a person does outside of forms: writes, reacts, joins, uses commands and shortcuts, opens the Home."""

import re
import secrets
from typing import Any

from . import messages, payloads, responding
from .arguments import Arguments
from .delivery import Delivery, Reply
from .errors import CannotDo, SlackError
from .responding import ResponseUrl, ResponseUrls
from .state import Channel, Command, Message, User
from .workspace import SLACKBOT, Change, Workspace

_TOKEN = re.compile(r"<[@#][A-Z0-9]+>")


class People:
    """Acts as the people of the workspace. Raises CannotDo for what Slack's client would not let them do.

    A user's id in place of a channel means the direct message with that user.
    """

    def __init__(self, workspace: Workspace, delivery: Delivery, urls: ResponseUrls) -> None:
        self._workspace, self._delivery, self._urls = workspace, delivery, urls

    async def post(self, user: str, channel: str, text: str, *, thread_ts: str | None = None) -> Message:
        """Write a message, in Slack's own notation (`<@U…>`), and return it."""
        author, where = self._present(user, channel)
        if where.is_archived:
            raise CannotDo("This channel is archived.")
        if thread_ts is not None and not where.thread(thread_ts):
            raise CannotDo("There is no such thread.")
        message = Message(self._workspace.next_ts(), where.id, author.id, text, thread_ts=thread_ts)
        if author.is_bot:
            message.bot_id, message.subtype = f"B{author.id[1:]}", "bot_message"
        return messages.post(self._workspace, message)

    async def edit(self, user: str, channel: str, ts: str, text: str) -> None:
        """Change one's own message."""
        messages.edit(self._workspace, self._own(user, channel, ts), text=text)

    async def delete(self, user: str, channel: str, ts: str) -> None:
        """Delete one's own message."""
        messages.delete(self._workspace, self._own(user, channel, ts))

    async def react(self, user: str, channel: str, ts: str, name: str) -> None:
        """Add an emoji to a message; a second time changes nothing."""
        messages.react(self._workspace, self._seen(user, channel, ts), user, name)

    async def unreact(self, user: str, channel: str, ts: str, name: str) -> None:
        """Take one's emoji back."""
        messages.unreact(self._workspace, self._seen(user, channel, ts), user, name)

    async def join(self, user: str, channel: str, *, inviter: str | None = None) -> None:
        """Join a channel, or be brought in by a member when it is private."""
        self._workspace.person(user)
        where = self.conversation(user, channel)
        if where.is_private and not (inviter and self._workspace.is_member(where, inviter)):
            raise CannotDo("Only a member can bring somebody into a private channel.")
        messages.join(self._workspace, where, user, inviter=inviter)

    async def leave(self, user: str, channel: str) -> None:
        """Leave a channel."""
        messages.leave(self._workspace, self.conversation(user, channel), user)

    async def command(self, user: str, channel: str, text: str, *, in_thread: bool = False) -> Reply:
        """Type a slash command, e.g. "/case list", and return the app's immediate answer.

        The answer is shown as Slack shows it; when the app fails, Slackbot tells the person.
        """
        actor, where = self._visible(user, channel)
        name, _, rest = text.strip().partition(" ")
        if in_thread:
            raise CannotDo(f"{name} is not supported in threads. Sorry!")
        known = {each.command: each for each in self._workspace.app.commands}
        if name not in known:
            raise CannotDo(f"{name} is not a valid command.")
        rest = self._escaped(rest.strip()) if known[name].should_escape else rest.strip()
        fields = payloads.command(self._workspace, actor, where, name, rest)
        fields["response_url"] = self._urls.make(where.id, actor.id)
        fields["trigger_id"] = self._workspace.new_trigger(actor.id)
        reply = await self._delivery.send_command(fields)
        self._show_answer(actor, where, known[name], reply)
        return reply

    async def shortcut(
        self, user: str, callback_id: str, *, channel: str | None = None, ts: str | None = None
    ) -> Reply:
        """Use a message shortcut (with channel and ts) or a global one."""
        kind = "global" if ts is None else "message"
        if not any((each.type, each.callback_id) == (kind, callback_id) for each in self._workspace.app.shortcuts):
            raise CannotDo(f"The app has no {kind} shortcut {callback_id}.")
        actor = self._workspace.person(user)
        payload = payloads.interaction(self._workspace, "shortcut" if ts is None else "message_action", actor)
        payload |= {
            "callback_id": callback_id,
            "action_ts": self._workspace.next_ts(),
            "trigger_id": self._workspace.new_trigger(user),
        }
        if ts is not None:
            payload |= self._about(user, str(channel), ts)
        return await self._delivery.send_interaction(payload)

    async def open_home(self, user: str, *, tab: str = "home") -> None:
        """Open the app's Home or its messages tab."""
        self._workspace.person(user)
        where = self._workspace.direct(user, self._workspace.app.bot_user)
        self._workspace.changed(Change("home_opened", where.id, user, detail={"tab": tab}))

    async def run_step(self, user: str, callback_id: str, inputs: dict[str, Any]) -> str:
        """Run the app's step in a Slack workflow; return the execution's id."""
        execution_id, token = self._workspace.new_id("Fx"), f"xwfp-{secrets.token_hex(12)}"
        self._workspace.step_tokens.add(token)
        self._workspace.executions[execution_id] = {"id": execution_id, "state": "running", "user": user}
        detail = {
            "function": {"callback_id": callback_id, "type": "app", "app_id": self._workspace.app.id},
            "inputs": inputs,
            "function_execution_id": execution_id,
            "workflow_execution_id": self._workspace.new_id("Wx"),
            "bot_access_token": token,
        }
        self._workspace.changed(Change("function_executed", user=user, detail=detail))
        return execution_id

    def conversation(self, user: str, channel: str) -> Channel:
        """The conversation that `channel` names for this user. Raises CannotDo."""
        if channel in self._workspace.users:
            return self._workspace.direct(user, channel)
        if channel not in self._workspace.channels:
            raise CannotDo("There is no such channel.")
        return self._workspace.channels[channel]

    def _visible(self, user: str, channel: str) -> tuple[User, Channel]:
        actor, where = self._workspace.person(user), self.conversation(user, channel)
        if not self._workspace.can_see(where, user):
            raise CannotDo(f"{actor.name} cannot see {channel}.")
        return actor, where

    def _present(self, user: str, channel: str) -> tuple[User, Channel]:
        actor, where = self._visible(user, channel)
        if not self._workspace.is_member(where, user):
            raise CannotDo(f"{actor.name} is not in #{where.name}.")
        return actor, where

    def _seen(self, user: str, channel: str, ts: str) -> Message:
        _, where = self._visible(user, channel)
        if ts not in where.messages:
            raise CannotDo("This message is not there any more.")
        return where.messages[ts]

    def _own(self, user: str, channel: str, ts: str) -> Message:
        message = self._seen(user, channel, ts)
        if message.user != user:
            raise CannotDo("Only its author can do that.")
        return message

    def _about(self, user: str, channel: str, ts: str) -> dict[str, Any]:
        message = self._seen(user, channel, ts)
        where = self._workspace.channels[message.channel]
        return {
            "message_ts": ts,
            "message": payloads.message(self._workspace, message),
            "channel": {"id": where.id, "name": where.name},
            "response_url": self._urls.make(where.id, user, message),
        }

    def _escaped(self, text: str) -> str:
        named = {f"<@{user.id}>": f"<@{user.id}|{user.name}>" for user in self._workspace.users.values()}
        named |= {f"<#{where.id}>": f"<#{where.id}|{where.name}>" for where in self._workspace.channels.values()}
        return _TOKEN.sub(lambda match: named.get(match.group(), match.group()), text)

    def _show_answer(self, actor: User, where: Channel, command: Command, reply: Reply) -> None:
        if not reply.ok:
            word = "operation_timeout" if reply.reason == "http_timeout" else "dispatch_failed"
            self._slackbot(actor, where, f"{command.command} failed with the error “{word}”")
            return
        answer = Arguments(reply.body) if isinstance(reply.body, dict) else Arguments(text=reply.body or "")
        if not any(answer.get(key) for key in ("text", "blocks", "attachments")):
            return
        url = ResponseUrl(where.id, actor.id, None, self._workspace.monotonic())
        try:
            responding.respond(self._workspace, url, answer)
        except SlackError as refused:
            self._slackbot(actor, where, f"{command.command} failed with the error “{refused.error}”")

    def _slackbot(self, actor: User, where: Channel, text: str) -> None:
        ts = self._workspace.next_ts()
        messages.post_ephemeral(self._workspace, Message(ts, where.id, SLACKBOT, text, ephemeral_to=actor.id))
