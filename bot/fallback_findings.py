"""What `doctor` says of the way that people are told when Slack is away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.findings import Finding, well, wrong
from bot.settings import Settings, SettingsFault, read_secret
from runbooks.policy import Policy


def of_fallback(policy: Policy, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """A line for each way; nothing is sent."""
    by = policy.team.defaults.fallback
    if by is None:
        yield well("fallback: there is none (defaults.fallback): when Slack is away, nobody is told until it is back")
        return
    if by.email and settings.smtp_host is None:
        yield wrong(f"fallback: SMTP_HOST is not set, so no e-mail goes to {by.email} when Slack is away")
    elif by.email:
        yield well(f"fallback: e-mail to {by.email} by {settings.smtp_host}:{settings.smtp_port}")
    if by.webhook and by.secret:
        yield _of_webhook(by.webhook, by.secret, environment)


def _of_webhook(webhook: str, secret: str, environment: Mapping[str, str]) -> Finding:
    try:
        if read_secret(environment, secret):
            return well(f"fallback: a signed call to {webhook}")
    except SettingsFault as fault:
        return wrong(f"fallback: {fault}")
    return wrong(f"fallback: {secret} is not set, so {webhook} is not called when Slack is away")
