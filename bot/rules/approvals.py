"""Who is asked for a yes before a run goes on, in which order, and what an answer of somebody counts for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from runbooks.mentions import mentioned
from runbooks.runbook import Approval
from runbooks.templates import Decision, ExpressionFault


class Answer(StrEnum):
    """What came of asking a role. `NOBODY`: there was nobody in it who could say yes."""

    OPEN = ""
    YES = "yes"
    NO = "no"
    EXPIRED = "expired"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Seat:
    """A yes that was asked of a role, and who gave which answer."""

    role: str
    answer: Answer = Answer.OPEN
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """This role is asked now. `passed_over`: those before it, in which nobody can say yes; `again`: it has said yes
    once, and somebody else of it can say another."""

    role: str
    passed_over: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class NobodyLeft:
    """All roles were asked, and not enough people said yes."""

    passed_over: tuple[str, ...] = ()


class Then(StrEnum):
    """Somebody is asked already; or there are all the yeses that are wanted."""

    WAIT = "wait"
    GO_ON = "go_on"


@dataclass(frozen=True, slots=True)
class No:
    """The answer cannot be taken, and why, in words for the person."""

    code: str
    because: str


def is_needed(approval: Approval | None, names: Mapping[str, object], *, is_for_many: bool = False) -> Decision:
    """Whether the run waits for a yes. Data that is missing meets no condition; a condition that is neither true nor
    false is a fault of the policy, and then a person decides, as of a run for several events (`is_for_many`) whose
    condition is about the event: some may meet it."""
    if approval is None or approval.when is None:
        return Decision(approval is not None, "its runbook wants one" if approval else "its runbook wants none")
    if is_for_many and mentioned(approval.when.source, "event"):
        return Decision(True, "it is for several events")
    try:
        return approval.when.decide(names)
    except ExpressionFault as fault:
        return Decision(True, f"its condition cannot be decided: {fault}")


def next_ask(
    roles: Sequence[str], seats: Sequence[Seat], able: Mapping[str, Collection[str]], *, count: int
) -> Ask | NobodyLeft | Then:
    """What follows from the answers so far. `roles` in their order, each once; `able`: who of each can say yes, without
    those who asked for the run."""
    yeses = yeses_of(seats)
    if len(yeses) >= count:
        return Then.GO_ON
    if any(seat.answer is Answer.OPEN for seat in seats):
        return Then.WAIT
    last = seats[-1] if seats else None
    if last and last.answer is Answer.YES and set(able.get(last.role, ())) - yeses:
        return Ask(last.role, again=True)
    asked = {seat.role for seat in seats}
    passed_over: list[str] = []
    for role in roles:
        if role in asked:
            continue
        if set(able.get(role, ())) - yeses:
            return Ask(role, tuple(passed_over))
        passed_over.append(role)
    return NobodyLeft(tuple(passed_over))


def yeses_of(seats: Sequence[Seat]) -> set[str]:
    """The people who said yes."""
    return {seat.by for seat in seats if seat.answer is Answer.YES and seat.by}


def seat_of(
    seats: Sequence[Seat], *, person: str, mine: Collection[str], askers: Collection[str], titles: Mapping[str, str]
) -> int | No:
    """For which of the seats the person answers (its place): an open one of a role of theirs before one whose time ran
    out, for who was asked may still answer. `mine`: the roles that the person is in."""
    if person in askers:
        return No("asked_by_you", f"You asked for it: somebody else of {_titles(seats, titles)} says yes or no.")
    if person in yeses_of(seats):
        return No("said_yes", "You said yes already; somebody else has to as well.")
    places = [place for place, seat in enumerate(seats) if seat.role in mine and seat.answer is not Answer.NOBODY]
    if not places:
        return No("not_allowed", f"You cannot say yes or no to it: {_titles(seats, titles)} can.")
    return min(places, key=lambda place: (_ORDER[seats[place].answer], place))


_ORDER = {Answer.OPEN: 0, Answer.EXPIRED: 1, Answer.YES: 2, Answer.NO: 2, Answer.NOBODY: 3}


def _titles(seats: Sequence[Seat], titles: Mapping[str, str]) -> str:
    named = dict.fromkeys(titles.get(seat.role, seat.role) for seat in seats if seat.answer is not Answer.NOBODY)
    return " or ".join(named) or "the roles that its runbook names"
