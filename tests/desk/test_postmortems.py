"""After a case: who owes a post-mortem, who writes it, and what becomes of its actions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot.desk import cases, postmortems
from bot.desk.commands import Acknowledge, AddNote, Assign, Fail, HandOff, Reopen, Resolve, SetPriority, SetState
from bot.desk.healing import News
from bot.desk.healing import tell as tell_healed
from bot.desk.postmortems import ActionRefused, NewAction, Whole, WritePostMortem
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from bot.rules.saying import What
from tests.desk.story import ADA, BEN, CLEO, DAY, FAY, GUS, HOUR, MINUTE, STRANGER, Story

FRIDAY = date(2026, 11, 27)
FIX = NewAction("Ask the receiver for a find request", "revenue-ops", FRIDAY)
REASON = "It is still wrong there"


async def closed(story: Story, **more: Any) -> int:
    """A critical case that somebody resolved."""
    case_id = await story.acknowledged(by=FAY, workflow="refund", mode="other", title="Refund lost", **more)
    await story.do(cases.resolve, Resolve(case_id, "fixed", "Sent by hand."), FAY)
    return case_id


def writing(
    case_id: int, *actions: NewAction, seen: int = 1, summary: str = "It was lost.", key: str | None = None
) -> Any:
    return WritePostMortem(case_id, seen, summary, "Nobody looked.", actions, request_key=key)


async def whole(story: Story, case_id: int) -> Whole:
    found = await story.desk.read(
        lambda session: postmortems.whole(session, story.desk.policies.in_force(session), case_id)
    )
    assert found
    return found


# --- owed


async def test_a_critical_case_gets_one_when_it_closes(story: Story) -> None:
    case_id = await closed(story)
    assert await story.said(case_id, "post_mortem_owed") == [
        {"what": "post_mortem_owed", "ref": f"C-{case_id}", "because": "its workflow is critical", "again": False}
    ]
    assert (await story.lines(case_id))[-2:] == ["resolved", "post_mortem_owed"]
    assert await story.recorded(case_id, "post_mortem.owed") == [{"because": "its workflow is critical"}]


async def test_a_case_that_is_given_up_gets_one_too(story: Story) -> None:
    case_id = await story.opened(workflow="refund")
    await story.do(cases.fail, Fail(case_id, "It cannot be done"), FAY)
    assert await story.said(case_id, "post_mortem_owed")


async def test_a_case_that_is_late_gets_one_and_says_which_window_passed(story: Story) -> None:
    case_id = await story.opened()
    await story.pass_time(2 * HOUR + MINUTE)
    await story.do(cases.resolve, Resolve(case_id, "fixed"), BEN)
    [said] = await story.said(case_id, "post_mortem_owed")
    assert said["because"] == "its response window passed"


@pytest.mark.parametrize(("waited", "owed"), [(MINUTE, 0), (2 * HOUR, 1)])
async def test_one_that_heals_by_itself_gets_one_only_if_it_was_late(
    story: Story, waited: timedelta, owed: int
) -> None:
    case_id = await story.opened(workflow="refund")
    await story.pass_time(waited)

    def heal(tx: Tx, _: None) -> None:
        tell_healed(tx, [News(case_id, What.EVENTS_FLOW, is_over=True)])

    await story.desk.run(heal, None, actor=SYSTEM)
    assert (await story.case(case_id)).state == "resolved"
    assert len(await story.said(case_id, "post_mortem_owed")) == owed


async def test_a_case_in_time_a_drill_and_the_desks_own_get_none(story: Story) -> None:
    in_time = await story.acknowledged()
    await story.do(cases.resolve, Resolve(in_time, "fixed"), BEN)
    drill = await story.opened(workflow="refund", is_drill=True)
    own = await story.opened(workflow="refund", mode="policy_fault", title="A fault")
    for case_id in (drill, own):
        await story.do(cases.fail, Fail(case_id, "It is over by now"), FAY)
    for case_id, person in ((in_time, BEN), (drill, FAY), (own, FAY)):
        assert await story.said(case_id, "post_mortem_owed") == []
        assert (await story.refused(postmortems.write, writing(case_id), person)).code == "no_post_mortem"


async def test_an_action_gets_none_however_late(story: Story) -> None:
    case_id = await closed(story)
    await story.do(postmortems.write, writing(case_id, FIX), FAY)
    await story.pass_time(14 * DAY)
    await story.do(cases.resolve, Resolve(case_id + 1, "fixed"), BEN)
    assert (await story.case(case_id + 1)).resolution_breached_at
    assert await story.said(case_id + 1, "post_mortem_owed") == []


# --- written


async def test_it_is_posted_kept_and_on_record(story: Story) -> None:
    case_id = await closed(story)
    await story.do(postmortems.write, writing(case_id, FIX), FAY)
    [said] = await story.said(case_id, "post_mortem_written")
    assert (said["by"], said["summary"], said["causes"]) == ("U0FAY", "It was lost.", "Nobody looked.")
    assert [action["ref"] for action in said["actions"]] == [f"C-{case_id + 1}"]
    kept = (await whole(story, case_id)).row
    assert (kept.written_by, kept.summary, kept.causes, kept.version) == ("U0FAY", "It was lost.", "Nobody looked.", 2)
    [entry] = await story.recorded(case_id, "post_mortem.written")
    assert entry["actions"] == [f"C-{case_id + 1}"]
    assert "It was lost." not in str(await story.record(case_id))
    assert await story.everything_holds()


async def test_the_same_submission_twice_is_one(story: Story) -> None:
    case_id = await closed(story)
    first = await story.do(postmortems.write, writing(case_id, FIX, key="slack:view:V1"), FAY)
    again = await story.do(postmortems.write, writing(case_id, FIX, key="slack:view:V1"), FAY)
    assert again.repeated
    assert again.facts == first.facts
    assert len((await whole(story, case_id)).actions) == 1


async def test_who_wrote_from_an_older_one_is_told_and_nothing_is_lost(story: Story) -> None:
    case_id = await closed(story)
    await story.do(postmortems.write, writing(case_id, FIX), FAY)
    refused = await story.refused(postmortems.write, writing(case_id, FIX, summary="Mine."), GUS)
    assert (refused.code, "U0FAY" in refused.text) == ("changed_meanwhile", True)
    kept = await whole(story, case_id)
    assert (kept.row.summary, len(kept.actions)) == ("It was lost.", 1)


async def test_it_is_changed_and_its_actions_stay(story: Story) -> None:
    case_id = await closed(story)
    await story.do(postmortems.write, writing(case_id, FIX), FAY)
    more = NewAction("Tell the customer", "billing", FRIDAY)
    await story.do(postmortems.write, writing(case_id, more, seen=2, summary="It was lost twice."), GUS)
    kept = await whole(story, case_id)
    assert (kept.row.written_by, kept.row.summary) == ("U0GUS", "It was lost twice.")
    assert [action.title for action in kept.actions] == [FIX.what, more.what]
    assert [entry["version"] for entry in await story.recorded(case_id, "post_mortem.changed")] == [3]


async def test_a_case_that_was_opened_again_asks_whether_it_is_still_right(story: Story) -> None:
    case_id = await closed(story)
    await story.do(postmortems.write, writing(case_id), FAY)
    await story.do(cases.reopen, Reopen(case_id, REASON), FAY)
    assert (await story.refused(postmortems.write, writing(case_id, seen=2), FAY)).code == "not_closed"
    await story.do(cases.resolve, Resolve(case_id, "fixed"), FAY)
    assert [said["again"] for said in await story.said(case_id, "post_mortem_owed")] == [False, True]
    assert (await whole(story, case_id)).row.summary == "It was lost."


async def test_who_may_not_resolve_may_not_write(story: Story) -> None:
    case_id = await closed(story)
    for act, command in ((postmortems.write, writing(case_id)), (postmortems.open_form, writing(case_id))):
        refused = await story.refused(act, command, STRANGER)  # type: ignore[arg-type]
        assert (refused.code, "write its post-mortem" in refused.text) == ("not_allowed", True)
    assert await story.desk.read(lambda session: len(postmortems.to_write(session, ["billing"], most=9))) == 1
    await story.do(postmortems.write, writing(case_id), FAY)
    assert await story.desk.read(lambda session: postmortems.to_write(session, ["billing"], most=9)) == []


@pytest.mark.parametrize("summary", ["", "  \n", "\x00"])
async def test_one_that_says_nothing_is_refused(story: Story, summary: str) -> None:
    case_id = await closed(story)
    assert (await story.refused(postmortems.write, writing(case_id, summary=summary), FAY)).code == "empty"


# --- actions


async def test_an_action_is_a_case_of_the_role_due_at_the_end_of_that_day(story: Story) -> None:
    case_id = await closed(story)
    await story.do(postmortems.write, writing(case_id, FIX), FAY)
    action = await story.case(case_id + 1)
    assert (action.workflow, action.failure_mode, action.title) == ("refund", "action", FIX.what)
    assert (action.owner, action.channel, action.route, action.follows_id) == (
        "revenue-ops",
        "C0REVOPS",
        "owner_queue",
        case_id,
    )
    assert action.resolve_due_at == datetime(2026, 11, 27, 14, tzinfo=UTC)
    assert await story.owed(action.id, "card")
    [opened] = await story.recorded(action.id, "case.opened")
    assert opened["follows"] == f"C-{case_id}"


async def test_a_day_without_hours_ends_with_the_next_that_has_some(story: Story) -> None:
    case_id = await closed(story)
    saturday = NewAction("Look again", "revenue-ops", date(2026, 11, 28))
    await story.do(postmortems.write, writing(case_id, saturday), FAY)
    assert (await story.case(case_id + 1)).resolve_due_at == datetime(2026, 11, 30, 17, tzinfo=UTC)


async def test_an_action_is_chased_like_any_other_case(story: Story) -> None:
    case_id = await closed(story)
    await story.do(postmortems.write, writing(case_id, FIX), FAY)
    action = case_id + 1
    await story.do(cases.assign, Assign(action, "U0CLEO"), CLEO)
    await story.pass_time(5 * DAY)
    assert [said["window"] for said in await story.recorded(action, "case.reminded")].count("resolution") == 2
    assert (await story.case(action)).resolution_breached_at == datetime(2026, 11, 27, 14, tzinfo=UTC)
    assert {said["ladder"] for said in await story.said(action, "escalated")} == {"unacknowledged", "unresolved"}


async def test_nothing_moves_the_date_of_an_action(story: Story) -> None:
    case_id = await closed(story)
    await story.do(postmortems.write, writing(case_id, FIX), FAY)
    action = case_id + 1
    due_at = (await story.case(action)).resolve_due_at
    await story.do(cases.acknowledge, Acknowledge(action), ADA)
    await story.do(cases.set_priority, SetPriority(action, "P1"), ADA)
    await story.do(cases.set_state, SetState(action, "waiting_for_customer"), ADA)
    await story.pass_time(HOUR)
    await story.do(cases.hand_off, HandOff(action, "billing"), ADA)
    assert (await story.case(action)).resolve_due_at == due_at
    assert (await story.timers(action))["resolution"]


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (NewAction("Too late", "revenue-ops", date(2026, 11, 20)), "That day is over for Revenue Ops."),
        (NewAction("Never", "revenue-ops", date(9999, 12, 31)), "That date is too far away; two years are the most."),
        (NewAction("Nobody", "nobody", FRIDAY), "There is no role 'nobody' any more."),
        (NewAction(" ", "revenue-ops", FRIDAY), "Say what is to be done."),
    ],
)
async def test_an_action_that_cannot_be_is_named_and_nothing_is_kept(
    story: Story, action: NewAction, says: str
) -> None:
    case_id = await closed(story)
    refused = await story.refused(postmortems.write, writing(case_id, FIX, action), FAY)
    assert isinstance(refused, ActionRefused)
    assert (refused.place, refused.text) == (1, says)
    kept = await whole(story, case_id)
    assert (kept.row.written_at, kept.actions) == (None, ())


async def test_a_second_form_that_says_the_same_makes_no_second_action(story: Story) -> None:
    case_id = await closed(story)
    await story.do(postmortems.write, writing(case_id, FIX, key="slack:view:V1"), FAY)
    assert (
        await story.refused(postmortems.write, writing(case_id, FIX, key="slack:view:V2"), FAY)
    ).code == "changed_meanwhile"
    assert len((await whole(story, case_id)).actions) == 1


# --- how it went


async def test_the_timeline_tells_what_happened_when(story: Story) -> None:
    case_id = await story.opened(workflow="refund", title="Refund lost")
    await story.pass_time(10 * MINUTE)
    await story.do(cases.acknowledge, Acknowledge(case_id), FAY)
    await story.pass_time(timedelta(minutes=5))
    await story.do(cases.add_note, AddNote(case_id, "Looks like\nthe bank"), FAY)
    await story.do(cases.resolve, Resolve(case_id, "fixed"), FAY)
    moments = (await whole(story, case_id)).moments
    assert [(each.after, each.text) for each in moments] == [
        (timedelta(0), "opened by monitors, for Billing escalation"),
        (10 * MINUTE, "acknowledged by U0FAY"),
        (15 * MINUTE, "U0FAY: Looks like the bank"),
        (15 * MINUTE, "resolved by U0FAY: Fixed"),
    ]
