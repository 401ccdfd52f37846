"""Finds what a call names, or says no as Slack does."""

from typing import Any

from ..arguments import Arguments
from ..errors import SlackError
from ..state import Channel, Message, User
from ..workspace import Workspace


def visible_channel(workspace: Workspace, channel_id: str) -> Channel:
    """A conversation that the bot can see. Raises channel_not_found, also for private ones without it."""
    channel = workspace.channels.get(channel_id)
    if channel is None or not workspace.can_see(channel, workspace.app.bot_user):
        raise SlackError("channel_not_found")
    return channel


def joined_channel(workspace: Workspace, channel_id: str) -> Channel:
    """A conversation that the bot is in. Raises channel_not_found, not_in_channel."""
    channel = visible_channel(workspace, channel_id)
    if not workspace.is_member(channel, workspace.app.bot_user):
        raise SlackError("not_in_channel")
    return channel


def writable_channel(workspace: Workspace, channel_id: str) -> Channel:
    """Where the bot may post; a user's id opens the direct message.

    Raises channel_not_found, not_in_channel, is_archived, messages_tab_disabled.
    """
    if channel_id in workspace.users:
        return direct_message(workspace, workspace.users[channel_id], "channel_not_found")
    channel = visible_channel(workspace, channel_id)
    if channel.is_archived:
        raise SlackError("is_archived")
    public = channel.scope_kind == "channels" and "chat:write.public" in workspace.app.scopes
    if not public and not workspace.is_member(channel, workspace.app.bot_user):
        raise SlackError("not_in_channel")
    return channel


def direct_message(workspace: Workspace, user: User, refused: str) -> Channel:
    """The bot's direct message with `user`.

    Raises `refused` for who is deactivated, user_not_visible for strangers who share no channel with the
    bot, messages_tab_disabled when the app has no messages tab.
    """
    if user.deleted:
        raise SlackError(refused)
    if user.team_id != workspace.team.id and not _shares_a_channel(workspace, user):
        raise SlackError("user_not_visible")
    if not workspace.app.messages_tab:
        raise SlackError("messages_tab_disabled")
    return workspace.direct(user.id, workspace.app.bot_user)


def message(workspace: Workspace, channel: Channel, ts: str) -> Message:
    """The message with this ts. Raises message_not_found."""
    found = channel.messages.get(ts)
    if found is None:
        raise SlackError("message_not_found")
    return found


def page(items: list[Any], args: Arguments, *, most: int = 1000) -> tuple[list[Any], dict[str, Any]]:
    """The part of `items` that limit and cursor ask for, and the answer's response_metadata.

    Raises invalid_cursor, invalid_limit.
    """
    limit, cursor = args.number("limit", 100), args.text("cursor")
    if limit < 1:
        raise SlackError("invalid_limit")
    if cursor and not (cursor.startswith("next:") and cursor[5:].isdecimal()):
        raise SlackError("invalid_cursor")
    start = int(cursor[5:]) if cursor else 0
    stop = start + min(limit, most)
    more = f"next:{stop}" if stop < len(items) else ""
    return items[start:stop], {"response_metadata": {"next_cursor": more}}


def _shares_a_channel(workspace: Workspace, user: User) -> bool:
    bot = workspace.app.bot_user
    return any(
        workspace.is_member(channel, user.id) and workspace.is_member(channel, bot)
        for channel in workspace.channels.values()
        if channel.kind == "channel"
    )
