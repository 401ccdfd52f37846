"""Traces: from the request that brings something in to the message and the delivery that it ends with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bot import tracing
from bot.main import Service
from bot.sandbox.workspace import AppSettings, Channel, SlackStandIn, User
from bot.settings import read_settings
from bot.slack.manifest import EVENTS, SCOPES
from bot.starter import write_starter
from tests.processes import ROOT

TOKEN = "automations-token"
SENDERS = "4bf92f3577b34da6a3ce929d0e0e4736"
PAYLOAD = "what-nobody-may-read"


class Collector:
    """Takes traces as OpenTelemetry's collector does."""

    def __init__(self) -> None:
        self.raw = b""
        self.spans: list[Span] = []

    async def take(self, request: web.Request) -> web.Response:
        self.raw += await request.read()
        for resource in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response(content_type="application/x-protobuf")


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    app = AppSettings(scopes=frozenset(SCOPES), events=frozenset(EVENTS))
    users = [User("U000ADA", "ada"), User("U000BEN", "ben"), User("U000CLEO", "cleo")]
    async with SlackStandIn(users=users, channels=[Channel("C000OPS", "ops")], app=app) as stand_in:
        yield stand_in


async def test_a_trace_goes_on_in_the_message_that_is_sent_after_a_restart(tmp_path: Path, slack: SlackStandIn) -> None:
    write_starter(tmp_path / "p")
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app) as server:
        service = {"POINTSMAN_POLICY": str(tmp_path / "p"), "PORT": "0", "AUTOMATIONS_TOKEN": TOKEN}
        service |= {"DATABASE_URL": f"sqlite:///{tmp_path / 'pointsman.db'}"}
        tokens = {"SLACK_BOT_TOKEN": slack.app.bot_token, "SLACK_API_URL": slack.api_url, "SLACK_SIGNING_SECRET": "s"}
        with tracing.kept({"OTEL_EXPORTER_OTLP_ENDPOINT": str(server.make_url("/"))}):
            async with Service(read_settings(service), environment=service) as first:
                await _report(first.url)
            async with Service(read_settings(service | tokens), environment=service):
                await slack.until(lambda: slack.messages("C000OPS"), timeout=20.0)
            await slack.until(lambda: "send card" in {span.name for span in collector.spans}, timeout=20.0)
    ours = {span.name: span for span in collector.spans if span.trace_id.hex() == SENDERS}
    assert {"POST /v1/exceptions", "send card"} <= ours.keys()
    assert ours["send card"].parent_span_id == ours["POST /v1/exceptions"].span_id
    assert PAYLOAD.encode() not in collector.raw


async def _report(url: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "traceparent": f"00-{SENDERS}-00f067aa0ba902b7-01"}
    body = {"workflow": "orders", "title": PAYLOAD, "detail": PAYLOAD, "subject": PAYLOAD}
    async with aiohttp.ClientSession(headers=headers) as http, http.post(f"{url}/v1/exceptions", json=body) as answer:
        assert answer.status == 202


def test_nothing_of_it_is_loaded_where_it_is_off() -> None:
    code = "import bot.main, sys; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
