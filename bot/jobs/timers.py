"""Fires what is due: reminders, windows that pass, ladders, leases and snoozes."""

from __future__ import annotations

import logging

from bot.context import Context
from bot.desk import escalations, timers
from bot.desk.escalations import Fired
from bot.rules.actors import TIMER

log = logging.getLogger(__name__)

BATCH = 250
"""So many timers share a transaction: a click waits behind one batch at most."""


async def tick(context: Context) -> int:
    """Fires timers until none is due, and returns how many that were. Any number of processes may do so on the same
    database; what a process that died had claimed is fired when its lease ends."""
    count = 0
    while await _some_are_due(context):
        due = await context.desk.run(timers.claim_due, BATCH, actor=TIMER)
        if not due:
            return count
        fired = await context.desk.run(escalations.fire, due, actor=TIMER)
        count += fired.count
        _measure(context, fired)
        for each in fired.put_off:
            log.error(
                "a timer could not be fired and was put off",
                extra={"case_id": each.timer.case_id, "timer": each.timer.kind},
                exc_info=each.fault,
            )
    return count


def _measure(context: Context, fired: Fired) -> None:
    for window in fired.passed:
        context.metrics.breaches.labels(window).inc()
    for late in fired.late:
        context.metrics.lateness.observe(max(0.0, late.total_seconds()))


async def _some_are_due(context: Context) -> bool:
    """Asked beside the writers, so that looking costs them nothing."""
    now = context.clock.now()
    return await context.desk.read(lambda session: timers.some_are_due(session, now))
