"""What is asked of a system beside deliveries has its turn there: no faster than its rate, and not while it is left
alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from bot.desk import passing
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from store.contract_models import ConnectorState
from tests.stories.conftest import on_both_engines
from tests.stories.stage import Stage
from tests.stories.test_closing import THERE, failed_refund, resolve
from tests.stories.test_events import REFUND, send


@pytest.fixture
def folder(folder: Path) -> Path:
    """Billing takes one request a minute, and is not asked how it is."""
    file = folder / "connectors.yml"
    file.write_text(file.read_text().replace("health: /health, rate: 20/s", "rate: 1/m"))
    return folder


async def left_alone(stage: Stage, connector: str, *, minutes: int) -> None:
    """The system did not answer; it is asked again after so long."""

    def shut(tx: Tx, _: None) -> None:
        passing.take_turn(tx, connector, 0, lease=timedelta(0))
        values: dict[str, Any] = {"state": "open", "failures": 5, "probe_at": tx.now + timedelta(minutes=minutes)}
        tx.session.execute(update(ConnectorState).where(col(ConnectorState.connector) == connector).values(**values))

    await stage.service.desk.run(shut, None, actor=SYSTEM)


@on_both_engines
async def test_checks_are_asked_no_faster_than_the_rate(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.kept["re_1"] = dict(THERE)
    first, second = await failed_refund(stage), await stage.report(event={"refund_id": "re_2"}, title="re_2")
    before = billing.requests
    for ref in (first, second):
        await resolve(stage, ref)
    await stage.advance(seconds=50)
    assert (billing.requests, stage.case(second).state) == (before + 1, "closing")
    await stage.advance(minutes=1)
    assert billing.requests == before + 2
    assert stage.case(second).state != "closing"


@on_both_engines
async def test_a_check_on_a_system_that_is_left_alone_does_not_pass_and_asks_it_again_later(stage: Stage) -> None:
    billing = stage.company["billing"]
    billing.kept["re_1"] = dict(THERE)
    ref = await failed_refund(stage)
    before = billing.requests
    await left_alone(stage, "billing", minutes=10)
    await resolve(stage, ref)
    assert (billing.requests, stage.case(ref).is_open) == (before, True)
    assert "nobody knows: billing cannot be asked now: it is left alone until it answers again" in stage.thread(ref)[-1]
    await stage.advance(minutes=10)
    await resolve(stage, ref)
    assert stage.case(ref).state == "resolved"
    circuit = stage.database.read_now(lambda session: session.get_one(ConnectorState, "billing"))
    assert circuit.state == "closed"


async def test_a_census_waits_until_its_system_is_asked_again(stage: Stage) -> None:
    crm = stage.company["crm"]
    await stage.advance(days=1, hours=8)
    before = crm.requests
    await left_alone(stage, "crm", minutes=26 * 60)
    await stage.advance(days=1)
    assert crm.requests == before
    await stage.advance(hours=3)
    assert crm.requests == before + 1
    circuit = stage.database.read_now(lambda session: session.get_one(ConnectorState, "crm"))
    assert circuit.state == "closed"


async def test_the_case_of_a_system_closes_by_hand_without_the_checks_of_an_event(stage: Stage) -> None:
    stage.company["billing"].refuses = 401
    await send(stage, "refund", REFUND)
    await stage.settle()
    (case,) = stage.cases()
    assert (case.failure_mode, case.title) == (
        "delivery_failed",
        "billing refuses our credentials: its events are held",
    )
    await resolve(stage, case.ref)
    assert stage.case(case.ref).state == "resolved"
