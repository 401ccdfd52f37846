"""A request as it came from Slack, parsed once: who asks, where the answer is heard, by which key it is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks and where the answer goes. `key` is the same when Slack sends the same request again."""

    user: str
    team: str | None
    key: str
    channel: str | None = None
    thread_ts: str | None = None
    response_url: str | None = None
    trigger_id: str | None = None


def of_click(body: Body) -> Asker:
    """Who pressed a button or chose from a menu, on a message, in a form or on the Home tab."""
    where, user = body.get("container") or {}, body["user"]
    return Asker(
        user=str(user["id"]),
        team=user.get("team_id"),
        key=f"slack:click:{body['trigger_id']}",
        channel=where.get("channel_id"),
        thread_ts=where.get("thread_ts"),
        response_url=body.get("response_url"),
        trigger_id=body["trigger_id"],
    )


def of_shortcut(body: Body) -> Asker:
    """Who used a shortcut; on a message, the answer goes where that is."""
    message, user = body.get("message") or {}, body["user"]
    return Asker(
        user=str(user["id"]),
        team=user.get("team_id"),
        key=f"slack:click:{body['trigger_id']}",
        channel=(body.get("channel") or {}).get("id"),
        thread_ts=message.get("thread_ts"),
        response_url=body.get("response_url"),
        trigger_id=body["trigger_id"],
    )


def of_submission(body: Body) -> Asker:
    """Who sent a form. One form is one request, however often it is sent."""
    view, user = body["view"], body["user"]
    form = read_form(view.get("private_metadata") or "")
    return Asker(
        user=str(user["id"]),
        team=user.get("team_id"),
        key=f"slack:view:{view['id']}",
        channel=form.channel,
        thread_ts=form.thread_ts,
        trigger_id=body.get("trigger_id"),
    )


def of_command(body: Body) -> Asker:
    """Who typed a slash command."""
    return Asker(
        user=str(body["user_id"]),
        team=body.get("team_id"),
        key=f"slack:click:{body['trigger_id']}",
        channel=body.get("channel_id"),
        response_url=body.get("response_url"),
        trigger_id=body.get("trigger_id"),
    )


def of_event(body: Body) -> Asker:
    """Who caused an event. The workspace is the person's own where the event tells it."""
    event = body["event"]
    item = event.get("item") or {}
    return Asker(
        user=str(event.get("user") or ""),
        team=event.get("user_team") or event.get("source_team") or event.get("team"),
        key=f"slack:event:{body['event_id']}",
        channel=event.get("channel") or item.get("channel"),
        thread_ts=event.get("thread_ts") or event.get("ts") or item.get("ts"),
    )


@dataclass(frozen=True, slots=True)
class Form:
    """What a form carries along: the case, or the thread that becomes one, and where its answer is heard. `event`:
    one of the case's; `run`: one of its runs; `names`: under which its fields came, by pointer."""

    case: str = ""
    channel: str | None = None
    thread_ts: str | None = None
    root_ts: str | None = None
    verb: str = ""
    page: int = 0
    seen: int = 0
    event: int = 0
    run: int = 0
    names: Mapping[str, str] = field(default_factory=dict)

    def kept(self) -> str:
        """For `private_metadata`."""
        return json.dumps({key: value for key, value in asdict(self).items() if value}, separators=(",", ":"))


def read_form(metadata: str) -> Form:
    """What a form carried; an empty one for what is not ours."""
    try:
        return Form(**json.loads(metadata))
    except (TypeError, ValueError):
        return Form()


def heard_at(asker: Asker, form: Form) -> Form:
    """The form, whose answer is heard where it was asked for."""
    return replace(form, channel=asker.channel, thread_ts=asker.thread_ts)


def ticked(view: Body, prefix: str) -> tuple[str, ...]:
    """What was ticked in the boxes of a form, whose blocks' names begin with `prefix`."""
    values: Mapping[str, Mapping[str, Any]] = (view.get("state") or {}).get("values", {})
    held = [element for block_id, state in values.items() if block_id.startswith(prefix) for element in state.values()]
    return tuple(str(option["value"]) for element in held for option in element.get("selected_options") or ())


def chosen(view: Body, block_id: str) -> str:
    """What was filled into a field of a form; "" for nothing."""
    state: Mapping[str, Any] = (view.get("state") or {}).get("values", {}).get(block_id, {})
    held: Mapping[str, Any] = next(iter(state.values()), {})
    option = held.get("selected_option")
    value = option["value"] if option else held.get("value") or held.get("selected_user")
    return str(value or "").strip()
