"""A thread becomes a case, in place: by shortcut, mention, emoji and command; and what is said there is kept."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from bot.sandbox.workspace import BOT_USER, Message
from bot.slack import places
from store.models import Note
from tests.stories.company import ADA, BEN, BILLING, DEE, FAY, LOBBY, REVOPS, SECRET, SUCCESS, SUPPORT, ZOE
from tests.stories.stage import Stage

CASE = "open_case"


async def _complaint(stage: Stage, channel: str = SUPPORT) -> Message:
    root = await stage.say(ZOE, channel, "A customer was charged twice.\nAccount acc_7.")
    await stage.say(ADA, channel, "Looks like billing sent it twice.", thread=root.ts)
    return root


def _notes(stage: Stage, ref: str) -> list[str]:
    mine = select(col(Note.text)).where(col(Note.case_id) == stage.case(ref).id).order_by(col(Note.message_ts))
    return stage.database.read_now(lambda session: list(session.execute(mine).scalars()))


def _link(message: Message) -> str:
    return f"<https://acme.slack.com/archives/{message.channel}/p{message.ts.replace('.', '')}>"


def _views_shown(stage: Stage) -> list[Any]:
    return [call.args for call in stage.slack.calls if call.method in ("views.open", "views.update")]


async def test_a_shortcut_opens_a_form_at_once_and_the_thread_becomes_the_case(stage: Stage) -> None:
    root = await _complaint(stage)
    await stage.use_shortcut(ZOE, CASE, on=root)
    assert [call.method for call in stage.slack.calls if call.method.startswith("views.")] == [
        "views.open",
        "views.update",
    ]
    assert "A customer was charged twice." in str(stage.form(ZOE).values)
    assert (await stage.fill_in(ZOE, title="Charged twice: acc_7", priority="P2")).ok

    (case,) = stage.cases()
    assert (case.workflow, case.owner, case.priority) == ("support-triage", "customer-success", "P2")
    card = stage.card(case.ref)
    assert (card.channel, card.thread_ts) == (SUPPORT, root.ts)
    assert "Charged twice: acc_7" in card.shown
    assert any("C-1 Charged twice: acc_7" in line for line in stage.notices(SUCCESS))
    assert _notes(stage, case.ref) == [
        "A customer was charged twice.\nAccount acc_7.",
        "Looks like billing sent it twice.",
    ]


async def test_a_long_thread_is_kept_page_by_page(stage: Stage) -> None:
    root = await _complaint(stage)
    for number in range(230):
        await stage.slack.post(ADA, SUPPORT, f"reply {number}", thread_ts=root.ts)
    await stage.say(FAY, SUPPORT, f"<@{BOT_USER}> open Charged twice", thread=root.ts)
    kept = _notes(stage, "C-1")
    assert [text for text in kept if text.startswith("reply ")] == [f"reply {number}" for number in range(230)]
    assert len(kept) == 233  # and the two of the complaint, and the mention
    assert "could be kept" not in stage.thread("C-1")[0]


@pytest.mark.parametrize("why", ["too long", "Slack gives no more"])
async def test_a_thread_that_is_cut_says_so(stage: Stage, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    root = await _complaint(stage)
    for number in range(6):
        await stage.slack.post(ADA, SUPPORT, f"reply {number}", thread_ts=root.ts)
    await stage.settle()
    monkeypatch.setattr(places, "REPLIES", 2)
    if why == "too long":
        monkeypatch.setattr(places.thread, "__kwdefaults__", {"most": 4})
    else:
        stage.slack.faults.fail_next("conversations.replies", "ratelimited", retry_after=60)
    await stage.say(FAY, SUPPORT, f"<@{BOT_USER}> open Charged twice", thread=root.ts)
    kept = {"too long": 4, "Slack gives no more": 0}[why]
    assert len(_notes(stage, "C-1")) == kept
    said = {"too long": "only the first 4 messages could be kept", "Slack gives no more": "nothing could be kept"}[why]
    assert said in stage.thread("C-1")[0]


async def test_later_replies_become_the_timeline_once_each(stage: Stage) -> None:
    root = await _complaint(stage)
    await stage.say(ADA, SUPPORT, f"<@{BOT_USER}> open Charged twice", thread=root.ts)
    await stage.say(ZOE, SUPPORT, "The customer called again.", thread=root.ts)
    await stage.say(BEN, SUPPORT, "An unrelated message.")
    assert _notes(stage, "C-1")[-1] == "The customer called again."
    assert len(_notes(stage, "C-1")) == len(set(_notes(stage, "C-1"))) == 4


async def test_a_mention_makes_the_thread_a_case(stage: Stage) -> None:
    root = await _complaint(stage)
    await stage.say(ADA, SUPPORT, f"<@{BOT_USER}> open Charged twice", thread=root.ts)
    assert stage.card("C-1").thread_ts == root.ts
    assert "made this thread a case" in stage.thread("C-1")[-1]


async def test_a_mention_speaks_of_the_case_of_its_thread(stage: Stage) -> None:
    ref = await stage.report(failure_mode="other")
    ts = stage.card(ref).ts
    await stage.say(FAY, BILLING, f"<@{BOT_USER}> ack", thread=ts)
    assert stage.case(ref).acknowledged_by == FAY
    await stage.say(FAY, BILLING, f"<@{BOT_USER}> resolve it was paid by hand", thread=ts)
    assert stage.case(ref).state == "resolved"


async def test_the_emoji_brings_a_button_and_the_button_the_form(stage: Stage) -> None:
    root = await _complaint(stage)
    await stage.react(ADA, root, "rotating_light")
    (offer,) = stage.slack.ephemerals(ADA)
    assert offer.buttons == ["Open a case"]
    assert stage.slack.ephemerals(ZOE) == []
    await stage.slack.click(ADA, offer, text="Open a case")
    await stage.settle()
    assert (await stage.fill_in(ADA)).ok
    assert stage.card("C-1").thread_ts == root.ts
    assert stage.case("C-1").title == "A customer was charged twice."


async def test_eyes_take_the_case_and_a_tick_offers_to_resolve_it(stage: Stage) -> None:
    ref = await stage.report(failure_mode="other")
    await stage.react(FAY, stage.card(ref), "eyes")
    assert stage.case(ref).acknowledged_by == FAY
    await stage.react(FAY, stage.card(ref), "white_check_mark")
    offer = stage.slack.ephemerals(FAY)[-1]
    await stage.slack.click(FAY, offer, text="Resolve")
    await stage.settle()
    assert (await stage.fill_in(FAY, reason="fixed_by_itself")).ok
    assert stage.case(ref).state == "resolved"


async def test_a_command_with_a_link_opens_the_thread_from_elsewhere(stage: Stage) -> None:
    root = await _complaint(stage)
    told = await stage.type(ADA, f"/case open {_link(root)} Charged twice", channel=REVOPS)
    assert "C-1" in told
    assert stage.card("C-1").thread_ts == root.ts


async def test_a_command_with_a_title_alone_opens_a_case_in_the_owners_channel(stage: Stage) -> None:
    await stage.type(ADA, "/case open The export is empty")
    assert (stage.card("C-1").channel, stage.card("C-1").thread_ts) == (SUCCESS, None)


async def test_the_global_shortcut_asks_for_a_link(stage: Stage) -> None:
    root = await _complaint(stage)
    await stage.use_shortcut(ADA, "open_case_global")
    wrong = await stage.fill_in(ADA, link="https://example.test/", title="Charged twice")
    assert wrong.errors == {"link": "Use “Copy link” of the message's menu."}
    assert (await stage.fill_in(ADA, link=_link(root).strip("<>"), title="Charged twice")).ok
    assert stage.card("C-1").thread_ts == root.ts


async def test_a_second_one_on_the_same_thread_shows_the_case_that_it_has(stage: Stage) -> None:
    root = await _complaint(stage)
    await stage.say(ADA, SUPPORT, f"<@{BOT_USER}> open Charged twice", thread=root.ts)
    await stage.use_shortcut(ZOE, CASE, on=root)
    assert "This thread is a case already" in stage.form(ZOE).shown
    assert "C-1" in stage.form(ZOE).shown
    await stage.type(BEN, f"/case open {_link(root)} Twice charged")
    await stage.say(BEN, SUPPORT, f"<@{BOT_USER}> open Twice charged", thread=root.ts)
    await stage.react(BEN, root, "rotating_light")
    assert "C-1" in stage.told(BEN)
    assert len(stage.cases()) == 1


async def test_a_public_channel_is_joined(stage: Stage) -> None:
    root = await _complaint(stage, LOBBY)
    assert BOT_USER not in (stage.slack.workspace.channels[LOBBY].members or [])
    await stage.type(ADA, f"/case open {_link(root)} Charged twice")
    assert BOT_USER in (stage.slack.workspace.channels[LOBBY].members or [])
    assert stage.card("C-1").thread_ts == root.ts


async def test_a_private_channel_is_told_how_to_invite(stage: Stage) -> None:
    root = await stage.say(ADA, SECRET, "Something secret went wrong.")
    await stage.use_shortcut(ADA, CASE, on=root)
    assert "/invite @Pointsman" in stage.form(ADA).shown
    assert "/invite @Pointsman" in await stage.type(ADA, f"/case open {_link(root)} Secret")
    assert stage.cases() == []
    await stage.slack.join(BOT_USER, SECRET, inviter=ADA)
    await stage.type(ADA, f"/case open {_link(root)} Secret")
    assert stage.card("C-1").channel == SECRET


async def test_a_thread_of_a_private_channel_is_no_business_of_others(stage: Stage) -> None:
    root = await stage.say(ADA, SECRET, "Something secret went wrong.")
    await stage.slack.join(BOT_USER, SECRET, inviter=ADA)
    assert "private" in await stage.type(DEE, f"/case open {_link(root)} What is it?")
    assert stage.cases() == []
