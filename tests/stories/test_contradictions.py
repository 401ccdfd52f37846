"""Two events that say that they are the same and differ: the second is held until a person says which is right, and
what was decided holds for what comes later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.sandbox.company.systems import Mode
from store.contract_models import Trigger
from tests.stories.company import ADA, BEN, CLEO, FAY
from tests.stories.conftest import on_both_engines
from tests.stories.stage import TOKEN, Stage
from tests.stories.test_events import LEAD, REFUND, send

SECOND = REFUND | {"amount_cents": 9900}
THIRD = REFUND | {"amount_cents": 7}


async def contradicted(stage: Stage) -> str:
    """A refund was taken, and it comes again with another amount; the case."""
    await send(stage, "refund", REFUND)
    _, answer = await send(stage, "refund", SECOND)
    assert (answer["event"], answer["status"]) == ("E-2", "quarantined")
    return str(answer["case"])


async def decide(stage: Stage, decision: str, ref: str = "C-1") -> str:
    """The steward of the data says which is right; what they are told."""
    return await stage.type(CLEO, f"/case resolve {ref} {decision}")


async def lose(stage: Stage) -> None:
    """Billing has not what it took, so that what is asked about is sent."""
    await stage.advance(seconds=31)
    stage.company["billing"].kept.clear()


async def answers(stage: Stage, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """What the sender of each event is told."""
    return [(await send(stage, "refund", event))[1] for event in events]


def state(stage: Stage, event_id: int) -> str:
    """What has become of an event."""
    return stage.database.read_now(lambda session: session.get_one(Trigger, event_id).state)


async def held(stage: Stage) -> list[dict[str, Any]]:
    """What `GET /v1/quarantine` shows."""
    url = f"{stage.service.url}/v1/quarantine"
    async with stage.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
        return list((await response.json())["events"])


# --- it is held


@on_both_engines
async def test_it_is_in_quarantine_like_all_that_is_not_delivered(stage: Stage) -> None:
    ref = await contradicted(stage)
    (shown,) = await held(stage)
    assert (shown["event"], shown["case"], shown["content"]) == ("E-2", ref, SECOND)
    assert shown["title"] == "E-1 says that it is the same event, and its content is another"
    assert "*E-2* of C-1" in await stage.type(CLEO, "/case quarantine refund")
    card = stage.card(ref)
    assert "Quarantine (1)" in card.buttons
    assert not {"Retry", "Replay"} & set(card.buttons)
    assert stage.broken() == []


async def test_it_is_not_released_past_the_decision(stage: Stage) -> None:
    ref = await contradicted(stage)
    await stage._done(stage.slack.click(CLEO, stage.card(ref), action_id="case.release"))
    await stage.fill_in(CLEO, which="all")
    assert "Resolve its case with which of the two is right" in stage.thread(ref)[-1]
    assert state(stage, 2) == "quarantined"


@on_both_engines
async def test_one_that_only_took_the_id_of_another_is_released_under_its_own(stage: Stage) -> None:
    ref = await contradicted(stage)
    await stage._done(stage.slack.click(CLEO, stage.card(ref), action_id="case.release"))
    await stage._done(stage.slack.click(CLEO, stage.slack.views(CLEO)[-1], action_id="quarantine.look"))
    done = await stage.fill_in(CLEO, **{"set:/refund_id": "re_2"})
    assert done.errors == {}
    await stage.advance(seconds=2)
    amounts = {refund: kept["amount_cents"] for refund, kept in stage.company["billing"].kept.items()}
    assert amounts == {"re_1": 1200, "re_2": 9900}
    assert state(stage, 2) == "released"


@on_both_engines
async def test_the_same_again_is_its_duplicate(stage: Stage) -> None:
    ref = await contradicted(stage)
    assert await answers(stage, SECOND, REFUND) == [
        {"event": "E-2", "status": "duplicate", "case": ref},
        {"event": "E-1", "status": "duplicate"},
    ]
    twice = [LEAD, LEAD | {"tier": "growth"}, LEAD | {"tier": "growth"}, LEAD]
    _, answer = await send(stage, "lead-routing", twice)
    assert [each["status"] for each in answer["results"]] == ["accepted", "quarantined", "duplicate", "duplicate"]
    assert [each["event"] for each in answer["results"]] == ["E-3", "E-4", "E-4", "E-3"]
    assert [case.occurrences for case in stage.cases()] == [1, 1]


@on_both_engines
async def test_a_field_that_the_contract_leaves_out_by_now_makes_no_other_event(
    empty_stage: Stage, folder: Path
) -> None:
    stage, path = empty_stage, folder / "workflows" / "renewal-notice.yml"
    path.write_text(path.read_text() + "\nchange_gate: false\n")
    await stage.start()
    notice = {"account_id": "acc_1", "account_status": "active", "renewal_date": "2026-12-23"}
    await send(stage, "renewal-notice", notice | {"contact_email": "pat@customer.example"})
    text = path.read_text().replace("ignore: [sent_at]", "ignore: [sent_at, contact_email]")
    path.write_text(text.replace("version: 3", "version: 4"))
    await stage.service.read_policy_again()
    _, answer = await send(stage, "renewal-notice", notice | {"contact_email": "sam@customer.example"})
    assert answer == {"event": "E-1", "status": "duplicate"}
    assert stage.cases() == []


# --- the first is right


@on_both_engines
async def test_where_the_first_is_right_the_second_is_dropped_and_never_asked_about_again(stage: Stage) -> None:
    await contradicted(stage)
    assert "You resolved it" in await decide(stage, "first")
    assert (state(stage, 1), state(stage, 2), await held(stage)) == ("delivered", "dropped", [])
    assert (await answers(stage, SECOND))[0]["status"] == "duplicate"
    assert len(stage.cases()) == 1
    assert stage.company["billing"].kept["re_1"]["amount_cents"] == 1200


async def test_the_form_asks_which_of_the_two_is_right(stage: Stage) -> None:
    await send(stage, "lead-routing", LEAD)
    _, answer = await send(stage, "lead-routing", LEAD | {"tier": "growth"})
    await stage.press(ADA, "Resolve", on=answer["case"])
    await stage.fill_in(ADA, reason="fixed", decision="first")
    assert stage.case(answer["case"]).state == "resolved"
    assert len(stage.company["helpdesk"].kept) == 1


# --- the second is right


@on_both_engines
async def test_a_second_event_that_is_right_is_sent(stage: Stage) -> None:
    await send(stage, "lead-routing", LEAD)
    _, answer = await send(stage, "lead-routing", LEAD | {"tier": "growth"})
    await stage.press(ADA, "Resolve", on=answer["case"])
    await stage.fill_in(ADA, reason="fixed", decision="second")
    teams = [ticket["team"] for ticket in stage.company["helpdesk"].kept.values()]
    assert teams == ["strategic", "onboarding"]
    assert "went through" in stage.thread(answer["case"])[-1]
    assert (state(stage, 2), await held(stage)) == ("delivered", [])
    assert stage.broken() == []


async def test_a_second_event_is_not_sent_where_the_receiver_has_it(stage: Stage) -> None:
    ref = await contradicted(stage)
    assert "You resolved it" in await decide(stage, "second")
    await stage.advance(seconds=2)
    assert stage.company["billing"].kept["re_1"]["amount_cents"] == 1200
    assert "it is there already" in stage.thread(ref)[-1]


@on_both_engines
async def test_it_has_the_identity_from_then_on(stage: Stage) -> None:
    await contradicted(stage)
    await lose(stage)
    await decide(stage, "second")
    await stage.advance(seconds=31)
    assert await answers(stage, SECOND, REFUND) == [
        {"event": "E-2", "status": "duplicate", "case": "C-1"},
        {"event": "E-1", "status": "duplicate"},
    ]
    assert len(stage.cases()) == 1
    _, answer = await send(stage, "refund", THIRD)
    assert (answer["status"], stage.case(answer["case"]).dedup_key) == ("quarantined", "duplicate:2")


@on_both_engines
async def test_its_outcome_is_awaited_and_that_of_the_first_no_more(stage: Stage) -> None:
    await contradicted(stage)
    await lose(stage)
    await decide(stage, "second")
    assert stage.company["billing"].kept["re_1"]["amount_cents"] == 9900
    await stage.advance(minutes=9, seconds=55)
    assert [case.failure_mode for case in stage.cases()] == ["duplicate"]
    await stage.advance(seconds=10)
    (_, missing) = stage.cases()
    assert (missing.failure_mode, missing.event_id, missing.occurrences) == ("outcome_missing", 2, 1)
    url = f"{stage.service.url}/v1/outcomes/refund"
    body, headers = {"refund_id": "re_1", "state": "completed"}, {"Authorization": f"Bearer {TOKEN}"}
    async with stage.http.post(url, json=body, headers=headers) as response:
        assert (await response.json())["event"] == "E-2"
    await stage.settle()
    assert not stage.case(missing.ref).is_open


async def test_what_was_there_and_done_already_is_not_awaited_once_more(stage: Stage) -> None:
    await contradicted(stage)
    url = f"{stage.service.url}/v1/outcomes/refund"
    body, headers = {"refund_id": "re_1", "state": "completed"}, {"Authorization": f"Bearer {TOKEN}"}
    async with stage.http.post(url, json=body, headers=headers) as response:
        assert (await response.json())["status"] == "done"
    stage.company["billing"].kept["re_1"]["amount_cents"] = 9900
    await stage.settle()
    await decide(stage, "second")
    await stage.advance(hours=1)
    assert [case.failure_mode for case in stage.cases() if case.event_id == 2] == ["duplicate"]


@on_both_engines
async def test_one_that_cannot_be_delivered_is_a_case_with_an_owner(stage: Stage) -> None:
    ref = await contradicted(stage)
    await lose(stage)
    stage.company["billing"].refuses = 422
    await decide(stage, "second")
    await stage.advance(minutes=5)
    assert not stage.case(ref).is_open
    assert "did not go through" in stage.thread(ref)[-1]
    assert "stays open" not in stage.thread(ref)[-1]
    failed = stage.cases()[-1]
    assert (failed.failure_mode, failed.event_id, failed.is_open) == ("delivery_failed", 2, True)
    assert state(stage, 2) == "failed"
    stage.company["billing"].refuses = None
    await stage.press(FAY, "Retry", on=failed.ref)
    assert stage.company["billing"].kept["re_1"]["amount_cents"] == 9900
    assert state(stage, 2) == "delivered"


async def test_while_the_first_is_on_its_way_nothing_is_decided(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    ref = await contradicted(stage)
    assert "decide when it is known what came of it" in await decide(stage, "second")
    assert stage.case(ref).is_open
    assert state(stage, 2) == "quarantined"


async def test_a_first_one_that_failed_is_not_tried_again_after_it(stage: Stage) -> None:
    stage.company["billing"].refuses = 422
    ref = await contradicted(stage)
    stage.company["billing"].refuses = None
    (failed,) = [case for case in stage.cases() if case.failure_mode == "delivery_failed"]
    await decide(stage, "second", ref)
    assert state(stage, 1) == "dropped"
    await stage.advance(seconds=2)
    assert not {"Retry", "Replay"} & set(stage.card(failed.ref).buttons)
    assert "the other one was right" in await stage.type(FAY, f"/case retry {failed.ref}")
    assert stage.company["billing"].kept["re_1"]["amount_cents"] == 9900


async def test_of_several_the_wrong_ones_are_dropped_first(stage: Stage) -> None:
    ref = await contradicted(stage)
    await send(stage, "refund", THIRD)
    await lose(stage)
    assert stage.case(ref).occurrences == 2
    assert "about 2 events that differ from the first: E-2, E-3" in await decide(stage, "second")
    assert stage.case(ref).is_open
    await stage._done(stage.slack.click(CLEO, stage.card(ref), action_id="case.release"))
    await stage._done(stage.slack.click(CLEO, stage.slack.views(CLEO)[-1], action_id="quarantine.look"))
    await stage._done(stage.slack.click(CLEO, stage.slack.views(CLEO)[-1], action_id="quarantine.dropping"))
    await stage.fill_in(CLEO, reason="An amount that nobody asked for.")
    assert state(stage, 3) == "dropped"
    await decide(stage, "second")
    assert stage.company["billing"].kept["re_1"]["amount_cents"] == 9900


async def test_one_that_its_contract_would_not_deliver_is_not_sent(stage: Stage) -> None:
    notice = {"account_id": "acc_1", "account_status": "active", "renewal_date": "2026-12-23"}
    await send(stage, "renewal-notice", notice)
    _, answer = await send(stage, "renewal-notice", notice | {"account_status": "churned"})
    told = await stage.type(BEN, f"/case resolve {answer['case']} second")
    assert "E-2 cannot be sent: precondition 'account is active' is not met" in told
    assert stage.case(answer["case"]).is_open
