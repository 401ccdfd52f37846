"""What keeps the service from starting."""

from __future__ import annotations

from bot.settings import Settings


class StartFault(Exception):
    """The service cannot start; the text says why and what to do."""


def first_line(fault: BaseException) -> str:
    """What a library's error says, without what it adds below."""
    return str(fault).strip().partition("\n")[0]


def check_slack(settings: Settings) -> None:
    """Raises `StartFault` for tokens that do not go together."""
    if settings.slack_bot_token and not (settings.slack_app_token or settings.slack_signing_secret):
        raise StartFault("SLACK_SIGNING_SECRET: set it for HTTP, or SLACK_APP_TOKEN for Socket Mode")
    if settings.slack_app_token and not settings.slack_bot_token:
        raise StartFault("SLACK_BOT_TOKEN: SLACK_APP_TOKEN is set, so it is needed too")


def check_added_steps() -> None:
    """Raises `StartFault` for kinds of step that other packages add and that cannot be used."""
    import runbooks.runbook  # noqa: F401  with it they are loaded
    from runbooks.added_steps import FAULTS

    if FAULTS:
        raise StartFault("; ".join(FAULTS))
