"""What an app asks about itself: auth, team, bots; its functions' results; the check of blocks."""

from typing import Any

from .. import block_kit, payloads
from ..arguments import Arguments, invalid
from ..errors import SlackError
from ..workspace import Change, Workspace

Answer = dict[str, Any]


def api_test(workspace: Workspace, args: Arguments) -> Answer:
    """api.test: gives back what it was given."""
    if args.text("error"):
        raise SlackError(args.text("error"), args=dict(args))
    return {"args": dict(args)}


def auth_test(workspace: Workspace, args: Arguments) -> Answer:
    """auth.test."""
    return {
        "url": f"https://{workspace.team.domain}.slack.com/",
        "team": workspace.team.name,
        "user": workspace.app.name.lower(),
        "team_id": workspace.team.id,
        "user_id": workspace.app.bot_user,
        "bot_id": workspace.app.bot_id,
        "is_enterprise_install": False,
    }


def team_info(workspace: Workspace, args: Arguments) -> Answer:
    """team.info: of the own workspace."""
    if args.text("team", workspace.team.id) != workspace.team.id:
        raise SlackError("team_not_found")
    team = workspace.team
    return {"team": {"id": team.id, "name": team.name, "domain": team.domain, "email_domain": ""}}


def bots_info(workspace: Workspace, args: Arguments) -> Answer:
    """bots.info: of the app's own bot."""
    if args.text("bot", workspace.app.bot_id) != workspace.app.bot_id:
        raise SlackError("bot_not_found")
    return {"bot": payloads.bot(workspace)}


def complete_success(workspace: Workspace, args: Arguments) -> Answer:
    """functions.completeSuccess: the step of a Slack workflow is done."""
    outputs = args.parsed("outputs")
    if not isinstance(outputs, dict):
        raise SlackError("parameter_validation_failed")
    return _complete(workspace, args, {"state": "done", "outputs": outputs})


def complete_error(workspace: Workspace, args: Arguments) -> Answer:
    """functions.completeError: the step failed, with words for the person."""
    return _complete(workspace, args, {"state": "failed", "error": args.text("error")})


def validate(workspace: Workspace, args: Arguments) -> Answer:
    """blocks.validate: exactly one of blocks, view or message; needs no token."""
    given = [name for name in ("blocks", "view", "message") if name in args]
    if len(given) != 1:
        raise invalid("exactly one of blocks, view or message is needed", "")
    value = args.parsed(given[0])
    if given == ["view"]:
        problems = list(block_kit.view_problems(value))
    else:
        blocks = (value or {}).get("blocks") if given == ["message"] else value
        problems = list(block_kit.block_problems(blocks, "message", "/blocks"))
    if problems:
        raise SlackError(f"invalid_{given[0]}", errors=[_detail(problem) for problem in problems])
    return {}


def _complete(workspace: Workspace, args: Arguments, result: Answer) -> Answer:
    execution = workspace.executions.get(args.text("function_execution_id"))
    if execution is None:
        raise SlackError("function_execution_not_found")
    if execution["state"] != "running":
        raise SlackError("execution_not_in_running_state")
    execution |= result
    workspace.changed(Change("function_completed", detail=execution))
    return {}


def _detail(problem: block_kit.Problem) -> Answer:
    code = "required_field" if problem.sentence == "is required" else "invalid_value"
    return {
        "code": code,
        "message": problem.sentence,
        "pointer": problem.pointer,
        "constraint": problem.sentence,
    }


METHODS = {
    "api.test": api_test,
    "auth.test": auth_test,
    "team.info": team_info,
    "bots.info": bots_info,
    "functions.completeSuccess": complete_success,
    "functions.completeError": complete_error,
    "blocks.validate": validate,
}
