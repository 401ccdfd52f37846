"""What the browser page is told, built from what the workspace knows. Pure."""

import re
from typing import Any

from . import payloads
from .state import Channel, Message, User
from .workspace import Workspace

Json = dict[str, Any]
_WRITTEN = re.compile(r"<(?:@[UW][A-Z0-9]+|#[CG][A-Z0-9]+|https?://[^<>\s]+)(?:\|[^<>]*)?>")
_NAMED = re.compile(r"(?<![\w<@])@([\w.-]+)")


def workspace(of: Workspace) -> Json:
    """Everything that does not change while the page is open."""
    app = of.app
    return {
        "team": {"id": of.team.id, "name": of.team.name},
        "app": {
            "bot_user": app.bot_user,
            "name": app.name,
            "commands": [
                {"command": each.command, "description": each.description, "usage_hint": each.usage_hint}
                for each in app.commands
            ],
            "shortcuts": [
                {"type": each.type, "callback_id": each.callback_id, "name": each.name} for each in app.shortcuts
            ],
        },
        "users": [user(each) for each in of.users.values()],
        "channels": [channel(each) for each in of.channels.values() if each.kind == "channel"],
    }


def user(of: User) -> Json:
    """A user as the page shows it."""
    names = ("id", "name", "real_name", "title", "color", "is_bot", "is_restricted", "team_id", "deleted", "tz")
    return {name: getattr(of, name) for name in names}


def channel(of: Channel) -> Json:
    """A channel as the page shows it."""
    return {
        "id": of.id,
        "name": of.name,
        "is_private": of.is_private,
        "topic": of.topic,
        "members": list(of.members or ()),
    }


def conversation(of: Workspace, where: Channel, reader: str, read_ts: str) -> Json:
    """A line of the side bar: what is new since `read_ts` for this reader."""
    others = [member for member in where.members or () if member != reader]
    kind = "channel" if where.kind == "channel" else "im"
    if where.kind == "im" and of.app.bot_user in others:
        kind = "app"
    fresh = _fresh(where, reader, read_ts)
    found: Json = {
        "id": where.id,
        "name": where.name,
        "kind": kind,
        "unread": len(fresh),
        "mentions": sum(_wakes(message, reader) for message in fresh),
    }
    if where.kind == "im":
        found["with"] = others[0] if others else reader
        found["name"] = of.users[found["with"]].name
    if where.messages:
        found["latest"] = next(reversed(where.messages))
    return found


def message(of: Workspace, what: Message) -> Json:
    """A message as the page shows it."""
    shown = {"reply_count": 0, "reply_users": [], **payloads.message(of, what)}
    shown["reactions"] = [{"name": name, "users": list(users)} for name, users in what.reactions.items()]
    return shown | {"ephemeral": what.ephemeral_to is not None, "deleted": False}


def messages(of: Workspace, where: Channel, reader: str, thread_ts: str | None) -> list[Json]:
    """What the reader sees in a channel or a thread, oldest first, ephemeral messages among them."""
    said = where.thread(thread_ts) if thread_ts else list(where.top_level())
    whispered = [
        each for each in of.ephemerals.get(reader, ()) if each.channel == where.id and each.thread_ts == thread_ts
    ]
    return [message(of, each) for each in sorted([*said, *whispered], key=lambda each: each.ts)]


def typed(of: Workspace, text: str) -> str:
    """What a person typed, as Slack's client sends it: names become mentions, the rest is escaped."""
    parts, end = [], 0
    for match in _WRITTEN.finditer(text):
        parts += [_escape(text[end : match.start()]), match.group()]
        end = match.end()
    parts.append(_escape(text[end:]))
    by_name = {user.name: user.id for user in of.users.values()}
    return _NAMED.sub(lambda match: _mention(match, by_name), "".join(parts))


def _mention(match: re.Match[str], by_name: dict[str, str]) -> str:
    name = match.group(1)
    if name in ("channel", "here", "everyone"):
        return f"<!{name}>"
    return f"<@{by_name[name]}>" if name in by_name else match.group()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fresh(where: Channel, reader: str, read_ts: str) -> list[Message]:
    found = []
    for ts in reversed(where.messages):
        if ts <= read_ts:
            break
        if where.messages[ts].user != reader:
            found.append(where.messages[ts])
    return found


def _wakes(what: Message, reader: str) -> bool:
    return bool({reader, "channel", "here", "everyone"} & set(what.mentions))
