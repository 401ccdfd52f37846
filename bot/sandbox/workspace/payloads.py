"""What Slack sends, built from what the workspace knows. Pure: nothing is changed here."""

from typing import Any

from .state import Channel, Message, User, View
from .workspace import Workspace

Json = dict[str, Any]


def user(workspace: Workspace, who: User, *, with_email: bool = True) -> Json:
    """A user object as users.info gives it."""
    profile: Json = {
        "real_name": who.real_name or who.name,
        "display_name": who.name,
        "title": who.title,
        "team": who.team_id,
    }
    if who.email and with_email:
        profile["email"] = who.email
    found: Json = {
        "id": who.id,
        "team_id": who.team_id,
        "name": who.name,
        "deleted": who.deleted,
        "color": who.color,
        "real_name": who.real_name or who.name,
        "tz": who.tz,
        "profile": profile,
        "is_admin": who.is_admin,
        "is_bot": who.is_bot,
        "is_restricted": who.is_restricted,
        "is_ultra_restricted": False,
        "is_app_user": False,
        "is_stranger": who.team_id != workspace.team.id,
    }
    return found


def channel(workspace: Workspace, where: Channel) -> Json:
    """A conversation object as conversations.info gives it, seen by the bot."""
    bot = workspace.app.bot_user
    found: Json = {
        "id": where.id,
        "name": where.name,
        "is_channel": where.kind == "channel" and not where.is_private,
        "is_group": where.scope_kind == "groups",
        "is_im": where.kind == "im",
        "is_mpim": where.kind == "mpim",
        "is_private": where.is_private,
        "is_archived": where.is_archived,
        "is_member": workspace.is_member(where, bot),
        "is_ext_shared": where.is_ext_shared,
        "is_shared": where.is_ext_shared,
        "topic": {"value": where.topic, "creator": "", "last_set": 0},
        "num_members": len(where.members or ()),
        "context_team_id": workspace.team.id,
    }
    if where.kind == "im":
        others = [member for member in where.members or () if member != bot]
        found["user"] = others[0] if others else bot
        del found["name"], found["is_member"]
    return found


def message(workspace: Workspace, what: Message, *, metadata: bool = False) -> Json:
    """A message object as conversations.history and events carry it."""
    found: Json = {"type": "message", "user": what.user, "ts": what.ts, "text": what.text}
    author = workspace.users.get(what.user)
    found["team"] = author.team_id if author else workspace.team.id
    optional = {
        "subtype": what.subtype,
        "thread_ts": what.thread_ts,
        "bot_id": what.bot_id,
        "username": what.username,
        "blocks": what.blocks,
        "attachments": what.attachments,
        "files": what.files,
        "metadata": what.metadata if metadata else None,
        "parent_user_id": _parent_author(workspace, what),
    }
    found |= {key: value for key, value in optional.items() if value}
    if what.bot_id == workspace.app.bot_id:
        found["app_id"] = workspace.app.id
        found["bot_profile"] = bot(workspace)
    if what.edited_ts:
        found["edited"] = {"user": what.user, "ts": what.edited_ts}
    if what.reactions:
        found["reactions"] = reactions(what)
    return found | thread_counts(workspace, what)


def thread_counts(workspace: Workspace, root: Message) -> Json:
    """What a root says about its thread: nothing when there are no replies."""
    where = workspace.channels.get(root.channel)
    replies = where.threads.get(root.ts) if where else None
    if not where or not replies:
        return {}
    users = dict.fromkeys(where.messages[ts].user for ts in replies if ts in where.messages)
    return {
        "thread_ts": root.ts,
        "reply_count": len(replies),
        "reply_users": list(users)[:5],
        "reply_users_count": len(users),
        "latest_reply": replies[-1],
    }


def _parent_author(workspace: Workspace, reply: Message) -> str | None:
    if reply.thread_ts in (None, reply.ts) or reply.channel not in workspace.channels:
        return None
    root = workspace.channels[reply.channel].messages.get(str(reply.thread_ts))
    return root.user if root else None


def reactions(what: Message) -> list[Json]:
    """The reactions of a message."""
    return [{"name": name, "users": list(users), "count": len(users)} for name, users in what.reactions.items()]


def bot(workspace: Workspace) -> Json:
    """The bot as bots.info and messages describe it."""
    app = workspace.app
    return {"id": app.bot_id, "app_id": app.id, "user_id": app.bot_user, "name": app.name, "deleted": False}


def view(workspace: Workspace, what: View) -> Json:
    """A view object as views.* answers and payloads carry it."""
    content: Json = {
        "title": None,
        "submit": None,
        "close": None,
        "callback_id": "",
        "private_metadata": "",
        "external_id": "",
        "clear_on_close": False,
        "notify_on_close": False,
    }
    return {
        "id": what.id,
        "team_id": workspace.team.id,
        **content,
        **what.content,
        "state": {"values": what.values},
        "hash": what.hash,
        "previous_view_id": what.previous_id,
        "root_view_id": what.root_id or what.id,
        "app_id": workspace.app.id,
        "app_installed_team_id": workspace.team.id,
        "bot_id": workspace.app.bot_id,
    }


def interaction(workspace: Workspace, kind: str, actor: User) -> Json:
    """What every interactive payload has. `team` is the actor's own, as with Slack Connect."""
    domain = workspace.team.domain if actor.team_id == workspace.team.id else actor.team_id.lower()
    return {
        "type": kind,
        "token": "verification-token-is-deprecated",
        "team": {"id": actor.team_id, "domain": domain},
        "enterprise": None,
        "is_enterprise_install": False,
        "user": {
            "id": actor.id,
            "username": actor.name,
            "name": actor.name,
            "team_id": actor.team_id,
        },
        "api_app_id": workspace.app.id,
    }


def command(workspace: Workspace, actor: User, where: Channel, name: str, text: str) -> dict[str, str]:
    """The form that a slash command is sent as, without trigger_id and response_url."""
    names = {"im": "directmessage", "groups": "privategroup", "mpim": where.name, "channels": where.name}
    return {
        "token": "verification-token-is-deprecated",
        "team_id": actor.team_id,
        "team_domain": workspace.team.domain,
        "channel_id": where.id,
        "channel_name": names[where.scope_kind],
        "user_id": actor.id,
        "user_name": actor.name,
        "command": name,
        "text": text,
        "api_app_id": workspace.app.id,
        "is_enterprise_install": "false",
    }


def envelope(workspace: Workspace, event: Json, where: Channel | None) -> Json:
    """The callback around an event."""
    app, team = workspace.app, workspace.team
    authorization = {
        "enterprise_id": None,
        "team_id": team.id,
        "user_id": app.bot_user,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    return {
        "token": "verification-token-is-deprecated",
        "team_id": team.id,
        "context_team_id": team.id,
        "context_enterprise_id": None,
        "api_app_id": app.id,
        "event": event,
        "type": "event_callback",
        "event_id": workspace.new_id("Ev"),
        "event_time": int(workspace.now()),
        "authorizations": [authorization],
        "is_ext_shared_channel": bool(where and where.is_ext_shared),
        "event_context": f"4-{workspace.new_id('EC')}",
    }
