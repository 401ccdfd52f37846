"""What counts as not having happened in time, and how it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.rules.instants import at_second

LATE = timedelta(minutes=1)
"""An escalation, or anything else with a time of its own, may be as late as this."""
UNSENT_PAGE, UNSENT = timedelta(minutes=5), timedelta(hours=1)
"""So long may a message stand that could leave: at Slack's pace a flood of lines takes its time, a page does not."""
LEFT = timedelta(minutes=2)
"""So long after the end of a lease somebody else has to have the work."""
KEPT = timedelta(days=7)
"""Of this time is what the Home tab says."""
MOST_TOLD = 50


class Kind(StrEnum):
    """What has not happened."""

    LATE = "late"
    UNSENT = "unsent"
    LEFT = "left"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Found:
    """One thing. `key` is the same however often it is seen."""

    kind: Kind
    key: str
    about: str


def late_timer(case_id: int, kind: str, step: int, due_at: datetime) -> Found:
    """A timer of a case that was not fired in time."""
    key = f"late:{case_id}:{kind}:{step}:{due_at.isoformat()}"
    return Found(Kind.LATE, key, f"C-{case_id}: its {kind} timer was due at {at_second(due_at)}")


def is_late(late_by: timedelta) -> bool:
    """Whether what was done so late counts."""
    return late_by > LATE


def may_have_left(*, kind: str, ready_at: datetime, slack_back_at: datetime | None, now: datetime) -> bool:
    """Whether a message that stands since then may still do so. What Slack's absence held back has its time from when
    Slack was back."""
    since = max(ready_at, slack_back_at) if slack_back_at else ready_at
    return now - since <= (UNSENT_PAGE if kind == "page" else UNSENT)


def title(found: Sequence[Found]) -> str:
    """The title of the case."""
    count = Counter(each.kind for each in found)
    words = {
        Kind.LATE: "late",
        Kind.UNSENT: "not sent",
        Kind.LEFT: "left undone",
        Kind.BROKEN: "broken in the audit log",
    }
    said = ", ".join(f"{count[kind]} {words[kind]}" for kind in Kind if count[kind])
    return f"What should have happened has not: {said}"


def detail(found: Sequence[Found]) -> str:
    """Each thing on a line."""
    more = [f"… and {len(found) - MOST_TOLD} more"] if len(found) > MOST_TOLD else []
    return "\n".join([*(each.about for each in found[:MOST_TOLD]), *more])
