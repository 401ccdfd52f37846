"""conversations.*: channels, direct messages and what was said in them."""

from collections.abc import Callable
from typing import Any

from .. import messages, payloads
from ..arguments import Arguments
from ..errors import SlackError
from ..state import Channel, Message
from ..workspace import Workspace
from . import content, finding, scopes

Answer = dict[str, Any]
KINDS = {"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}


def open_conversation(workspace: Workspace, args: Arguments) -> Answer:
    """conversations.open: a direct message with one user, or a group of several."""
    if args.text("channel"):
        channel = finding.visible_channel(workspace, args.text("channel"))
        return {"channel": {"id": channel.id}}
    user_ids = content.mentioned_users(workspace, args)
    if not user_ids:
        raise SlackError("users_list_not_supplied")
    if len(user_ids) > 8:
        raise SlackError("too_many_users")
    scopes.need(workspace, "im:write" if len(user_ids) == 1 else "mpim:write")
    for user_id in user_ids:
        _can_be_told(workspace, user_id)
    opened = workspace.direct(*user_ids, workspace.app.bot_user)
    shown = payloads.channel(workspace, opened) if args.flag("return_im") else {"id": opened.id}
    return {"channel": shown}


def info(workspace: Workspace, args: Arguments) -> Answer:
    """conversations.info."""
    channel = finding.visible_channel(workspace, args.text("channel"))
    scopes.need(workspace, f"{channel.scope_kind}:read")
    return {"channel": payloads.channel(workspace, channel)}


def join(workspace: Workspace, args: Arguments) -> Answer:
    """conversations.join: public channels only."""
    channel = finding.visible_channel(workspace, args.text("channel"))
    if channel.scope_kind != "channels":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    already = workspace.is_member(channel, workspace.app.bot_user)
    messages.join(workspace, channel, workspace.app.bot_user)
    warning = {"warning": "already_in_channel"} if already else {}
    return {"channel": payloads.channel(workspace, channel), **warning}


def leave(workspace: Workspace, args: Arguments) -> Answer:
    """conversations.leave."""
    channel = finding.visible_channel(workspace, args.text("channel"))
    if not workspace.is_member(channel, workspace.app.bot_user):
        return {"not_in_channel": True}
    messages.leave(workspace, channel, workspace.app.bot_user)
    return {}


def invite(workspace: Workspace, args: Arguments) -> Answer:
    """conversations.invite: the bot brings users into a channel it is in."""
    channel = finding.joined_channel(workspace, args.text("channel"))
    if channel.kind != "channel":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    user_ids = content.mentioned_users(workspace, args)
    if not user_ids:
        raise SlackError("no_user")
    if workspace.app.bot_user in user_ids:
        raise SlackError("cant_invite_self")
    if all(workspace.is_member(channel, user_id) for user_id in user_ids):
        raise SlackError("already_in_channel")
    for user_id in user_ids:
        messages.join(workspace, channel, user_id, inviter=workspace.app.bot_user)
    return {"channel": payloads.channel(workspace, channel)}


def members(workspace: Workspace, args: Arguments) -> Answer:
    """conversations.members."""
    channel = finding.visible_channel(workspace, args.text("channel"))
    scopes.need(workspace, f"{channel.scope_kind}:read")
    found, more = finding.page(list(channel.members or ()), args)
    return {"members": found, **more}


def history(workspace: Workspace, args: Arguments) -> Answer:
    """conversations.history: newest first, without replies."""
    channel = finding.joined_channel(workspace, args.text("channel"))
    scopes.need(workspace, f"{channel.scope_kind}:history")
    wanted = [message for message in channel.top_level() if _inside(message, args)]
    return _said(workspace, wanted[::-1], args)


def replies(workspace: Workspace, args: Arguments) -> Answer:
    """conversations.replies: the root and its replies, oldest first."""
    channel = finding.joined_channel(workspace, args.text("channel"))
    scopes.need(workspace, f"{channel.scope_kind}:history")
    ts = args.text("ts")
    asked = channel.messages.get(ts)
    root = (asked.thread_ts or asked.ts) if asked else ts
    thread = channel.thread(root)
    if not thread:
        raise SlackError("thread_not_found")
    wanted = [message for message in thread if message.ts == root or _inside(message, args)]
    return _said(workspace, wanted, args)


def list_conversations(workspace: Workspace, args: Arguments) -> Answer:
    """conversations.list: what the bot can see, of the given types."""
    bot = workspace.app.bot_user
    return _list(workspace, args, lambda channel: workspace.can_see(channel, bot))


def list_of_user(workspace: Workspace, args: Arguments) -> Answer:
    """users.conversations: those a user is in and the bot can see; the bot's own by default."""
    bot = workspace.app.bot_user
    user = workspace.user(args.text("user", bot)).id
    return _list(
        workspace, args, lambda channel: workspace.is_member(channel, user) and workspace.can_see(channel, bot)
    )


def _list(workspace: Workspace, args: Arguments, wanted: Callable[[Channel], bool]) -> Answer:
    types = args.names("types") or ["public_channel"]
    if not set(types) <= KINDS.keys():
        raise SlackError("invalid_types")
    kinds = {KINDS[each] for each in types}
    for kind in sorted(kinds):
        scopes.need(workspace, f"{kind}:read")
    found = [channel for channel in workspace.channels.values() if channel.scope_kind in kinds and wanted(channel)]
    if args.flag("exclude_archived"):
        found = [channel for channel in found if not channel.is_archived]
    part, more = finding.page(found, args)
    return {"channels": [payloads.channel(workspace, channel) for channel in part], **more}


def _can_be_told(workspace: Workspace, user_id: str) -> None:
    user = workspace.users[user_id]
    if user.is_bot:
        raise SlackError("cannot_dm_bot")
    finding.direct_message(workspace, user, "user_disabled")


def _inside(message: Message, args: Arguments) -> bool:
    ts, oldest, latest = _order(message.ts), _order(args.text("oldest", "0")), args.text("latest")
    if args.flag("inclusive"):
        return oldest <= ts and (not latest or ts <= _order(latest))
    return oldest < ts and (not latest or ts < _order(latest))


def _order(ts: str) -> tuple[int, int]:
    seconds, _, micros = ts.partition(".")
    if not seconds.isdecimal() or (micros and not micros.isdecimal()):
        raise SlackError("invalid_ts_oldest")
    return int(seconds), int((micros + "000000")[:6])


def _said(workspace: Workspace, wanted: list[Message], args: Arguments) -> Answer:
    with_metadata = args.flag("include_all_metadata")
    found, more = finding.page(wanted, args, most=999)
    has_more = bool(more["response_metadata"]["next_cursor"])
    shown = [payloads.message(workspace, message, metadata=with_metadata) for message in found]
    return {"messages": shown, "has_more": has_more, **(more if has_more else {})}


METHODS = {
    "conversations.open": open_conversation,
    "conversations.info": info,
    "conversations.join": join,
    "conversations.leave": leave,
    "conversations.invite": invite,
    "conversations.members": members,
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.list": list_conversations,
    "users.conversations": list_of_user,
}
