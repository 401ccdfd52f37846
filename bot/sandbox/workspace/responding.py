"""response_url: the address in a payload at which the app may answer five times within 30 minutes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import messages
from .arguments import Arguments
from .errors import SlackError
from .state import Message
from .web_api import content
from .workspace import Workspace

USES = 5
SECONDS = 30 * 60
KEPT = 10_000


@dataclass(slots=True)
class ResponseUrl:
    """Where an answer goes: to the person, about a message (None after a command)."""

    channel: str
    user: str
    message: Message | None
    made_at: float
    thread_ts: str | None = None
    left: int = USES


class ResponseUrls:
    """All addresses that were handed out. `base` gives the server's own address."""

    def __init__(self, workspace: Workspace, base: Callable[[], str]) -> None:
        self._workspace, self._base = workspace, base
        self._urls: dict[str, ResponseUrl] = {}

    def make(self, channel: str, user: str, message: Message | None = None) -> str:
        """A new address."""
        key = self._workspace.new_id("R")
        thread = message.thread_ts if message else None
        self._urls[key] = ResponseUrl(channel, user, message, self._workspace.monotonic(), thread)
        if len(self._urls) > KEPT:
            del self._urls[next(iter(self._urls))]
        return f"{self._base()}/actions/{self._workspace.team.id}/{key}"

    def take(self, key: str, args: Arguments) -> None:
        """Carry out an answer sent to an address.

        Raises SlackError used_url, expired_url, or what is wrong with the content.
        """
        url = self._urls.get(key)
        if url is None or self._workspace.monotonic() - url.made_at > SECONDS:
            raise SlackError("expired_url")
        if url.left < 1:
            raise SlackError("used_url")
        respond(self._workspace, url, args)
        url.left -= 1


def respond(workspace: Workspace, url: ResponseUrl, args: Arguments) -> None:
    """Show an app's answer where it belongs: replaced, deleted, in the channel or to the person only.

    Raises SlackError for content that Slack refuses.
    """
    if url.message is not None and args.flag("delete_original"):
        messages.delete(workspace, _still_there(workspace, url.message))
        return
    given = content.read(args)
    if url.message is not None and args.flag("replace_original"):
        messages.edit(workspace, _still_there(workspace, url.message), **_values(given))
        return
    message = Message(
        ts=workspace.next_ts(),
        channel=url.channel,
        user=workspace.app.bot_user,
        bot_id=workspace.app.bot_id,
        thread_ts=args.text("thread_ts") or url.thread_ts,
        **_values(given),
    )
    if args.text("response_type") == "in_channel":
        messages.post(workspace, message)
    else:
        message.ephemeral_to = url.user
        messages.post_ephemeral(workspace, message)


def _still_there(workspace: Workspace, message: Message) -> Message:
    if message.ephemeral_to:
        there = messages.find_ephemeral(workspace, message.ephemeral_to, message.ts)
    else:
        there = workspace.channels[message.channel].messages.get(message.ts)
    if there is None:
        raise SlackError("message_not_found")
    return there


def _values(given: content.Content) -> dict[str, Any]:
    return {
        "text": given.text or "",
        "blocks": given.blocks or [],
        "attachments": given.attachments or [],
    }
