"""How a case may end: the reasons for resolving one, the checks that it has to pass first, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from bot.rules.lifecycle import State
from bot.rules.sending import Backoff
from runbooks.contracts import OTHER, Check, Contract

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
"""Characters of a reason in free words (fail, reopen, override): fewer say nothing."""

PATIENCE = Backoff(attempts=4, first=timedelta(seconds=2), factor=3, longest=timedelta(seconds=20))
"""How often a check is asked whose answer says nothing: somebody waits for it."""
LONGEST_WAIT = timedelta(minutes=1)
"""A system that wants to be left alone for longer is not waited for."""
UNKNOWN_CREDENTIALS = (401, 403)


def decision_missing(failure_mode: str, decision: str) -> str | None:
    """What is still to be decided, in words; None: nothing, or it was."""
    words = DECISIONS.get(failure_mode)
    return f"say which is right: {' or '.join(words)}" if words and decision not in words else None


def heals(state: str, *, assignee: str | None, reopened: int) -> bool:
    """Whether a case may close by itself when its cause is gone: nobody has taken it, and nobody opened it again."""
    return state == "queued" and assignee is None and not reopened


def needed(contract: Contract | None, failure_mode: str) -> tuple[Check, ...]:
    """The checks that a case of this failure mode has to pass: those for all modes and those for its own; one that the
    contract does not name has those of `other`, as it has its terms."""
    if contract is None:
        return ()
    modes = {failure_mode} if failure_mode in contract.exceptions else {failure_mode, OTHER}
    return tuple(check for check in contract.checks if not check.modes or modes & set(check.modes))


def unticked(checks: Sequence[Check], ticked: Collection[str]) -> tuple[Check, ...]:
    """The confirmations that nobody has given."""
    return tuple(check for check in checks if check.confirm and check.name not in ticked)


def to_tick(missing: Sequence[Check]) -> str:
    """What is still to be confirmed, in words."""
    return f"tick: {'; '.join(str(check.confirm) for check in missing)}"


class Found(StrEnum):
    """What a machine's check found. `UNKNOWN`: nobody knows, it may be asked again. `IMPOSSIBLE`: it cannot be asked,
    now or later."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    IMPOSSIBLE = "impossible"

    @property
    def state(self) -> str:
        """How the check is kept when it is not asked again."""
        return Found.UNKNOWN.value if self is Found.IMPOSSIBLE else self.value


def read_answer(status: int | None, *, met: bool, because: str) -> tuple[Found, str]:
    """What an answer says, by its status and by whether the condition is met over it, and why. What is met is met,
    whatever the status; 429 and 5xx say nothing; 401 and 403 are about who we are."""
    if met:
        return Found.PASSED, because
    if status is None:
        return Found.FAILED, because
    if status in UNKNOWN_CREDENTIALS:
        return Found.IMPOSSIBLE, f"it answered {status}: it does not take our credentials"
    if status == 429 or status >= 500:
        return Found.UNKNOWN, f"it answered {status}"
    return Found.FAILED, f"it answered {status}: {because}"


MOST_FOUND = 5
LONGEST_FOUND = 120


def found_in_words(facts: Mapping[str, object]) -> str:
    """What a condition that is not met has read, by its path, bounded: `response.body.state is "pending"`. The status
    is said beside it already."""
    values = [(path, json.dumps(value, ensure_ascii=False)) for path, value in facts.items() if path != _STATUS]
    said = [f"{path} is {text[:LONGEST_FOUND]}{'…' * (len(text) > LONGEST_FOUND)}" for path, text in values]
    return ", ".join(said[:MOST_FOUND])


_STATUS = "response.status"


class Verdict(StrEnum):
    """What follows from all checks of a closing."""

    WAIT = "wait"
    CLOSE = "close"
    CONFIRM = "confirm"
    REFUSE = "refuse"


def verdict(states: Collection[str]) -> Verdict:
    """While one is owed, nothing follows: who asked hears of all that failed at once. One that failed, or that nobody
    knows, keeps the case open; a confirmation that is missing is asked for when all else holds."""
    if "owed" in states:
        return Verdict.WAIT
    if {"failed", "unknown"} & set(states):
        return Verdict.REFUSE
    return Verdict.CONFIRM if "unconfirmed" in states else Verdict.CLOSE


def back_to(before: str, *, is_acknowledged: bool) -> State:
    """Where a case goes that does not close: to where it was; if somebody has taken it meanwhile, to them."""
    state = State(before)
    return State.IN_PROGRESS if state is State.QUEUED and is_acknowledged else state


def nothing_to_override(checks: Sequence[Check], last: str | None) -> str | None:
    """Why there is nothing to close in spite of, in words; None: a check has failed, or waits for a confirmation that
    perhaps nobody can give. `last`: the state of the last closing."""
    if not checks:
        return "it has no checks to pass; resolve it"
    if last == "refused" or any(check.confirm for check in checks):
        return None
    return "none of its checks has failed; resolve it, and they are asked"
