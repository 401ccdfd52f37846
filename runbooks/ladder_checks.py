"""Warnings about a team that loads: ladders, roles and modes that can reach nobody."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from runbooks.contracts import Contract, Handling, Mode
from runbooks.faults import Fault
from runbooks.folder import Folder
from runbooks.raised_modes import left_to_default, named_without_route
from runbooks.shape_faults import Loc, Source, key_at
from runbooks.team import LadderStep, Role, Team
from runbooks.yaml_source import Node

_LADDERS = ("unacknowledged", "unresolved")


@dataclass(frozen=True, slots=True)
class _Setting:
    """For which owner a ladder runs, in which contract."""

    owner: str
    contract: Contract


def unreachable(folder: Folder, team: Team, contracts: Mapping[str, Contract]) -> Iterator[Fault]:
    """Steps of ladders that reach nobody new, roles without people, modes whose route reaches nobody."""
    yield from _roles_without_people(folder, team)
    yield from _default_ladders(folder, team, contracts)
    for name, contract in contracts.items():
        source = folder.workflows[name]
        if source:
            yield from _own_ladders(source, team, contract)
            yield from _modes_without_route(source, team, contract)


def people_of(role: Role) -> frozenset[str]:
    """Whom telling a role can reach: its rota (as one), its user group (as one), or else its members."""
    if role.on_call:
        return frozenset({f"rota {role.on_call}"})
    return frozenset({f"group {role.usergroup}"} if role.usergroup else role.members)


def useless_steps(ladder: Sequence[LadderStep], team: Team, settings: Sequence[_Setting]) -> Iterator[int]:
    """The positions of steps that reach nobody new, whatever the owner and the contract."""
    useful: set[int] = set()
    for setting in settings:
        told: frozenset[str] = frozenset()
        for position, step in enumerate(ladder):
            reached = _reached(step.to, team, setting)
            useful |= {position} if reached - told else set()
            told |= reached
    return (position for position in range(len(ladder)) if settings and position not in useful)


def _reached(to: str, team: Team, setting: _Setting) -> frozenset[str]:
    owners = setting.contract.owners
    named = {
        "on_call": setting.owner,
        "backup": team.roles[setting.owner].backup,
        "accountable": owners.accountable,
        "steward": owners.steward,
    }
    role = named.get(to, to)
    return people_of(team.roles[role]) if role else frozenset()


def _default_ladders(folder: Folder, team: Team, contracts: Mapping[str, Contract]) -> Iterator[Fault]:
    for name in _LADDERS:
        settings = [setting for contract in contracts.values() for setting in _without_own(contract, name)]
        ladder: tuple[LadderStep, ...] = getattr(team.defaults.escalation, name)
        if folder.team:
            yield from _useless(folder.team, ("defaults", "escalation", name), useless_steps(ladder, team, settings))


def _without_own(contract: Contract, ladder: str) -> Iterator[_Setting]:
    """The owners for whom the ladder of the defaults holds, the steward always among them."""
    yield _Setting(contract.owners.steward, contract)
    for handling in (*contract.exceptions.values(), *contract.routing):
        if not (handling.escalation and getattr(handling.escalation, ladder)):
            yield _Setting(handling.owner or contract.owners.steward, contract)


def _own_ladders(source: Source, team: Team, contract: Contract) -> Iterator[Fault]:
    for place, handling in _handlings(contract):
        # A rule without an owner leaves it to the mode, which may be any.
        owners = [handling.owner or contract.owners.steward]
        if not isinstance(handling, Mode) and not handling.owner:
            owners += [mode.owner for mode in contract.exceptions.values() if mode.owner]
        for name in _LADDERS:
            ladder = getattr(handling.escalation, name) if handling.escalation else ()
            settings = [_Setting(owner, contract) for owner in owners]
            yield from _useless(source, (*place, "escalation", name), useless_steps(ladder, team, settings))


def _handlings(contract: Contract) -> Iterator[tuple[Loc, Handling]]:
    yield from ((("exceptions", name), mode) for name, mode in contract.exceptions.items())
    yield from ((("routing", position), rule) for position, rule in enumerate(contract.routing))


def _useless(source: Source, place: Loc, positions: Iterator[int]) -> Iterator[Fault]:
    for position in positions:
        node = _at(source.root, (*place, position))
        yield source.fault(node, "this step cannot reach anybody new", "name a role that the steps before do not tell")


def _at(root: Node, place: Loc) -> Node:
    for part in place:
        root = root.items[part] if isinstance(part, int) else root.pairs[part][1]
    return root


def _roles_without_people(folder: Folder, team: Team) -> Iterator[Fault]:
    for name, role in team.roles.items():
        if folder.team and not people_of(role):
            key = key_at(folder.team.root, ("roles", name))
            yield folder.team.fault(key, f'the role "{name}" has no people', "add members, usergroup or on_call")


def unnamed(folder: Folder, contracts: Mapping[str, Contract]) -> Iterator[Fault]:
    """What the machine can report by a contract that leaves it to the defaults."""
    for name, contract in contracts.items():
        source, modes = folder.workflows[name], left_to_default(contract)
        if source and modes:
            yield _no_route(source, modes)


def _no_route(source: Source, modes: Sequence[str]) -> Fault:
    own = source.root.find("exceptions")
    place = key_at(source.root, ("exceptions",)) if own else source.root
    it, goes = ("it", "it goes") if len(modes) == 1 else ("them", "they go")
    message = f"no route for {', '.join(modes)}: {goes} to defaults.unrouted as P3"
    return source.fault(place, message, f"name {it} under exceptions, or other for all that is not named")


def _modes_without_route(source: Source, team: Team, contract: Contract) -> Iterator[Fault]:
    if modes := named_without_route(contract):
        yield _no_route(source, modes)
    for name, mode in contract.exceptions.items():
        owner = mode.owner or contract.owners.steward
        if mode.route == "on_call" and not people_of(team.roles[owner]):
            key = key_at(source.root, ("exceptions", name))
            yield source.fault(
                key, f'route: on_call reaches nobody: "{owner}" has no people', "give it a rota or members"
            )
