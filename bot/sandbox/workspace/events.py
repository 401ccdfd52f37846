"""Which events a change of the workspace sends to the app, given what it subscribed to and may read."""

from collections.abc import Iterator
from typing import Any

from . import payloads
from .digest import SUBSCRIPTIONS
from .state import Channel, Message
from .workspace import Change, Workspace

Json = dict[str, Any]


def events(workspace: Workspace, change: Change) -> Iterator[Json]:
    """Yield the event callbacks that the app gets for a change, ready to send."""
    where = workspace.channels.get(change.channel)
    builder = _BUILDERS.get(change.kind)
    if builder is None:
        return
    if where is not None and not _hears(workspace, where, change):
        return
    for subscription, event in builder(workspace, change, where):
        if _subscribed(workspace, subscription):
            yield payloads.envelope(workspace, event, where)


def _hears(workspace: Workspace, where: Channel, change: Change) -> bool:
    bot = workspace.app.bot_user
    return workspace.is_member(where, bot) or (change.kind == "member_left" and change.user == bot)


def _subscribed(workspace: Workspace, subscription: str) -> bool:
    scope = SUBSCRIPTIONS[subscription]
    return subscription in workspace.app.events and (scope is None or scope in workspace.app.scopes)


def _message(workspace: Workspace, change: Change, where: Channel | None) -> Iterator[tuple[str, Json]]:
    what = _required(change.message)
    event = payloads.message(workspace, what) | _place(workspace, what, where)
    yield _message_subscription(where), event
    if workspace.app.bot_user in what.mentions and where and where.kind == "channel":
        mention = {key: value for key, value in event.items() if key != "channel_type"}
        yield "app_mention", mention | {"type": "app_mention"}


def _changed(workspace: Workspace, change: Change, where: Channel | None) -> Iterator[tuple[str, Json]]:
    what, previous = _required(change.message), _required(change.previous)
    event = _place(workspace, what, where) | {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "message": payloads.message(workspace, what),
        "previous_message": payloads.message(workspace, previous),
        "ts": what.edited_ts,
        "event_ts": what.edited_ts,
    }
    yield _message_subscription(where), event


def _deleted(workspace: Workspace, change: Change, where: Channel | None) -> Iterator[tuple[str, Json]]:
    what, ts = _required(change.message), workspace.next_ts()
    if what.ephemeral_to:
        return
    event = _place(workspace, what, where) | {
        "type": "message",
        "subtype": "message_deleted",
        "hidden": True,
        "deleted_ts": what.ts,
        "previous_message": payloads.message(workspace, what),
        "ts": ts,
        "event_ts": ts,
    }
    yield _message_subscription(where), event


def _place(workspace: Workspace, what: Message, where: Channel | None) -> Json:
    author = workspace.users.get(what.user)
    place: Json = {"channel": what.channel, "event_ts": what.ts}
    place["channel_type"] = where.type if where else "channel"
    if author and author.team_id != workspace.team.id:
        place |= {"user_team": author.team_id, "source_team": author.team_id}
    return place


def _message_subscription(where: Channel | None) -> str:
    return f"message.{where.scope_kind}" if where else "message.channels"


def _reaction(workspace: Workspace, change: Change, where: Channel | None) -> Iterator[tuple[str, Json]]:
    what = _required(change.message)
    yield (
        change.kind,
        {
            "type": change.kind,
            "user": change.user,
            "reaction": change.detail["name"],
            "item": {"type": "message", "channel": what.channel, "ts": what.ts},
            "item_user": what.user,
            "event_ts": workspace.next_ts(),
        },
    )


def _member(workspace: Workspace, change: Change, where: Channel | None) -> Iterator[tuple[str, Json]]:
    name = f"{change.kind}_channel"
    event = {
        "type": name,
        "user": change.user,
        "channel": change.channel,
        "channel_type": "G" if where and where.is_private else "C",
        "team": workspace.users[change.user].team_id,
        "event_ts": workspace.next_ts(),
    }
    if change.detail.get("inviter"):
        event["inviter"] = change.detail["inviter"]
    yield name, event


def _home_opened(workspace: Workspace, change: Change, where: Channel | None) -> Iterator[tuple[str, Json]]:
    home = workspace.homes.get(change.user)
    event: Json = {
        "type": "app_home_opened",
        "user": change.user,
        "channel": change.channel,
        "tab": change.detail["tab"],
        "event_ts": workspace.next_ts(),
    }
    if home and event["tab"] == "home":
        event["view"] = payloads.view(workspace, home)
    yield "app_home_opened", event


def _function(workspace: Workspace, change: Change, where: Channel | None) -> Iterator[tuple[str, Json]]:
    event = {"type": "function_executed", "event_ts": workspace.next_ts(), **change.detail}
    yield "function_executed", event


def _required(message: Message | None) -> Message:
    assert message is not None, "a change of a message carries it"
    return message


_BUILDERS = {
    "message": _message,
    "message_changed": _changed,
    "message_deleted": _deleted,
    "reaction_added": _reaction,
    "reaction_removed": _reaction,
    "member_joined": _member,
    "member_left": _member,
    "home_opened": _home_opened,
    "function_executed": _function,
}
