"""Threads become cases in place, and what is said in them is kept."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select
from sqlmodel import col

from bot.desk import cases, threads
from bot.desk.commands import HeardReply, OpenByHand, OpenThread, Reopen, Reply, Resolve
from bot.rules.actors import Actor, Kind
from bot.rules.saying import What
from store.models import Case, Owed
from tests.desk.story import DEE, FAY, MINUTE, STRANGER, Story

GUEST = Actor(Kind.PERSON, "U0GUEST", is_ours=False, why_not_ours="guests")


def thread(title: str = "Refund stuck", **more: object) -> OpenThread:
    return OpenThread("C0HELP", "100.1", title, **more)  # type: ignore[arg-type]


async def test_a_thread_becomes_a_case_in_place(story: Story) -> None:
    outcome = await story.do(threads.open_thread, thread(), STRANGER)
    case = await story.case(outcome.case_id)
    assert outcome.what is What.OPENED_FROM_THREAD
    assert (case.channel, case.thread_ts, case.opened_by) == ("C0HELP", "100.1", "U0NOBODY")
    assert (case.workflow, case.failure_mode, case.owner) == ("support-triage", "other", "customer-success")
    [card] = await story.owed(case.id, "card")
    assert card.channel == "C0HELP"
    [notice] = await story.owed(case.id, "notice")
    assert (notice.channel, case.notice_channel) == ("C0SUCCESS", "C0SUCCESS")
    assert set(await story.timers(case.id)) == {"response", "resolution"}


async def test_the_channel_says_which_workflow_a_thread_belongs_to(story: Story) -> None:
    outcome = await story.do(threads.open_thread, OpenThread("C0BILLING", "1.1", "Refund stuck"), STRANGER)
    case = await story.case(outcome.case_id)
    assert (case.workflow, case.owner) == ("refund", "billing")
    assert await story.owed(case.id, "notice") == []  # its owner's queue is this channel


async def test_what_was_said_before_is_the_cases_timeline(story: Story) -> None:
    at = story.clock.now() - MINUTE
    replies = (Reply("U0ADA", "it hangs", "100.1", at), Reply("U0GUS", "looking", "100.2", at))
    outcome = await story.do(threads.open_thread, thread(replies=replies), STRANGER)
    assert [(note.author, note.text) for note in await story.notes(outcome.case_id)] == [
        ("U0ADA", "it hangs"),
        ("U0GUS", "looking"),
    ]


async def test_a_second_one_on_the_same_thread_gives_the_case_that_it_has(story: Story) -> None:
    first = await story.do(threads.open_thread, thread(), STRANGER)
    second = await story.do(threads.open_thread, thread("Another title"), DEE)
    assert (second.case_id, second.existed, first.existed) == (first.case_id, True, False)


async def test_of_ten_at_once_one_opens_it(story: Story) -> None:
    outcomes = await asyncio.gather(*(story.do(threads.open_thread, thread(), STRANGER) for _ in range(10)))
    assert len({outcome.case_id for outcome in outcomes}) == 1
    assert sorted(outcome.existed for outcome in outcomes) == [False] + [True] * 9
    assert await story.everything_holds()


async def test_a_thread_case_is_closed_and_reopened_like_any_other(story: Story) -> None:
    opened = await story.do(threads.open_thread, thread(), STRANGER)
    await story.do(cases.resolve, Resolve(opened.case_id, "fixed", confirmed=("the customer has an answer",)), DEE)
    again = await story.do(threads.open_thread, thread(), STRANGER)
    assert (again.case_id, again.existed, again.facts["state"]) == (opened.case_id, True, "resolved")
    await story.do(cases.reopen, Reopen(opened.case_id, "It hangs again"), DEE)
    assert (await story.case(opened.case_id)).state == "queued"


async def test_a_cards_own_thread_has_its_case(story: Story) -> None:
    case_id = await story.opened()
    await story.card_is_posted(case_id, "7.7")
    outcome = await story.do(threads.open_thread, OpenThread("C0REVOPS", "7.7", "Again"), STRANGER)
    assert (outcome.case_id, outcome.existed) == (case_id, True)


async def test_replies_are_kept_once_whoever_wrote_them(story: Story) -> None:
    opened = await story.do(threads.open_thread, thread(), STRANGER)
    for _ in range(2):
        heard = HeardReply("C0HELP", "100.1", "U0GUEST", "<!channel> from outside", "100.5")
        assert (await story.do(threads.heard_reply, heard, GUEST)).case_id == opened.case_id
    [note] = await story.notes(opened.case_id)
    assert (note.author, note.text) == ("U0GUEST", "<!channel> from outside")


async def test_a_reply_in_a_thread_without_a_case_is_not_kept(story: Story) -> None:
    outcome = await story.do(threads.heard_reply, HeardReply("C0HELP", "5.5", "U0ADA", "hi", "5.6"), STRANGER)
    assert (outcome.case_id, outcome.ref) == (0, "")


async def test_a_case_by_hand_has_its_card_in_its_owners_channel(story: Story) -> None:
    command = OpenByHand("Nobody got the notice", workflow="renewal-notice", failure_mode="stale", priority="P2")
    outcome = await story.do(threads.open_by_hand, command, STRANGER)
    case = await story.case(outcome.case_id)
    assert (case.channel, case.priority, case.thread_ts) == ("C0REVOPS", "P2", None)
    assert await story.paged(case.id) == ["U0BEN"]  # the route of this mode is on call


async def test_two_cases_by_hand_are_two_but_one_request_is_one(story: Story) -> None:
    keyed = OpenByHand("Twice", request_key="slack:view:1")
    first = await story.do(threads.open_by_hand, keyed, STRANGER)
    again = await story.do(threads.open_by_hand, keyed, STRANGER)
    other = await story.do(threads.open_by_hand, OpenByHand("Twice"), STRANGER)
    assert again.repeated
    assert first.case_id == again.case_id != other.case_id


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (OpenByHand(" \n\x00 "), "title_needed"),
        (OpenByHand("x", workflow="no-such"), "no_such_workflow"),
        (OpenByHand("x", priority="P9"), "no_such_priority"),
    ],
)
async def test_what_cannot_be_opened_is_refused(story: Story, command: OpenByHand, code: str) -> None:
    assert (await story.refused(threads.open_by_hand, command, STRANGER)).code == code


async def test_guests_open_nothing(story: Story) -> None:
    refused = await story.refused(threads.open_by_hand, OpenByHand("x"), GUEST)
    assert refused.code == "not_allowed"
    assert (await story.refused(threads.open_thread, thread(), GUEST)).code == "not_allowed"


async def test_hostile_titles_are_kept_as_one_bounded_line(story: Story) -> None:
    title = "<!channel>\n{{ 1 / 0 }} \u202e\ud800\x00" + "long " * 10_000
    outcome = await story.do(threads.open_by_hand, OpenByHand(title), FAY)
    case = await story.case(outcome.case_id)
    assert case.title.startswith("<!channel> {{ 1 / 0 }} \u202e")
    assert len(case.title) <= 200
    assert "\n" not in case.title


async def test_a_person_without_any_role_may_note_and_open_but_not_close(story: Story) -> None:
    outcome = await story.do(threads.open_by_hand, OpenByHand("x"), STRANGER)
    refused = await story.refused(cases.resolve, Resolve(outcome.case_id, "fixed"), STRANGER)
    assert refused.text == (
        f"C-{outcome.case_id}: You cannot resolve it: "
        "Customer Success, Revenue Ops or whoever was told to act on it can."
    )
    unsaid = select(col(Owed.kind)).where(col(Owed.case_id) == outcome.case_id)
    assert await story.desk.read(lambda session: list(session.execute(unsaid).scalars())) == ["card"]
    assert await story.desk.read(lambda session: session.get_one(Case, outcome.case_id).is_open)
