"""Connector health: asked about once a minute by one replica, one case for a system that is down, healed by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from aiohttp import web
from sqlalchemy import select
from sqlmodel import col

from bot.clock import MovableClock
from bot.desk import connectors, passing
from bot.desk.connectors import Result
from bot.desk.desk import Desk
from bot.desk.health import ConnectorNow, connectors_now
from bot.desk.tx import Tx
from bot.findings import well
from bot.jobs.health import HealthChecks
from bot.rules.actors import SYSTEM
from bot.rules.circuit import Circuit, Heard, State, goes_down
from bot.rules.health import EVERY, Health, Pulse, judged, next_in
from bot.slack.systems import system_line
from bot.system_findings import of_systems
from runbooks.calls import Caller
from store.audit import verify
from store.contract_models import ConnectorState
from store.models import Case, Owed
from tests.conftest import change_in_force

NAMES = ("BILLING", "CRM", "MARKETING", "HELPDESK")
MINUTE = timedelta(minutes=1, seconds=7)


@dataclass
class Systems:
    """The company's systems behind one server. `down`: those whose every path answers 503."""

    url: str = ""
    down: set[str] = field(default_factory=set)
    sick: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        name, path = request.path.strip("/").split("/", 1)
        if path == "health":
            self.asked.append(name)
        if name in self.down:
            return web.json_response({"error": "down"}, status=503)
        return web.json_response({"ok": True}, status=self.sick.get(name, 200) if path == "health" else 201)


@pytest.fixture
async def systems() -> AsyncIterator[Systems]:
    made = Systems()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def environment(systems: Systems) -> dict[str, str]:
    return {f"{name}_URL": f"{systems.url}/{name.lower()}" for name in NAMES} | {f"{name}_TOKEN": "t" for name in NAMES}


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    made = Caller()
    yield made
    await made.close()


@pytest.fixture
def checks(desk: Desk, caller: Caller, environment: dict[str, str]) -> HealthChecks:
    return HealthChecks(desk, caller, environment)


async def minutes_pass(checks: HealthChecks, clock: MovableClock, count: int = 1) -> None:
    for _ in range(count):
        clock.advance(MINUTE)
        await checks.tick()


async def cases(desk: Desk) -> list[Case]:
    wanted = select(Case).order_by(col(Case.id))
    return await desk.read(lambda session: list(session.execute(wanted).scalars()))


async def now(desk: Desk, name: str) -> ConnectorNow:
    found = await desk.read(lambda session: connectors_now(session, desk.policies.in_force(session)))
    return next(each for each in found if each.name == name)


@pytest.mark.parametrize(
    ("before", "status", "after"),
    [
        (Pulse(), 204, Pulse(Health.UP)),
        (Pulse(Health.DOWN, 7), 200, Pulse(Health.UP)),
        (Pulse(Health.UP), 503, Pulse(Health.UP, 1)),
        (Pulse(Health.UP, 1), None, Pulse(Health.DOWN, 2)),
        (Pulse(Health.UP, 1), 404, Pulse(Health.DOWN, 2)),
        (Pulse(Health.UP, 1), 302, Pulse(Health.DOWN, 2)),
        (Pulse(Health.UP, 1), 429, Pulse(Health.UP, 1)),
        (Pulse(), None, Pulse(Health.UNKNOWN, 1)),
    ],
)
def test_two_bad_answers_in_a_row_are_down_and_one_good_one_is_up(
    before: Pulse, status: int | None, after: Pulse
) -> None:
    assert judged(before, status) == after


def test_looks_lie_apart() -> None:
    assert (next_in(0) < EVERY < next_in(1), next_in(0.5)) == (True, EVERY)


def test_a_circuit_opens_when_the_system_goes_down_only_if_an_event_was_in_vain() -> None:
    assert goes_down(Circuit()).circuit == Circuit()
    assert goes_down(Circuit(State.CLOSED, 1, 7)).circuit == Circuit(State.OPEN, 1, 7)
    assert goes_down(Circuit(State.REFUSED)).circuit == Circuit(State.REFUSED)


async def test_each_system_is_asked_about_once_a_minute(
    desk: Desk, checks: HealthChecks, systems: Systems, clock: MovableClock
) -> None:
    assert await checks.tick() == 4
    assert sorted(systems.asked) == ["billing", "crm", "helpdesk", "marketing"]
    assert await checks.tick() == 0
    clock.advance(timedelta(seconds=53))
    assert await checks.tick() == 0
    clock.advance(timedelta(seconds=14))
    assert await checks.tick() == 4
    assert (await now(desk, "billing")).health is Health.UP
    assert await cases(desk) == []


async def test_the_question_counts_against_the_rate_and_waits_for_its_room(
    desk: Desk, checks: HealthChecks, clock: MovableClock, policy_files: dict[str, str]
) -> None:
    def take(tx: Tx, _: None) -> datetime | None:
        return passing.take_room(tx, "billing")

    await checks.tick()
    slow = policy_files["connectors.yml"].replace("rate: 20/s", "rate: 1/m")
    change_in_force(desk.database, policy_files | {"connectors.yml": slow}, at=clock.now())
    clock.advance(MINUTE)
    assert await desk.run(take, None, actor=SYSTEM) is None
    assert await checks.tick() == 3
    clock.advance(MINUTE)
    assert await checks.tick() == 4
    assert await desk.run(take, None, actor=SYSTEM) == clock.now() + timedelta(minutes=1)


async def test_replicas_do_not_multiply_it(
    desk: Desk, checks: HealthChecks, caller: Caller, environment: dict[str, str], systems: Systems, clock: MovableClock
) -> None:
    others = [HealthChecks(desk, caller, environment) for _ in range(3)]
    await checks.tick()
    for _ in range(3):
        clock.advance(MINUTE)
        await asyncio.gather(*(each.tick() for each in (checks, *others)))
    assert len(systems.asked) == 4 * 4


async def test_a_system_that_is_down_is_one_case_which_heals_and_says_so(
    desk: Desk, checks: HealthChecks, systems: Systems, clock: MovableClock
) -> None:
    await checks.tick()
    systems.down = {"billing"}
    await minutes_pass(checks, clock)
    assert await cases(desk) == []
    await minutes_pass(checks, clock, 10)
    [case] = await cases(desk)
    assert (case.workflow, case.title) == ("refund", "billing is down by its health path")
    assert "it answered 503" in case.detail
    assert case.occurrences == 1
    systems.down = set()
    await minutes_pass(checks, clock)
    [case] = await cases(desk)
    assert (case.state, case.resolution) == ("resolved", "fixed_by_itself")
    said = await desk.read(lambda session: [row.payload.get("what") for row in session.execute(select(Owed)).scalars()])
    assert "connector_back" in said
    assert await desk.read(lambda session: list(verify(session))) == []


async def test_one_that_is_down_holds_its_events_after_the_first_in_vain_in_the_same_case(
    desk: Desk, checks: HealthChecks, systems: Systems, clock: MovableClock
) -> None:
    await checks.tick()
    systems.down = {"marketing"}
    await minutes_pass(checks, clock, 3)
    [case] = await cases(desk)
    await in_vain(desk, "marketing")
    known = await now(desk, "marketing")
    assert (known.circuit, known.health) == (State.OPEN, Health.DOWN)
    [again] = await cases(desk)
    assert (again.id, again.title) == (case.id, "marketing does not answer: its events are held")
    assert "Down by its health path since" in again.detail


async def test_one_in_vain_before_it_is_seen_to_be_down_is_enough_too(
    desk: Desk, checks: HealthChecks, systems: Systems, clock: MovableClock
) -> None:
    await checks.tick()
    await in_vain(desk, "marketing")
    assert (await now(desk, "marketing")).circuit is State.CLOSED
    systems.down = {"marketing"}
    await minutes_pass(checks, clock, 2)
    assert (await now(desk, "marketing")).circuit is State.OPEN
    assert len(await cases(desk)) == 1


async def test_a_system_that_is_up_again_is_asked_at_once_whether_it_takes_what_is_held(
    desk: Desk, checks: HealthChecks, systems: Systems, clock: MovableClock
) -> None:
    await checks.tick()
    systems.down = {"marketing"}
    await minutes_pass(checks, clock, 2)
    for _ in range(9):
        await in_vain(desk, "marketing", is_probe=True)
    systems.down = set()
    await minutes_pass(checks, clock)
    row = await desk.read(lambda session: session.get_one(ConnectorState, "marketing"))
    assert (row.state, row.probe_at) == ("open", clock.now())
    [case] = await cases(desk)
    assert case.is_open


async def test_the_home_tab_and_doctor_tell_how_each_system_is(
    desk: Desk, checks: HealthChecks, systems: Systems, clock: MovableClock
) -> None:
    await checks.tick()
    systems.down = {"billing"}
    await minutes_pass(checks, clock, 2)
    await in_vain(desk, "billing")
    found = await desk.read(lambda session: list(of_systems(session, desk.policies.in_force(session))))
    told = {each.text.split(":")[0]: each for each in found}
    assert told["connector crm"] == well(
        "connector crm: up since 2026-11-23 09:00 UTC; answered last 2026-11-23 09:02 UTC with 200"
    )
    assert not told["connector billing"].is_well
    for word in ("down since 2026-11-23 09:02 UTC", "0 events held", "it answered 503", "look at the system"):
        assert word in told["connector billing"].text
    line = system_line(await now(desk, "billing"))
    assert line.startswith(":red_circle: *billing*: down since <!date^")
    assert "does not answer events since" in line
    assert system_line(await now(desk, "crm")).startswith(":large_green_circle: *crm*: up since")


async def in_vain(desk: Desk, name: str, *, is_probe: bool = False) -> None:
    """An event on its way there got no answer."""

    def vain(tx: Tx, _: None) -> None:
        result = Result(name, Heard.NOTHING, 1, "renewal-notice", "it answered 503", is_probe, False, None)
        connectors.tell(tx, connectors.listen(tx, [result]).values())

    await desk.run(vain, None, actor=SYSTEM)


async def test_a_health_path_that_is_taken_away_or_cannot_be_asked_says_nothing(
    desk: Desk, checks: HealthChecks, systems: Systems, clock: MovableClock, policy_files: dict[str, str]
) -> None:
    await checks.tick()
    systems.down = {"crm"}
    await minutes_pass(checks, clock, 2)
    assert len(await cases(desk)) == 1
    before = policy_files["connectors.yml"]
    text = before.replace("{bearer: CRM_TOKEN},       health: /health,", "{bearer: CRM_TOKEN},")
    assert text != before
    change_in_force(desk.database, policy_files | {"connectors.yml": text}, at=clock.now())
    await minutes_pass(checks, clock)
    assert (await now(desk, "crm")).health is None
    [case] = await cases(desk)
    assert case.state == "resolved"


async def test_a_variable_that_is_not_set_is_no_news_of_the_system(
    desk: Desk, caller: Caller, clock: MovableClock
) -> None:
    checks = HealthChecks(desk, caller, {})
    await checks.tick()
    await minutes_pass(checks, clock, 3)
    known = await now(desk, "crm")
    assert known.health is Health.UNKNOWN
    assert "CRM_URL" in known.because
    assert await cases(desk) == []


async def test_a_replica_that_cannot_ask_does_not_heal_what_is_down(
    desk: Desk, checks: HealthChecks, caller: Caller, systems: Systems, clock: MovableClock
) -> None:
    await checks.tick()
    systems.down = {"billing"}
    await minutes_pass(checks, clock, 2)
    await minutes_pass(HealthChecks(desk, caller, {}), clock, 2)
    await minutes_pass(checks, clock, 2)
    [case] = await cases(desk)
    assert (case.state, (await now(desk, "billing")).health) == ("queued", Health.DOWN)
