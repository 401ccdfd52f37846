"""Who somebody is to a case is decided at the click, by the roles of now."""

from __future__ import annotations

from typing import Any

import pytest

from bot.desk import cases, rotas
from bot.desk.commands import Acknowledge, AddNote, OverrideRota, Snooze
from bot.desk.sending_again import AskReplay, ask_replay
from bot.desk.tx import Tx
from bot.rules.actors import Actor, Kind, person
from store.models import Person
from store.writing import add_new
from tests.desk.conftest import Told
from tests.desk.story import ADA, BEN, DAY, DEE, ELI, FAY, HOUR, STRANGER, Story


def outside(user: str) -> Actor:
    return Actor(Kind.PERSON, user, is_ours=False, why_not_ours="users of other workspaces")


async def known(story: Story, **row: Any) -> None:
    rows = [{"checked_at": story.clock.now()} | row]

    def keep(tx: Tx, _: None) -> None:
        add_new(tx.session, Person, rows, unique=["id"])

    await story.desk.run(keep, None, actor=ADA)


@pytest.mark.parametrize("who", [ADA, BEN, DEE, ELI], ids=lambda who: who.id)
async def test_owners_and_the_accountable_may_acknowledge(story: Story, who: Actor) -> None:
    case_id = await story.opened()
    await story.do(cases.acknowledge, Acknowledge(case_id), who)
    assert (await story.case(case_id)).acknowledged_by == who.id


@pytest.mark.parametrize("who", [FAY, STRANGER], ids=lambda who: who.id)
async def test_others_are_refused_and_told_who_may(story: Story, who: Actor) -> None:
    case_id = await story.opened()
    refused = await story.refused(cases.acknowledge, Acknowledge(case_id), who)
    assert refused.code == "not_allowed"
    assert refused.text.endswith("Revenue Ops, Customer Success or whoever was told to act on it can.")
    [entry] = await story.recorded(case_id, "refused")
    assert (entry["code"], entry["asked"]) == ("not_allowed", "acknowledge")


async def test_anyone_who_is_paged_may_act(story: Story) -> None:
    case_id = await story.opened()
    await story.tell_to_act(case_id, "U0NOBODY")
    await story.do(cases.acknowledge, Acknowledge(case_id), STRANGER)
    assert (await story.case(case_id)).acknowledged_by == STRANGER.id


async def test_only_the_owner_and_the_backup_that_was_told_send_again(story: Story) -> None:
    event = {"lead_id": "l_1"}
    case_id = await story.opened(mode="delivery_failed", event=event)
    await story.tell_to_act(case_id, "U0NOBODY")
    asked = AskReplay(case_id, confirmed=True)
    for who in (STRANGER, DEE):  # told by name; of the accountable role, which is the backup too
        assert (await story.refused(ask_replay, asked, who)).code == "not_allowed"
    await story.tell_to_act(case_id, "role:customer-success")
    await story.do(ask_replay, asked, ELI)


async def test_whoever_is_on_call_now_is_of_the_role_although_it_does_not_list_them(story: Story) -> None:
    now = story.clock.now()
    await story.do(rotas.override_rota, OverrideRota("revenue-ops", now, now + HOUR, "U0NOBODY"), ADA)
    case_id = await story.opened()
    await story.do(cases.acknowledge, Acknowledge(case_id), STRANGER)
    story.clock.advance(2 * HOUR)
    assert (
        await story.refused(cases.snooze, Snooze(await story.opened(title="b"), "1h"), STRANGER)
    ).code == "not_allowed"


@pytest.mark.parametrize("who", ["U0GUEST", "U0ELSEWHERE"])
async def test_guests_and_strangers_may_not_even_note(story: Story, who: str) -> None:
    case_id = await story.opened()
    refused = await story.refused(cases.add_note, AddNote(case_id, "hello"), outside(who))
    assert "users of other workspaces may act only where a role lists them as a member" in refused.text


async def test_a_guest_whom_a_role_lists_may_act(story: Story) -> None:
    case_id = await story.opened()
    await story.do(cases.acknowledge, Acknowledge(case_id), outside("U0ADA"))
    assert (await story.case(case_id)).acknowledged_by == "U0ADA"


async def test_a_guest_in_a_user_group_or_on_a_rota_alone_may_not(story_where: Told) -> None:
    story = story_where("    members: [U0ADA, U0BEN, U0CLEO] # or usergroup: S0REVOPS\n", "    usergroup: S0REVOPS\n")
    await known(story, id="S0REVOPS", members=["U0GUEST", "U0NEW"])
    case_id = await story.opened()
    assert (await story.refused(cases.acknowledge, Acknowledge(case_id), outside("U0GUEST"))).code == "not_allowed"
    assert (await story.refused(cases.acknowledge, Acknowledge(case_id), outside("U0BEN"))).code == "not_allowed"
    await story.do(cases.acknowledge, Acknowledge(case_id), person("U0NEW"))


async def test_a_member_named_by_email_is_known_by_it(story_where: Told) -> None:
    story = story_where("members: [U0ADA, U0BEN, U0CLEO]", "members: [Ada@acme.example]")
    await known(story, id="U0NEWADA", email="ada@acme.example")
    case_id = await story.opened()
    await story.do(cases.acknowledge, Acknowledge(case_id), person("U0NEWADA"))
    assert (await story.case(case_id)).acknowledged_by == "U0NEWADA"


async def test_an_override_puts_somebody_on_call(story: Story) -> None:
    start = story.clock.now()
    command = OverrideRota("revenue-ops-on-call", start + HOUR, start + 4 * HOUR, "U0CLEO", request_key="slack:1")
    first = await story.do(rotas.override_rota, command, ADA)
    assert (await story.do(rotas.override_rota, command, ADA)).repeated
    assert (first.case_id, first.facts["rota"]) == (0, "revenue-ops-on-call")
    case_id = await story.opened()
    await story.pass_time(2 * HOUR)
    assert await story.paged(case_id) == ["U0CLEO"]


@pytest.mark.parametrize("who", [FAY, STRANGER, outside("U0GUEST")], ids=lambda who: who.id)
async def test_only_the_roles_with_the_rota_and_governance_change_it(story: Story, who: Actor) -> None:
    start = story.clock.now()
    command = OverrideRota("revenue-ops-on-call", start, start + HOUR, who.id)
    refused = await story.refused(rotas.override_rota, command, who)
    assert refused.code == "not_allowed"
    await story.do(rotas.override_rota, command, DEE)  # governance


@pytest.mark.parametrize(
    ("rota", "begins", "lasts", "code"),
    [
        ("no-such-rota", HOUR, HOUR, "no_rota"),
        ("data-steward", HOUR, HOUR, "no_rota"),
        ("revenue-ops", HOUR, 0 * HOUR, "wrong_stretch"),
        ("revenue-ops", -2 * HOUR, HOUR, "wrong_stretch"),
        ("revenue-ops", HOUR, 100 * DAY, "wrong_stretch"),
    ],
)
async def test_a_stretch_that_cannot_be_is_refused(story: Story, rota: str, begins: Any, lasts: Any, code: str) -> None:
    start = story.clock.now() + begins
    assert (
        await story.refused(rotas.override_rota, OverrideRota(rota, start, start + lasts, "U0ADA"), ADA)
    ).code == code
