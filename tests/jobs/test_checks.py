"""The checks of cases that close: asked outside of any transaction, kept without what nobody may read, decided once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from bot.clock import MovableClock
from bot.desk import cases, checks
from bot.desk.checks import LEASE, Answer, Came
from bot.desk.closing import begin_closing
from bot.desk.commands import Acknowledge, Reopen, Resolve
from bot.desk.desk import Desk
from bot.desk.policies import Policies
from bot.desk.tx import Tx
from bot.jobs.checks import Checks
from bot.rules.actors import SYSTEM, Actor, Kind
from bot.rules.closing import Found
from bot.rules.lifecycle import State
from runbooks.calls import Caller
from store.closing_models import Check, Closing
from store.database import Database
from store.models import Event
from store.sealing import erase
from store.writing import change
from tests.conftest import put_in_force
from tests.desk.story import BEN, FAY, HOUR, Story
from tests.jobs.test_deliveries import REFUND, Receiver, receiver
from tests.jobs.test_hidden_values import everything

__all__ = ["receiver"]

FIXER = Actor(Kind.SYSTEM, "auto-fix")
SECRET = "ada.lovelace@private.test"
LEAD = {"lead_id": "lead_1", "tier": "growth", "email": SECRET}
MANAGER = "the account manager knows"


@pytest.fixture
def policies() -> Policies:
    return Policies()


@pytest.fixture
def story(database: Database, clock: MovableClock, policies: Policies, policy_files: dict[str, str]) -> Story:
    put_in_force(database, policy_files, at=clock.now())
    return Story(Desk(database, clock, policies), clock)


Told = Callable[[str], Story]


@pytest.fixture
def story_with(
    sqlite_database: Database, clock: MovableClock, policies: Policies, policy_files: dict[str, str]
) -> Told:
    """Told where the contract of leads has such checks."""

    def told(checks: str) -> Story:
        lead = policy_files["workflows/lead-routing.yml"] + "\n" + checks
        put_in_force(sqlite_database, policy_files | {"workflows/lead-routing.yml": lead}, at=clock.now())
        return Story(Desk(sqlite_database, clock, policies), clock)

    return told


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    caller = Caller()
    yield caller
    await caller.close()


@pytest.fixture
def asking(receiver: Receiver, caller: Caller) -> Callable[[Story], Checks]:
    """The loop, with all systems at the receiver."""
    environment = {f"{name}_URL": receiver.url for name in ("BILLING", "CRM", "MARKETING", "HELPDESK")}
    environment |= {f"{name}_TOKEN": "s3cret-token" for name in ("BILLING", "CRM", "MARKETING", "HELPDESK")}
    return lambda story: Checks(story.desk, caller, environment)


async def failed_refund(story: Story) -> int:
    return await story.opened(workflow="refund", mode="delivery_failed", event=REFUND)


async def resolve(story: Story, case_id: int, by: Actor = FAY, **more: Any) -> None:
    await story.do(cases.resolve, Resolve(case_id, "fixed", **more), by)


async def begin(story: Story, case_id: int) -> State:
    """Something has fixed the case."""

    def act(tx: Tx, _: None) -> State:
        return begin_closing(tx, cases.get_case(tx, case_id), by=FIXER, note="The notice was sent again")

    return await story.desk.run(act, None, actor=SYSTEM)


async def found(story: Story) -> list[tuple[str, str, str]]:
    """What each check found, the oldest first."""
    rows = select(col(Check.name), col(Check.state), col(Check.because)).order_by(col(Check.id))
    return await story.desk.read(lambda session: [tuple(row) for row in session.execute(rows)])


async def closings(story: Story) -> list[str]:
    rows = select(col(Closing.state)).order_by(col(Closing.id))
    return await story.desk.read(lambda session: list(session.execute(rows).scalars()))


# --- what may be read of it


CHECKED = """checks:
  - name: the address is right
    request: {connector: helpdesk, path: "/leads/{{ event.lead_id }}?mail={{ event.email }}"}
    expect: response.body.state == 'sent to ' ~ event.email
"""


async def test_what_is_redacted_is_asked_with_and_kept_nowhere(
    story_with: Told, asking: Callable[[Story], Checks], receiver: Receiver
) -> None:
    story, receiver.found = story_with(CHECKED), True
    case_id = await story.opened(event=LEAD)
    await resolve(story, case_id, BEN)
    await asking(story).drain()
    assert receiver.asked == [("GET", "/leads/lead_1?mail=ada.lovelace%40private.test", None)]
    kept = await story.desk.read(everything)
    assert SECRET not in kept
    assert "lovelace" not in kept
    [row] = await story.desk.read(lambda session: list(session.execute(select(Check)).scalars()))
    assert (row.status, row.request) == (200, {"method": "GET", "path": "•••", "headers": {}, "json": None})
    assert row.found.endswith('event.email is "•••"')


async def test_of_an_erased_subject_nothing_is_asked(
    story_with: Told, asking: Callable[[Story], Checks], receiver: Receiver
) -> None:
    story = story_with(CHECKED)
    case_id = await story.opened(event=LEAD)
    [event] = await story.desk.read(lambda session: list(session.execute(select(Event)).scalars()))
    story.desk.database.write(lambda session: erase(session, [str(event.subject_key)], at=story.clock.now())).result()
    await resolve(story, case_id, BEN)
    await asking(story).drain()
    assert receiver.asked == []
    assert await found(story) == [("the address is right", "failed", "it cannot be asked: event.lead_id is missing")]


async def test_the_connectors_secret_is_in_no_evidence(
    story: Story, asking: Callable[[Story], Checks], receiver: Receiver
) -> None:
    await resolve(story, await failed_refund(story))
    await asking(story).drain()
    assert "s3cret" not in await story.desk.read(everything)


# --- what is at fault


async def test_a_condition_that_is_neither_true_nor_false_is_a_fault_of_the_policy(
    story_with: Told, asking: Callable[[Story], Checks]
) -> None:
    story = story_with("checks: [{name: sums up, expect: 1 + 1}]\n")
    case_id = await story.opened()
    await resolve(story, case_id, BEN)
    await asking(story).drain()
    [(_, state, because)] = await found(story)
    assert (state, "the contract has a fault" in because) == ("unknown", True)
    assert (await story.case(case_id)).state == "queued"
    fault = await story.case(case_id + 1)
    assert (fault.failure_mode, "check 'sums up'" in fault.detail) == ("policy_fault", True)


async def test_a_variable_that_is_not_set_is_said(story: Story, caller: Caller) -> None:
    case_id = await failed_refund(story)
    await resolve(story, case_id)
    await Checks(story.desk, caller, {}).drain()
    [(_, state, because)] = await found(story)
    assert (state, "BILLING_URL" in because) == ("unknown", True)
    assert (await story.case(case_id)).is_open


async def test_a_fault_of_our_own_ends_as_unknown_and_stops_no_other(
    story: Story, asking: Callable[[Story], Checks], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.found = True
    poisoned, other = (
        await failed_refund(story),
        await story.opened(workflow="refund", mode="conflict", event=REFUND | {"refund_id": "re_2"}),
    )
    ask = checks.question_of

    def fails(session: Any, policies: Any, claimed: Any, **more: Any) -> Any:
        if claimed.case_id == poisoned:
            raise RuntimeError("a fault")
        return ask(session, policies, claimed, **more)

    monkeypatch.setattr(checks, "question_of", fails)
    await resolve(story, poisoned)
    await resolve(story, other, decision="source")
    loop = asking(story)
    for _ in range(8):
        await loop.drain()
        story.clock.advance(timedelta(seconds=30))
    assert (await story.case(other)).state == "resolved"
    assert (await story.case(poisoned)).state == "queued"
    assert "a fault of our own (RuntimeError)" in (await found(story))[0][2]


# --- once


async def test_an_asker_that_died_is_taken_over_and_its_late_answer_changes_nothing(
    story: Story, asking: Callable[[Story], Checks], receiver: Receiver
) -> None:
    receiver.found = True
    case_id = await failed_refund(story)
    await resolve(story, case_id)
    [claimed] = await story.desk.run(checks.claim, 10, actor=SYSTEM)
    assert await story.desk.run(checks.claim, 10, actor=SYSTEM) == []
    await asking(story).drain()
    assert receiver.asked == []
    story.clock.advance(LEASE)
    await asking(story).drain()
    assert len(receiver.asked) == 1
    late = Came(claimed, Answer(Found.FAILED, "it answered 404"))
    await story.desk.run(checks.answered, late, actor=SYSTEM)
    assert [state for _, state, _ in await found(story)] == ["passed"]
    assert (await story.case(case_id)).state == "resolved"
    assert len(await story.recorded(case_id, "case.resolved")) == 1
    assert await story.everything_holds()


async def test_while_another_asks_the_late_answer_of_the_first_does_not_count(story: Story) -> None:
    case_id = await failed_refund(story)
    await resolve(story, case_id)
    [first] = await story.desk.run(checks.claim, 10, actor=SYSTEM)
    story.clock.advance(LEASE)
    [second] = await story.desk.run(checks.claim, 10, actor=SYSTEM)
    await story.desk.run(checks.answered, Came(first, Answer(Found.FAILED, "it answered 404")), actor=SYSTEM)
    assert (await story.case(case_id)).state == "closing"
    await story.desk.run(checks.answered, Came(second, Answer(Found.PASSED, "it holds")), actor=SYSTEM)
    assert (await story.case(case_id)).state == "resolved"


async def test_an_answer_after_the_closing_was_stopped_changes_nothing(story: Story) -> None:
    case_id = await failed_refund(story)
    await resolve(story, case_id)
    [claimed] = await story.desk.run(checks.claim, 10, actor=SYSTEM)
    await story.do(cases.reopen, Reopen(case_id, "the ledger is still wrong"), FAY)
    await story.desk.run(checks.answered, Came(claimed, Answer(Found.PASSED, "it holds")), actor=SYSTEM)
    assert (await story.case(case_id)).state == "queued"
    assert await closings(story) == ["withdrawn"]


@pytest.mark.parametrize(("wait", "attempts"), [(30, 2), (3600, 1)])
async def test_a_system_that_wants_to_be_left_alone_for_long_is_not_waited_for(
    story: Story, wait: int, attempts: int
) -> None:
    case_id = await failed_refund(story)
    await resolve(story, case_id)
    busy = Answer(Found.UNKNOWN, "it answered 429", retry_after=timedelta(seconds=wait))
    for _ in range(attempts):
        [claimed] = await story.desk.run(checks.claim, 10, actor=SYSTEM)
        await story.desk.run(checks.answered, Came(claimed, busy), actor=SYSTEM)
        assert await story.desk.run(checks.claim, 10, actor=SYSTEM) == []
        story.clock.advance(timedelta(seconds=wait))
    assert ((await story.case(case_id)).state == "closing") is (wait == 30)


# --- drills


async def test_the_checks_of_a_drill_pass_and_nothing_leaves(
    story: Story, asking: Callable[[Story], Checks], receiver: Receiver
) -> None:
    case_id = await failed_refund(story)
    await story.desk.run(
        lambda tx, _: change(tx.session, cases.get_case(tx, case_id), is_drill=True), None, actor=SYSTEM
    )
    await resolve(story, case_id)
    await asking(story).drain()
    assert receiver.asked == []
    assert await found(story) == [("billing says completed", "passed", "a drill: nothing was asked")]
    assert (await story.case(case_id)).state == "resolved"


# --- what fixes a case without a person


async def test_what_has_no_checks_is_resolved_at_once_in_the_name_of_what_fixed_it(story: Story) -> None:
    case_id = await story.opened()
    assert await begin(story, case_id) is State.RESOLVED
    [entry] = [each for each in await story.record(case_id) if each["action"] == "case.resolved"]
    assert entry["actor"] == {"kind": "system", "id": "auto-fix"}


async def test_it_is_resolved_when_its_machine_checks_hold(
    story: Story, asking: Callable[[Story], Checks], receiver: Receiver
) -> None:
    receiver.found = True
    case_id = await failed_refund(story)
    assert await begin(story, case_id) is State.CLOSING
    assert await begin(story, case_id) is State.CLOSING
    await asking(story).drain()
    assert (await story.case(case_id)).state == "resolved"
    assert await closings(story) == ["passed"]


async def missed_notice(story: Story) -> int:
    """Its checks are a machine's and a person's."""
    return await story.opened(workflow="renewal-notice", mode="delivery_failed", subject="acc_1")


async def test_its_owner_is_asked_to_confirm_what_no_machine_can_see(
    story: Story, asking: Callable[[Story], Checks], receiver: Receiver
) -> None:
    case_id = await missed_notice(story)
    await begin(story, case_id)
    assert await story.said(case_id, "please_confirm", kind="page") == []
    [claimed] = await story.desk.run(checks.claim, 10, actor=SYSTEM)
    await story.desk.run(checks.answered, Came(claimed, Answer(Found.PASSED, "it holds")), actor=SYSTEM)
    assert (await story.case(case_id)).state == "queued"
    [page] = await story.said(case_id, "please_confirm", kind="page")
    assert page["confirm"] == ["I have told the account manager."]
    assert (await story.paged(case_id))[-1] == "U0BEN"
    assert (await story.lines(case_id))[-1] == "please_confirm"
    await resolve(story, case_id, BEN, confirmed=(MANAGER,))
    [claimed] = await story.desk.run(checks.claim, 10, actor=SYSTEM)
    await story.desk.run(checks.answered, Came(claimed, Answer(Found.PASSED, "it holds")), actor=SYSTEM)
    assert (await story.case(case_id)).state == "resolved"


async def test_what_only_a_person_can_see_is_asked_at_once(story: Story) -> None:
    case_id = await story.opened(workflow="renewal-notice", mode="missed", subject="acc_1")
    assert await begin(story, case_id) is State.QUEUED
    assert (await story.lines(case_id))[-1] == "please_confirm"


async def test_it_takes_its_route_where_a_check_does_not_hold(story: Story, asking: Callable[[Story], Checks]) -> None:
    case_id = await missed_notice(story)
    await begin(story, case_id)
    await asking(story).drain()
    assert (await story.case(case_id)).state == "queued"
    assert (await story.said(case_id, "closing_refused", kind="page"))[-1]["failed"][0]["because"].startswith("it ans")


async def test_a_case_that_is_closed_stays_as_it_is(story: Story) -> None:
    case_id = await story.opened()
    await resolve(story, case_id, BEN)
    assert await begin(story, case_id) is State.RESOLVED
    assert len(await story.recorded(case_id, "case.resolved")) == 1


async def test_a_lease_does_not_run_out_while_it_is_closing(story: Story) -> None:
    case_id = await failed_refund(story)
    await story.do(cases.acknowledge, Acknowledge(case_id), FAY)
    await resolve(story, case_id)
    await story.pass_time(3 * HOUR)
    case = await story.case(case_id)
    assert (case.state, case.acknowledged_by) == ("closing", "U0FAY")
