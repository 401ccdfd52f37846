"""Clicks as Slack sends them, one at a time, each on a case of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from http.client import HTTPConnection
from time import perf_counter, sleep
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from bot.clock import SystemClock
from bot.slack.cards import ACKNOWLEDGE
from bot.slack.values import Seen
from tests.bench.service import APP

PAUSE = 0.025
"""Seconds between two clicks: what one leaves to be done after its answer is not the next one's."""


def answer_times(port: int, cases: Sequence[str], *, told_at: str) -> list[float]:
    """How long each click on Acknowledge waited for its answer, in ms; `told_at` is where its outcome is told.
    Raises `RuntimeError` for an answer that is not 200."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    took = []
    for number, case in enumerate(cases):
        body = _body(case, number, told_at)
        headers = _signed(body)
        sleep(PAUSE)
        start = perf_counter()
        connection.request("POST", "/slack/events", body=body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        took.append((perf_counter() - start) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"a click was answered with {answer.status}")
    connection.close()
    return took


def _body(case: str, number: int, told_at: str) -> str:
    value = json.dumps(asdict(Seen(case, version=1)))
    action = {"type": "button", "action_id": ACKNOWLEDGE, "block_id": "b", "value": value, "action_ts": f"{number}.1"}
    payload = {
        "type": "block_actions",
        "team": {"id": "T0ACME", "domain": "acme"},
        "user": {"id": "U0ADA", "username": "ada", "name": "ada", "team_id": "T0ACME"},
        "api_app_id": APP.id,
        "container": {"type": "message", "message_ts": "1764000000.000001", "channel_id": "C0REVOPS"},
        "channel": {"id": "C0REVOPS", "name": "revenue-ops"},
        "trigger_id": f"1.2.{number}",
        "response_url": told_at,
        "actions": [action],
    }
    return urlencode({"payload": json.dumps(payload)})


def _signed(body: str) -> dict[str, str]:
    stamp = str(int(SystemClock().now().timestamp()))
    signature = SignatureVerifier(APP.signing_secret).generate_signature(timestamp=stamp, body=body)
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": str(signature),
    }
