"""Warnings about a team that loads: contracts whose change nobody could ever say yes to."""

from collections.abc import Iterator, Mapping

from runbooks.contracts import Contract
from runbooks.faults import Fault
from runbooks.folder import Folder
from runbooks.rotas import Rota
from runbooks.shape_faults import key_at
from runbooks.team import Role, Team


def never_passed(folder: Folder, team: Team, contracts: Mapping[str, Contract]) -> Iterator[Fault]:
    """The change gate takes two people, and the two roles of the contract are one and the same only person."""
    for name, contract in contracts.items():
        source, owners = folder.workflows[name], contract.owners
        if source and contract.is_gated and _is_one_person(team, owners.accountable, owners.steward):
            message = "no change of this contract can ever be approved: its two owners are one and the same person"
            roles = " or ".join(f'"{role}"' for role in dict.fromkeys((owners.accountable, owners.steward)))
            hint = f"add somebody to {roles}, or write change_gate: false"
            yield source.fault(key_at(source.root, ("owners",)), message, hint)


def _is_one_person(team: Team, *roles: str) -> bool:
    known = [_people(team, team.roles[role]) for role in roles]
    return all(known) and len(frozenset().union(*(people or () for people in known))) == 1


def _people(team: Team, role: Role) -> frozenset[str] | None:
    """Who can be in the role; None where only Slack or a calendar knows."""
    rota = team.rotas[role.on_call] if role.on_call else None
    if role.usergroup or not (rota is None or isinstance(rota, Rota)):
        return None
    on_call = (person for layer in rota.layers for person in layer.people) if rota else ()
    return frozenset((*role.members, *on_call))
