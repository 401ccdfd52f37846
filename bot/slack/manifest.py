"""The Slack app's manifest: what the app is called, hears and may do, and no more than the code uses."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from bot.slack.app import PATH
from bot.slack.listeners.shortcuts import OPEN_CASE, OPEN_CASE_GLOBAL

COMMANDS = (
    ("/case", "Your queue, and everything about cases", "list | show C-12 | open [link] title | ack C-12 | help"),
    ("/oncall", "Who is on call, and who takes over", "[role] | override role @somebody 2h"),
)
SHORTCUTS = (
    ("message", OPEN_CASE, "Open a case", "The thread of this message becomes a case"),
    ("global", OPEN_CASE_GLOBAL, "Open a case", "Opens a case, from a message or on its own"),
)
EVENTS = ("app_home_opened", "app_mention", "message.channels", "message.groups", "message.im", "reaction_added")
SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:join",
    "channels:read",
    "chat:write",
    "commands",
    "groups:history",
    "groups:read",
    "im:history",
    "im:write",
    "reactions:read",
    "usergroups:read",
    "users:read",
    "users:read.email",
)


LONG_DESCRIPTION = (
    "Every exception of an automation gets an owner, a deadline and a button. Pointsman opens a case in the "
    "owner's channel, reminds, escalates to the person on call, sends again what failed, and keeps a record "
    "of who did what, when and why."
)


class BadAddress(ValueError):
    """The address cannot be the one that Slack calls; the text says what it has to be."""


def manifest(url: str | None = None) -> dict[str, Any]:
    """The manifest for Socket Mode, or for HTTP at `url`, the public https address of the service. Raises `BadAddress`
    for an address that Slack would not call."""
    address = _request_url(url) if url else None
    interactivity: dict[str, Any] = {"is_enabled": True}
    events: dict[str, Any] = {"bot_events": list(EVENTS)}
    if address:
        interactivity["request_url"] = events["request_url"] = address
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": "Pointsman",
            "description": "Catches what your automations drop",
            "long_description": LONG_DESCRIPTION,
            "background_color": "#1d3557",
        },
        "features": _features(address),
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": False,
            "socket_mode_enabled": address is None,
            "token_rotation_enabled": False,
        },
    }


def _features(address: str | None) -> dict[str, Any]:
    where = {"url": address} if address else {}
    return {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
        "bot_user": {"display_name": "Pointsman", "always_online": True},
        "shortcuts": [
            {"name": name, "type": kind, "callback_id": callback_id, "description": description}
            for kind, callback_id, name, description in SHORTCUTS
        ],
        "slash_commands": [
            {"command": name, "description": description, "usage_hint": hint, "should_escape": True, **where}
            for name, description, hint in COMMANDS
        ],
    }


def _request_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise BadAddress(f"{url!r} is not an address that Slack can call: write https://host of the service")
    return f"https://{parts.netloc}{parts.path.rstrip('/')}{PATH}"
