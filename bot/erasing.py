"""`pointsman erase`: everything that is kept about one subject goes, while the service runs or stands still."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Sequence

from bot.clock import SystemClock
from bot.databases import existing
from bot.desk.desk import Desk
from bot.desk.erasing import Erase, Found, Subject, drop_keys, find, strike_cases, strike_events
from bot.desk.policies import Policies
from bot.desk.tx import Tx
from bot.rules.actors import Actor, operator
from bot.settings import Settings
from bot.start import StartFault
from store.database import Database
from store.migrate import newest, revision_of

AT_ONCE = 200
"""Rows of one transaction."""
NAMED = 20


def erase(settings: Settings, subject: Subject, *, say: Callable[[str], None]) -> int:
    """Erases the subject and says what that was. Again does nothing more."""
    with existing(settings.database_url) as database:
        check_version(database)
        found = asyncio.run(_erase(Desk(database, SystemClock(), Policies()), subject, operator(account())))
    for line in _told(found):
        say(line)
    return 0


def check_version(database: Database) -> None:
    """Passes where the database is at this version. Raises `StartFault` with what to do."""
    if not database.read_now(lambda session: revision_of(session.connection()) == newest()):
        raise StartFault("DATABASE_URL: the database is not at this version: `pointsman migrate` brings it there")


def account() -> str:
    """Whose account it is that types."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container a number may have no name
        return "somebody"


async def _erase(desk: Desk, subject: Subject, by: Actor) -> Found:
    try:
        policy = await desk.read(desk.policies.in_force)
    except LookupError as fault:
        raise StartFault(str(fault)) from None
    found = await desk.read(lambda session: find(session, subject, policy.workflows))
    if not found:
        return found
    await desk.run(drop_keys, Erase(subject, found), actor=by)
    await _in_steps(desk, strike_events, found.events, by)
    await _in_steps(desk, strike_cases, found.cases, by)
    return found


async def _in_steps(desk: Desk, act: Callable[[Tx, Sequence[int]], None], ids: Sequence[int], by: Actor) -> None:
    for start in range(0, len(ids), AT_ONCE):
        await desk.run(act, ids[start : start + AT_ONCE], actor=by)


def _told(found: Found) -> list[str]:
    if not found:
        return ["nothing is kept about this subject"]
    lines = [f"erased: keys {len(found.keys)}, events {len(found.events)}, cases {len(found.cases)}"]
    if found.cases:
        named = ", ".join(f"C-{case_id}" for case_id in found.cases[:NAMED])
        more = f" and {len(found.cases) - NAMED:,} more" if len(found.cases) > NAMED else ""
        lines.append(
            f"their cards are drawn again; what else was said of them in Slack is deleted there: {named}{more}"
        )
    return lines
