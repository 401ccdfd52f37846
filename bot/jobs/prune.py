"""Lets go of what nobody needs any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.desk.desk import Desk
from bot.desk.letting_go import EVENTS
from bot.desk.pruning import PRUNABLE, Prunable
from bot.rules.actors import SYSTEM
from bot.rules.retention import kept_for

AT_ONCE = 500
"""Rows of one transaction: some milliseconds, in which others wait."""


async def tick(desk: Desk) -> int:
    """Lets go of all that is older than the policy keeps it, step by step, and returns how many rows that were."""
    return sum([await _all(desk, prunable) for prunable in (*PRUNABLE, *EVENTS)])


async def _all(desk: Desk, prunable: Prunable) -> int:
    """What is found is looked for beside the writers, each page from where the one before ended."""
    retention = (await desk.read(desk.policies.in_force)).team.defaults.retention
    before, count = desk.clock.now(), 0
    keys: Sequence[Any] = ()
    after: Any = None
    if prunable.kind:
        before -= kept_for(retention, prunable.kind)
    while True:
        last = keys
        keys, after = await desk.read(lambda session, after=after: prunable.find(session, before, after, AT_ONCE))  # type: ignore[misc]
        if not keys or keys == last:  # the same once more: somebody needs them again since they were found
            return count
        count += await desk.run(prunable.let_go, keys, actor=SYSTEM)
