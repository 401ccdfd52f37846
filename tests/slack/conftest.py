"""The product's side that faces Slack, with a real desk and the stand-in for Slack around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import MovableClock
from bot.context import Context
from bot.desk import intake, policing
from bot.desk.desk import Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.policies import Policies
from bot.jobs.outbox import Outbox
from bot.rules.actors import SYSTEM, source
from bot.sandbox.workspace import AppSettings, Channel, Command, Message, Shortcut, SlackStandIn, User
from bot.settings import Settings
from bot.slack.app import SlackEdge
from bot.slack.client import TIMEOUT, make_client
from bot.slack.directory import refresh_people
from bot.slack.manifest import COMMANDS, EVENTS, SCOPES, SHORTCUTS
from bot.slack.senders import senders
from store.database import Database
from store.models import Case
from tests.conftest import UNHURRIED

ADA, BEN, CLEO, DEE, ELI = "U0ADA", "U0BEN", "U0CLEO", "U0DEE", "U0ELI"
ZOE, GUEST, STRANGER = "U0ZOE", "U0GUEST", "U0STRANGER"
REVOPS, SUCCESS, SECRET, SHARED, LOBBY = "C0REVOPS", "C0SUCCESS", "C0SECRET", "C0SHARED", "C0LOBBY"

TEAM = """\
calendars:
  office: {timezone: Europe/Berlin, hours: {mon-fri: "09:00-18:00"}}
  always: {timezone: UTC, hours: {mon-sun: "00:00-24:00"}}
rotas:
  ops-on-call: {timezone: Europe/Berlin, starts: 2026-01-05T09:00, every: 1w, people: [U0ADA]}
  success-on-call: {timezone: Europe/Berlin, starts: 2026-01-05T09:00, every: 1w, people: [U0DEE]}
roles:
  ops:
    title: Revenue Ops
    channel: C0REVOPS
    members: [U0ADA, U0BEN, U0CLEO]
    calendar: office
    on_call: ops-on-call
    backup: success
  success:
    title: Customer Success
    channel: C0SUCCESS
    members: [U0DEE, U0ELI]
    calendar: office
    on_call: success-on-call
    backup: ops
defaults:
  unrouted: ops
  governance: success
  thread_workflow: triage
  priorities:
    P1: {acknowledge: 15m, resolve: 4h}
    P2: {acknowledge: 2bh, resolve: 1bd}
    P3: {acknowledge: 4bh, resolve: 2bd}
    P4: {acknowledge: 1bd, resolve: 5bd}
  escalation:
    unacknowledged:
      - {to: on_call}
      - {after: 30m, to: backup}
    unresolved:
      - {to: on_call}
"""
CONNECTORS = """\
connectors:
  billing: {base_url: "http://127.0.0.1:9", private: true}
"""
REFUND = """\
workflow: refund
version: 2
title: Refunds
risk: high
owners: {accountable: success, steward: ops}
trigger: {schema: refund.json, id: "{{ event.id }}", subject: "{{ event.id }}"}
deliver:
  connector: billing
  request: {method: POST, path: /refunds, json: {id: "{{ event.id }}"}}
  expect: response.status == 202
exceptions:
  delivery_failed: {priority: P1, next_step: "Ask billing whether it is there, then retry."}
  other: {priority: P2}
"""
TRIAGE = """\
workflow: triage
version: 1
title: Support triage
risk: low
threads: [C0LOBBY]
owners: {accountable: success, steward: ops}
exceptions:
  wrong_answer: {priority: P2, owner: success}
  other: {priority: P3}
"""
FOLDER = {
    "team.yml": TEAM,
    "connectors.yml": CONNECTORS,
    "schemas/refund.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}',
    "workflows/refund.yml": REFUND,
    "workflows/triage.yml": TRIAGE,
}


@dataclass
class World:
    """One service and one workspace."""

    slack: SlackStandIn
    context: Context
    clock: MovableClock
    edge: SlackEdge
    outbox: Outbox
    client: AsyncWebClient

    async def opened(self, title: str = "Refund R-1 failed", **said: Any) -> Case:
        """A case that an automation reported, its card posted."""
        settings = {"workflow": "refund", "failure_mode": "delivery_failed", "event": {"id": "R-1"}} | said
        report = Report(by=source("monitors"), title=title, **settings)
        answer: Any = await self.context.desk.run_joined(intake.report, Submission((report,)))
        await self.outbox.drain()
        return await self.case(int(answer[0].case.removeprefix("C-")))

    async def case(self, case_id: int) -> Case:
        """The row as it is now."""
        return await self.context.desk.read(lambda session: session.get_one(Case, case_id))

    async def settled(self) -> None:
        """Everything that was asked for is done, told and, at Slack's pace, sent."""
        await self.slack.settle()
        await self.edge.edge.guard.drain()
        for _ in range(5):
            await self.outbox.drain()
            self.clock.advance(timedelta(seconds=1.5))

    def card(self, case: Case) -> Message:
        """The case's card as it is in Slack."""
        message = self.slack.message(case.channel, case.card_ts or "")
        assert message is not None
        return message

    async def press(self, user: str, case: Case, text: str) -> None:
        """Somebody presses a button of the card."""
        reply = await self.slack.click(user, channel=case.channel, ts=case.card_ts, text=text)
        assert reply.ok, reply
        await self.settled()

    async def choose(self, user: str, case: Case, word: str) -> None:
        """Somebody chooses from the card's menu."""
        reply = await self.slack.click(user, channel=case.channel, ts=case.card_ts, action_id="case.more", value=word)
        assert reply.ok, reply
        await self.settled()

    def told(self, user: str) -> str:
        """What was last told to this person alone."""
        found = self.slack.ephemerals(user)
        return found[-1].shown if found else ""


def app_settings() -> AppSettings:
    """The app as its manifest has it."""
    return AppSettings(
        scopes=frozenset(SCOPES),
        events=frozenset(EVENTS),
        commands=tuple(Command(name, description, hint, True) for name, description, hint in COMMANDS),
        shortcuts=tuple(
            Shortcut("message" if kind == "message" else "global", callback_id, name)
            for kind, callback_id, name, _ in SHORTCUTS
        ),
    )


@pytest.fixture
async def slack(clock: MovableClock) -> AsyncIterator[SlackStandIn]:
    users = [User(ADA, "ada", "Ada Lovelace", email="ada@acme.test"), User(BEN, "ben", "Ben Hur"), User(CLEO, "cleo")]
    users += [User(DEE, "dee", "Dee Dee"), User(ELI, "eli"), User(ZOE, "zoe", "Zoe Outside-The-Roles")]
    users += [User(GUEST, "guest", is_restricted=True), User(STRANGER, "mallory", team_id="T0OTHER")]
    channels = [Channel(REVOPS, "revops"), Channel(SUCCESS, "success"), Channel(LOBBY, "lobby", [ADA, BEN, ZOE])]
    channels += [Channel(SECRET, "secret", [ADA], is_private=True)]
    channels += [Channel(SHARED, "shared", [ADA, ZOE, STRANGER, GUEST, "U0POINTSMAN"], is_ext_shared=True)]
    async with SlackStandIn(
        users=users,
        channels=channels,
        app=app_settings(),
        now=lambda: clock.now().timestamp(),
        retry_delays=(0.0, 0.0, 0.0),
        ack_seconds=UNHURRIED,
    ) as running:
        yield running


@pytest.fixture
def context(slack: SlackStandIn, clock: MovableClock, sqlite_database: Database) -> Context:
    policies = Policies()
    settings = Settings(
        slack_bot_token=SecretStr(slack.app.bot_token),
        slack_signing_secret=SecretStr(slack.app.signing_secret),
        slack_app_token=SecretStr(slack.app.app_token),
        slack_api_url=slack.api_url,
    )
    return Context(Desk(sqlite_database, clock, policies), clock, policies, settings)


@pytest.fixture
async def world(slack: SlackStandIn, context: Context, clock: MovableClock) -> AsyncIterator[World]:
    proposal = policing.examine(FOLDER)
    assert not proposal.faults, proposal.faults
    await context.desk.run(policing.propose, proposal, actor=SYSTEM)
    await context.desk.read(context.policies.in_force)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        client = make_client(slack.app.bot_token, slack.api_url, session)
        edge = SlackEdge(context, client)
        http = web.Application()
        edge.mount(http)
        runner = web.AppRunner(http, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slack.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
        outbox = Outbox(context.desk, clock, senders(context, client))
        await refresh_people(context, client)
        yield World(slack, context, clock, edge, outbox, client)
        await edge.stop()
        await runner.cleanup()
