"""Events in quarantine: looked at, mended, released and dropped by those who may, on both engines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import Session, col

from bot.desk import cases, quarantine, releasing
from bot.desk.commands import Outcome, Resolve
from bot.desk.desk import Desk
from bot.desk.events import Arrived, receive
from bot.desk.judging import Arrival
from bot.desk.kept import removed_from
from bot.desk.once import Submission
from bot.desk.quarantine import Drop, Look, Release, StillHeld
from bot.desk.sending_again import AskReplay, ask_replay
from bot.rules.actors import SYSTEM, source
from bot.rules.redaction import restored
from bot.rules.repair import Mending
from store.contract_models import Trigger
from store.models import Delivery, Event
from store.queries.quarantine import Wanted, held_of_cases, list_held
from store.sealing import erase
from tests.desk.story import ADA, BEN, DEE, STRANGER, Story

RENAMED = {
    "account_id": "acc_1",
    "account_status": "active",
    "renewal_dt": "2026-12-23",
    "contact_email": "ada@acme.test",
}
GOOD = {
    "account_id": "acc_1",
    "account_status": "active",
    "renewal_date": "2026-12-23",
    "contact_email": "ada@acme.test",
}
TAKE_IT = Mending(names={"/renewal_date": "renewal_dt"})


async def arrive(story: Story, *contents: dict[str, Any], workflow: str = "renewal-notice") -> list[Arrived]:
    submission = Submission(tuple(Arrival(source("hubspot"), workflow, each) for each in contents))
    answer = await story.desk.run_joined(receive, submission)
    assert isinstance(answer, tuple)
    return list(answer)


async def held(story: Story, **changes: Any) -> tuple[int, int]:
    """An event that is held: its id and its case's."""
    [arrived] = await arrive(story, RENAMED | changes)
    assert arrived.status == "quarantined"
    assert arrived.case
    return int(arrived.event.removeprefix("E-")), int(arrived.case.removeprefix("C-"))


async def look(story: Story, event_id: int) -> Look:
    policies = story.desk.policies
    return await story.desk.read(lambda session: quarantine.look(session, policies, event_id, now=story.clock.now()))


async def triggers(story: Story) -> list[Trigger]:
    rows = select(Trigger).order_by(col(Trigger.event_id))
    return await story.desk.read(lambda session: list(session.execute(rows).scalars()))


async def owed(story: Story) -> list[Delivery]:
    return await story.desk.read(lambda session: list(session.execute(select(Delivery)).scalars()))


async def release(story: Story, case_id: int, *events: int, mending: Mending = TAKE_IT, by: Any = BEN) -> Outcome:
    return await story.do(quarantine.release, Release(case_id, events or None, mending), by)


async def test_what_is_looked_at_is_masked_and_says_what_is_wrong(story: Story) -> None:
    event_id, _ = await held(story, note="call Ada at home")
    seen = await look(story, event_id)
    assert seen.content == {
        "account_id": "acc_1",
        "account_status": "active",
        "renewal_dt": "•••",
        "contact_email": "•••",
        "note": "•••",
    }
    [wrong] = seen.wrong
    assert (wrong.pointer, wrong.came_as, wrong.shown) == ("/renewal_date", "renewal_dt", None)


async def test_a_mended_event_is_delivered_as_a_new_one_and_keeps_the_link(story: Story) -> None:
    event_id, case_id = await held(story)
    outcome = await release(story, case_id, event_id)
    assert outcome.facts["event"] == f"E-{event_id}"
    before, after = await triggers(story)
    assert (before.state, after.state, after.released_from) == ("released", "delivering", event_id)
    assert after.identity == "acc_1:2026-12-23"
    assert [each.event_id for each in await owed(story)] == [after.event_id]
    [entry] = await story.recorded(case_id, "event.released")
    assert (entry["event"], entry["released_as"], entry["mended"]) == (
        f"E-{event_id}",
        f"E-{after.event_id}",
        ["/renewal_date"],
    )
    assert "events_released" in await story.lines(case_id)


async def test_a_value_that_was_hidden_goes_along_when_it_is_released(story: Story) -> None:
    event_id, case_id = await held(story)
    await release(story, case_id, event_id)
    new = (await owed(story))[0].event_id
    kept = await story.desk.read(lambda session: session.get_one(Event, new))
    assert kept.content["contact_email"] == "•••"
    whole = await story.desk.read(lambda session: _whole(session, new))
    assert whole == {name: GOOD[name] for name in whole}


def _whole(session: Session, event_id: int) -> dict[str, Any]:
    event = session.get_one(Event, event_id)
    [removed] = removed_from(session, [event])
    assert removed
    return restored(event.content, removed)


async def test_an_event_that_still_does_not_fit_stays_and_says_why(story: Story) -> None:
    event_id, case_id = await held(story)
    refused = await story.refused(quarantine.release, Release(case_id, (event_id,)))
    assert isinstance(refused, StillHeld)
    assert refused.wrong == {"/renewal_date": "renewal_dt came, renewal_date was wanted"}
    [trigger] = await triggers(story)
    assert trigger.state == "quarantined"
    [entry] = await story.recorded(case_id, "refused")
    assert entry["code"] == "still_held"


async def test_all_of_a_case_leave_and_those_that_do_not_fit_stay(story: Story) -> None:
    _, case_id = await held(story)
    await held(story, account_id="acc_2")
    stays, same_case = await held(story, account_id="acc_3", account_status="unheard of")
    assert same_case == case_id
    outcome = await release(story, case_id)
    assert (outcome.facts["count"], outcome.facts["still"], outcome.facts["left"]) == (2, 1, 0)
    held_now = await story.desk.read(lambda session: list_held(session, Wanted(9, case_id=case_id)))
    assert [each.event.id for each in held_now] == [stays]


async def test_a_large_case_leaves_in_batches_that_survive_a_restart(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releasing, "BATCH", 3)
    monkeypatch.setattr(quarantine, "BATCH", 3)
    events = await arrive(story, *(RENAMED | {"account_id": f"acc_{number}"} for number in range(8)))
    case_id = int(str(events[0].case).removeprefix("C-"))
    outcome = await release(story, case_id)
    assert (outcome.facts["count"], outcome.facts["left"]) == (3, 5)
    another = Desk(story.desk.database, story.clock, story.desk.policies)
    await held(story, account_id="came_after_the_click")
    assert [await another.run(releasing.go_on, None, actor=SYSTEM) for _ in range(3)] == [3, 2, 0]
    assert await story.desk.read(releasing.next_due) is None
    assert len(await owed(story)) == 8
    assert await story.desk.read(lambda session: held_of_cases(session, [case_id])) == {case_id: 1}
    told = await story.said(case_id, "events_released")
    assert [each["count"] for each in told] == [3, 8]


async def test_two_people_release_the_same_event_once(story: Story) -> None:
    event_id, case_id = await held(story)
    other = Desk(story.desk.database, story.clock, story.desk.policies)
    command = Release(case_id, (event_id,), TAKE_IT)
    done = await asyncio.gather(
        *(desk.run(quarantine.release, command, actor=by) for desk, by in ((story.desk, BEN), (other, ADA))),
        return_exceptions=True,
    )
    assert len([each for each in done if isinstance(each, Outcome)]) == 1
    [refused] = [each for each in done if not isinstance(each, Outcome)]
    assert str(refused) == f"E-{event_id} was released already; `/case quarantine` lists those that are held."
    assert len(await owed(story)) == 1


async def test_the_same_form_sent_twice_is_one_release(story: Story) -> None:
    event_id, case_id = await held(story)
    command = Release(case_id, (event_id,), TAKE_IT, request_key="slack:view:V1")
    first, second = [await story.do(quarantine.release, command) for _ in range(2)]
    assert (first.repeated, second.repeated) == (False, True)
    assert len(await owed(story)) == 1


async def test_who_has_nothing_to_do_with_it_may_not(story: Story) -> None:
    event_id, case_id = await held(story)
    for command, act in (
        (Release(case_id, (event_id,), TAKE_IT), quarantine.release),
        (Drop(case_id, event_id, "it is a test event"), quarantine.drop),
    ):
        refused = await story.refused(act, command, STRANGER)  # type: ignore[arg-type]
        assert refused.code == "not_allowed"
        assert "Revenue Ops" in refused.text
    assert (await triggers(story))[0].state == "quarantined"


async def test_what_is_held_by_a_closed_case_can_still_be_released(story: Story) -> None:
    event_id, case_id = await held(story)
    await story.do(cases.resolve, Resolve(case_id, "worked_around", "sent by hand"))
    assert (await release(story, case_id, event_id)).facts["count"] == 1


async def test_the_accountable_role_may(story: Story) -> None:
    event_id, case_id = await held(story)
    assert (await release(story, case_id, event_id, by=DEE)).facts["count"] == 1


async def test_an_event_of_another_case_is_not_released_by_the_way(story: Story) -> None:
    event_id, _ = await held(story)
    _, other_case = await held(story, renewal_dt="no date")
    refused = await story.refused(quarantine.release, Release(other_case, (event_id,), TAKE_IT))
    assert refused.code == "not_held"


async def test_a_dropped_event_is_never_delivered(story: Story) -> None:
    event_id, case_id = await held(story)
    refused = await story.refused(quarantine.drop, Drop(case_id, event_id, "  test  "))
    assert refused.code == "no_reason"
    await story.do(quarantine.drop, Drop(case_id, event_id, "sent by a test of the form"))
    assert (await triggers(story))[0].state == "dropped"
    assert (await story.refused(quarantine.release, Release(case_id, (event_id,), TAKE_IT))).text.startswith(
        f"E-{event_id} was dropped"
    )
    assert await owed(story) == []


async def test_what_came_properly_meanwhile_is_not_delivered_twice(story: Story) -> None:
    event_id, case_id = await held(story)
    [proper] = await arrive(story, GOOD)
    outcome = await release(story, case_id, event_id)
    assert (outcome.facts["count"], outcome.facts["known"]) == (1, 1)
    assert [f"E-{each.event_id}" for each in await owed(story)] == [proper.event]


async def test_what_came_meanwhile_with_other_content_has_to_be_decided(story: Story) -> None:
    event_id, case_id = await held(story)
    [proper] = await arrive(story, GOOD | {"arr_cents": 5})
    refused = await story.refused(quarantine.release, Release(case_id, (event_id,), TAKE_IT))
    assert proper.event in refused.text


async def test_a_released_event_is_judged_by_its_preconditions_too(story: Story) -> None:
    event_id, case_id = await held(story, account_status="churned")
    outcome = await release(story, case_id, event_id)
    assert (outcome.facts["count"], outcome.facts["ignored"]) == (1, 1)
    assert await owed(story) == []
    assert "quarantine_cleared" in await story.lines(case_id)


async def test_a_retry_of_its_sender_is_known_after_the_release(story: Story) -> None:
    event_id, case_id = await held(story)
    await release(story, case_id, event_id)
    [again] = await arrive(story, RENAMED)
    assert (again.status, again.event) == ("duplicate", f"E-{event_id}")
    [proper] = await arrive(story, RENAMED | GOOD)
    assert proper.status != "accepted"
    assert len(await owed(story)) == 1


async def test_an_erased_event_can_only_be_dropped(story: Story) -> None:
    event_id, case_id = await held(story)
    key = await story.desk.read(lambda session: session.get_one(Event, event_id).subject_key)
    story.desk.database.write(lambda session: erase(session, [str(key)], at=story.clock.now())).result()
    seen = await look(story, event_id)
    assert seen.is_erased
    assert seen.content["account_id"] == "acc_1"
    assert "erased" in (await story.refused(quarantine.release, Release(case_id, (event_id,), TAKE_IT))).text
    await story.do(quarantine.drop, Drop(case_id, event_id, "the person asked for it"))


async def test_an_event_that_was_held_is_not_replayed_past_its_schema(story: Story) -> None:
    _, case_id = await held(story)
    refused = await story.refused(ask_replay, AskReplay(case_id))
    assert refused.code == "held"


async def test_the_record_holds_and_has_no_value_of_the_event(story: Story) -> None:
    event_id, case_id = await held(story)
    await release(story, case_id, event_id, mending=Mending(values={"/renewal_date": "2027-01-01"}))
    assert "2027-01-01" not in str(await story.record(case_id))
    assert "2026-12-23" not in str(await story.record(case_id))
    assert await story.everything_holds()


async def test_a_precondition_that_holds_again_lets_the_event_keep_its_id(story: Story) -> None:
    event_id, case_id = await held(story)

    def by_precondition(session: Session) -> None:
        mine = update(Trigger).where(col(Trigger.event_id) == event_id)
        session.execute(mine.values(identity="acc_1:2026-12-23"))

    story.desk.database.write(by_precondition).result()
    await release(story, case_id, event_id)
    before, after = await triggers(story)
    assert (before.identity, after.identity) == (f"acc_1:2026-12-23#E-{event_id}", "acc_1:2026-12-23")
    assert after.state == "delivering"
