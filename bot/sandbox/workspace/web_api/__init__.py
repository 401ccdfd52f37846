"""Slack's Web API: each method is a function of the workspace and the call's arguments."""

from collections.abc import Callable
from typing import Any

from ..arguments import Arguments, invalid
from ..digest import METHODS as DIGEST
from ..errors import SlackError
from ..workspace import Workspace
from . import app, chat, conversations, files, reactions, scopes, users, views

Handler = Callable[[Workspace, Arguments], dict[str, Any]]
METHODS: dict[str, Handler] = {
    **app.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **files.METHODS,
    **reactions.METHODS,
    **users.METHODS,
    **views.METHODS,
}
NO_TOKEN = ("api.test", "blocks.validate")
SOCKET_METHOD = "apps.connections.open"


def authorise(workspace: Workspace, method: str, token: str) -> None:
    """Raise SlackError unless the token may call the method.

    unknown_method, not_authed, invalid_auth, not_allowed_token_type, missing_scope.
    """
    if method not in METHODS and method != SOCKET_METHOD:
        raise SlackError("unknown_method", req_method=method)
    if method in NO_TOKEN:
        return
    if not token:
        raise SlackError("not_authed")
    as_bot = token == workspace.app.bot_token or token in workspace.step_tokens
    if not as_bot and token != workspace.app.app_token:
        raise SlackError("invalid_auth")
    if as_bot == (method == SOCKET_METHOD):
        raise SlackError("not_allowed_token_type")
    scopes.check(workspace, DIGEST[method])


def answer(workspace: Workspace, method: str, args: Arguments) -> dict[str, Any]:
    """Carry out a call that was authorised and return the body of its answer. Raises SlackError."""
    for name in DIGEST[method].required:
        if args.get(name) in (None, ""):
            raise _without(method, name)
    return {"ok": True, **METHODS[method](workspace, args)}


def _without(method: str, name: str) -> SlackError:
    if name == "channel":
        return SlackError("channel_not_found")
    if method == "conversations.open" and name == "users":
        return SlackError("users_list_not_supplied")
    return invalid(f"missing required field: {name}", f"/{name}")
