"""Events that do not fit: one case, a look at them, mended in a form, released once, dropped with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.desk import quarantine, releasing
from tests.stories.company import ADA, BEN, CLEO, DEE, REVOPS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_outcomes import send

SECRET = "ada.lovelace@private.test"
RENAMED = {
    "account_id": "acc_1",
    "account_status": "active",
    "renewal_dt": "2026-12-23",
    "contact_email": SECRET,
}


async def held(stage: Stage, **changes: Any) -> dict[str, Any]:
    """An event comes that does not fit."""
    answer = await send(stage, "events", "renewal-notice", RENAMED | changes)
    assert answer["status"] == "quarantined", answer
    return dict(answer)


async def look(stage: Stage, user: str) -> None:
    """Somebody presses Look beside the first event of the list or the form that they have."""
    await stage._done(stage.slack.click(user, stage.slack.views(user)[-1], action_id="quarantine.look"))


async def open_case(stage: Stage, user: str, ref: str = "C-1") -> None:
    """Somebody presses the card's button."""
    await stage._done(stage.slack.click(user, stage.card(ref), action_id="case.release"))


def notices(stage: Stage) -> dict[str, Any]:
    """What marketing has sent, by account."""
    return {account: kept["due"] for account, kept in stage.company["marketing"].kept.items()}


@on_both_engines
async def test_a_renamed_field_is_one_case_that_says_so_and_shows_no_value(stage: Stage) -> None:
    for number in range(3):
        await held(stage, account_id=f"acc_{number}")
    (case,) = stage.cases()
    assert (case.title, case.failure_mode, case.occurrences) == (
        "renewal_dt came, renewal_date was wanted",
        "schema_drift",
        3,
    )
    card = stage.card("C-1")
    assert "3 events are in quarantine" in card.shown
    assert {"Quarantine (3)"} <= set(card.buttons)
    assert not {"Retry", "Replay"} & set(card.buttons)
    assert notices(stage) == {}


@on_both_engines
async def test_the_owner_releases_all_of_a_case_under_the_name_that_was_wanted(stage: Stage) -> None:
    for number in range(3):
        await held(stage, account_id=f"acc_{number}")
    await open_case(stage, BEN)
    assert "Take renewal_date from renewal_dt" in stage.form(BEN).shown
    submitted = await stage.fill_in(BEN, which="all")
    assert submitted.errors == {}
    assert notices(stage) == dict.fromkeys(("acc_0", "acc_1", "acc_2"), "2026-12-23")
    assert stage.thread("C-1")[-2:] == [
        ":unlock: *Ben Ortiz* released 3 events from quarantine.",
        ":white_check_mark: Nothing of this case is in quarantine any more, "
        "and what was released (3 events) is through.",
    ]
    assert not [button for button in stage.card("C-1").buttons if "Quarantine" in button]
    assert stage.broken() == []


@on_both_engines
async def test_rules_and_checks_see_how_it_misses_its_schema(empty_stage: Stage, folder: Path) -> None:
    path = folder / "workflows" / "renewal-notice.yml"
    rule = (
        "routing: [{name: renamed, when: case.misfit.found == 'renewal_dt' and case.quarantined == 1, priority: P1}]\n"
    )
    check = "  - {name: it was the date, for: [schema_drift], expect: case.misfit.wanted == 'renewal_date'}\n"
    path.write_text(path.read_text().replace("\nchecks:\n", f"\n{rule}\nchecks:\n{check}"))
    await empty_stage.start()
    await held(empty_stage)
    (case,) = empty_stage.cases()
    assert (case.route_rule, case.priority) == ("renamed", "P1")
    await open_case(empty_stage, BEN)
    await empty_stage.fill_in(BEN, which="all")
    await empty_stage.type(BEN, f"/case resolve {case.ref} fixed the sender knows")
    assert empty_stage.case(case.ref).state == "resolved"


async def test_one_event_is_looked_at_masked_and_mended(stage: Stage) -> None:
    await held(stage, account_status="unheard of", arr_cents="4900")
    await stage.type(BEN, "/case quarantine renewal-notice")
    await stage._done(stage.slack.click(BEN, stage.slack.ephemerals(BEN)[-1], action_id="quarantine.look"))
    form = stage.form(BEN)
    assert SECRET not in str(form)
    assert "2026-12-23" not in str(form)
    assert "renewal_dt came, renewal_date was wanted" in form.shown
    wrong = await stage.fill_in(BEN, **{"set:/renewal_date": "next month"})
    assert wrong.errors == {"set:/renewal_date": "It stays in quarantine: renewal_date is no date."}
    wrong = await stage.fill_in(BEN, **{"set:/renewal_date": "", "set:/arr_cents": "a lot"})
    assert wrong.errors == {"set:/arr_cents": "Write a whole number."}
    done = await stage.fill_in(BEN, **{"set:/account_status": "active", "set:/arr_cents": "4900"})
    assert done.errors == {}
    assert notices(stage) == {"acc_1": "2026-12-23"}
    assert "released E-1 from quarantine" in stage.told(BEN)


@on_both_engines
async def test_some_of_a_case_are_released_and_the_others_stay(stage: Stage) -> None:
    for number in range(3):
        await held(stage, account_id=f"acc_{number}")
    await open_case(stage, BEN)
    none = await stage.fill_in(BEN, which="some")
    assert none.errors == {"events": "Choose the events that are to be released."}
    await stage.fill_in(BEN, which="some", events=["1", "3"])
    assert len(notices(stage)) == 2
    assert "1 event is in quarantine" in stage.card("C-1").shown


async def test_who_has_nothing_to_do_with_it_may_look_and_not_release(stage: Stage) -> None:
    await held(stage)
    await open_case(stage, ZOE)
    refused = await stage.fill_in(ZOE, which="all")
    assert "cannot release or drop its events in quarantine" in str(refused.errors) + str(refused.view)
    assert notices(stage) == {}


async def test_a_dropped_event_is_never_delivered(stage: Stage) -> None:
    await held(stage)
    await open_case(stage, DEE)
    await look(stage, DEE)
    await stage._done(stage.slack.click(DEE, stage.slack.views(DEE)[-1], action_id="quarantine.dropping"))
    short = await stage.fill_in(DEE, reason="test")
    assert "at least 10 characters" in str(short.errors)
    await stage.fill_in(DEE, reason="A test of the form, <!channel>")
    assert "dropped E-1" in stage.thread("C-1")[-1]
    assert "<!channel>" not in stage.thread("C-1")[-1]
    assert notices(stage) == {}
    assert not [button for button in stage.card("C-1").buttons if "Quarantine" in button]


async def test_a_second_click_of_somebody_else_finds_nothing_to_release(stage: Stage) -> None:
    await held(stage)
    for user in (BEN, ADA):
        await open_case(stage, user)
    await stage.fill_in(BEN, which="all")
    late = await stage.fill_in(ADA, which="all")
    assert "Nothing of C-1 is held in quarantine any more" in str(late.errors) + str(late.view)
    assert stage.company["marketing"].requests == 1


async def test_hostile_names_and_values_wake_nobody(stage: Stage) -> None:
    hostile = "<!channel> *x* \u202e<@U0ADA>"
    await send(stage, "events", "renewal-notice", {"account_id": hostile, "renewal_dat" + hostile: "2026-01-01"})
    card = stage.card("C-1")
    assert "<!channel>" not in str(card.blocks)
    await open_case(stage, BEN)
    await look(stage, BEN)
    assert "<!channel>" not in "".join(_live(stage.form(BEN).content))
    assert "\u202e" not in str(stage.form(BEN).content)


def _live(node: Any) -> list[str]:
    if isinstance(node, list):
        return [text for each in node for text in _live(each)]
    if not isinstance(node, dict):
        return []
    own = [node["text"]] if node.get("type") == "mrkdwn" else []
    return own + [text for each in node.values() for text in _live(each)]


@on_both_engines
async def test_a_large_release_goes_on_after_a_restart(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (releasing, quarantine):
        monkeypatch.setattr(module, "BATCH", 2)
    for number in range(5):
        await held(stage, account_id=f"acc_{number}")
    await open_case(stage, BEN)
    await stage.fill_in(BEN, which="all")
    await stage.restart(minutes=1)
    assert len(notices(stage)) == 5
    assert any("released 5 events" in line for line in stage.thread("C-1"))


async def test_the_home_tab_shows_what_is_held_to_those_who_look_after_it(stage: Stage) -> None:
    await held(stage)
    await stage.slack.open_home(BEN)
    await stage.settle()
    assert "*Renewal notices*: 1 not delivered" in _home(stage, BEN)
    await stage.slack.open_home(ZOE)
    await stage.settle()
    assert "In quarantine" not in _home(stage, ZOE)


def _home(stage: Stage, user: str) -> str:
    view = stage.slack.home(user)
    assert view
    return view.shown


async def test_the_list_says_what_is_held_where_and_what_is_not(stage: Stage) -> None:
    assert "nothing is in quarantine" in await stage.type(BEN, "/case quarantine")
    await held(stage)
    said = await stage.type(BEN, "/case quarantine", channel=REVOPS)
    assert "*E-1* of C-1" in said
    assert "renewal_dt came, renewal_date was wanted" in said
    assert "Did you mean `renewal-notice`" in await stage.type(BEN, "/case quarantine renewal-notise")


@on_both_engines
async def test_a_ticket_without_context_gets_it_in_the_form_and_goes_out(stage: Stage) -> None:
    ticket = {"ticket_id": "T-91", "contact_id": "con_1", "tier": "growth"}
    answer = await send(stage, "events", "support-triage", ticket)
    case = stage.case("C-1")
    assert (answer["status"], case.failure_mode, case.subject) == ("quarantined", "missing_context", "con_1")
    because = "precondition 'the customer is known' is not met: event.account_id is missing"
    assert because in stage.card("C-1").shown
    await open_case(stage, CLEO)
    await look(stage, CLEO)
    assert because in stage.form(CLEO).shown
    submitted = await stage.fill_in(CLEO)
    assert because in submitted.errors["set:/account_id"]
    submitted = await stage.fill_in(CLEO, **{"set:/account_id": "acct_7"})
    assert submitted.errors == {}
    assert stage.company["helpdesk"].kept["T-91"]["account"] == "acct_7"
    assert "through" in stage.thread("C-1")[-1]
    assert stage.broken() == []
