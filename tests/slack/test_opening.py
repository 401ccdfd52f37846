"""A thread becomes a case, and a case is opened from elsewhere."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlmodel import Session, col

from bot.sandbox.workspace import BOT_USER
from store.models import Case, Note
from tests.slack.conftest import ADA, BEN, ELI, GUEST, LOBBY, REVOPS, SECRET, SHARED, SUCCESS, World


async def cases(world: World) -> list[Case]:
    return await world.context.desk.read(
        lambda session: list(session.execute(select(Case).order_by(col(Case.id))).scalars())
    )


async def notes(world: World) -> list[str]:
    def read(session: Session) -> list[str]:
        return list(session.execute(select(col(Note.text)).order_by(col(Note.id))).scalars())

    return await world.context.desk.read(read)


async def use_shortcut(world: World, user: str, channel: str, ts: str) -> None:
    assert (await world.slack.shortcut(user, "open_case", channel=channel, ts=ts)).ok
    await world.settled()


async def test_a_thread_becomes_a_case_in_place(world: World) -> None:
    root = await world.slack.post(ADA, SUCCESS, "The export is <https://x.test|broken> again\nsince nine")
    await world.slack.post(BEN, SUCCESS, "for me too", thread_ts=root.ts)
    await use_shortcut(world, ADA, SUCCESS, root.ts)
    form = world.slack.views(ADA)[-1]
    assert form.values["title"]["title"]["value"] == "The export is broken again"
    done = await world.slack.submit(ADA, given={"priority": "P2"})
    assert done.ok, done
    await world.settled()
    [case] = await cases(world)
    assert (case.workflow, case.failure_mode, case.priority) == ("triage", "other", "P2")
    assert (case.channel, case.thread_ts) == (SUCCESS, root.ts)
    assert "The export" in world.slack.thread(SUCCESS, root.ts)[2].shown
    assert case.ref in world.slack.messages(REVOPS)[-1].shown
    assert await notes(world) == ["The export is broken again\nsince nine", "for me too"]


async def test_later_replies_are_kept_once(world: World) -> None:
    root = await world.slack.post(ADA, REVOPS, f"<@{BOT_USER}> open it is broken")
    await world.settled()
    await world.slack.post(BEN, REVOPS, "I restarted it &amp; waited", thread_ts=root.ts)
    await world.settled()
    assert (await notes(world))[-1] == "I restarted it & waited"


async def test_the_form_shows_the_failure_modes_of_the_workflow_that_is_chosen(world: World) -> None:
    root = await world.slack.post(ADA, REVOPS, "hm")
    await use_shortcut(world, ADA, REVOPS, root.ts)
    view = world.slack.views(ADA)[-1]
    await world.slack.click(ADA, view, action_id="workflow", value="refund", filled={"title": "typed by hand"})
    await world.settled()
    assert (await world.slack.submit(ADA, given={"failure_mode": "delivery_failed"})).ok
    await world.settled()
    [case] = await cases(world)
    assert (case.workflow, case.failure_mode, case.title) == ("refund", "delivery_failed", "typed by hand")


async def test_a_second_one_on_the_same_thread_shows_the_case_that_it_has(world: World) -> None:
    root = await world.slack.post(ADA, REVOPS, f"<@{BOT_USER}> open it is broken")
    await world.settled()
    await use_shortcut(world, BEN, REVOPS, root.ts)
    assert "C-1" in world.slack.views(BEN)[-1].shown
    await world.slack.post(BEN, REVOPS, f"<@{BOT_USER}> open again", thread_ts=root.ts)
    await world.settled()
    assert len(await cases(world)) == 1
    assert "C-1" in world.told(BEN)


async def test_a_public_channel_is_joined(world: World) -> None:
    root = await world.slack.post(ADA, LOBBY, "help")
    await use_shortcut(world, ADA, LOBBY, root.ts)
    assert (await world.slack.submit(ADA)).ok
    await world.settled()
    [case] = await cases(world)
    assert case.card_ts
    assert world.slack.message(LOBBY, case.card_ts) is not None


async def test_in_a_private_channel_the_person_is_told_how_to_invite_the_bot(world: World) -> None:
    root = await world.slack.post(ADA, SECRET, "psst")
    await use_shortcut(world, ADA, SECRET, root.ts)
    assert "/invite" in world.slack.views(ADA)[-1].shown
    link = f"https://acme.slack.com/archives/{SECRET}/p{root.ts.replace('.', '')}"
    reply = await world.slack.command(ADA, REVOPS, f"/case open {link} psst")
    assert "/invite" in str(reply.text)
    assert await cases(world) == []


async def test_a_link_into_a_private_channel_gives_nothing_away_to_outsiders(world: World) -> None:
    members = world.slack.workspace.channels[SECRET].members
    assert members is not None
    members.append(BOT_USER)
    root = await world.slack.post(ADA, SECRET, "the secret")
    link = f"https://acme.slack.com/archives/{SECRET}/p{root.ts.replace('.', '')}"
    await world.slack.command(BEN, REVOPS, f"/case open {link}")
    await world.settled()
    shown = world.slack.views(BEN)[-1].shown
    assert "the secret" not in shown
    assert "private" in shown


async def test_a_link_opens_the_thread_that_it_leads_to(world: World) -> None:
    root = await world.slack.post(ADA, REVOPS, "root")
    reply = await world.slack.post(BEN, REVOPS, "reply", thread_ts=root.ts)
    link = f"https://acme.slack.com/archives/{REVOPS}/p{reply.ts.replace('.', '')}?thread_ts={root.ts}&cid={REVOPS}"
    await world.slack.command(ELI, SUCCESS, f"/case open <{link}> It hangs")
    await world.settled()
    [case] = await cases(world)
    assert (case.channel, case.thread_ts, case.title) == (REVOPS, root.ts, "It hangs")


async def test_without_a_thread_a_case_is_its_own(world: World) -> None:
    reply = await world.slack.command(ADA, SUCCESS, "/case open the printer &amp; the fax burn")
    await world.settled()
    [case] = await cases(world)
    assert (case.title, case.thread_ts, case.channel) == ("the printer & the fax burn", case.card_ts, REVOPS)
    assert case.ref in str(reply.text)


async def test_the_global_shortcut_asks_for_a_link(world: World) -> None:
    root = await world.slack.post(ADA, REVOPS, "root")
    assert (await world.slack.shortcut(ADA, "open_case_global")).ok
    await world.settled()
    wrong = await world.slack.submit(ADA, given={"title": "x", "link": "https://example.com"})
    assert set(wrong.errors or {}) == {"link"}
    link = f"https://acme.slack.com/archives/{REVOPS}/p{root.ts.replace('.', '')}"
    assert (await world.slack.submit(ADA, given={"title": "from elsewhere", "link": link})).ok
    await world.settled()
    [case] = await cases(world)
    assert case.thread_ts == root.ts


async def test_the_siren_offers_the_form_and_opens_it(world: World) -> None:
    root = await world.slack.post(ADA, REVOPS, "all orders are stuck")
    await world.slack.react(BEN, REVOPS, root.ts, "rotating_light")
    await world.settled()
    offered = world.slack.ephemerals(BEN)[-1]
    assert (await world.slack.click(BEN, offered, text="Open a case")).ok
    await world.settled()
    assert world.slack.views(BEN)[-1].values["title"]["title"]["value"] == "all orders are stuck"


async def test_eyes_take_the_case_and_a_check_mark_offers_to_resolve_it(world: World) -> None:
    case = await world.opened()
    await world.slack.react(BEN, REVOPS, case.card_ts or "", "eyes")
    await world.settled()
    assert (await world.case(case.id)).acknowledged_by == BEN
    await world.slack.react(BEN, REVOPS, case.card_ts or "", "white_check_mark")
    await world.settled()
    assert (await world.slack.click(BEN, world.slack.ephemerals(BEN)[-1], text="Resolve")).ok
    await world.settled()
    assert world.slack.views(BEN)[-1].callback_id == "form.resolve"


async def test_emoji_on_a_reply_are_about_its_thread(world: World) -> None:
    root = await world.slack.post(ADA, REVOPS, "it is broken")
    reply = await world.slack.post(ADA, REVOPS, "and nobody looks", thread_ts=root.ts)
    await world.slack.react(BEN, REVOPS, reply.ts, "rotating_light")
    await world.settled()
    [offer] = world.slack.ephemerals(BEN)
    assert offer.thread_ts == root.ts
    await world.slack.post(BEN, REVOPS, f"<@{BOT_USER}> open it is broken", thread_ts=root.ts)
    await world.settled()
    await world.slack.react(BEN, REVOPS, reply.ts, "eyes")
    await world.settled()
    [case] = await cases(world)
    assert case.acknowledged_by == BEN


async def test_emoji_elsewhere_mean_nothing(world: World) -> None:
    root = await world.slack.post(ADA, REVOPS, "lunch?")
    for emoji in ("eyes", "white_check_mark", "tada"):
        await world.slack.react(BEN, REVOPS, root.ts, emoji)
    await world.settled()
    assert world.slack.ephemerals(BEN) == []


async def test_a_guest_opens_nothing(world: World) -> None:
    root = await world.slack.post(ADA, SHARED, "look")
    await use_shortcut(world, GUEST, SHARED, root.ts)
    assert "only where a role lists" in world.slack.views(GUEST)[-1].shown
    await world.slack.post(GUEST, SHARED, f"<@{BOT_USER}> open this", thread_ts=root.ts)
    await world.settled()
    assert await cases(world) == []


@pytest.mark.parametrize("word", ["ack", "take"])
async def test_in_its_thread_the_case_need_not_be_named(world: World, word: str) -> None:
    case = await world.opened()
    await world.slack.post(BEN, REVOPS, f"<@{BOT_USER}> {word}", thread_ts=case.card_ts)
    await world.settled()
    assert (await world.case(case.id)).acknowledged_by == BEN


async def test_a_mention_that_is_not_understood_is_helped(world: World) -> None:
    await world.slack.post(BEN, REVOPS, f"<@{BOT_USER}> resove C-1")
    await world.settled()
    assert "resolve" in world.told(BEN)


async def test_a_thread_whose_case_is_closed_is_told_how_to_open_it_again(world: World) -> None:
    root = await world.slack.post(ADA, REVOPS, f"<@{BOT_USER}> open it is broken")
    await world.settled()
    await world.slack.command(ADA, REVOPS, "/case resolve C-1 fixed")
    await use_shortcut(world, BEN, REVOPS, root.ts)
    form = world.slack.views(BEN)[-1]
    assert "/case reopen C-1 why" in form.shown
    assert form.values == {}
    await world.slack.react(BEN, REVOPS, root.ts, "rotating_light")
    await world.settled()
    assert "/case reopen C-1 why" in world.told(BEN)
    await world.slack.post(ADA, REVOPS, f"<@{BOT_USER}> open it is broken", thread_ts=root.ts)
    await world.settled()
    assert "/case reopen C-1 why" in world.told(ADA)
    assert len(await cases(world)) == 1


async def test_sending_again_by_mention_says_where_to_say_yes(world: World) -> None:
    case = await world.opened()
    await world.slack.post(ADA, REVOPS, f"<@{BOT_USER}> replay", thread_ts=case.card_ts)
    await world.settled()
    assert "may do it twice" in world.told(ADA)
    assert "press Replay on its card, or type /case run C-1 replay" in world.told(ADA).replace("*", "").replace("`", "")
