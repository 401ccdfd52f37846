"""The manifest says what the code uses, no less and no more, and Slack takes it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

import bot.slack
from bot.slack import app
from bot.slack.manifest import BadAddress, manifest

HERE = Path(__file__).parent
METHODS = json.loads((HERE.parents[1] / "bot/sandbox/workspace/methods.json").read_text())
CLIENT_CALLS = {name.replace(".", "_").lower(): name for name in METHODS}
OF_EVENTS = {
    "app_home_opened": set[str](),
    "app_mention": {"app_mentions:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "reaction_added": {"reactions:read"},
}
"""The scopes that Slack asks for each event (docs.slack.dev, events)."""


def called() -> set[str]:
    """Every Web API method that the code of the Slack side calls."""
    found = set()
    for path in Path(str(bot.slack.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                found.add(CLIENT_CALLS.get(node.func.attr.lower(), ""))
    return found - {""}


def needed(methods: set[str]) -> Iterator[set[str]]:
    """For each method the scopes of which it needs one."""
    for method in methods:
        if METHODS[method]["scopes"]:
            yield set(METHODS[method]["scopes"])


@pytest.mark.parametrize("url", [None, "https://ops.acme.test", "https://ops.acme.test/pointsman/"])
def test_slacks_own_schema_takes_it(url: str | None) -> None:
    schema = json.loads((HERE / "manifest.schema.json").read_text())
    assert [fault.message for fault in Draft7Validator(schema).iter_errors(manifest(url))] == []


def test_the_file_is_what_the_code_says() -> None:
    text = (HERE.parents[1] / "manifest.yml").read_text(encoding="utf-8")
    assert YAML(typ="safe").load(text) == manifest()


def test_commands_shortcuts_and_events_are_those_that_have_listeners() -> None:
    features, settings = manifest()["features"], manifest()["settings"]
    assert {each["command"] for each in features["slash_commands"]} == set(app.COMMANDS)
    assert {each["callback_id"] for each in features["shortcuts"]} == set(app.SHORTCUTS)
    events = settings["event_subscriptions"]["bot_events"]
    assert {event.split(".")[0] for event in events} == set(app.EVENTS)


def test_the_scopes_are_those_that_the_calls_and_events_need() -> None:
    scopes = set(manifest()["oauth_config"]["scopes"]["bot"])
    methods = called()
    assert {"chat.postMessage", "chat.update", "views.open", "users.lookupByEmail"} <= methods
    assert all(scopes & any_of for any_of in needed(methods))
    events = set().union(*(OF_EVENTS[event] for event in manifest()["settings"]["event_subscriptions"]["bot_events"]))
    of_calls = set().union(*needed(methods))
    assert events <= scopes
    assert scopes <= of_calls | events | {"commands", "users:read.email"}


def test_every_kind_of_conversation_can_be_read_where_one_can() -> None:
    scopes = set(manifest()["oauth_config"]["scopes"]["bot"])
    for kind in ("channels", "groups"):
        assert {f"{kind}:history", f"{kind}:read"} <= scopes
    assert {"im:history", "im:write"} <= scopes


def test_over_http_slack_is_given_one_address_for_everything() -> None:
    made = manifest("https://ops.acme.test/")
    address = "https://ops.acme.test/slack/events"
    assert made["settings"]["interactivity"]["request_url"] == address
    assert made["settings"]["event_subscriptions"]["request_url"] == address
    assert {each["url"] for each in made["features"]["slash_commands"]} == {address}
    assert made["settings"]["socket_mode_enabled"] is False


@pytest.mark.parametrize("url", ["http://ops.acme.test", "ops.acme.test", "https://", "https://x.test/?a=1"])
def test_an_address_that_slack_would_not_call_is_refused(url: str) -> None:
    with pytest.raises(BadAddress, match="write https://"):
        manifest(url)
