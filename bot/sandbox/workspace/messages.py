"""What can happen to messages and memberships; every change is told to the workspace's observers."""

from copy import copy, deepcopy
from typing import Any

from . import walking
from .state import Channel, Message
from .workspace import Change, Workspace

EPHEMERALS_KEPT = 1_000


def post(workspace: Workspace, message: Message) -> Message:
    """Put a message into its channel (and thread) and return it."""
    channel = workspace.channels[message.channel]
    name_parts(workspace, message.all_blocks)
    channel.messages[message.ts] = message
    if message.thread_ts and message.thread_ts != message.ts:
        channel.threads.setdefault(message.thread_ts, []).append(message.ts)
    workspace.changed(Change("message", channel.id, message.user, message))
    return message


def post_ephemeral(workspace: Workspace, message: Message) -> Message:
    """Show a message to `message.ephemeral_to` only."""
    name_parts(workspace, message.all_blocks)
    kept = workspace.ephemerals[str(message.ephemeral_to)]
    kept.append(message)
    del kept[:-EPHEMERALS_KEPT]
    workspace.changed(Change("ephemeral", message.channel, str(message.ephemeral_to), message))
    return message


def edit(workspace: Workspace, message: Message, **values: Any) -> Message:
    """Change fields of a message in place and mark it as edited."""
    previous = copy(message)
    for name, value in values.items():
        setattr(message, name, value)
    message.edited_ts = workspace.next_ts()
    name_parts(workspace, message.all_blocks)
    kind = "ephemeral_changed" if message.ephemeral_to else "message_changed"
    workspace.changed(Change(kind, message.channel, message.user, message, previous))
    return message


def delete(workspace: Workspace, message: Message) -> None:
    """Take a message away; its replies stay."""
    channel = workspace.channels[message.channel]
    if message.ephemeral_to:
        workspace.ephemerals[message.ephemeral_to].remove(message)
    else:
        del channel.messages[message.ts]
        replies = channel.threads.get(message.thread_ts or "", [])
        if message.ts in replies:
            replies.remove(message.ts)
    workspace.changed(Change("message_deleted", channel.id, message.user, message))


def find_ephemeral(workspace: Workspace, user: str, ts: str) -> Message | None:
    """The ephemeral message with this ts that `user` still sees."""
    return next((each for each in reversed(workspace.ephemerals[user]) if each.ts == ts), None)


def react(workspace: Workspace, message: Message, user: str, name: str) -> bool:
    """Add a reaction; False when the user had already given it."""
    users = message.reactions.setdefault(name, [])
    if user in users:
        return False
    users.append(user)
    workspace.changed(Change("reaction_added", message.channel, user, message, detail={"name": name}))
    return True


def unreact(workspace: Workspace, message: Message, user: str, name: str) -> bool:
    """Take a reaction back; False when there was none."""
    users = message.reactions.get(name, [])
    if user not in users:
        return False
    users.remove(user)
    if not users:
        del message.reactions[name]
    workspace.changed(Change("reaction_removed", message.channel, user, message, detail={"name": name}))
    return True


def join(workspace: Workspace, channel: Channel, user: str, *, inviter: str | None = None) -> None:
    """Make the user a member; nothing happens when it is one."""
    if channel.members is None or user in channel.members:
        return
    channel.members.append(user)
    workspace.changed(Change("member_joined", channel.id, user, detail={"inviter": inviter}))


def leave(workspace: Workspace, channel: Channel, user: str) -> None:
    """End the user's membership; nothing happens when there is none."""
    if channel.members is None or user not in channel.members:
        return
    channel.members.remove(user)
    workspace.changed(Change("member_left", channel.id, user))


def name_parts(workspace: Workspace, blocks: list[dict[str, Any]]) -> None:
    """Give blocks without a block_id, and buttons without an action_id, one, as Slack does."""
    for block in blocks:
        if not block.get("block_id"):
            block["block_id"] = workspace.new_id("b")
    for each in walking.objects(blocks):
        if each.get("type") == "button" and not each.get("action_id"):
            each["action_id"] = workspace.new_id("a")


def copied(blocks: Any) -> list[dict[str, Any]]:
    """A deep copy, so that what the app sent is not what is kept."""
    return deepcopy(blocks) if blocks else []
