"""Lets the events of a case that were released together leave quarantine, a batch at a time."""

from __future__ import annotations

import logging
from datetime import timedelta

from bot.context import Context
from bot.desk import releasing
from bot.rules.actors import SYSTEM

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(minutes=1)


async def tick(context: Context) -> int:
    """Goes on until nothing is left that can go on now, and returns how many events that were about. A batch that
    fails is put off, and holds up no other release."""
    count = 0
    while await _some_are_due(context):
        try:
            done = await context.desk.run(releasing.go_on, None, actor=SYSTEM)
        except Exception:
            log.exception("a release from quarantine could not go on and was put off")
            await context.desk.run(releasing.put_off, context.clock.now() + AGAIN_AFTER, actor=SYSTEM)
            continue
        if not done:  # another process is at it
            break
        count += done
    return count


async def _some_are_due(context: Context) -> bool:
    """Asked beside the writers, so that looking costs them nothing."""
    due_at = await context.desk.read(releasing.next_due)
    return due_at is not None and due_at <= context.clock.now()
