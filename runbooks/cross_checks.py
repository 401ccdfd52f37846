"""Names that are used must exist: roles, calendars, rotas, connectors, schemas, workflows, runbooks, modes, checks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runbooks.added_steps import ADDED
from runbooks.contracts import MACHINE_MODES, OTHER
from runbooks.faults import Fault
from runbooks.folder import RUNBOOK_PLACES, Folder, is_misspelt, reachable_runbooks, texts
from runbooks.runbook import ACTORS
from runbooks.shape_faults import Source
from runbooks.suggestions import nearest, suggest

Names = frozenset[str]
LADDER_TARGETS = frozenset(ACTORS) - {"owner"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of name: what it is called, and which names there are (None: not known, so nothing is said)."""

    called: str
    names: Callable[[Folder, Source], Names | None]
    none_yet: str = "there is none yet"


def _with(extra: Names) -> Callable[[Folder, Source], Names | None]:
    def names(folder: Folder, source: Source) -> Names | None:
        roles = folder.team_names("roles")
        return None if roles is None else roles | extra

    return names


def modes_of(source: Source) -> Names:
    """The failure modes that a contract knows: the machine's and its own."""
    own = source.root.find("exceptions")
    return frozenset((*MACHINE_MODES, OTHER, *(own.pairs if own else ())))


CALENDAR = Kind("calendar", lambda folder, source: folder.team_names("calendars"), "team.yml has no calendars")
ROTA = Kind("rota", lambda folder, source: folder.team_names("rotas"), "team.yml has no rotas")
ROLE = Kind("role", _with(frozenset()), "team.yml has no roles")
TARGET = Kind("role", _with(LADDER_TARGETS))
ACTOR = Kind("role", _with(frozenset(ACTORS)))
ALLOWED = Kind("role", _with(frozenset((*ACTORS, "anyone"))))
TOLD = Kind("role", _with(frozenset((*ACTORS, "asker"))))
CONNECTOR = Kind("connector", lambda folder, source: folder.connector_names(), "write it in connectors.yml")
SCHEMA = Kind("schema", lambda folder, source: frozenset(folder.schemas), "put it in schemas/")
WORKFLOW = Kind("workflow", lambda folder, source: frozenset(folder.workflows), "put it in workflows/")
RUNBOOK = Kind("runbook", lambda folder, source: frozenset(folder.runbooks), "put it in runbooks/")
MODE = Kind("failure mode", lambda folder, source: modes_of(source))
MODE_OR_IGNORE = Kind("failure mode", lambda folder, source: modes_of(source) | {"ignore"})

_TEAM = {
    "roles.*.calendar": CALENDAR,
    "roles.*.on_call": ROTA,
    "roles.*.backup": ROLE,
    "defaults.unrouted": ROLE,
    "defaults.governance": ROLE,
    "defaults.thread_workflow": WORKFLOW,
    "defaults.escalation.*.*.to": TARGET,
}
_CONNECTORS = {"sources.*.workflows.*": WORKFLOW}
_CONTRACT = {
    "owners.*": ROLE,
    "source_of_record": CONNECTOR,
    "trigger.schema": SCHEMA,
    "preconditions.*.otherwise": MODE_OR_IGNORE,
    "deliver.connector": CONNECTOR,
    "deliver.request.connector": CONNECTOR,
    "deliver.*.request.connector": CONNECTOR,
    "freshness.calendar": CALENDAR,
    "census.calendar": CALENDAR,
    "census.request.connector": CONNECTOR,
    "exceptions.*.owner": ROLE,
    "exceptions.*.escalation.*.*.to": TARGET,
    "routing.*.owner": ROLE,
    "routing.*.escalation.*.*.to": TARGET,
    "checks.*.for.*": MODE,
    "checks.*.request.connector": CONNECTOR,
    **dict.fromkeys(RUNBOOK_PLACES, RUNBOOK),
}
_RUNBOOK = {
    "allow.*": ALLOWED,
    "approval.by.*": ACTOR,
    "steps.*.request.connector": CONNECTOR,
    "steps.*.undo.request.connector": CONNECTOR,
    "steps.*.notify.to": TOLD,
    "steps.*.ask.who": TOLD,
    "steps.*.assign.role": ACTOR,
    "steps.*.run": RUNBOOK,
    **{f"steps.*.{name}.connector": CONNECTOR for name in ADDED},
    **{f"steps.*.{name}.request.connector": CONNECTOR for name in ADDED},
}


def unknown_names(folder: Folder) -> Iterator[Fault]:
    """A fault for each name that is used and does not exist."""
    if folder.team:
        yield from _unknown(folder, folder.team, _TEAM)
    if folder.connectors:
        yield from _unknown(folder, folder.connectors, _CONNECTORS)
    for _, source in folder.contracts():
        yield from _unknown(folder, source, _CONTRACT)
        yield from _misspelt_modes(source)
    for name, source in folder.books():
        yield from _unknown(folder, source, _RUNBOOK)
        yield from _unknown_checks(folder, name, source)


def uses(folder: Folder, kind: Kind) -> frozenset[str]:
    """The names of a kind that are used anywhere."""
    files = [(folder.team, _TEAM), (folder.connectors, _CONNECTORS)]
    files += [(source, _CONTRACT) for _, source in folder.contracts()]
    files += [(source, _RUNBOOK) for _, source in folder.books()]
    places = ((source, pattern) for source, table in files for pattern, used in table.items() if used is kind)
    return frozenset(str(node.data) for source, pattern in places if source for node in texts(source.root, pattern))


def _unknown(folder: Folder, source: Source, places: dict[str, Kind]) -> Iterator[Fault]:
    for pattern, kind in places.items():
        known = kind.names(folder, source)
        for node in texts(source.root, pattern):
            if known is not None and node.data not in known:
                word = str(node.data)
                message = f'there is no {kind.called} "{word[:80]}"'
                yield source.fault(node, message, suggest(word, known, kind.none_yet))


def _misspelt_modes(source: Source) -> Iterator[Fault]:
    """A mode of a company's own that is one slip away from one of the machine's is that one, misspelt."""
    own = source.root.find("exceptions")
    for name, (key, _) in (own.pairs if own else {}).items():
        near = nearest(name, (*MACHINE_MODES, OTHER), cutoff=0.88)
        if near and near != name:
            message = f'"{name}" is one slip away from the failure mode "{near}"'
            yield source.fault(key, message, f'did you mean "{near}"? Else give it a name of its own')


def _unknown_checks(folder: Folder, name: str, source: Source) -> Iterator[Fault]:
    """A step's check must be there in each contract that uses the runbook, by itself or by another one."""
    for node in texts(source.root, "steps.*.check"):
        for workflow, contract in folder.contracts():
            if name not in reachable_runbooks(folder, contract.root) or is_misspelt(contract.root, "checks"):
                continue
            known = {str(check.data) for check in texts(contract.root, "checks.*.name")}
            if node.data not in known:
                message = f'workflow "{workflow}" uses this runbook and has no check "{str(node.data)[:80]}"'
                yield source.fault(node, message, suggest(str(node.data), known, "it has no checks"))
