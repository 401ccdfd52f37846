"""What must hold in a runbook beyond the shape of each value."""

from collections.abc import Iterator

from runbooks.added_steps import ADDED
from runbooks.contract_rules import requests
from runbooks.faults import Fault
from runbooks.folder import Folder, matching, texts
from runbooks.references import fields_used
from runbooks.runbook import STEP_KINDS
from runbooks.shape_faults import Source
from runbooks.suggestions import suggest
from runbooks.team_rules import one_of, written_twice
from runbooks.yaml_source import Node

_WITHOUT_PATTERN = ("number", "select", "toggle", "date", "user")
_BARE = ("when", "expect", "event")
"""The keys whose values are bare expressions; all other strings are texts with `{{ }}`."""
_TAKE = {
    "timeout": ("request", "replay", "retry_failed", "check", "ask", "run", *ADDED),
    "retry": ("request", "check", *ADDED),
}
"""The kinds of step that wait for an answer, and those whose one request may be made again."""
_INSTEAD = {
    ("timeout", "wait_for"): "write within: … in wait_for",
    ("timeout", "pause"): "write how long it is as its length",
    ("retry", "replay"): "the contract's deliver says how often it is tried; remove it here",
    ("retry", "retry_failed"): "the contract's deliver says how often it is tried; remove it here",
    ("retry", "run"): "write retry beside the steps of that runbook",
    ("retry", "ask"): "a no is an answer; remove it",
}


def runbook_rules(source: Source) -> Iterator[Fault]:
    """The faults of one `runbooks/NAME.yml`."""
    yield from _steps(source)
    yield from _inputs(source)
    yield from _input_names(source)
    yield from _step_names(source)
    yield from written_twice(source, list(matching(source.root, "steps.*.name")))
    for place in ("steps.*.request", "steps.*.undo.request", *(f"steps.*.{name}.request" for name in ADDED)):
        yield from requests(source, place, needs_connector=True)
    count, by = source.root.find("approval", "count"), source.root.find("approval", "by")
    if count and by and by.items and isinstance(count.data, int) and count.data > len(by.items):
        yield source.fault(
            count, f"{count.data} must say yes, and {len(by.items)} roles are asked", "name more roles in by"
        )


def run_cycles(folder: Folder) -> Iterator[Fault]:
    """A runbook that runs itself, by itself or by others, would never end."""
    calls = {name: list(texts(source.root, "steps.*.run")) for name, source in folder.books()}
    for name, source in folder.books():
        for node in calls[name]:
            if path := _path(calls, str(node.data), name):
                way = " → ".join([name, *path])
                yield source.fault(node, f"this runbook runs itself: {way}"[:300], "take one of these steps out")


def _path(calls: dict[str, list[Node]], start: str, goal: str) -> list[str]:
    """The way from one runbook to another, both named; empty if there is none."""
    waiting, seen = [[start]], {start}
    while waiting:
        path = waiting.pop(0)
        if path[-1] == goal:
            return path
        for name in (str(node.data) for node in calls.get(path[-1], [])):
            if name not in seen:
                seen.add(name)
                waiting.append([*path, name])
    return []


def _steps(source: Source) -> Iterator[Fault]:
    for step in matching(source.root, "steps.*"):
        yield from one_of(source, step, STEP_KINDS, "what the step does")
        if "expect" in step.pairs and not {"request", *ADDED} & set(step.pairs):
            yield source.fault(
                step.pairs["expect"][0], "expect stands beside a request only", "write when: … or add a request"
            )
        yield from _beside(source, step)
        for wait in matching(step, "wait_for"):
            yield from one_of(source, wait, ("outcome", "event"), "what to wait for")
        for assign in matching(step, "assign"):
            yield from one_of(source, assign, ("role", "user"), "to whom")
        changes = step.find("replay", "set")
        if changes and not isinstance(changes.data, dict):
            yield source.fault(changes, "set is a mapping of fields to values", "write set: {field: value}")


def _beside(source: Source, step: Node) -> Iterator[Fault]:
    """A key that its kind could not heed would be a promise that nobody keeps."""
    kind = next((each for each in STEP_KINDS if each in step.pairs), None)
    for key, kinds in _TAKE.items():
        if kind and key in step.pairs and kind not in kinds:
            hint = _INSTEAD.get((key, kind), "remove it, or write it beside a request")
            yield source.fault(step.pairs[key][0], f"{key} does nothing beside {kind}", hint)


def _inputs(source: Source) -> Iterator[Fault]:
    for node in matching(source.root, "inputs.*"):
        kind = node.find("type")
        type_ = kind.data if kind else "text"
        yield from _options(source, node, is_select=type_ == "select")
        if "pattern" in node.pairs and type_ in _WITHOUT_PATTERN:
            yield source.fault(node.pairs["pattern"][0], f"a pattern is for text, and this is {type_}", "remove it")
        default = node.find("default")
        if default:
            yield from _default(source, node, default, str(type_))


def _options(source: Source, node: Node, *, is_select: bool) -> Iterator[Fault]:
    options = node.find("options")
    if is_select and not (options and options.items):
        yield source.fault(node, "a select needs options", "add options: [one, two]")
    if options and not is_select:
        yield source.fault(node.pairs["options"][0], "options are for type: select", "add type: select, or remove them")
    if options:
        yield from written_twice(source, options.items)


def _default(source: Source, node: Node, default: Node, kind: str) -> Iterator[Fault]:
    """A default that is written out must be one that a person could give."""
    text = default.text
    if text is not None and "{{" in text:
        return
    options = [option.text for option in matching(node, "options.*") if option.text]
    if kind == "toggle" and not isinstance(default.data, bool):
        yield source.fault(default, "a toggle is true or false", "write true or false, without quotes")
    elif kind == "number" and (isinstance(default.data, bool) or not isinstance(default.data, int | float)):
        yield source.fault(default, "the default of a number is a number", "write digits without quotes")
    elif kind == "select" and text is not None and options and text not in options:
        yield source.fault(default, f'"{text[:80]}" is not among the options', suggest(text, options))


def _input_names(source: Source) -> Iterator[Fault]:
    inputs = source.root.find("inputs")
    known = set(inputs.pairs) if inputs else set()
    for node, text in _texts(source.root):
        yield from _unknown(source, node, text, ("inputs", known, "input"))


def _step_names(source: Source) -> Iterator[Fault]:
    """`steps.NAME` is what an earlier step got; an undo, which runs after its step, sees that one as well."""
    earlier: set[str] = set()
    for step in matching(source.root, "steps.*"):
        name = step.find("name")
        with_own = earlier | ({name.text} if name and name.text else set())
        for key, (_, value) in step.pairs.items():
            known = with_own if key == "undo" else earlier
            for node, text in _texts(value, key):
                yield from _unknown(source, node, text, ("steps", known, "earlier step"))
        earlier = with_own


def _unknown(source: Source, node: Node, text: str, wanted: tuple[str, set[str], str]) -> Iterator[Fault]:
    root, known, called = wanted
    for field, offset in fields_used(text, root):
        if field not in known:
            shift = 3 if text != node.text else 0
            in_text = node.text_column is not None and offset is not None
            column = (node.text_column or 0) + (offset or 0) - shift if in_text else node.column
            hint = suggest(field, known, f"there is no {called}")
            yield Fault(source.file, node.line, column, f'there is no {called} "{field[:80]}"', hint)


def _texts(node: Node, key: str = "") -> Iterator[tuple[Node, str]]:
    """Each string below a node as a text with `{{ }}`; bare expressions are put into braces."""
    if node.text is not None:
        yield node, "{{ " + node.text + " }}" if key in _BARE else node.text
    for item in node.items:
        yield from _texts(item, key)
    for name, (key_node, value) in node.pairs.items():
        if key_node.text is not None:
            yield key_node, key_node.text
        yield from _texts(value, name)
