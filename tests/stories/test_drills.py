"""Drills: each failure is played through the running service, is caught, told and closed, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text

from bot.desk.drills import Asked, ask
from bot.drilling import drill as play
from bot.jobs.drills import tick
from bot.rules.drills import Name
from bot.sandbox.company.systems import Mode
from store.contract_models import Drill
from tests.stories.company import ADA, REVOPS
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_events import LEAD, REFUND, send
from tests.stories.test_inventory import matrix

FAILURES = [
    (Name.SCHEMA_DRIFT, "lead-routing", "schema_drift", "Revenue Ops"),
    (Name.DUPLICATE, "refund", "duplicate", "Data steward"),
    (Name.TIMEOUT, "refund", "delivery_failed", "Billing escalation"),
    (Name.LOST_CALLBACK, "refund", "outcome_missing", "Billing escalation"),
    (Name.SILENCE, "renewal-notice", "stale", "Revenue Ops"),
]


async def drill(stage: Stage, name: Name, workflow: str | None = None, **length: float) -> Drill:
    """Somebody asks for a drill as the command line does, and time goes by."""
    asked = Asked(name, workflow, "ada")
    number = stage.database.write(lambda session: ask(session, asked, at=stage.clock.now())).result()
    await look(stage)
    await look(stage)
    for _ in range(6):
        await stage.advance(seconds=length.get("seconds", 66) / 6)
        await look(stage)
    return stage.database.read_now(lambda session: session.get_one(Drill, number))


async def look(stage: Stage) -> None:
    """The service looks at its drills now; it does so by itself after each commit, at no moment that a story knows."""
    await tick(stage.service.desk)
    await stage.settle()


def requests(stage: Stage) -> int:
    return sum(system.requests for system in stage.company.systems.values())


@on_both_engines
@pytest.mark.parametrize(("name", "workflow", "mode", "role"), FAILURES)
async def test_each_failure_is_caught_told_and_closed(
    stage: Stage, name: Name, workflow: str, mode: str, role: str
) -> None:
    done = await drill(stage, name, workflow)
    assert (done.state, done.workflow) == ("caught", workflow), done.because
    assert done.started_at
    assert done.detected_at
    assert done.told_at
    assert done.started_at <= done.detected_at <= done.told_at
    assert done.routed_to
    assert role in done.routed_to
    [case] = stage.cases()
    assert (case.id, case.failure_mode, case.state, case.is_drill) == (done.case_id, mode, "resolved", True)
    assert case.title.startswith("DRILL: ")
    assert stage.card(case.ref).shown.startswith("🧪")
    assert "it was caught" in stage.thread(case.ref)[-1]
    assert stage.actions(case.ref)[-1] == "case.resolved"
    assert stage.broken() == []


@pytest.mark.parametrize(("name", "workflow", "mode", "role"), FAILURES)
async def test_nothing_leaves_and_nothing_goes_on_afterwards(
    stage: Stage, name: Name, workflow: str, mode: str, role: str
) -> None:
    before = requests(stage)
    await drill(stage, name, workflow)
    await stage.advance(hours=2)
    assert requests(stage) == before
    assert len(stage.cases()) == 1
    assert left(stage) == [0, 0, 0]


def left(stage: Stage) -> list[int]:
    """What would still go on of events: deliveries, awaited outcomes, quarantine."""
    asked = (
        "SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL",
        "SELECT count(*) FROM expected WHERE due_at IS NOT NULL",
        "SELECT count(*) FROM triggers WHERE state = 'quarantined'",
    )
    return stage.database.read_now(lambda session: [session.connection().scalar(text(each)) for each in asked])


async def test_whoever_is_on_call_reads_drill_first(stage: Stage) -> None:
    await drill(stage, Name.SILENCE, "renewal-notice")
    [text] = [message.text for user in (ADA, "U0BEN", "U0CLEO") for message in stage.slack.dms(user)]
    assert text.startswith("🧪 DRILL P1 C-1")


@on_both_engines
async def test_a_drill_counts_in_no_figure(stage: Stage) -> None:
    await drill(stage, Name.SCHEMA_DRIFT, "refund", seconds=0)
    await drill(stage, Name.LOST_CALLBACK, "refund")
    refund = (await matrix(stage))["refund"]
    assert (refund["metric"]["came"], refund["metric"]["pending"], refund["quarantined"]) == (0, 0, 0)
    assert (refund["open_cases"], refund["state"], refund["last_event_at"]) == (0, "healthy", None)


@on_both_engines
async def test_a_drill_joins_no_real_case_and_real_events_join_no_drill(stage: Stage) -> None:
    await send(stage, "lead-routing", {"lead_id": "l_2", "tier_renamed": "vip"})
    await drill(stage, Name.SCHEMA_DRIFT, "lead-routing")
    real, drilled = stage.cases()
    assert (real.is_drill, real.occurrences, real.is_open) == (False, 1, True)
    assert (drilled.is_drill, drilled.is_open) == (True, False)
    await drill(stage, Name.SCHEMA_DRIFT, "lead-routing")
    assert len(stage.cases()) == 3


async def test_a_drill_holds_up_no_real_delivery_and_a_held_connector_no_drill(stage: Stage) -> None:
    stage.company["billing"].mode = Mode.FAIL
    await send(stage, "refund", REFUND)
    await stage.advance(minutes=5)
    done = await drill(stage, Name.LOST_CALLBACK, "refund")
    assert done.state == "caught"
    stage.company["helpdesk"].mode = Mode.OK
    await send(stage, "lead-routing", LEAD)
    assert stage.company["helpdesk"].requests == 1


async def test_nobody_is_told_and_the_drill_is_missed(stage: Stage) -> None:
    stage.slack.faults.is_down = True
    done = await drill(stage, Name.SCHEMA_DRIFT, "lead-routing", seconds=61)
    assert (done.state, done.because) == ("missed", "it was detected, and nobody was told")
    assert done.detected_at
    assert done.told_at is None
    assert not stage.cases()[0].is_open


async def test_what_is_sent_from_a_drills_case_is_refused(stage: Stage) -> None:
    stage.slack.faults.is_down = True
    await drill(stage, Name.SCHEMA_DRIFT, "lead-routing", seconds=1)
    stage.slack.faults.is_down = False
    assert "is a drill: nothing of it may leave" in await stage.type(ADA, "/case run C-1 replay", channel=REVOPS)


async def test_it_goes_on_after_a_restart(stage: Stage) -> None:
    stage.slack.faults.is_down = True
    await drill(stage, Name.SCHEMA_DRIFT, "lead-routing", seconds=1)
    await stage.stop()
    stage.slack.faults.is_down = False
    await stage.start()
    await stage.advance(seconds=30)
    await look(stage)
    [row] = stage.database.read_now(lambda session: list(session.execute(select(Drill)).scalars()))
    assert row.state == "caught"


@pytest.mark.parametrize(
    ("name", "workflow", "why"),
    [
        (Name.SILENCE, "refund", "it has no freshness rule"),
        (Name.LOST_CALLBACK, "lead-routing", "its contract waits for no outcome"),
        (Name.TIMEOUT, "refunds", "there is no workflow 'refunds'; there are lead-routing, refund"),
    ],
)
async def test_what_cannot_be_played_says_why(stage: Stage, name: Name, workflow: str, why: str) -> None:
    done = await drill(stage, name, workflow)
    assert done.state == "impossible"
    assert why in done.because
    assert stage.cases() == []


async def test_without_a_workflow_the_first_that_can_be_is_taken(stage: Stage) -> None:
    assert (await drill(stage, Name.SILENCE)).workflow == "renewal-notice"
    assert (await drill(stage, Name.LOST_CALLBACK)).workflow == "refund"


@on_both_engines
async def test_the_command_says_how_it_was_caught(stage: Stage) -> None:
    said: list[str] = []
    code = await _typed(stage, Name.SCHEMA_DRIFT, "lead-routing", said)
    assert code == 0
    assert said == [
        "drill 1: schema-drift of lead-routing: an event in which `tier` is called `tier_renamed`",
        "detected after 0.0 s: C-1",
        "routed to Revenue Ops (owner queue), P2 schema_drift",
        "told after 0.0 s",
        "caught",
    ]
    said.clear()
    assert await _typed(stage, Name.SILENCE, "refund", said) == 2
    assert said == ["could not be played: it has no freshness rule: silence is not noticed"]


async def _typed(stage: Stage, name: Name, workflow: str, said: list[str]) -> int:
    command = asyncio.to_thread(play, stage.settings, name, workflow, say=said.append)
    typed: asyncio.Task[Any] = asyncio.create_task(command)
    while not typed.done():
        await stage.settle()
        await asyncio.wait([typed], timeout=0.05)
    return int(await typed)
