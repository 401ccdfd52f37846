"""Lets go of what nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable

from bot.desk.desk import Desk
from bot.desk.pruning import prune_messages, prune_requests
from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM

AT_ONCE = 500
"""Rows of one transaction: some milliseconds, in which others wait."""


async def tick(desk: Desk) -> int:
    """Deletes all that is too old, step by step, and returns how many rows that were."""
    return await _all(desk, prune_requests) + await _all(desk, prune_messages)


async def _all(desk: Desk, prune: Callable[[Tx, int], int]) -> int:
    count = 0
    while deleted := await desk.run(prune, AT_ONCE, actor=SYSTEM):
        count += deleted
    return count
