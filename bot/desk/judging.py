"""Events as the rules judge them, and which of them came before: what is known before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bot.desk.holding import misfit
from bot.desk.kept import contents_of
from bot.desk.rollouts import Applied, Rollouts
from bot.desk.tx import Tx
from bot.rules.actors import Actor
from bot.rules.admission import Admission, Verdict, admit, sameness, with_content
from bot.rules.drills import Receiver
from bot.rules.misfits import Misfit
from runbooks.contracts import Contract
from store.rows import lock_rows
from store.sealing import desk_key, keyed


@dataclass(frozen=True, slots=True)
class OfDrill:
    """Which drill an event is of, and who takes it in place of the connector (None: it is not to be delivered)."""

    number: int
    receiver: Receiver | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as it came. A drill's is never delivered outside, is no other event's duplicate, and counts in no
    figure."""

    by: Actor
    workflow: str
    content: Mapping[str, Any]
    drill: OfDrill | None = None
    released_from: int | None = None
    """The event in quarantine that it was, before a person released it."""
    trace: str | None = None

    @property
    def is_drill(self) -> bool:
        """Whether it is part of a drill."""
        return self.drill is not None


@dataclass(slots=True)
class Judged:
    """An event and what the rules say of it; its ids as they become known."""

    arrival: Arrival
    applied: Applied
    admission: Admission
    digest: str
    misfit: Misfit | None
    event_id: int = 0
    case_id: int | None = None
    contradicts: Known | None = None
    """The event that has its identity, with other content."""

    @property
    def contract(self) -> Contract | None:
        """The version of the contract that it goes by."""
        return self.applied.contract

    @property
    def key(self) -> str:
        """What a second delivery of it is known by."""
        return f"{self.arrival.workflow}\0{self.admission.identity}"

    @property
    def because(self) -> str:
        """Why it was decided so."""
        if self.contradicts:
            return f"E-{self.contradicts.id} says that it is the same event, and its content is another"
        return self.admission.because

    def hold_as_other(self, than: Known) -> None:
        """It is held, and known by its content as well from now on."""
        identity = with_content(self.admission.identity, self.digest)
        self.admission = replace(
            self.admission, verdict=Verdict.QUARANTINE, identity=identity, failure_mode="duplicate", fault=None
        )
        self.contradicts = than


@dataclass(slots=True)
class Known:
    """An event that came before, or earlier in this call."""

    event_id: int
    digest: str
    case_id: int | None
    seen: int
    first: Judged | None = None

    @property
    def id(self) -> int:
        """Its number, once that is given."""
        return self.first.event_id if self.first else self.event_id


Again = list[tuple[Judged, Known]]


def judge(tx: Tx, arrivals: Sequence[Arrival]) -> list[Judged]:
    """What the rules say of each, by the contract of now."""
    digest = partial(keyed, desk_key(tx.session))
    rollouts = Rollouts(tx)
    return [_judge(tx, arrival, rollouts, digest) for arrival in arrivals]


def _judge(tx: Tx, arrival: Arrival, rollouts: Rollouts, digest: Callable[[str], str]) -> Judged:
    applied = rollouts.applied(arrival.workflow, arrival.content)
    contract, schema = applied.contract, applied.policy.event_schemas.get(arrival.workflow)
    violations = schema.misfits(arrival.content) if schema else ()
    names = {"event": arrival.content, "now": tx.now}
    admission = admit(contract, arrival.content, violations, names=names, digest=digest)
    if arrival.drill:
        admission = replace(admission, identity=f"drill {arrival.drill.number} {admission.identity}")
    found = misfit(applied.policy, arrival.workflow, admission, arrival.content)
    return Judged(arrival, applied, admission, digest(sameness(contract, arrival.content)), found)


def came_before(tx: Tx, judged: Sequence[Judged]) -> dict[str, Known]:
    """The events of these identities that came before, locked in the order of their ids."""
    rows = lock_rows(tx.session, _CAME_BEFORE, {each.admission.identity for each in judged})
    return {
        f"{workflow}\0{identity}": Known(event_id, digest, case_id, seen)
        for workflow, identity, event_id, digest, case_id, seen in rows
    }


_CAME_BEFORE = (
    "SELECT workflow, identity, event_id, digest, case_id, seen FROM triggers WHERE identity AMONG ORDER BY event_id"
)


def sort(tx: Tx, judged: Sequence[Judged], known: dict[str, Known]) -> tuple[list[Judged], Again]:
    """Those that are new, and those that came before as they are. One that has the identity of another event and other
    content is new, unless it came before as well; `known` has all of them afterwards."""
    fresh, again = _split(judged, known)
    found = differing(tx, again)
    for each, before in found:
        each.hold_as_other(before)
    others = [each for each, _ in found]
    known |= came_before(tx, others)
    new, repeated = _split(others, known)
    taken = {id(each) for each in others}
    return [*fresh, *new], [*((each, before) for each, before in again if id(each) not in taken), *repeated]


def _split(judged: Sequence[Judged], known: dict[str, Known]) -> tuple[list[Judged], Again]:
    fresh: list[Judged] = []
    again: Again = []
    for each in judged:
        before = known.get(each.key)
        if before is None:
            known[each.key] = Known(0, each.digest, None, 1, each)
            fresh.append(each)
        else:
            again.append((each, before))
    return fresh, again


def differing(tx: Tx, again: Again) -> Again:
    """Those whose content is not that of the event before. That one is looked at by the contract of now, which may
    leave out fields that counted when it came."""
    found = [(each, before) for each, before in again if each.digest != before.digest]
    contents = contents_of(tx.session, {before.event_id for _, before in found if not before.first})
    digest = partial(keyed, desk_key(tx.session))
    return [
        (each, before)
        for each, before in found
        if before.first or digest(sameness(each.contract, contents[before.event_id])) != each.digest
    ]
