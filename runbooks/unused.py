"""Warnings about what nothing in a folder uses."""

from collections.abc import Iterator

from runbooks.cross_checks import CALENDAR, CONNECTOR, ROTA, SCHEMA, Kind, uses
from runbooks.faults import Fault
from runbooks.folder import Folder, reachable_runbooks
from runbooks.shape_faults import Source


def unused(folder: Folder) -> Iterator[Fault]:
    """Runbooks, schemas, connectors, calendars and rotas that are written down and never named."""
    roots = [source.root for _, source in folder.contracts()]
    reached = {name for root in roots for name in reachable_runbooks(folder, root)}
    for name, source in folder.books():
        if name not in reached:
            message = f'no workflow uses the runbook "{name}"'
            yield source.fault(source.root, message, "name it in a workflow, or remove it")
    for name in sorted(set(folder.schemas) - uses(folder, SCHEMA)):
        yield Fault(f"schemas/{name}", 1, 1, "no workflow uses this schema", "name it in a trigger, or remove it")
    yield from _unused_keys(folder, folder.connectors, "connectors", CONNECTOR)
    yield from _unused_keys(folder, folder.team, "calendars", CALENDAR)
    yield from _unused_keys(folder, folder.team, "rotas", ROTA)


def _unused_keys(folder: Folder, source: Source | None, part: str, kind: Kind) -> Iterator[Fault]:
    found = source.root.find(part) if source else None
    used = uses(folder, kind)
    for name, (key, _) in (found.pairs if found else {}).items():
        if source and name not in used:
            message = f'nothing uses the {kind.called} "{name}"'
            yield source.fault(key, message, "name it where it is meant, or remove it")
