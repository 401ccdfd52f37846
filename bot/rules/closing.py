"""How a case may end: the reasons for resolving one, and the sentences that say them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "fixed": "Fixed",
        "fixed_by_itself": "It fixed itself",
        "not_a_problem": "It was not a problem",
        "duplicate": "Another case covers it",
        "worked_around": "Worked around; the cause is still there",
    }
)
"""The reasons for resolving, in the order in which they are offered, and what they are called."""

DECISIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "conflict": MappingProxyType({"source": "The source is right", "receiver": "The receiver is right"}),
        "duplicate": MappingProxyType(
            {"first": "The first event is right", "second": "The second event is right: it is sent now"}
        ),
    }
)
"""The failure modes whose cases say that two things differ: resolving one takes somebody who says which is right."""

DECISION_WORDS = frozenset(word for words in DECISIONS.values() for word in words)
SHORTEST_REASON = 10
"""Characters of a reason in free words (fail, reopen): fewer say nothing."""


def decision_missing(failure_mode: str, decision: str) -> str | None:
    """What is still to be decided, in words; None: nothing, or it was."""
    words = DECISIONS.get(failure_mode)
    return f"say which is right: {' or '.join(words)}" if words and decision not in words else None


def heals(state: str, *, assignee: str | None, reopened: int) -> bool:
    """Whether a case may close by itself when its cause is gone: nobody has taken it, and nobody opened it again."""
    return state == "queued" and assignee is None and not reopened
