"""What Slack's reference says about the methods that the stand-in has (`methods.json`) and the events."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Method:
    """Tier, scopes of which a bot token needs one, required arguments, documented errors."""

    tier: str | None
    scopes: tuple[str, ...]
    required: tuple[str, ...]
    errors: frozenset[str]


def _load() -> dict[str, Method]:
    found = json.loads((Path(__file__).parent / "methods.json").read_text())
    return {
        name: Method(facts["tier"], tuple(facts["scopes"]), tuple(facts["required"]), frozenset(facts["errors"]))
        for name, facts in found.items()
    }


METHODS = _load()
EVERY_SCOPE = frozenset(
    {scope for method in METHODS.values() for scope in method.scopes}
    | {"chat:write.public", "app_mentions:read", "commands", "users:read.email", "chat:write.customize"}
)

# Event subscription -> the scope without which Slack does not send it (None: no scope is needed).
SUBSCRIPTIONS: dict[str, str | None] = {
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "app_mention": "app_mentions:read",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "app_home_opened": None,
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "function_executed": None,
}
