"""Slack is away: what a ladder owes to a person is told another way, once."""

from __future__ import annotations

import asyncio
import email
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr
from standardwebhooks import Webhook

from bot.jobs import fallback
from runbooks.connectors import Connector, Resolved
from tests.stories.company import BILLING, FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage

LOST = {"failure_mode": "outcome_missing", "title": "No callback for refund re_1\nX-Hostile: yes"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class MailServer:
    """A mail server that keeps what it is given; while `refuses`, it takes nothing."""

    port: int = 0
    letters: list[Message] = field(default_factory=list)
    refuses: bool = False
    logins: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")

        say("220 mail.acme.test")
        while line := (await reader.readline()).decode().strip():
            word = line.split(" ")[0].upper()
            if word == "EHLO":
                say("250-mail.acme.test\r\n250 AUTH PLAIN")
            elif word == "AUTH":
                self.logins += 1
                say("235 welcome")
            elif word == "RCPT" and self.refuses:
                say("451 try again")
            elif word == "DATA":
                say("354 go on")
                said = await reader.readuntil(b"\r\n.\r\n")
                self.letters.append(email.message_from_bytes(said))
                say("250 taken")
            elif word == "QUIT":
                break
            else:
                say("250 ok")
        say("221 bye")
        writer.close()

    @property
    def texts(self) -> list[str]:
        return [str(letter.get_payload(decode=True), "utf-8") for letter in self.letters]  # type: ignore[arg-type]


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    made = MailServer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@dataclass
class Receiver:
    """What took calls of the fallback: checks each signature."""

    url: str = ""
    got: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        said = await request.text()
        headers = {name: request.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")}
        assert Webhook(SECRET).sign(headers["id"], _at(headers["timestamp"]), said) == headers["signature"]
        self.got.append((headers["id"], json.loads(said)))
        return web.Response(status=204)


def _at(timestamp: str) -> datetime:
    return datetime.fromtimestamp(int(timestamp), UTC)


@pytest.fixture
async def receiver(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/told", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"

    def here(webhook: str) -> tuple[Connector, Resolved, str]:
        """The receiver stands on this machine, where no webhook may lead."""
        _, _, path = real(webhook)
        return Connector(name="fallback", base_url=base, private=True), Resolved("fallback", base, {}, ()), path

    real = fallback.address_of
    monkeypatch.setattr(fallback, "address_of", here)
    yield made
    await runner.cleanup()


def goes_by(folder: Path, said: str) -> None:
    team = folder / "team.yml"
    team.write_text(team.read_text().replace("defaults:\n", f"defaults:\n  fallback: {said}\n"))


@pytest.fixture
def by_mail(empty_stage: Stage, folder: Path, mail: MailServer) -> Stage:
    """A stage whose company is told by e-mail when Slack is away."""
    goes_by(folder, "{email: on-call@acme.test}")
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail.port, "smtp_security": "none", "smtp_user": "pointsman"}
    secret = {"smtp_password": SecretStr("hunter2"), "smtp_from": "pointsman@acme.test"}
    empty_stage.settings = empty_stage.settings.model_copy(update=smtp | secret)
    return empty_stage


@on_both_engines
async def test_a_ladder_goes_by_mail_when_slack_is_away_and_is_not_told_twice(by_mail: Stage, mail: MailServer) -> None:
    stage = by_mail
    await stage.start()
    await stage.start()
    ref = await stage.report(**LOST)
    stage.slack.faults.down(True)
    await stage.advance(minutes=16)
    assert [letter["To"] for letter in mail.letters] == ["on-call@acme.test"] * len(mail.letters)
    [escalated] = [letter for letter in mail.letters if "escalated to you" in letter["Subject"]]
    assert escalated["Subject"] == f"[P1] {ref} escalated to you: No callback for refund re_1 X-Hostile: yes"
    assert escalated["X-Hostile"] is None
    card = stage.case(ref)
    told = mail.texts[mail.letters.index(escalated)]
    assert f"https://slack.com/archives/{BILLING}/p{str(card.card_ts).replace('.', '')}" in told
    assert f"({FAY})" in told
    assert mail.logins
    before = len(mail.letters)
    stage.slack.faults.down(False)
    await stage.advance(minutes=6)
    assert len(mail.letters) == before
    assert not [dm for dm in stage.dms(FAY) if "escalated" in dm.lower()]
    assert "⚠️ *passed*" in stage.card(ref).shown
    assert any("Slack was away, so" in line and "was told by e-mail" in line for line in stage.thread(ref))
    ways = [entry["detail"].get("way") for entry in stage.audit(ref) if entry["action"] == "page.sent"]
    assert ways == ["email"] * before
    said = [entry["action"] for entry in stage.audit() if entry["action"].startswith("slack.")]
    assert said == ["slack.away", "slack.back"]
    assert stage.broken() == []


async def test_a_short_absence_is_waited_for(by_mail: Stage, mail: MailServer) -> None:
    await by_mail.start()
    ref = await by_mail.report(**LOST)
    await by_mail.advance(minutes=14, seconds=30)
    by_mail.slack.faults.down(True)
    await by_mail.advance(seconds=100)
    by_mail.slack.faults.down(False)
    await by_mail.advance(minutes=3)
    assert mail.letters == []
    assert len(by_mail.dms(FAY)) == 1
    assert by_mail.case(ref).is_open


async def test_a_mail_server_that_refuses_is_asked_again_and_slack_is_tried_first(
    by_mail: Stage, mail: MailServer
) -> None:
    mail.refuses = True
    await by_mail.start()
    await by_mail.report(**LOST)
    by_mail.slack.faults.down(True)
    await by_mail.advance(minutes=20)
    assert mail.letters == []
    mail.refuses = False
    await by_mail.advance(seconds=40)
    assert len([letter for letter in mail.letters if "escalated" in letter["Subject"]]) == 1
    assert "SMTP" not in str(by_mail.keys())


async def test_it_goes_by_a_signed_call_and_readyz_says_that_slack_is_away(
    empty_stage: Stage, folder: Path, receiver: Receiver
) -> None:
    stage = empty_stage
    goes_by(folder, "{webhook: 'https://pager.acme.test/told?team=1', secret: PAGER_SECRET}")
    stage.environment["PAGER_SECRET"] = SECRET
    await stage.start()
    ref = await stage.report(**LOST)
    stage.slack.faults.down(True)
    await stage.advance(minutes=16)
    told = [said for _, said in receiver.got if said["type"] == "case.escalated"]
    assert [said["data"]["ref"] for said in told] == [ref]  # type: ignore[index]
    async with stage.http.get(f"{stage.service.url}/readyz") as response:
        answer = await response.json()
    assert (response.status, answer["status"]) == (200, "ok")
    assert answer["notes"][0].startswith("Slack is away since 2026-11-23T")


def test_a_webhook_leads_to_public_addresses_only() -> None:
    connector, resolved, path = fallback.address_of("https://pager.acme.test/told?team=1")
    assert (connector.private, resolved.base_url, path) == (False, "https://pager.acme.test", "/told?team=1")
