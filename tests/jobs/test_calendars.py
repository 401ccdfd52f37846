"""Rotas that are kept in a calendar at an https address: fetched, and the last good copy stays in force."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from sqlmodel import Session

from bot.desk.desk import Desk
from bot.desk.people import find_role, person_on_call
from bot.jobs.calendars import LARGEST, RotaCalendars, fetch
from store.audit import DESK, read
from tests.conftest import change_in_force

ADDRESS = "https://calendars.acme.test/on-call.ics?key=s3cret"
WEEK = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//acme//on call//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART:20261123T000000Z
DTEND:20261130T000000Z
SUMMARY:{person}
END:VEVENT
END:VCALENDAR
"""


@dataclass
class Publisher:
    """Gives a calendar that can be changed, broken and taken away."""

    text: str = WEEK.format(person="U0FAY")
    fault: Exception | None = None

    async def fetch(self, address: str) -> str:
        assert address == ADDRESS
        if self.fault:
            raise self.fault
        return self.text


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
async def calendars(desk: Desk, policy_files: dict[str, str], publisher: Publisher) -> RotaCalendars:
    team = policy_files["team.yml"].replace("ical: billing-on-call.ics", f'ical: "{ADDRESS}"')
    files = {path: text for path, text in policy_files.items() if not path.endswith(".ics")} | {"team.yml": team}
    change_in_force(desk.database, files, at=desk.clock.now())
    await desk.read(desk.policies.in_force)
    return RotaCalendars(desk, publisher.fetch)


async def on_call(desk: Desk) -> str | None:
    def ask(session: Session) -> str | None:
        policy = desk.policies.in_force(session)
        named = person_on_call(session, policy, find_role(policy, "billing"), at=desk.clock.now())
        return named[0] if named else None

    return await desk.read(ask)


async def test_before_the_first_copy_nobody_is_named(desk: Desk, calendars: RotaCalendars) -> None:
    assert await on_call(desk) is None


async def test_the_calendar_names_the_person_and_a_change_is_on_record(
    desk: Desk, calendars: RotaCalendars, publisher: Publisher
) -> None:
    assert await calendars.tick() == 1
    assert await on_call(desk) == "U0FAY"
    publisher.text = WEEK.format(person="U0GUS")
    assert await calendars.tick() == 1
    assert await calendars.tick() == 0
    assert await on_call(desk) == "U0GUS"
    entries = await desk.read(lambda session: read(session, DESK))
    changes = [entry for entry in entries if entry["action"] == "rota.calendar_changed"]
    assert len(changes) == 2
    assert "s3cret" not in str(changes)


@pytest.mark.parametrize("text", ["", "no calendar", WEEK.format(person="Company picnic"), WEEK[:80]])
async def test_a_copy_that_is_no_rota_changes_nothing(
    desk: Desk, calendars: RotaCalendars, publisher: Publisher, text: str
) -> None:
    await calendars.tick()
    publisher.text = text
    assert await calendars.tick() == 0
    assert await on_call(desk) == "U0FAY"


async def test_an_address_that_does_not_answer_changes_nothing(
    desk: Desk, calendars: RotaCalendars, publisher: Publisher
) -> None:
    await calendars.tick()
    publisher.fault = aiohttp.ClientError("gone")
    assert await calendars.tick() == 0
    assert await on_call(desk) == "U0FAY"


@pytest.mark.parametrize(
    ("body", "status", "fault"),
    [
        ("x" * (LARGEST + 1), 200, ValueError),
        ("gone", 410, aiohttp.ClientResponseError),
    ],
)
async def test_what_is_too_large_or_no_answer_is_refused(body: str, status: int, fault: type[Exception]) -> None:
    async def give(_: web.Request) -> web.Response:
        return web.Response(text=body, status=status)

    app = web.Application()
    app.router.add_get("/on-call.ics", give)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as http:
            with pytest.raises(fault):
                await fetch(http, f"http://127.0.0.1:{runner.addresses[0][1]}/on-call.ics")
    finally:
        await runner.cleanup()
