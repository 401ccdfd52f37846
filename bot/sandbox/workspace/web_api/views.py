"""views.*: modals and the Home."""

from typing import Any

from .. import modals, payloads
from ..arguments import Arguments
from ..errors import SlackError
from ..state import View
from ..workspace import Workspace

Answer = dict[str, Any]


def open_view(workspace: Workspace, args: Arguments) -> Answer:
    """views.open."""
    content = modals.checked(args.parsed("view"), "modal")
    _unique_external_id(workspace, content)
    trigger = workspace.take_trigger(args.text("trigger_id"))
    return _answer(workspace, modals.open_root(workspace, trigger.user, content))


def push(workspace: Workspace, args: Arguments) -> Answer:
    """views.push: onto the modal in which the trigger arose."""
    content = modals.checked(args.parsed("view"), "modal")
    _unique_external_id(workspace, content)
    trigger = workspace.take_trigger(args.text("trigger_id"))
    if not workspace.stacks[trigger.user]:
        raise SlackError("not_found")
    return _answer(workspace, modals.push(workspace, trigger.user, content))


def update(workspace: Workspace, args: Arguments) -> Answer:
    """views.update by view_id or external_id, with `hash` against races."""
    view = _find(workspace, args)
    content = modals.checked(args.parsed("view"), view.type)
    if args.text("hash") and args.text("hash") != view.hash:
        raise SlackError("hash_conflict")
    _unique_external_id(workspace, content, view)
    return _answer(workspace, modals.replace(workspace, view, content))


def publish(workspace: Workspace, args: Arguments) -> Answer:
    """views.publish: a user's Home."""
    user = workspace.user(args.text("user_id"))
    content = modals.checked(args.parsed("view"), "home")
    home = workspace.homes.get(user.id)
    if args.text("hash") and home and args.text("hash") != home.hash:
        raise SlackError("hash_conflict")
    return _answer(workspace, modals.publish(workspace, user.id, content))


def _find(workspace: Workspace, args: Arguments) -> View:
    if args.text("view_id"):
        view = workspace.view(args.text("view_id"))
    else:
        view = modals.by_external_id(workspace, args.text("external_id"))
    if view is None:
        raise SlackError("not_found")
    return view


def _unique_external_id(workspace: Workspace, content: dict[str, Any], own: View | None = None) -> None:
    taken = modals.by_external_id(workspace, str(content.get("external_id") or ""))
    if taken is not None and taken is not own:
        raise SlackError("duplicate_external_id")


def _answer(workspace: Workspace, view: View) -> Answer:
    return {"view": payloads.view(workspace, view)}


METHODS = {"views.open": open_view, "views.push": push, "views.update": update, "views.publish": publish}
