"""Direct messages when Slack is away: by e-mail, or by a signed call."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from sqlmodel import Session
from standardwebhooks import Webhook

from bot.desk.desk import Desk
from bot.desk.fallback import another_way
from bot.desk.outbox import Claimed, Undelivered
from bot.rules.fallback import Letter, body, subject
from bot.settings import Settings, SettingsFault, read_secret
from runbooks.calls import Caller
from runbooks.connectors import Connector, Resolved
from runbooks.filling import Filled
from runbooks.team import Fallback

log = logging.getLogger(__name__)

Sender = Callable[[Claimed], Awaitable[Mapping[str, Any]]]
SLACK_WITHIN, OTHERS_WITHIN = 8.0, 5.0
"""Seconds; together with both other ways less than a sender may take."""
EMAIL, WEBHOOK = "email", "webhook"


class NotTold(Exception):
    """The other way did not take it; the text says why, and no secret."""


class Otherwise:
    """Sends direct messages by Slack, and by the policy's fallback once Slack has been away for long enough. One that
    was told so is told, and Slack does not get it any more."""

    def __init__(
        self, slack: Sender, desk: Desk, caller: Caller, settings: Settings, environment: Mapping[str, str]
    ) -> None:
        self._slack = slack
        self._desk = desk
        self._caller = caller
        self._settings = settings
        self._environment = environment

    async def page(self, owed: Claimed) -> Mapping[str, Any]:
        """What Slack answered, or `{"fallback": way}`. Raises `Undelivered`."""
        if not await self._desk.read(self._is_there):
            return await self._slack(owed)
        try:
            return await asyncio.wait_for(self._slack(owed), SLACK_WITHIN)
        except TimeoutError:
            fault = Undelivered("no answer in time", unknown=True, is_away=True)
        except Undelivered as raised:
            if raised.permanent or not raised.is_away:
                raise
            fault = raised
        return await self._otherwise(owed, fault)

    def _is_there(self, session: Session) -> bool:
        return self._desk.policies.in_force(session).team.defaults.fallback is not None

    async def _otherwise(self, owed: Claimed, fault: Undelivered) -> Mapping[str, Any]:
        policies, now = self._desk.policies, self._desk.clock.now()
        found = await self._desk.read(lambda session: another_way(session, policies.in_force(session), owed, now))
        if found is None:
            raise fault
        for way, tell in ((EMAIL, self._email), (WEBHOOK, self._webhook)):
            if getattr(found.by, way) is None:
                continue
            try:
                await asyncio.wait_for(tell(owed, found.letter, found.by), OTHERS_WITHIN)
            except (NotTold, TimeoutError) as why:
                because = str(why) or "no answer in time"
                log.error(
                    "the fallback does not work", extra={"way": way, "case": found.letter.ref, "because": because}
                )
            else:
                return {"fallback": way}
        raise fault

    async def _email(self, owed: Claimed, letter: Letter, by: Fallback) -> None:
        import aiosmtplib

        settings = self._settings
        if settings.smtp_host is None:
            raise NotTold("SMTP_HOST is not set")
        message = EmailMessage()
        message["From"] = settings.smtp_from or f"pointsman@{settings.smtp_host}"
        message["To"] = by.email
        message["Subject"] = subject(letter)
        message["Message-ID"] = f"<{owed.key.replace(':', '.')}@pointsman>"
        message.set_content(body(letter))
        try:
            await aiosmtplib.send(
                message,
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_user,
                password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                timeout=OTHERS_WITHIN,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            raise NotTold(f"{settings.smtp_host}: {type(fault).__name__}") from None

    async def _webhook(self, owed: Claimed, letter: Letter, by: Fallback) -> None:
        """A call as Standard Webhooks has it: a repeat has the same `webhook-id`."""
        assert by.webhook
        now = self._desk.clock.now()
        content = {"type": f"case.{letter.what}", "timestamp": now.isoformat(), "data": asdict(letter)}
        said = json.loads(json.dumps(content, default=str))
        signature = self._signature(str(by.secret), owed.key, said)
        headers = {"webhook-id": owed.key, "webhook-timestamp": str(int(now.timestamp()))}
        headers["webhook-signature"] = signature
        connector, resolved, path = address_of(by.webhook)
        filled = Filled("POST", path, {}, said)
        answer = await self._caller.send(connector, resolved, filled, timeout=OTHERS_WITHIN, headers=headers, most=1024)
        if answer.status is None or not 200 <= answer.status < 300:
            raise NotTold(f"{urlsplit(by.webhook).hostname}: {answer.error or f'it answered {answer.status}'}")

    def _signature(self, name: str, key: str, said: dict[str, Any]) -> str:
        try:
            secret = read_secret(self._environment, name)
            if not secret:
                raise NotTold(f"{name} is not set")
            return Webhook(secret).sign(key, self._desk.clock.now(), json.dumps(said, allow_nan=False))
        except (SettingsFault, ValueError, RuntimeError) as fault:
            raise NotTold(f"{name}: {fault}") from None


def address_of(webhook: str) -> tuple[Connector, Resolved, str]:
    """The address as a connector that reaches public addresses only, and the path there."""
    parts = urlsplit(webhook)
    base, path = f"{parts.scheme}://{parts.netloc}", parts.path or "/"
    connector = Connector(name="fallback", base_url=base)
    return connector, Resolved("fallback", base, {}, ()), f"{path}?{parts.query}" if parts.query else path
