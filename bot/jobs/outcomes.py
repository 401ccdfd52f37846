"""Notices the outcomes that stay away."""

from __future__ import annotations

import logging

from bot.context import Context
from bot.desk import missing
from bot.rules.actors import TIMER

log = logging.getLogger(__name__)

BATCH = 250
"""So many share a transaction: a click waits behind one batch at most."""


async def tick(context: Context) -> int:
    """Opens cases until no outcome is overdue, and returns how many events that were about. Any number of processes
    may do so on the same database; what a process that died had claimed is taken up when its lease ends."""
    count = 0
    while await _some_are_due(context):
        due = await context.desk.run(missing.claim_due, BATCH, actor=TIMER)
        if not due:
            return count
        done = await context.desk.run(missing.miss, due, actor=TIMER)
        count += done.count
        for each in done.put_off:
            log.error(
                "an outcome that is missing could not become a case and was put off",
                extra={"event_id": each.outcome.event_id},
                exc_info=each.fault,
            )
    return count


async def _some_are_due(context: Context) -> bool:
    """Asked beside the writers, so that looking costs them nothing."""
    now = context.clock.now()
    return await context.desk.read(lambda session: missing.some_are_due(session, now))
