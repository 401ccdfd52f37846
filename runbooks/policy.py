"""The policy folder as one value: load it, or be told everything that is wrong with it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from runbooks.connectors import Connector, Source
from runbooks.contract_rules import contract_rules, shared_threads
from runbooks.contracts import Contract, ContractShape
from runbooks.cross_checks import unknown_names
from runbooks.faults import Fault, PolicyFaults
from runbooks.files import ConnectorsFile, calendar_files, fields_of, read_team
from runbooks.folder import Folder, reachable_runbooks
from runbooks.gate_checks import never_passed
from runbooks.general_rules import general_rules
from runbooks.ladder_checks import unnamed, unreachable
from runbooks.parsing import parse_folder
from runbooks.reading import read_folder
from runbooks.runbook import Runbook
from runbooks.runbook_rules import run_cycles, runbook_rules
from runbooks.shape_faults import MOST_FAULTS, read_shape
from runbooks.shape_faults import Source as File
from runbooks.team import Team
from runbooks.team_rules import connector_rules, team_rules
from runbooks.unasked_rules import unasked_rules
from runbooks.unused import unused
from runbooks.validation import EventSchema

__all__ = ["Fault", "Policy", "PolicyFaults", "digest_of", "load", "read_folder"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole folder, in which every name that is used exists.

    `files` is what it was loaded from, `digest` its digest_of. `warnings` are what can hardly be meant, `notes` what is
    left to the defaults; those of both after which somebody may hear of no case, or a change gets no yes, are
    `dead_ends`. All are sorted by place. `event_schemas` are those of the workflows that have a trigger, by workflow.
    """

    digest: str
    team: Team
    connectors: Mapping[str, Connector]
    sources: Mapping[str, Source]
    workflows: Mapping[str, Contract]
    event_schemas: Mapping[str, EventSchema]
    runbooks: Mapping[str, Runbook]
    templates: Mapping[str, str]
    files: Mapping[str, str]
    warnings: tuple[Fault, ...]
    notes: tuple[Fault, ...]
    dead_ends: tuple[Fault, ...]


def load(files: Mapping[str, str]) -> Policy:
    """Load a policy from the texts of its files, by their paths in the folder.

    Reads nothing else: no disk, no environment, no clock. Raises PolicyFaults with all faults of all files at
    once (the first hundred of a kind in a file); nothing is loaded in part.
    """
    folder, unparsed = parse_folder(files)
    parts, misshapen = _Parts.read(folder)
    faults = {*unparsed, *_rule_faults(folder, files), *_on_other_lines(misshapen, unparsed)}
    if faults or parts is None:
        raise PolicyFaults(tuple(sorted(faults, key=_place)))
    return _policy(folder, files, parts)


def _on_other_lines(faults: list[Fault], than: list[Fault]) -> Iterator[Fault]:
    """What YAML finds wrong with a line explains what is wrong with the values on it."""
    lines = {(fault.file, fault.line) for fault in than}
    return (fault for fault in faults if (fault.file, fault.line) not in lines)


def digest_of(files: Mapping[str, str]) -> str:
    """SHA-256 in hex over paths and texts, in an order of their own; how lines end does not count."""
    texts = sorted((name, text.removeprefix("\ufeff").replace("\r\n", "\n")) for name, text in files.items())
    return _sha256(texts)


def _sha256(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _place(fault: Fault) -> tuple[str, int, int, str]:
    return fault.file, fault.line, fault.column, fault.message


@dataclass(frozen=True, slots=True)
class _Parts:
    team: Team
    connectors: ConnectorsFile
    contracts: Mapping[str, ContractShape]
    runbooks: Mapping[str, Runbook]

    @classmethod
    def read(cls, folder: Folder) -> "tuple[_Parts | None, list[Fault]]":
        """The shapes of all files, or the faults of all of them; None as well if a file could not be parsed."""
        team, faults = read_team(folder)
        connectors = _read(folder.connectors, ConnectorsFile, faults)
        contracts = {name: _read(source, ContractShape, faults) for name, source in folder.workflows.items()}
        books = {name: _read(source, Runbook, faults) for name, source in folder.runbooks.items()}
        whole = [{name: part for name, part in parts.items() if part} for parts in (contracts, books)]
        if faults or team is None or connectors is None:
            return None, faults
        return cls(team, connectors, whole[0], whole[1]), faults


def _read(source: File | None, shape: type[Any], faults: list[Fault]) -> Any:
    if source is None:
        return None
    value, found = read_shape(source, shape)
    faults += found
    return value


def _rule_faults(folder: Folder, files: Mapping[str, str]) -> list[Fault]:
    faults: list[Fault] = []
    for rule in _rules(folder, files):
        faults += islice(rule, MOST_FAULTS)
    return faults


def _rules(folder: Folder, files: Mapping[str, str]) -> Iterator[Iterable[Fault]]:
    yield general_rules(folder, files)
    yield unknown_names(folder)
    yield run_cycles(folder)
    yield unasked_rules(folder)
    yield shared_threads(folder)
    yield calendar_files(folder)
    yield from ([team_rules(folder.team)] if folder.team else [])
    yield from ([connector_rules(folder.connectors)] if folder.connectors else [])
    yield from (contract_rules(source, folder.schemas) for _, source in folder.contracts())
    yield from (runbook_rules(source) for _, source in folder.books())


def _policy(folder: Folder, files: Mapping[str, str], parts: _Parts) -> Policy:
    contracts = {name: _contract(folder, name, shape) for name, shape in parts.contracts.items()}
    stopped = [*unreachable(folder, parts.team, contracts), *never_passed(folder, parts.team, contracts)]
    warnings, notes = [*stopped, *unused(folder)], list(unnamed(folder, contracts))
    return Policy(
        digest=digest_of(files),
        team=parts.team,
        connectors={name: Connector(name=name, **fields_of(it)) for name, it in parts.connectors.connectors.items()},
        sources={name: Source(name=name, **fields_of(it)) for name, it in parts.connectors.sources.items()},
        workflows=contracts,
        event_schemas=_event_schemas(folder, contracts),
        runbooks=parts.runbooks,
        templates={_stem(name): text for name, text in files.items() if name.startswith("templates/")},
        files=dict(files),
        warnings=tuple(sorted(warnings, key=_place)),
        notes=tuple(sorted(notes, key=_place)),
        dead_ends=tuple(sorted([*stopped, *notes], key=_place)),
    )


def _event_schemas(folder: Folder, contracts: Mapping[str, Contract]) -> dict[str, EventSchema]:
    """The schema of each trigger, compiled once for each file."""
    named = {name: contract.trigger.schema for name, contract in contracts.items() if contract.trigger}
    compiled = {file: EventSchema(folder.schemas[file]) for file in set(named.values())}
    return {name: compiled[file] for name, file in named.items()}


def _stem(name: str) -> str:
    return name.removeprefix("templates/").removesuffix(".j2")


def _contract(folder: Folder, name: str, shape: ContractShape) -> Contract:
    """The contract, with a digest of all that it says and uses."""
    source = folder.workflows[name]
    assert source is not None
    books = [(used, folder.runbooks[used]) for used in sorted(reachable_runbooks(folder, source.root))]
    schema = folder.schemas[shape.trigger.schema] if shape.trigger else None
    used = [source.root.plain(), schema, [(name, book.root.plain()) for name, book in books if book]]
    return Contract(digest=_sha256(used), **fields_of(shape))
