"""Whose yes a change of the policy needs, who may give it, and what is still missing. All by the policy in force before
the change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations

from runbooks.contracts import Contract
from runbooks.differences import workflow_of
from runbooks.policy import Policy


class Seat(StrEnum):
    """In which of its capacities a role says yes."""

    ACCOUNTABLE = "accountable"
    STEWARD = "steward"
    GOVERNANCE = "governance"


@dataclass(frozen=True, slots=True)
class Seated:
    """A yes that is needed: of somebody of this role, in this capacity."""

    seat: Seat
    role: str


@dataclass(frozen=True, slots=True)
class Need:
    """The yeses that one part of the folder needs, each of another person."""

    part: str
    seats: tuple[Seated, ...]


@dataclass(frozen=True, slots=True)
class Yes:
    """Somebody's yes to a part, and the seats of it that the person could fill."""

    part: str
    person: str
    seats: frozenset[Seat]


@dataclass(frozen=True, slots=True)
class No:
    """The person cannot say yes; `because` says why, in words for them."""

    code: str
    because: str


def needs(before: Policy, after: Policy, parts: Iterable[str]) -> tuple[Need, ...]:
    """What a change of these parts needs: two people for each gated contract, one of its accountable role and one of
    its steward's; the governance role for each other part. A contract is gated if it was before or is after. A new
    one needs the roles that it names; a role that is not there yet is the governance role's to speak for."""
    return tuple(need for part in sorted(parts) if (need := _need(before, after, part)))


def _need(before: Policy, after: Policy, part: str) -> Need | None:
    workflow, governance = workflow_of(part), before.team.defaults.governance
    if workflow is None:
        return Need(part, (Seated(Seat.GOVERNANCE, governance),))
    was, now = before.workflows.get(workflow), after.workflows.get(workflow)
    if not any(contract.is_gated for contract in (was, now) if contract):
        return None
    contract = was or now
    assert contract
    return Need(part, tuple(Seated(seat, _known(before, role)) for seat, role in _owners(contract)))


def _owners(contract: Contract) -> tuple[tuple[Seat, str], ...]:
    return (Seat.ACCOUNTABLE, contract.owners.accountable), (Seat.STEWARD, contract.owners.steward)


def _known(before: Policy, role: str) -> str:
    return role if role in before.team.roles else before.team.defaults.governance


def missing(need: Need, yeses: Iterable[Yes]) -> tuple[Seated, ...]:
    """The seats of a part that nobody fills: one person fills one seat, and as many as can be are filled."""
    given = [yes for yes in yeses if yes.part == need.part]
    orders = permutations([*given, *[None] * len(need.seats)], len(need.seats))
    left = (
        tuple(seated for seated, yes in zip(need.seats, order, strict=True) if not _fills(yes, seated))
        for order in orders
    )
    return min(left, key=len, default=need.seats)


def _fills(yes: Yes | None, seated: Seated) -> bool:
    return yes is not None and seated.seat in yes.seats


def is_met(all_needs: Iterable[Need], yeses: Sequence[Yes]) -> bool:
    """Whether nothing is missing."""
    return not any(missing(need, yeses) for need in all_needs)


def approve(
    all_needs: Sequence[Need], yeses: Sequence[Yes], *, person: str, roles: frozenset[str], titles: Mapping[str, str]
) -> tuple[Yes, ...] | No:
    """The yeses that the person gives by approving: one to each part where a seat of their roles (`roles`) is open and
    they have not said yes yet."""
    mine = [(need, _seats(need, roles)) for need in all_needs if _seats(need, roles)]
    if not mine:
        return No("not_allowed", f"You cannot approve this change: {who_may(all_needs, titles)} can.")
    said = {yes.part for yes in yeses if yes.person == person}
    new = [Yes(need.part, person, seats) for need, seats in mine if need.part not in said]
    helping = tuple(yes for yes in new if _helps(all_needs, yeses, yes))
    if helping:
        return helping
    waiting = [need for need, _ in mine if need.part in said and missing(need, yeses)]
    if waiting:
        seat = missing(waiting[0], yeses)[0]
        who = f"{titles.get(seat.role, seat.role)} ({seat.seat})"
        return No("same_person", f"You have said yes already. The other yes has to come from somebody else, of {who}.")
    return No("nothing_missing", "Your yes is there already; what is missing has to come from others.")


def _seats(need: Need, roles: frozenset[str]) -> frozenset[Seat]:
    return frozenset(seated.seat for seated in need.seats if seated.role in roles)


def _helps(all_needs: Sequence[Need], yeses: Sequence[Yes], yes: Yes) -> bool:
    need = next(need for need in all_needs if need.part == yes.part)
    return len(missing(need, [*yeses, yes])) < len(missing(need, yeses))


def decide(
    all_needs: Sequence[Need], governance: str, *, roles: frozenset[str], titles: Mapping[str, str]
) -> Seated | No:
    """By what right the person takes the change back, or proposes it again: a role that it needs, or governance."""
    return _right(_seats_of(all_needs, governance), "decide about this change", roles, titles)


def roll_back(
    policy: Policy, workflows: Iterable[str], *, roles: frozenset[str], titles: Mapping[str, str]
) -> Seated | No:
    """By what right the person puts the policy before in force again: the governance role, or the accountable role of
    a contract that changed."""
    contracts = (policy.workflows[name] for name in sorted(workflows) if name in policy.workflows)
    owners = [Seated(Seat.ACCOUNTABLE, contract.owners.accountable) for contract in contracts]
    governance = Seated(Seat.GOVERNANCE, policy.team.defaults.governance)
    return _right([governance, *owners], "roll this back", roles, titles)


def _seats_of(all_needs: Iterable[Need], governance: str) -> list[Seated]:
    return [Seated(Seat.GOVERNANCE, governance), *(seated for need in all_needs for seated in need.seats)]


def _right(seats: Sequence[Seated], what: str, roles: frozenset[str], titles: Mapping[str, str]) -> Seated | No:
    right = next((seated for seated in seats if seated.role in roles), None)
    return right or No("not_allowed", f"You cannot {what}: {_listed(seats, titles)} can.")


def who_may(all_needs: Iterable[Need], titles: Mapping[str, str]) -> str:
    """The roles whose yes is needed, by their titles."""
    return _listed([seated for need in all_needs for seated in need.seats], titles)


def _listed(seats: Sequence[Seated], titles: Mapping[str, str]) -> str:
    names = list(dict.fromkeys(titles.get(seated.role, seated.role) for seated in seats))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def on_record(all_needs: Iterable[Need]) -> list[dict[str, object]]:
    """The needs as plain data; `read_needs` reads it."""
    return [
        {"part": need.part, "seats": [{"seat": each.seat.value, "role": each.role} for each in need.seats]}
        for need in all_needs
    ]


def read_needs(data: Iterable[Mapping[str, object]]) -> tuple[Need, ...]:
    """What `on_record` gave."""
    return tuple(Need(str(need["part"]), tuple(map(_seated, _dicts(need["seats"])))) for need in data)


def _dicts(value: object) -> list[Mapping[str, object]]:
    assert isinstance(value, list)
    return value


def _seated(data: Mapping[str, object]) -> Seated:
    return Seated(Seat(str(data["seat"])), str(data["role"]))
