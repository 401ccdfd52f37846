"""What changes between two policies, in words for people: part by part, place by place, and whether it breaks
something. Comments, layout and the order of keys are no change."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from runbooks.difference_rules import CONNECTORS, CONTRACT, ORDER, RUNBOOK, TEAM, Delta, Judge, judge
from runbooks.policy import Policy
from runbooks.schema_differences import schema_differences
from runbooks.yaml_source import Node, parse_yaml

TEAM_PART, CONNECTORS_PART, RUNBOOKS_PART, TEMPLATES_PART = "team", "connectors", "runbooks", "templates"
LONGEST_VALUE = 80
_CONTAINERS = frozenset(
    {"exceptions", "routing", "checks", "preconditions", "calendars", "rotas", "roles", "connectors", "sources"}
)
"""Where nothing written and nothing in it are the same."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `part` is `workflow NAME`, team, connectors, runbooks or templates; `path` the place in it;
    `words` what changed, and `why` what that means. `file` and `line` are where to look, in the new folder; for what
    is gone, the nearest place that is left (`file` empty: none is)."""

    part: str
    path: str
    words: str
    why: str
    breaking: bool
    file: str
    line: int


def differences(before: Policy, after: Policy) -> tuple[Change, ...]:
    """Everything that changed, contracts first; of each part what breaks first, then by its place."""
    found = [
        *_contracts(before, after),
        *_yaml(before, after, TEAM_PART, "team.yml", TEAM),
        *_rota_files(before, after),
        *_yaml(before, after, CONNECTORS_PART, "connectors.yml", CONNECTORS),
        *_runbooks(before, after),
        *_templates(before, after),
    ]
    order = {part: place for place, part in enumerate(dict.fromkeys(each.part for each in found))}
    return tuple(sorted(found, key=lambda each: (order[each.part], not each.breaking)))


def workflow_of(part: str) -> str | None:
    """The workflow that a part is about; None for the other parts."""
    return part.removeprefix("workflow ") if part.startswith("workflow ") else None


def part_of(workflow: str) -> str:
    """The part that a workflow's contract is."""
    return f"workflow {workflow}"


def changed_parts(before: Policy, after: Policy) -> frozenset[str]:
    """The parts that are not the same in both, as `Change.part` names them. A contract is another one also where only
    its schema or a runbook that it uses changed."""
    named = {*before.workflows, *after.workflows}
    parts = {part_of(name) for name in named if _digest(before, name) != _digest(after, name)}
    for part, of in ((TEAM_PART, _team), (CONNECTORS_PART, _connectors), (RUNBOOKS_PART, _books)):
        if of(before) != of(after):
            parts.add(part)
    if dict(before.templates) != dict(after.templates):
        parts.add(TEMPLATES_PART)
    return frozenset(parts)


def without_step(before: Policy, after: Policy, changes: tuple[Change, ...]) -> tuple[str, ...]:
    """The workflows whose contract breaks something and whose version is not higher. A contract that is gone has no
    version to raise."""
    broken = {workflow_of(change.part) for change in changes if change.breaking}
    both = sorted(before.workflows.keys() & after.workflows.keys() & broken)
    return tuple(name for name in both if after.workflows[name].version <= before.workflows[name].version)


def is_same_but_rollout(before: Policy, after: Policy, workflow: str) -> bool:
    """Whether a contract that is in both policies differs in nothing but its version and its rollout."""
    old, new = (_without_rollout(policy, workflow) for policy in (before, after))
    return bool(old == new) and _books(before) == _books(after)


def _without_rollout(policy: Policy, workflow: str) -> Any:
    plain = _plain(f"workflows/{workflow}.yml", policy.files) or {}
    schema = policy.event_schemas.get(workflow)
    return {key: it for key, it in plain.items() if key not in ("version", "rollout")}, schema and schema.data


def _digest(policy: Policy, workflow: str) -> str | None:
    contract = policy.workflows.get(workflow)
    return contract.digest if contract else None


def _team(policy: Policy) -> Any:
    calendars = {name: text for name, text in policy.files.items() if name.endswith(".ics")}
    return _plain("team.yml", policy.files), calendars


def _connectors(policy: Policy) -> Any:
    return _plain("connectors.yml", policy.files)


def _books(policy: Policy) -> Any:
    return {name: _plain(name, policy.files) for name in policy.files if name.startswith("runbooks/")}


def _plain(name: str, files: Mapping[str, str]) -> Any:
    return _root(name, files[name]).plain() if name in files else None


@lru_cache(maxsize=256)
def _root(name: str, text: str) -> Node:
    """The file with its places. Shared: nobody changes a node."""
    root, _ = parse_yaml(name, text)
    return root or Node(1, 1, {})


def _contracts(before: Policy, after: Policy) -> Iterator[Change]:
    for name in sorted({*before.workflows, *after.workflows}):
        file, part = f"workflows/{name}.yml", part_of(name)
        if name not in before.workflows:
            yield Change(part, "", f"{name} is a new workflow", "workflow added", False, file, 1)
        elif name not in after.workflows:
            yield Change(part, "", f"{name} is no longer a workflow", "workflow removed", True, "", 1)
        else:
            yield from _yaml(before, after, part, file, CONTRACT)
            yield from _schema(before, after, name)


def _schema(before: Policy, after: Policy, name: str) -> Iterator[Change]:
    old, new = before.event_schemas.get(name), after.event_schemas.get(name)
    trigger = after.workflows[name].trigger
    if old is None or new is None or trigger is None:
        return
    file = f"schemas/{trigger.schema}"
    for found in schema_differences(old.data, new.data):
        line = _line(_root(file, after.files[file]), tuple(map(str, found.path)))
        path = f"{file}#/{'/'.join(map(str, found.path))}"
        yield Change(part_of(name), path, found.words, found.why, found.breaking, file, line)


def _runbooks(before: Policy, after: Policy) -> Iterator[Change]:
    for name in sorted({*before.runbooks, *after.runbooks}):
        file = f"runbooks/{name}.yml"
        if name not in before.runbooks:
            yield Change(RUNBOOKS_PART, name, f"{name} is a new runbook", "runbook added", False, file, 1)
        elif name not in after.runbooks:
            yield Change(RUNBOOKS_PART, name, f"{name} is no longer a runbook", "runbook removed", True, "", 1)
        else:
            for change in _yaml(before, after, RUNBOOKS_PART, file, RUNBOOK):
                yield replace(change, path=f"{name}.{change.path}", words=f"{name}: {change.words}")


def _rota_files(before: Policy, after: Policy) -> Iterator[Change]:
    for name in sorted({*before.files, *after.files}):
        if name.endswith(".ics") and before.files.get(name) != after.files.get(name):
            file = name if name in after.files else ""
            yield Change(TEAM_PART, name, f"{name} names other shifts", "rota changed", True, file, 1)


def _templates(before: Policy, after: Policy) -> Iterator[Change]:
    for name in sorted({*before.templates, *after.templates}):
        if before.templates.get(name) != after.templates.get(name):
            file = f"templates/{name}.j2"
            at = file if name in after.templates else ""
            yield Change(TEMPLATES_PART, name, f"{file}: other wording", "wording changed", False, at, 1)


def _yaml(before: Policy, after: Policy, part: str, file: str, rules: Mapping[str, Judge]) -> Iterator[Change]:
    old, new = before.files.get(file), after.files.get(file)
    if old == new:
        return
    roots = [_root(file, text) if text is not None else Node(1, 1, {}) for text in (old, new)]
    for delta in _deltas(roots[0].plain(), roots[1].plain(), ()):
        meaning = judge(rules, delta)
        path = ".".join(delta.path)
        line, at = _line(roots[1], delta.path), file if new is not None else ""
        yield Change(part, path, _words(path, meaning.why, delta), meaning.why, meaning.breaking, at, line)


def _deltas(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[Delta]:
    """The smallest places that differ. Items of a list that have names are matched by these."""
    if old == new and type(old) is type(new):
        return
    was, now = _inside(old, path), _inside(new, path)
    if was is None or now is None:
        yield Delta(path, old, new)
        return
    for name in [*now, *(name for name in was if name not in now)]:
        yield from _deltas(was.get(name), now.get(name), (*path, name))
    if isinstance(old, list) and [it for it in was if it in now] != [it for it in now if it in was]:
        yield Delta((*path, ORDER), list(was), list(now))


def _inside(value: Any, path: tuple[str, ...]) -> dict[str, Any] | None:
    """What is compared item by item: a mapping, or a list of items with names of their own; None: anything else."""
    if value is None and path and path[-1] in _CONTAINERS:
        return {}
    if isinstance(value, dict):
        return value
    if not isinstance(value, list) or not all(isinstance(it, dict) and isinstance(it.get("name"), str) for it in value):
        return None
    named = {it["name"]: it for it in value}
    return named if len(named) == len(value) else None


def _line(root: Node, path: tuple[str, ...]) -> int:
    """The line of a place, or of the nearest place above it that is there."""
    node, line = root, root.line
    for part in path:
        if part in node.pairs:
            key, node = node.pairs[part]
            line = key.line
        elif found := next((it for it in node.items if (name := it.find("name")) and name.data == part), None):
            node, line = found, found.line
        elif part.isdigit() and int(part) < len(node.items):
            node = node.items[int(part)]
            line = node.line
        else:
            return line
    return line


def _words(path: str, why: str, delta: Delta) -> str:
    if delta.old is None:
        return f"{path}: {why}: {_shown(delta.new)}"
    if delta.new is None:
        return f"{path}: {why}: it was {_shown(delta.old)}"
    return f"{path}: {why}: {_shown(delta.old)} → {_shown(delta.new)}"


def _shown(value: Any) -> str:
    """A value on one line, bounded."""
    if isinstance(value, list) and all(isinstance(it, str) for it in value):
        said = ", ".join(value) or "nothing"
    else:
        said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    said = " ".join(said.split())
    return said if len(said) <= LONGEST_VALUE else f"{said[: LONGEST_VALUE - 1]}…"
