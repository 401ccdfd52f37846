"""reactions.*: emoji on messages, given by the bot."""

import re
from typing import Any

from .. import messages, payloads
from ..arguments import Arguments
from ..errors import SlackError
from ..state import Message
from ..workspace import Workspace
from . import finding

Answer = dict[str, Any]
_NAME = re.compile(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?")


def add(workspace: Workspace, args: Arguments) -> Answer:
    """reactions.add."""
    message, name = _item(workspace, args), _name(args)
    if workspace.channels[message.channel].is_archived:
        raise SlackError("is_archived")
    if not messages.react(workspace, message, workspace.app.bot_user, name):
        raise SlackError("already_reacted")
    return {}


def remove(workspace: Workspace, args: Arguments) -> Answer:
    """reactions.remove."""
    message, name = _item(workspace, args), _name(args)
    if not messages.unreact(workspace, message, workspace.app.bot_user, name):
        raise SlackError("no_reaction")
    return {}


def get(workspace: Workspace, args: Arguments) -> Answer:
    """reactions.get."""
    message = _item(workspace, args)
    shown = payloads.message(workspace, message)
    return {"type": "message", "channel": message.channel, "message": shown}


def _item(workspace: Workspace, args: Arguments) -> Message:
    if not args.text("channel") or not args.text("timestamp"):
        raise SlackError("no_item_specified")
    channel = finding.visible_channel(workspace, args.text("channel"))
    return finding.message(workspace, channel, args.text("timestamp"))


def _name(args: Arguments) -> str:
    name = args.text("name").strip(":")
    if not _NAME.fullmatch(name):
        raise SlackError("invalid_name")
    return name


METHODS = {"reactions.add": add, "reactions.remove": remove, "reactions.get": get}
