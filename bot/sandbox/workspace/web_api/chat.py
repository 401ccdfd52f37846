"""chat.*: posting, updating and deleting messages."""

from typing import Any

from .. import messages, payloads
from ..arguments import Arguments
from ..errors import SlackError
from ..state import Channel, Message
from ..workspace import Workspace
from . import content, finding

Answer = dict[str, Any]


def post_message(workspace: Workspace, args: Arguments) -> Answer:
    """chat.postMessage."""
    given = content.read(args)
    channel = finding.writable_channel(workspace, args.text("channel"))
    root = _root(channel, args)
    broadcast = root is not None and args.flag("reply_broadcast")
    message = _message(workspace, channel, given, args)
    message.thread_ts = root
    message.subtype = "thread_broadcast" if broadcast else None
    messages.post(workspace, message)
    shown = payloads.message(workspace, message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def post_ephemeral(workspace: Workspace, args: Arguments) -> Answer:
    """chat.postEphemeral: seen by one member, gone with the session."""
    given = content.read(args)
    channel = finding.writable_channel(workspace, args.text("channel"))
    user = args.text("user")
    if not workspace.is_member(channel, user):
        raise SlackError("user_not_in_channel")
    message = _message(workspace, channel, given, args)
    message.thread_ts = args.text("thread_ts") or None
    message.ephemeral_to = user
    messages.post_ephemeral(workspace, message)
    return {"message_ts": message.ts}


def update(workspace: Workspace, args: Arguments) -> Answer:
    """chat.update. Text without blocks takes the blocks away."""
    given = content.read(args)
    channel = finding.visible_channel(workspace, args.text("channel"))
    if channel.is_archived:
        raise SlackError("is_inactive")
    message = finding.message(workspace, channel, args.text("ts"))
    if message.bot_id != workspace.app.bot_id:
        raise SlackError("cant_update_message")
    values: dict[str, Any] = {"blocks": given.blocks or []}
    if given.text is not None:
        values["text"] = given.text
    if given.attachments is not None:
        values["attachments"] = given.attachments
    if given.metadata is not None:
        values["metadata"] = given.metadata or None
    messages.edit(workspace, message, **values)
    shown = payloads.message(workspace, message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shown}


def delete(workspace: Workspace, args: Arguments) -> Answer:
    """chat.delete: only the bot's own."""
    channel = finding.visible_channel(workspace, args.text("channel"))
    message = finding.message(workspace, channel, args.text("ts"))
    if message.bot_id != workspace.app.bot_id:
        raise SlackError("cant_delete_message")
    messages.delete(workspace, message)
    return {"channel": channel.id, "ts": message.ts}


def get_permalink(workspace: Workspace, args: Arguments) -> Answer:
    """chat.getPermalink."""
    channel = finding.visible_channel(workspace, args.text("channel"))
    message = finding.message(workspace, channel, args.text("message_ts"))
    link = f"https://{workspace.team.domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts and message.thread_ts != message.ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def _root(channel: Channel, args: Arguments) -> str | None:
    ts = args.text("thread_ts")
    if not ts:
        return None
    message = channel.messages.get(ts)
    if message is None and ts not in channel.threads:
        raise SlackError("thread_not_found")
    return message.thread_ts or ts if message else ts


def _message(workspace: Workspace, channel: Channel, given: content.Content, args: Arguments) -> Message:
    return Message(
        ts=workspace.next_ts(),
        channel=channel.id,
        user=workspace.app.bot_user,
        bot_id=workspace.app.bot_id,
        text=given.text or "",
        blocks=given.blocks or [],
        attachments=given.attachments or [],
        metadata=given.metadata or None,
        username=args.text("username") or None,
    )


METHODS = {
    "chat.postMessage": post_message,
    "chat.postEphemeral": post_ephemeral,
    "chat.update": update,
    "chat.delete": delete,
    "chat.getPermalink": get_permalink,
}
