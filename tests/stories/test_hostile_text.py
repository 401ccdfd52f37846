"""Whatever stands in a field from outside: the card is valid, wakes nobody, and nothing in it is carried out."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.workspace import BOT_USER, Message, check_blocks
from tests.stories.company import ADA, BILLING, CLEO, FAY, SUPPORT, ZOE
from tests.stories.stage import Stage

TEXTS = {
    "mentions": f"<!channel> <!here> <!everyone> <@{ZOE}> <!subteam^S0ALL> @here",
    "entities": "&lt;!channel&gt; &amp;lt;!here&amp;gt; &#60;!channel&#62;",
    "links": "<https://evil.test|click me> <javascript:alert(1)|me> [me](https://evil.test)",
    "long": "x" * 50_000,
    "long_tokens": "<!channel>" * 5_000,
    "right_to_left": "\u202eevil\u202c \u2066hidden\u2069 \u200f\u061cabc",
    "template": "{{ 7*7 }} {% for x in range(9) %}{{ x }}{% endfor %} ${BILLING_TOKEN} %s {0}",
    "markup": "*bold* _it_ ~no~ `code` ```block``` > quote \n\n# title \n---",
    "control": "a\u0007b\u001b[31mred\u0085c\u2028d",
    "unseen": "\u200b\u200b\ufeff",
    "emoji": ":rotating_light: \U0001f6a8 \U0001f468\u200d\U0001f469\u200d\U0001f467" * 50,
}


def _short(text: str, most: int) -> str:
    return text[:most]


def _all_from_the_bot(stage: Stage) -> list[Message]:
    channels = stage.slack.workspace.channels.values()
    return [message for channel in channels for message in channel.messages.values() if message.user == BOT_USER]


def _is_harmless(stage: Stage, allowed: set[str]) -> None:
    messages = [*_all_from_the_bot(stage), *stage.slack.ephemerals(FAY), *stage.slack.ephemerals(ADA)]
    assert messages
    for message in messages:
        assert check_blocks(message.blocks, "message") == []
        assert set(message.mentions) <= allowed, message.text
        assert message.shown.strip()
        assert "token-of-billing" not in message.shown


@pytest.mark.parametrize("kind", TEXTS)
async def test_hostile_reports_make_harmless_cards(stage: Stage, kind: str) -> None:
    text = TEXTS[kind]
    event = {"refund_id": text[:900], text[:50]: [text[:900]], "customer_id": {"deep": text}, "amount_cents": 1}
    ref = await stage.report(
        title=_short(f"T {text}", 500),
        detail=text,
        subject=_short(f"S {text}", 500),
        dedup_key=_short(f"D {text}", 500),
        event=event,
        event_key="re_1",
    )
    await stage.press(FAY, "Replay", on=ref)
    await stage.advance(minutes=11)
    _is_harmless(stage, allowed={FAY, CLEO})  # billing may keep another text, which is a conflict for its stewards
    assert f"P1 · {ref} · T" in stage.card(ref).shown
    assert stage.card(ref).blocks
    if kind == "template":
        assert "{{ 7*7 }}" in stage.card(ref).shown
    assert stage.broken() == []


@pytest.mark.parametrize("kind", ["mentions", "entities", "long_tokens", "right_to_left", "template", "markup"])
async def test_hostile_words_of_people_wake_nobody_when_they_are_repeated(stage: Stage, kind: str) -> None:
    text = TEXTS[kind][:2_500]
    ref = await stage.report(workflow=f"w {text}"[:100], failure_mode=f"m {text}"[:100])
    await stage.choose(ADA, "note", on=ref)
    assert (await stage.fill_in(ADA, text=f"note {text}")).ok
    await stage.type(ADA, f"/case fail {ref} because of {text[:300]}")
    await stage.type(ADA, f"/case reopen {ref} because of {text[:300]}")
    await stage.type(ADA, f"/case list {text[:100]}")
    await stage.type(ADA, f"/case {text[:100]}")
    root = await stage.say(ZOE, SUPPORT, f"root {text}")
    await stage.say(ADA, SUPPORT, f"<@{BOT_USER}> open {text[:200]}", thread=root.ts)
    await stage.choose(ADA, "audit", on=ref)
    assert stage.form(ADA).shown
    _is_harmless(stage, allowed={FAY, ADA, "U0BEN"})


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b'{"workflow": "refund", "title": "a\\u0000b"}', 400),
        (b'{"workflow": "refund", "title": "\\ud800"}', 400),
        (b'{"workflow": "refund", "title": "\xff\xfe"}', 400),
        (b'{"workflow": "refund", "title": "deep", "event": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}", 422),
        (b'{"workflow": "refund", "title": "big", "event": {"n": 1e999}}', 400),
        (b'{"workflow": "refund", "title": "' + b"x" * 1_100_000 + b'"}', 413),
        (b'{"workflow": "refund"', 400),
        (b'{"workflow": "refund", "title": ["x"]}', 422),
        (b"[]", 422),
        (b"null", 422),
    ],
    ids=["nul", "surrogate", "bytes", "deep", "infinite", "large", "cut", "type", "empty", "null"],
)
async def test_what_cannot_be_kept_is_refused_in_words_and_opens_nothing(stage: Stage, raw: bytes, status: int) -> None:
    headers = {"Authorization": "Bearer token-of-monitors", "Content-Type": "application/json"}
    async with stage.http.post(f"{stage.service.url}/v1/exceptions", data=raw, headers=headers) as response:
        problem: dict[str, Any] = await response.json()
        assert (response.status, response.content_type) == (status, "application/problem+json")
    assert problem["detail"]
    assert stage.cases() == []


async def test_a_key_that_no_header_can_carry_is_refused(stage: Stage) -> None:
    for key in ("a\r\nX-Evil: 1", "a\u202eb", "a\u0007b"):
        status, problem = await stage.post({"workflow": "refund", "title": "x", "event_key": key})
        assert status == 422
        assert "printable ASCII" in problem["detail"]
    assert stage.cases() == []


async def test_a_large_number_in_an_event_is_kept_and_sent_again_as_it_came(stage: Stage) -> None:
    event = {"refund_id": "re_1", "customer_id": "cus_1", "amount_cents": 2**60 + 1}
    ref = await stage.report(event=event, event_key="re_1")
    await stage.press(FAY, "Replay", on=ref)
    assert stage.company["billing"].kept["re_1"]["amount_cents"] == 2**60 + 1
    assert stage.card(ref).channel == BILLING
