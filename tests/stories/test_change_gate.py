"""The change gate: the folder proposes, people say yes, and the database decides."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from bot.desk import proposals
from bot.desk.proposals import Decide
from bot.doctor import look
from bot.rules.actors import person
from bot.rules.drills import Name
from bot.rules.refusals import Refused
from bot.sandbox.workspace.errors import CannotDo
from tests.stories.company import ADA, BILLING, CLEO, DEE, ELI, FAY, GUEST, GUS, REVOPS, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.gate import (
    ONLY_REFUND,
    actions,
    cards,
    change,
    in_force,
    notices,
    on_record,
    press,
    propose,
    read_again,
    states,
    versions,
)
from tests.stories.stage import Stage
from tests.stories.test_drills import drill

REFUND, TEAM = "workflows/refund.yml", "team.yml"
FIRST = "policy.in_force"


@on_both_engines
async def test_two_different_people_say_yes_and_then_it_is_in_force(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    (card,) = cards(stage)
    assert "waits for its yes" in card.shown
    assert "outcome.within: window shortened: 10m → 5m" in card.shown
    assert "version 1 → 2" in card.shown
    assert "◻️ Billing escalation (accountable), ◻️ Revenue Ops (steward)" in card.shown
    assert in_force(stage) == before
    assert versions(stage, "refund") == [(1, "current")]

    await press(stage, FAY, "Approve")
    assert stage.told(FAY) == ":white_check_mark: You said yes. Still missing: Revenue Ops (steward)."
    assert "✅ " in cards(stage)[0].shown
    assert in_force(stage) == before
    await press(stage, ADA, "Approve")
    assert "the change is in force" in stage.told(ADA)
    assert in_force(stage) != before
    assert states(stage) == ["replaced", "in_force"]
    assert versions(stage, "refund") == [(1, "before"), (2, "current")]
    assert versions(stage, "lead-routing") == [(2, "current")]
    assert len(cards(stage)) == 1
    assert "is in force" in cards(stage)[0].shown

    entries = on_record(stage)
    assert actions(entries) == [FIRST, "policy.proposed", "policy.approved", "policy.approved", FIRST]
    assert entries[-1]["detail"]["before"] == before
    assert entries[-1]["detail"]["files"]["changed"] == [REFUND]
    assert [yes["person"] for yes in entries[-1]["detail"]["yeses"]] == [FAY, ADA]
    assert stage.broken() == []


async def test_each_role_whose_yes_is_needed_is_told_in_its_channel(stage: Stage, folder: Path) -> None:
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    (told,) = notices(stage, BILLING)
    assert "A change of *Refunds* waits for a yes of Billing escalation" in told
    assert len(notices(stage, REVOPS)) == 1
    await press(stage, FAY, "Approve")
    assert len(notices(stage, BILLING)) == 1


async def test_one_person_does_not_say_yes_for_both_roles(stage: Stage, folder: Path) -> None:
    change(folder, TEAM, ("members: [U0FAY, U0GUS]", "members: [U0FAY, U0GUS, U0ADA]"))
    await stage.stop()
    stage.database.engine.dispose()
    await stage.start()
    await press(stage, DEE, "Approve")
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    before = in_force(stage)
    await press(stage, ADA, "Approve")
    await press(stage, ADA, "Approve")
    assert "has to come from somebody else" in stage.told(ADA)
    assert in_force(stage) == before
    refused = on_record(stage)[-1]
    assert (refused["action"], refused["detail"]["code"]) == ("refused", "same_person")
    # Ada could fill either seat: whoever comes next takes the one that is theirs.
    await press(stage, GUS, "Approve")
    assert in_force(stage) != before


@pytest.mark.parametrize("who", [DEE, ZOE, GUEST])
async def test_whose_yes_is_not_needed_is_refused_alone_and_on_record(stage: Stage, folder: Path, who: str) -> None:
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    card = cards(stage)[0].shown
    await press(stage, who, "Approve")
    assert stage.told(who) == "You cannot approve this change: Billing escalation or Revenue Ops can."
    assert cards(stage)[0].shown == card
    assert on_record(stage)[-1]["action"] == "refused"
    assert on_record(stage)[-1]["actor"]["id"] == who


async def test_a_change_of_the_team_needs_governance_as_it_was_before(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, TEAM, ("governance: customer-success", "governance: billing"))
    await press(stage, FAY, "Approve")
    assert stage.told(FAY) == "You cannot approve this change: Customer Success can."
    assert in_force(stage) == before
    await press(stage, ELI, "Approve")
    assert in_force(stage) != before


async def test_a_changed_runbook_needs_governance_and_the_owners_of_each_contract_that_uses_it(
    stage: Stage, folder: Path
) -> None:
    before = in_force(stage)
    await propose(stage, folder, "runbooks/refund-callback.yml", ("first: 2s", "first: 9s"))
    for user in (FAY, CLEO):
        await press(stage, user, "Approve")
        assert in_force(stage) == before
    assert "Still missing: Customer Success (governance)" in stage.told(CLEO)
    await press(stage, DEE, "Approve")
    assert in_force(stage) != before


async def test_a_change_of_nothing_that_is_gated_is_in_force_at_once(stage: Stage, folder: Path) -> None:
    change(folder, REFUND, ("risk: critical", "risk: critical\nchange_gate: false"))
    await read_again(stage)
    for user in (FAY, ADA):
        await press(stage, user, "Approve")
    before = in_force(stage)
    await propose(stage, folder, REFUND, ("title: Refunds", "title: Refunds of today"))
    assert in_force(stage) != before
    assert "nothing in it needed a yes" in cards(stage)[-1].shown
    # Opening the gate again is a change of a gated contract.
    before = in_force(stage)
    await propose(stage, folder, REFUND, ("change_gate: false", "change_gate: true"))
    assert in_force(stage) == before


async def test_comments_are_in_force_at_once_and_have_no_card(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, REFUND, ("workflow: refund", "# Promised is promised.\nworkflow: refund"))
    assert in_force(stage) != before
    assert cards(stage) == []
    assert versions(stage, "refund") == [(1, "current")]


async def test_a_newer_folder_takes_the_yeses_of_the_one_that_waits(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    await press(stage, FAY, "Approve")
    await propose(stage, folder, REFUND, ("title: Refunds", "title: Refunds of today"))
    assert states(stage) == ["in_force", "superseded", "proposed"]
    assert "another one came" in cards(stage)[0].shown
    await press(stage, ADA, "Approve")
    assert in_force(stage) == before
    await press(stage, GUS, "Approve")
    assert in_force(stage) != before


async def test_a_folder_that_goes_back_to_what_is_in_force_proposes_nothing_any_more(
    stage: Stage, folder: Path
) -> None:
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    await propose(stage, folder, REFUND, *((new, old) for old, new in ONLY_REFUND))
    assert states(stage) == ["in_force", "superseded"]


async def test_what_was_withdrawn_comes_again_only_when_somebody_means_it(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    await press(stage, ADA, "Withdraw")
    assert stage.told(ADA) == ":no_entry_sign: You withdrew the change. What is in force stays so."
    await read_again(stage)
    await stage.restart(minutes=1)
    assert states(stage) == ["in_force", "withdrawn"]
    assert "withdrawn" in cards(stage)[0].shown

    await press(stage, ZOE, "Propose again")
    assert stage.told(ZOE).startswith("You cannot decide about this change")
    await press(stage, GUS, "Propose again")
    assert states(stage) == ["in_force", "withdrawn", "proposed"]
    assert len(cards(stage)) == 2
    with pytest.raises(CannotDo):
        await press(stage, GUS, "Propose again", on=0)
    for user in (FAY, ADA):
        await press(stage, user, "Approve")
    assert in_force(stage) != before


async def test_a_withdrawn_folder_that_is_changed_and_changed_back_is_proposed_anew(stage: Stage, folder: Path) -> None:
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    await press(stage, ADA, "Withdraw")
    await propose(stage, folder, REFUND, ("title: Refunds", "title: Refunds of today"))
    await propose(stage, folder, REFUND, ("title: Refunds of today", "title: Refunds"))
    assert states(stage) == ["in_force", "withdrawn", "superseded", "proposed"]


async def test_one_click_puts_back_what_was_in_force_before(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    for user in (FAY, ADA):
        await press(stage, user, "Approve")
    await press(stage, ADA, "Roll back")
    assert stage.told(ADA) == "You cannot roll this back: Customer Success or Billing escalation can."
    await press(stage, GUS, "Roll back")
    assert stage.told(GUS) == ":leftwards_arrow_with_hook: You rolled it back: the policy before is in force again."
    assert in_force(stage) == before
    assert states(stage) == ["in_force", "rolled_back"]
    assert versions(stage, "refund") == [(1, "current"), (2, "rolled_back")]
    assert "rolled back" in cards(stage)[0].shown
    assert on_record(stage)[-1]["action"] == "policy.rolled_back"
    assert on_record(stage)[-1]["actor"]["id"] == GUS

    await read_again(stage)
    await stage.restart(minutes=1)
    assert in_force(stage) == before
    assert states(stage) == ["in_force", "rolled_back"]
    ref = await stage.report()
    assert stage.case(ref).contract_version == 1


async def test_who_governed_before_may_take_back_a_change_of_governance(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, TEAM, ("governance: customer-success", "governance: billing"))
    await press(stage, DEE, "Approve")
    assert in_force(stage) != before
    await press(stage, ELI, "Roll back")
    assert in_force(stage) == before


async def test_a_rollback_takes_what_waits_along(stage: Stage, folder: Path) -> None:
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    for user in (FAY, ADA):
        await press(stage, user, "Approve")
    await propose(stage, folder, REFUND, ("title: Refunds", "title: Refunds of today"))
    await press(stage, FAY, "Roll back", on=0)
    assert states(stage) == ["in_force", "rolled_back", "superseded"]


@on_both_engines
async def test_clicks_at_the_same_time_are_decided_one_after_the_other(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    card = cards(stage)[0]
    people = [FAY, FAY, GUS, ADA, ADA, CLEO]
    replies = await asyncio.gather(*(stage.slack.click(user, card, text="Approve") for user in people))
    await stage.settle()
    assert all(reply.ok for reply in replies)
    assert in_force(stage) != before
    done = actions(on_record(stage))
    assert (done.count("policy.approved"), done.count("policy.in_force")) == (2, 2)
    assert len(cards(stage)) == 1


async def test_the_first_click_wins_and_the_second_is_told(stage: Stage, folder: Path) -> None:
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    await press(stage, ADA, "Withdraw")
    for act in (proposals.approve, proposals.withdraw, proposals.roll_back):
        with pytest.raises(Refused, match="That change was withdrawn, by Ada"):
            await stage.service.desk.run(act, Decide(2), actor=person(FAY))
    assert states(stage) == ["in_force", "withdrawn"]


@on_both_engines
async def test_a_change_that_waits_survives_a_restart_and_two_replicas(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    await press(stage, FAY, "Approve")
    await stage.restart(minutes=5)
    await stage.start()
    assert states(stage) == ["in_force", "proposed"]
    assert len(cards(stage)) == 1
    await press(stage, ADA, "Approve")
    assert in_force(stage) != before
    assert states(stage) == ["replaced", "in_force"]


@on_both_engines
async def test_two_replicas_with_different_folders_change_nothing(stage: Stage, folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    change(other, REFUND, *ONLY_REFUND)
    before = in_force(stage)
    stage.settings = stage.settings.model_copy(update={"policy": other})
    await stage.start()
    assert states(stage) == ["in_force", "proposed"]
    for where in (folder, other, folder, other):
        stage.settings = stage.settings.model_copy(update={"policy": where})
        await stage.restart(minutes=1)
    assert in_force(stage) == before
    assert states(stage) == ["in_force", "proposed"]
    for user in (FAY, ADA):
        await press(stage, user, "Approve")
    after = in_force(stage)
    for where in (folder, other, folder):
        stage.settings = stage.settings.model_copy(update={"policy": where})
        await stage.restart(minutes=1)
    assert in_force(stage) == after != before
    assert states(stage) == ["replaced", "in_force"]


async def test_a_new_workflow_needs_the_roles_that_it_names(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    text = (folder / "workflows" / "support-triage.yml").read_text()
    text = text.replace("workflow: support-triage", "workflow: chat-triage").replace(
        "steward: revenue-ops", "steward: billing"
    )
    (folder / "workflows" / "chat-triage.yml").write_text(text)
    await read_again(stage)
    await press(stage, DEE, "Approve")
    await press(stage, GUS, "Approve")
    assert in_force(stage) != before
    assert versions(stage, "chat-triage") == [(1, "current")]


async def test_the_card_says_what_the_change_would_have_done(stage: Stage, folder: Path) -> None:
    for number in range(3):
        await stage.report(
            workflow="support-triage", failure_mode="misrouted", title=f"T-{number}", event={"tier": "gold"}
        )
    await drill(stage, Name.SCHEMA_DRIFT, "support-triage")
    await propose(stage, folder, "workflows/support-triage.yml", ("event.tier == 'vip'", "event.tier == 'gold'"))
    assert (
        "of 0 events, 0 more would be in quarantine. Of 3 cases, 3 would be routed elsewhere." in cards(stage)[0].shown
    )


async def test_a_change_of_owners_needs_those_who_own_it_before(stage: Stage, folder: Path) -> None:
    before = in_force(stage)
    await propose(stage, folder, REFUND, ("{accountable: billing,", "{accountable: customer-success,"))
    assert "⚠️ owners.accountable: owner changed: billing → customer-success" in cards(stage)[0].shown
    await press(stage, DEE, "Approve")
    assert stage.told(DEE) == "You cannot approve this change: Billing escalation or Revenue Ops can."
    for user in (GUS, ADA):
        assert in_force(stage) == before
        await press(stage, user, "Approve")
    assert in_force(stage) != before


async def test_the_card_says_how_many_more_events_would_be_held(stage: Stage, folder: Path) -> None:
    for number, ticket in enumerate(("t_1", None, None)):
        event = {"refund_id": f"re_{number}", "customer_id": "c_1", "amount_cents": 5}
        event |= {"ticket_id": ticket} if ticket else {}
        url = f"{stage.service.url}/v1/events/refund"
        headers = {"Authorization": "Bearer token-of-monitors"}
        async with stage.http.post(url, json=event, headers=headers) as answer:
            assert answer.status == 202, await answer.text()
    await stage.settle()
    schema = "schemas/refund-requested.v1.json"
    await propose(stage, folder, schema, ('"amount_cents"]', '"amount_cents", "ticket_id"]'))
    shown = cards(stage)[0].shown
    assert "⚠️ ticket_id is newly required" in shown
    assert "of 3 events, 2 more would be in quarantine." in shown
    assert "⚠️ still version 1" in shown


async def test_a_hostile_folder_wakes_nobody_and_a_large_one_fits(stage: Stage, folder: Path) -> None:
    title = "<!channel> *bold* <@U0ADA> & `code`"
    modes = "".join(f"  mode_{number}: {{priority: P1}}\n" for number in range(60))
    change(folder, REFUND, ("title: Refunds", f'title: "{title}"'), ("exceptions:\n", f"exceptions:\n{modes}"))
    await read_again(stage)
    (card,) = cards(stage)
    assert "<!channel>" not in str(card.blocks)
    assert re.search(r"… and \d+ more: `pointsman contracts diff` names them all", card.shown)
    assert [block["type"] for block in card.blocks][-1] == "actions"


async def test_a_card_that_slack_never_takes_is_a_case(stage: Stage, folder: Path) -> None:
    change(folder, REFUND, *ONLY_REFUND)
    stage.slack.faults.fail_next("chat.postMessage", "is_archived")
    await read_again(stage)
    assert cards(stage) == []
    (case,) = stage.cases()
    assert (case.workflow, case.failure_mode) == ("policy", "dead_letter")
    assert "Slack does not take the card of a policy change to C0SUCCESS" in case.title


async def test_a_double_click_is_one_yes_and_no_refusal(stage: Stage, folder: Path) -> None:
    await propose(stage, folder, REFUND, *ONLY_REFUND)
    card = cards(stage)[0]
    await asyncio.gather(*(stage.slack.click(FAY, card, text="Approve") for _ in range(3)))
    await stage.settle()
    assert actions(on_record(stage)) == [FIRST, "policy.proposed", "policy.approved"]
    assert stage.told(FAY) == ":white_check_mark: You said yes. Still missing: Revenue Ops (steward)."


async def test_the_doctor_says_what_became_of_the_folder(stage: Stage, folder: Path) -> None:
    async def said() -> str:
        findings = await look(stage.settings, stage.environment | stage.company.environment)
        return next(finding.text for finding in findings if finding.text.startswith("policy in force"))

    change(folder, REFUND, *ONLY_REFUND)
    assert (await said()).endswith("the folder's is another, and is proposed at the next start")
    await read_again(stage)
    assert (await said()).endswith("and waits for its yes")
    await press(stage, ADA, "Withdraw")
    assert "was withdrawn: press *Propose again* on its card" in await said()
