"""When the new cards of a channel are summed up: a line for each workflow in place of a flood that nobody reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

BEGINS = 10
"""More new cards than this wait for a channel that has had as many as it takes: half a minute's."""
TOLD_EVERY = timedelta(seconds=10)
"""So often the line is edited at the most: edits are few in a workspace."""


class Course(StrEnum):
    """What becomes of the line of a workflow."""

    BEGIN = "begin"
    GO_ON = "go_on"
    END = "end"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The cases of a workflow whose cards wait for a channel, by priority."""

    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def course(waiting: int, *, in_channel: int, is_summed_up: bool) -> Course | None:
    """What to do about a workflow of which so many cards wait, of `in_channel` in all. A storm that is summed up is
    over when the last of its cards is there; None: there is nothing to sum up."""
    if is_summed_up:
        return Course.GO_ON if waiting else Course.END
    return Course.BEGIN if waiting and in_channel > BEGINS else None
