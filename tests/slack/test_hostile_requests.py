"""What says that it is from Slack: forged, stale and sent again by somebody else; and what Slack would never send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bot.sandbox.workspace import clock
from bot.sandbox.workspace.delivery import signature
from store import audit
from tests.slack.conftest import ADA, BEN, REVOPS, World

SEEDED = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["<!channel>", "C-1", "U0ADA"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@dataclass
class Wire:
    """What Slack sent, as bytes and headers; and a way to send something of one's own."""

    world: World
    seen: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        assert self.world.client.session is not None
        assert self.world.slack.request_url is not None
        async with self.world.client.session.post(
            self.world.slack.request_url, data=body, headers=dict(headers)
        ) as answer:
            return answer.status, await answer.text()

    def signed(self, body: str, *, at: float | None = None, secret: str | None = None, **more: str) -> dict[str, str]:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return form | signature(secret or self.world.slack.app.signing_secret, body, at) | more


@pytest.fixture
def wire(world: World, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Listens at the door."""
    wire, is_signed = Wire(world), world.edge._is_signed

    def note(body: bytes, headers: Mapping[str, str]) -> bool:
        wire.seen.append((body, dict(headers)))
        return is_signed(body, headers)

    monkeypatch.setattr(world.edge, "_is_signed", note)
    return wire


async def acknowledgements(world: World, case_id: int) -> int:
    """How often the record says that the case was acknowledged."""
    entries = await world.context.desk.read(lambda session: audit.read(session, audit.chain_of(case_id)))
    return sum(entry["action"] == "case.acknowledged" for entry in entries)


async def test_only_what_slack_signed_now_is_carried_out_and_that_once(world: World, wire: Wire) -> None:
    case = await world.opened()
    await world.press(ADA, case, "Acknowledge")
    body, headers = next(each for each in wire.seen if each[0].startswith(b"payload="))
    other = await world.opened("Refund R-2 failed")
    text = body.decode().replace(f"C-{case.id}", other.ref)
    assert text != body.decode()
    now = clock.wall()
    refused = {
        "changed": (text, headers),
        "another secret": (text, wire.signed(text, secret="0" * 32)),
        "yesterday's": (text, wire.signed(text, at=now - 86_400)),
        "too old": (text, wire.signed(text, at=now - 301)),
        "of tomorrow": (text, wire.signed(text, at=now + 86_400)),
        "no signature": (text, {}),
        "no time": (text, wire.signed(text) | {"X-Slack-Request-Timestamp": "soon"}),
        "no text": (text, wire.signed(text) | {"X-Slack-Signature": "v0=\xff\xfe"}),
    }
    for name, (said, signed) in refused.items():
        assert (await wire.post(said.encode(), signed))[0] == 401, name
    await world.settled()
    assert await acknowledgements(world, other.id) == 0
    for _ in range(3):
        assert (await wire.post(body, headers))[0] == 200
    await world.settled()
    assert await acknowledgements(world, case.id) == 1


def changed(data: st.DataObject, value: Any, depth: int = 0) -> Any:
    """The value with one place of it replaced, left out or doubled."""
    if depth and (not isinstance(value, dict | list) or not value or data.draw(st.integers(0, 5)) == 0):
        return data.draw(VALUES)
    if isinstance(value, list):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], changed(data, value[place], depth + 1), *value[place + 1 :]]
    name = data.draw(st.sampled_from(sorted(value)))
    if data.draw(st.integers(0, 3)) == 0:
        return {key: each for key, each in value.items() if key != name}
    return value | {name: changed(data, value[name], depth + 1)}


@SEEDED
@given(data=st.data())
async def test_what_slack_would_never_send_breaks_nothing(data: st.DataObject, world: World, wire: Wire) -> None:
    if not wire.seen:
        case = await world.opened()
        await world.press(ADA, case, "Acknowledge")
        await world.press(BEN, case, "Resolve")
        await world.choose(ADA, case, "note")
        await world.slack.command(ADA, REVOPS, "/case list")
        await world.slack.post(ADA, REVOPS, "hello", thread_ts=case.card_ts)
        await world.settled()
    body, headers = data.draw(st.sampled_from(wire.seen[:8]))
    is_form = "json" not in headers.get("Content-Type", "")
    fields: dict[str, Any] = {name: each[0] for name, each in parse_qs(body.decode()).items()} if is_form else {}
    if "payload" in fields:
        text = urlencode({"payload": json.dumps(changed(data, json.loads(fields["payload"])))})
    elif is_form:
        text = urlencode({name: str(each) for name, each in changed(data, fields).items()})
    else:
        text = json.dumps(changed(data, json.loads(body)))
    kind = "application/x-www-form-urlencoded" if is_form else "application/json"
    status, told = await wire.post(text.encode(), wire.signed(text) | {"Content-Type": kind})
    assert status < 500, (status, told, text)
    assert "Traceback" not in told
