"""`pointsman drill`: asks the running service for a drill by way of their database, waits for what comes of it, and
says it."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from bot.clock import SystemClock
from bot.databases import existing
from bot.desk.drills import Asked, ask, withdraw
from bot.rules.drills import Name
from bot.settings import Settings
from bot.start import StartFault
from store.contract_models import Drill
from store.database import Database
from store.migrate import newest, revision_of

PICKED_UP_WITHIN = 20.0
LOOKS_EVERY = 0.25
PATIENCE = 30.0
"""Seconds beyond the drill's own time after which the service is taken to have stopped."""
LONG = 90.0
"""What takes longer than so many seconds is said beforehand."""
CODES = {"caught": 0, "missed": 1, "impossible": 2}
NOT_PICKED_UP = "no running service took it up"


def drill(settings: Settings, name: Name, workflow: str | None, *, say: Callable[[str], None]) -> int:
    """Plays the drill and says how it goes; 0: it was caught, 1: it was missed, 2: it could not be played."""
    with existing(settings.database_url) as database:
        if not database.read_now(lambda session: revision_of(session.connection()) == newest()):
            raise StartFault("DATABASE_URL: the database is not at this version: `pointsman migrate` brings it there")
        asked = Asked(name, workflow, _who())
        number = database.write(lambda session: ask(session, asked, at=SystemClock().now())).result()
        _wait_for_service(database, number)
        row = _look(database, number)
        if row.state != "impossible":
            say(f"drill {number}: {name.value} of {row.workflow}: {row.because}")
            row = _wait_for_end(database, number, say)
        for line in _told(row):
            say(line)
        return CODES[row.state]


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container a number may have no name
        return "somebody"


def _look(database: Database, number: int) -> Drill:
    return database.read_now(lambda session: session.get_one(Drill, number))


def _wait_for_service(database: Database, number: int) -> None:
    until = time.monotonic() + PICKED_UP_WITHIN
    while _look(database, number).state == "asked":
        if (
            time.monotonic() > until
            and database.write(
                lambda session: withdraw(session, number, NOT_PICKED_UP, at=SystemClock().now())
            ).result()
        ):
            seconds = round(PICKED_UP_WITHIN)
            raise StartFault(f"{NOT_PICKED_UP} within {seconds} s: is `pointsman run` running with this DATABASE_URL?")
        time.sleep(LOOKS_EVERY)


def _wait_for_end(database: Database, number: int, say: Callable[[str], None]) -> Drill:
    row = _look(database, number)
    within = _length(row.started_at, row.gives_up_at)
    if row.state == "running" and within.total_seconds() > LONG:
        say(f"it has {_seconds(within)} until it counts as missed")
    until = time.monotonic() + within.total_seconds() + PATIENCE
    while row.state == "running":
        if time.monotonic() > until:
            raise StartFault(f"drill {number} does not end: did the service stop? It goes on when one runs again")
        time.sleep(LOOKS_EVERY)
        row = _look(database, number)
    return row


def _told(row: Drill) -> Iterator[str]:
    if row.state == "impossible":
        yield f"could not be played: {row.because}"
        return
    if row.detected_at:
        yield f"detected after {_seconds(_length(row.started_at, row.detected_at))}: C-{row.case_id}"
        yield f"routed to {row.routed_to}"
    if row.told_at:
        yield f"told after {_seconds(_length(row.started_at, row.told_at))}"
    yield "caught" if row.state == "caught" else f"MISSED: {row.because}"


def _length(start: datetime | None, end: datetime | None) -> timedelta:
    return end - start if start and end else timedelta(0)


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.1f} s"
