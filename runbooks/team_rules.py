"""What must hold in `team.yml` and `connectors.yml` beyond the shape of each value."""

from collections.abc import Iterator, Sequence

from runbooks.faults import Fault
from runbooks.folder import is_misspelt, matching
from runbooks.runbook import ACTORS
from runbooks.shape_faults import Source, key_at
from runbooks.suggestions import is_slip
from runbooks.yaml_source import Node

RESERVED = (*ACTORS, "asker", "anyone")
_PRIORITIES = ("P1", "P2", "P3", "P4")


def team_rules(source: Source) -> Iterator[Fault]:
    """The faults of `team.yml`."""
    yield from _roles(source)
    yield from _priorities(source)
    yield from _default_ladders(source)
    yield from ladder_rules(source, "defaults.escalation")
    yield from _rotas(source)
    fallback = source.root.find("defaults", "fallback")
    if fallback and not {"email", "webhook"} & set(fallback.pairs):
        yield source.fault(fallback, "this fallback tells nobody", "add email: … or webhook: …")
    if fallback and "webhook" in fallback.pairs and "secret" not in fallback.pairs:
        hint = "add secret: and the name of an environment variable with a secret for Standard Webhooks"
        yield source.fault(fallback.pairs["webhook"][0], "this call would not be signed", hint)


def connector_rules(source: Source) -> Iterator[Fault]:
    """The faults of `connectors.yml`."""
    for auth in matching(source.root, "connectors.*.auth"):
        yield from one_of(source, auth, ("bearer", "basic", "header"), "a way to be known")
    for node in matching(source.root, "sources.*"):
        yield from one_of(source, node, ("token", "secret"), "a credential")


def one_of(source: Source, node: Node, keys: tuple[str, ...], what: str) -> Iterator[Fault]:
    """Exactly one of the keys must be in a mapping."""
    if not isinstance(node.data, dict):
        return
    found = [key for key in keys if key in node.pairs]
    names = f"{', '.join(keys[:-1])} or {keys[-1]}"
    if not found and not any(is_slip(key, keys) for key in node.pairs):
        yield source.fault(node, f"{what} is missing", f"add {names}")
    for key in found[1:]:
        yield source.fault(node.pairs[key][0], f"{key} stands beside {found[0]}", f"keep one of {names}")


def ladder_rules(source: Source, place: str) -> Iterator[Fault]:
    """The ladders of the escalations at a place: steps, `after` and `repeat`."""
    for escalation in matching(source.root, place):
        for key, ladder in escalation.pairs.values():
            if isinstance(ladder.data, list) and not ladder.data:
                yield source.fault(key, "this ladder has no step", "add {to: on_call}, or leave the ladder out")
            for position, step in enumerate(ladder.items):
                yield from _ladder_step(source, step, is_first=position == 0)


def _ladder_step(source: Source, step: Node, *, is_first: bool) -> Iterator[Fault]:
    if not isinstance(step.data, dict):
        return
    repeat = step.find("repeat")
    has_repeat = bool(repeat and repeat.data)
    if not is_first and "after" not in step.pairs:
        yield source.fault(step, "only the first step goes at once", "add after: …, the time since the step before")
    elif is_first and has_repeat and "after" not in step.pairs:
        yield source.fault(step.pairs["repeat"][0], "repeat needs a distance", "add after: …")
    elif is_first and "after" in step.pairs and not has_repeat:
        key = step.pairs["after"][0]
        yield source.fault(key, "the first step goes at once, when the window has passed", "remove after")


def _roles(source: Source) -> Iterator[Fault]:
    roles = source.root.find("roles")
    for name, (key, role) in (roles.pairs if roles else {}).items():
        if name in RESERVED:
            yield source.fault(key, f'"{name}" already means something among roles', "give the role another name")
        if "members" in role.pairs and "usergroup" in role.pairs:
            yield source.fault(role.pairs["usergroup"][0], "usergroup stands beside members", "keep one of the two")
        backup = role.find("backup")
        if backup and backup.data == name:
            yield source.fault(backup, f'"{name}" is its own backup', "name another role")
        yield from written_twice(source, list(matching(role, "members.*")))


def written_twice(source: Source, nodes: list[Node]) -> Iterator[Fault]:
    """A fault for each text of a list that stood in it before."""
    seen: dict[str, int] = {}
    for node in nodes:
        if node.text is not None and node.text in seen:
            hint = f"it stands on line {seen[node.text]} already; remove it"
            yield source.fault(node, f'"{node.text[:80]}" is written twice', hint)
        elif node.text is not None:
            seen[node.text] = node.line


def _priorities(source: Source) -> Iterator[Fault]:
    priorities = source.root.find("defaults", "priorities")
    if not priorities or not isinstance(priorities.data, dict):
        return
    if missing := [name for name in _PRIORITIES if name not in priorities.pairs]:
        key = key_at(source.root, ("defaults", "priorities"))
        hint = f"add {missing[0]}: {{acknowledge: 4bh, resolve: 2bd}}, with your own lengths"
        yield source.fault(key, f"{', '.join(missing)} is missing: every case has both windows", hint)


def _default_ladders(source: Source) -> Iterator[Fault]:
    escalation = source.root.find("defaults", "escalation")
    if not escalation or not isinstance(escalation.data, dict):
        return
    for ladder in ("unacknowledged", "unresolved"):
        if ladder not in escalation.pairs and not is_misspelt(escalation, ladder):
            key = key_at(source.root, ("defaults", "escalation"))
            yield source.fault(key, f"the ladder {ladder} is missing", f"add {ladder}: [{{to: on_call}}]")


def _rotas(source: Source) -> Iterator[Fault]:
    for node in matching(source.root, "rotas.*"):
        own = [key for key in ("timezone", "starts", "every", "people", "layers") if key in node.pairs]
        if "ical" in node.pairs and own:
            hint = "keep ical alone, or write the rota out without it"
            yield source.fault(node.pairs[own[0]][0], f"{own[0]} stands beside ical", hint)
        elif isinstance(node.data, dict) and "ical" not in node.pairs:
            yield from _missing(source, node, own)


def _missing(source: Source, node: Node, own: Sequence[str]) -> Iterator[Fault]:
    for key in ("timezone", "starts", "every", "people"):
        if key not in own:
            yield source.fault(node, f"{key} is missing in this rota", f"add {key}: …, or ical: a file or address")
