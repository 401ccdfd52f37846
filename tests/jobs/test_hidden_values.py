"""What a contract redacts is sent where it belongs, and is kept nowhere that anybody could read it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import Session, SQLModel

from bot.clock import MovableClock
from bot.desk import events, intake
from bot.desk.desk import Desk
from bot.desk.events import Arrived
from bot.desk.intake import Report
from bot.desk.judging import Arrival
from bot.desk.once import Submission
from bot.desk.policies import Policies
from bot.jobs.deliveries import Deliveries
from bot.rules.actors import source
from runbooks.calls import Caller
from store.database import Database
from store.models import Attempt, Case, Delivery, Event
from store.sealing import erase
from tests.conftest import put_in_force
from tests.jobs.test_deliveries import Receiver, receiver

__all__ = ["receiver"]

SECRET = "ada.lovelace@private.test"
LEAD = {"lead_id": "lead_1", "tier": "growth", "email": SECRET}
LEADS = "workflows/lead-routing.yml"
SENT = """{lead: "{{ event.lead_id }}", to: "{{ event.email | upper }}", mail: "{{ event.email }}"}"""


@pytest.fixture
def desk(database: Database, clock: MovableClock, policy_files: dict[str, str]) -> Desk:
    """Where the lead's address goes along with it, in the path and in the body."""
    before = policy_files[LEADS]
    start, end = before.index("json: {lead"), before.index("\n", before.index("json: {lead"))
    changed = before[:start] + f"json: {SENT}" + before[end:]
    changed = changed.replace("path: /tickets", 'path: "/tickets?of={{ event.email }}"')
    put_in_force(database, policy_files | {LEADS: changed}, at=clock.now())
    return Desk(database, clock, Policies())


@pytest.fixture
async def deliveries(desk: Desk, receiver: Receiver) -> Any:
    environment = {f"{name}_URL": receiver.url for name in ("BILLING", "CRM", "MARKETING", "HELPDESK")}
    environment |= {f"{name}_TOKEN": "s3cret-token" for name in ("BILLING", "CRM", "MARKETING", "HELPDESK")}
    caller = Caller()
    yield Deliveries(desk, caller, environment)
    await caller.close()


async def arrive(desk: Desk, content: dict[str, Any], *, workflow: str = "lead-routing") -> Arrived:
    submission = Submission((Arrival(source("forms"), workflow, content),), key="k-1", digest="of the body")
    [[arrived]] = [await desk.run_joined(events.receive, submission)]  # type: ignore[misc]
    return arrived


def everything(session: Session) -> str:
    """All that the database holds, as text."""
    rows = [tuple(row) for table in SQLModel.metadata.sorted_tables for row in session.execute(select(table))]
    return repr(rows)


async def test_a_redacted_value_is_sent_and_kept_nowhere_in_clear(
    desk: Desk,
    clock: MovableClock,
    deliveries: Deliveries,
    receiver: Receiver,
) -> None:
    receiver.answers = [(500, {"echo": SECRET}), (422, {"error": f"no such address: {SECRET}"})]
    assert (await arrive(desk, LEAD)).status == "accepted"
    await deliveries.drain()
    clock.advance(timedelta(minutes=1))
    await deliveries.drain()
    assert receiver.bodies == [{"lead": "lead_1", "to": SECRET.upper(), "mail": SECRET}] * 2
    assert "ada.lovelace%40private.test" in receiver.asked[0][1]
    kept = await desk.read(everything)
    assert "lead_1" in kept
    for written in (SECRET, SECRET.upper(), "ada.lovelace%40", "lovelace"):
        assert written not in kept
    [first, second] = await desk.read(lambda session: list(session.execute(select(Attempt)).scalars()))
    assert first.request["json"] == {"lead": "lead_1", "to": "•••", "mail": "•••"}
    assert second.response == '{"error": "no such address: •••"}'


async def test_an_event_that_comes_with_an_exception_is_kept_without_it_too(
    desk: Desk,
    deliveries: Deliveries,
    receiver: Receiver,
) -> None:
    report = Report(by=source("monitors"), workflow="lead-routing", title="Lost", event=LEAD)
    await desk.run_joined(intake.report, Submission((report,)))
    kept = await desk.read(everything)
    assert "lead_1" in kept
    assert SECRET not in kept


async def test_a_misfit_is_kept_without_its_undeclared_values(desk: Desk) -> None:
    came = {"lead_id": "lead_1", "teir": "vip", "phone": "+49 30 901820", "note": {"by": "Ada Lovelace"}}
    assert (await arrive(desk, came)).status == "quarantined"
    kept = await desk.read(everything)
    assert "+49 30" not in kept
    assert "Lovelace" not in kept
    [event] = await desk.read(lambda session: list(session.execute(select(Event)).scalars()))
    assert event.content == {"lead_id": "lead_1", "teir": "•••", "phone": "•••", "note": "•••"}
    [case] = await desk.read(lambda session: list(session.execute(select(Case)).scalars()))
    assert case.title == "teir came, tier was wanted"


async def test_of_an_event_for_an_unknown_workflow_no_value_is_shown(desk: Desk) -> None:
    await arrive(desk, {"who": "Ada Lovelace"}, workflow="no-such-workflow")
    assert "Lovelace" not in await desk.read(everything)


async def test_what_is_erased_is_not_sent_any_more(
    desk: Desk,
    deliveries: Deliveries,
    receiver: Receiver,
) -> None:
    await arrive(desk, LEAD)
    [event] = await desk.read(lambda session: list(session.execute(select(Event)).scalars()))
    desk.database.write(lambda session: erase(session, [str(event.subject_key)], at=desk.clock.now())).result()
    await deliveries.drain()
    assert receiver.asked == []
    [delivery] = await desk.read(lambda session: list(session.execute(select(Delivery)).scalars()))
    assert (delivery.state, "erased" in delivery.because) == ("dead", True)
