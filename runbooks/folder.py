"""A policy folder as it was written: its files parsed, not yet believed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runbooks.shape_faults import Source
from runbooks.suggestions import is_slip
from runbooks.yaml_source import Node

ANY = "*"

RUNBOOK_PLACES = (
    "deliver.runbook",
    "exceptions.*.runbooks.*",
    "exceptions.*.auto_fix.runbook",
    "routing.*.runbooks.*",
    "routing.*.auto_fix.runbook",
    "on_open.*",
    "on_close.*",
)
"""Where a contract names runbooks."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files that could be parsed. Names come from what is written, so that one fault hides no other.

    `team` and `connectors` None: it cannot be parsed, and nothing is known of the names in it. `workflows`,
    `runbooks` and `schemas` hold None for a file that is there and cannot be parsed. `calendars` are .ics texts.
    """

    team: Source | None = None
    connectors: Source | None = None
    workflows: Mapping[str, Source | None] = field(default_factory=dict)
    runbooks: Mapping[str, Source | None] = field(default_factory=dict)
    schemas: Mapping[str, Any] = field(default_factory=dict)
    calendars: Mapping[str, str] = field(default_factory=dict)

    def team_names(self, part: str) -> frozenset[str] | None:
        """The names under `calendars`, `rotas` or `roles`; None if not known."""
        return _keys(self.team, part)

    def connector_names(self) -> frozenset[str] | None:
        """The names of the connectors; None if not known."""
        return _keys(self.connectors, "connectors")

    def contracts(self) -> Iterator[tuple[str, Source]]:
        """The contracts that could be parsed, by name."""
        return ((name, source) for name, source in self.workflows.items() if source)

    def books(self) -> Iterator[tuple[str, Source]]:
        """The runbooks that could be parsed, by name."""
        return ((name, source) for name, source in self.runbooks.items() if source)


def _keys(source: Source | None, part: str) -> frozenset[str] | None:
    if source is None:
        return None
    found = source.root.find(part)
    if found is None and is_misspelt(source.root, part):
        return None
    return frozenset(found.pairs) if found else frozenset()


def is_misspelt(node: Node, key: str) -> bool:
    """True if a mapping has not this key, and one so much like it that it must be meant."""
    return key not in node.pairs and any(is_slip(written, (key,)) for written in node.pairs)


def matching(node: Node, pattern: str) -> Iterator[Node]:
    """The nodes at a path of keys with dots between, in which `*` is each item of a list or a mapping."""
    first, _, rest = pattern.partition(".")
    if first == ANY:
        found = [*node.items, *(value for _, value in node.pairs.values())]
    else:
        found = [node.pairs[first][1]] if first in node.pairs else []
    for item in found:
        yield from matching(item, rest) if rest else (item,)


def texts(node: Node, pattern: str) -> Iterator[Node]:
    """The nodes at a path that hold a string."""
    return (found for found in matching(node, pattern) if found.text is not None)


def runbooks_used(contract: Node) -> Iterator[Node]:
    """Each place of a contract that names a runbook."""
    for pattern in RUNBOOK_PLACES:
        yield from texts(contract, pattern)


def reachable_runbooks(folder: Folder, contract: Node) -> frozenset[str]:
    """The runbooks that a contract names, and those that they run."""
    waiting = [str(node.data) for node in runbooks_used(contract)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        book = folder.runbooks.get(name)
        waiting += [str(node.data) for node in texts(book.root, "steps.*.run")] if book else []
    return frozenset(found)
