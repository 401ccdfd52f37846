"""Which scopes a call needs, and what Slack answers when the app lacks them."""

from ..digest import Method
from ..errors import SlackError
from ..workspace import Workspace


def need(workspace: Workspace, *any_of: str) -> None:
    """Raise missing_scope, with needed and provided, unless the app has one of these scopes."""
    if not workspace.app.scopes & set(any_of):
        provided = ",".join(sorted(workspace.app.scopes))
        raise SlackError("missing_scope", needed=any_of[0], provided=provided)


def check(workspace: Workspace, method: Method) -> None:
    """Raise missing_scope unless the app has a scope that allows the method at all."""
    if method.scopes:
        need(workspace, *method.scopes)
