"""The modals that a person has open, and the Home: what opens, replaces and closes them."""

import itertools
from copy import deepcopy
from typing import Any

from . import block_kit, forms, messages
from .errors import SlackError
from .state import View
from .workspace import Change, Workspace

STACK = 3
Json = dict[str, Any]


def checked(content: Any, kind: str) -> Json:
    """Return a view after Slack's checks. Raises SlackError view_too_large, invalid_arguments."""
    if block_kit.too_large(content):
        raise SlackError("view_too_large")
    problems = [str(problem) for problem in block_kit.view_problems(content)]
    if not problems and content["type"] != kind:
        problems = [f"[ERROR] must be of type {kind} [json-pointer:/view/type]"]
    if problems:
        messages_ = [problem.replace("[json-pointer:/", "[json-pointer:/view/") for problem in problems]
        raise SlackError("invalid_arguments", response_metadata={"messages": messages_})
    return dict(content)


def open_root(workspace: Workspace, user: str, content: Json) -> View:
    """Open a modal; whatever was open is gone."""
    workspace.stacks[user].clear()
    view = _new(workspace, user, content)
    workspace.stacks[user].append(view)
    workspace.changed(Change("view_opened", user=user, view=view))
    return view


def push(workspace: Workspace, user: str, content: Json) -> View:
    """Put a modal on top. Raises SlackError push_limit_reached above three."""
    stack = workspace.stacks[user]
    if len(stack) >= STACK:
        raise SlackError("push_limit_reached")
    view = _new(workspace, user, content)
    if stack:
        view.root_id, view.previous_id = stack[0].id, stack[-1].id
    stack.append(view)
    workspace.changed(Change("view_pushed", user=user, view=view))
    return view


def replace(workspace: Workspace, view: View, content: Json) -> View:
    """Show other content in the same view; what was typed stays where block_id and action_id stay."""
    _fill(workspace, view, content)
    kind = "home" if view.type == "home" else "view_updated"
    workspace.changed(Change(kind, user=view.user, view=view))
    return view


def publish(workspace: Workspace, user: str, content: Json) -> View:
    """Show a Home; it keeps its view id."""
    view = workspace.homes.get(user)
    if view is None:
        view = workspace.homes[user] = _new(workspace, user, content)
        workspace.changed(Change("home", user=user, view=view))
        return view
    return replace(workspace, view, content)


def close(workspace: Workspace, view: View) -> None:
    """Take a modal off its stack, with what lies on top of it."""
    stack = workspace.stacks[view.user]
    while view in stack:
        gone = stack.pop()
        workspace.changed(Change("view_closed", user=view.user, view=gone))


def clear(workspace: Workspace, user: str) -> None:
    """Close all modals of a user."""
    if workspace.stacks[user]:
        close(workspace, workspace.stacks[user][0])


def by_external_id(workspace: Workspace, external_id: str) -> View | None:
    """The open view that the app gave this external_id."""
    open_views = itertools.chain(*workspace.stacks.values(), workspace.homes.values())
    if not external_id:
        return None
    return next((view for view in open_views if view.content.get("external_id") == external_id), None)


def _new(workspace: Workspace, user: str, content: Json) -> View:
    view = View(workspace.new_id("V"), user, content, "")
    view.root_id = view.id
    _fill(workspace, view, content)
    return view


def _fill(workspace: Workspace, view: View, content: Json) -> None:
    view.content = deepcopy(content)
    messages.name_parts(workspace, view.content["blocks"])
    view.hash = f"{workspace.next_ts()}.{workspace.new_id('h')}"
    view.values = forms.state(view.blocks, before=view.values)
