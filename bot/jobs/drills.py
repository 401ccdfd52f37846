"""Plays the drills that are asked for, and looks whether they were caught."""

from __future__ import annotations

import logging

from bot.desk import drills
from bot.desk.desk import Desk
from bot.rules.actors import SYSTEM

log = logging.getLogger(__name__)


async def tick(desk: Desk) -> int:
    """Goes on with each drill, and returns how many of them that changed. Any number of processes may do so on the same
    database; one drill that cannot go on holds up no other."""
    count = 0
    for number in await desk.read(drills.to_play):
        try:
            count += await desk.run(drills.carry_on, number, actor=SYSTEM)
        except Exception:
            log.exception("a drill could not go on", extra={"drill": number})
    return count
