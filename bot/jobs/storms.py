"""Sums up the new cards that wait for their channels, while there are more than people can read."""

from __future__ import annotations

from bot.desk import storms
from bot.desk.desk import Desk
from bot.rules.actors import SYSTEM


async def tick(desk: Desk) -> int:
    """Begins, goes on with and ends lines that sum up; how many those were. Asked beside the writers first."""
    now = desk.clock.now()
    found = await desk.read(lambda session: storms.changes(session, now))
    return await desk.run(storms.tell, found, actor=SYSTEM) if found else 0
