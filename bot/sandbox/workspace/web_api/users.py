"""users.* and usergroups.*."""

from typing import Any

from .. import payloads
from ..arguments import Arguments
from ..errors import SlackError
from ..state import User, Usergroup
from ..workspace import Workspace
from . import finding

Answer = dict[str, Any]


def info(workspace: Workspace, args: Arguments) -> Answer:
    """users.info; the address only with users:read.email."""
    return {"user": _shown(workspace, workspace.user(args.text("user")))}


def list_users(workspace: Workspace, args: Arguments) -> Answer:
    """users.list: those of this workspace, deactivated ones too."""
    home = [user for user in workspace.users.values() if user.team_id == workspace.team.id]
    found, more = finding.page(home, args)
    return {
        "members": [_shown(workspace, user) for user in found],
        "cache_ts": int(workspace.now()),
        **more,
    }


def lookup_by_email(workspace: Workspace, args: Arguments) -> Answer:
    """users.lookupByEmail: active users of this workspace."""
    email = args.text("email").lower()
    for user in workspace.users.values():
        at_home = user.team_id == workspace.team.id and not user.deleted
        if at_home and user.email and user.email.lower() == email:
            return {"user": _shown(workspace, user)}
    raise SlackError("users_not_found")


def list_groups(workspace: Workspace, args: Arguments) -> Answer:
    """usergroups.list."""
    with_users = args.flag("include_users")
    return {"usergroups": [_group(group, with_users) for group in workspace.usergroups.values()]}


def users_of_group(workspace: Workspace, args: Arguments) -> Answer:
    """usergroups.users.list."""
    group = workspace.usergroups.get(args.text("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def _shown(workspace: Workspace, user: User) -> Answer:
    with_email = "users:read.email" in workspace.app.scopes
    return payloads.user(workspace, user, with_email=with_email)


def _group(group: Usergroup, with_users: bool) -> Answer:
    found: Answer = {
        "id": group.id,
        "handle": group.handle,
        "name": group.name or group.handle,
        "user_count": len(group.users),
    }
    return found | ({"users": list(group.users)} if with_users else {})


METHODS = {
    "users.info": info,
    "users.list": list_users,
    "users.lookupByEmail": lookup_by_email,
    "usergroups.list": list_groups,
    "usergroups.users.list": users_of_group,
}
