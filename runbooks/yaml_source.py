"""YAML 1.2 with the core schema only, each node with its place, in bounded time and memory.

The types are those of YAML 1.2's core schema (section 10.3): `NO`, `09:00` and `2026-12-24` are texts. The
parser is ruamel.yaml's event stream; nothing of a file is ever constructed as a Python object of its choice.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from runbooks.faults import Fault
from runbooks.yaml_words import in_plain_words

Scalar: TypeAlias = "str | bool | int | float | None"

MAX_CHARACTERS = 256 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
"""Counted after aliases are put in, so that a small file cannot become a large one."""

MAX_INTEGER = 2**53 - 1
"""The largest that JSON carries exactly (RFC 8785 refuses what is beyond)."""

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters and halves of characters: no text needs them, and databases and JSON refuse them."""

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_CORE = "tag:yaml.org,2002:"


@dataclass(slots=True, eq=False)
class Node:
    """One node of a file. `data` is a scalar, a list of nodes, or a mapping of key text to its two nodes.

    `line` and `column` count from 1. `text_column` is where the text of a scalar begins if it stands on one
    line as it is, so that a place inside it can be named; else None.
    """

    line: int
    column: int
    data: "Scalar | list[Node] | dict[str, tuple[Node, Node]]"
    text_column: int | None = None
    weight: int = 1

    @property
    def items(self) -> "list[Node]":
        """The nodes of a list; none if it is something else."""
        return self.data if isinstance(self.data, list) else []

    @property
    def pairs(self) -> "dict[str, tuple[Node, Node]]":
        """The pairs of a mapping; none if it is something else."""
        return self.data if isinstance(self.data, dict) else {}

    @property
    def text(self) -> str | None:
        """The text of a string; None if it is something else."""
        return self.data if isinstance(self.data, str) else None

    def find(self, *path: str) -> "Node | None":
        """The value under these keys; None where one is missing."""
        node: Node | None = self
        for key in path:
            node = node.pairs[key][1] if node and key in node.pairs else None
        return node

    def plain(self) -> Any:
        """The data without places: what a loader would have given."""
        if isinstance(self.data, list):
            return [item.plain() for item in self.data]
        if isinstance(self.data, dict):
            return {key: value.plain() for key, (_, value) in self.data.items()}
        return self.data


def parse_yaml(file: str, text: str) -> tuple[Node | None, list[Fault]]:
    """Read one document. The node is None if its syntax is broken or a limit is passed; then there is a fault.

    Faults that leave the rest readable (a key written twice, a tag) are told together.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_CHARACTERS:
        return None, [Fault(file, 1, 1, f"is longer than {MAX_CHARACTERS} characters", "split it")]
    composer = _Composer(file, text.splitlines())
    try:
        return composer.document(YAML(typ="safe", pure=True).parse(text)), composer.faults
    except _StopError as stop:
        return None, [*composer.faults, stop.fault]
    except MarkedYAMLError as error:
        return None, [*composer.faults, _of_syntax(file, error, composer.lines)]
    except Exception as error:  # the scanner lets errors of chr() and int() through, and has no list of them
        return None, [*composer.faults, _unreadable(file, text, error)]


class _StopError(Exception):
    def __init__(self, fault: Fault) -> None:
        self.fault = fault


def _of_syntax(file: str, error: MarkedYAMLError, lines: list[str]) -> Fault:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    message, hint = in_plain_words(error, lines, (line, column))
    return Fault(file, line, column, message, hint)


def _unreadable(file: str, text: str, error: Exception) -> Fault:
    position = getattr(error, "position", None)
    if isinstance(position, int) and 0 <= position < len(text):
        before = text[:position]
        line, column = before.count("\n") + 1, position - before.rfind("\n")
        return Fault(file, line, column, f"the character {text[position]!r} may not stand here", "remove it")
    return Fault(file, 1, 1, "cannot be read as YAML", "look for escapes such as \\U that name no character")


@dataclass(slots=True)
class _Composer:
    file: str
    lines: list[str]
    faults: list[Fault] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)
    nodes: int = 0

    def document(self, events: Iterator[Any]) -> Node | None:
        found: Node | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if found:
                    self.stop(event, "a second document begins here", "keep one document in a file; remove the ---")
                found = self.node(next(events), events, 0)
        return found

    def stop(self, event: Any, message: str, hint: str | None) -> None:
        raise _StopError(Fault(self.file, *_place(event), message, hint))

    def blame(self, event: Any, message: str, hint: str | None) -> None:
        if len(self.faults) < 100:
            self.faults.append(Fault(self.file, *_place(event), message, hint))

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.stop(event, f"is nested deeper than {MAX_DEPTH} levels", "make it flatter")
        if isinstance(event, AliasEvent):
            return self.alias(event)
        node = Node(*_place(event), None)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.count(event, 1)
        self.fill(node, event, events, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def fill(self, node: Node, event: Any, events: Iterator[Any], depth: int) -> None:
        if isinstance(event, ScalarEvent):
            self.scalar(node, event)
        elif isinstance(event, SequenceStartEvent):
            self.check_tag(event, "seq")
            node.data = [self.node(item, events, depth + 1) for item in _until(events, SequenceEndEvent)]
            node.weight += sum(item.weight for item in node.data)
        elif isinstance(event, MappingStartEvent):
            self.check_tag(event, "map")
            self.mapping(node, events, depth)

    def alias(self, event: AliasEvent) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            known = event.anchor in self.anchors
            message = (
                f"*{event.anchor} is inside itself" if known else f"there is no anchor &{event.anchor} before this"
            )
            self.stop(
                event, message, "write the value out here" if known else "put quotes around a text that begins with *"
            )
        assert node is not None
        self.count(event, node.weight)
        return node

    def count(self, event: Any, weight: int) -> None:
        self.nodes += weight
        if self.nodes > MAX_NODES:
            self.stop(event, f"holds more than {MAX_NODES} values, aliases counted", "use fewer aliases, or split it")

    def mapping(self, node: Node, events: Iterator[Any], depth: int) -> None:
        pairs: dict[str, tuple[Node, Node]] = {}
        for event in _until(events, MappingEndEvent):
            key = self.node(event, events, depth + 1)
            value = self.node(next(events), events, depth + 1)
            node.weight += key.weight + value.weight
            name = self.key(key, event)
            if name in pairs:
                first = pairs[name][0].line
                self.blame(event, f'"{name}" is written twice', f"it stands on line {first} already; keep one of them")
            elif name is not None:
                pairs[name] = (key, value)
        node.data = pairs

    def key(self, key: Node, event: Any) -> str | None:
        if isinstance(key.data, list | dict):
            self.blame(event, "a key must be a text", 'put quotes around a text with braces: "{{ event.id }}"')
            return None
        return event.value if isinstance(event, ScalarEvent) else key.text

    def scalar(self, node: Node, event: ScalarEvent) -> None:
        text: str = event.value
        node.data = text
        node.text_column = self.text_column(node, text, event.style)
        tag = event.tag
        if found := FORBIDDEN.search(text):
            self.blame(event, f"the character U+{ord(found[0]):04X} may not stand in a text", "remove it")
        if tag and tag != _CORE + "str" and tag != "!":
            self.blame(event, f"the tag {tag.replace(_CORE, '!!')} is not allowed", "remove it; plain values only")
        elif not tag and event.style is None:
            node.data = self.resolve(text, event)

    def resolve(self, text: str, event: ScalarEvent) -> Scalar:
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            return self.integer(text, event)
        if _NOT_FINITE.fullmatch(text) or (_FLOAT.fullmatch(text) and not math.isfinite(float(text))):
            self.blame(event, f"{text[:40]} is not a finite number", "write a number, or put quotes around a text")
            return text
        return float(text) if _FLOAT.fullmatch(text) else text

    def integer(self, text: str, event: ScalarEvent) -> Scalar:
        number = int(text, {"0o": 8, "0x": 16}.get(text[:2], 10)) if len(text) <= 24 else MAX_INTEGER + 1
        if abs(number) > MAX_INTEGER:
            self.blame(event, f"{text[:40]} is too large a number", "put quotes around it if it is an id")
        return number

    def text_column(self, node: Node, text: str, style: str | None) -> int | None:
        if style not in (None, "'", '"') or node.line > len(self.lines):
            return None
        start = node.column - 1 + (style is not None)
        return start + 1 if self.lines[node.line - 1].startswith(text, start) else None

    def check_tag(self, event: Any, core: str) -> None:
        if event.tag and event.tag != _CORE + core:
            shown = event.tag.replace(_CORE, "!!")
            self.blame(event, f"the tag {shown} is not allowed", "remove it; plain values only")


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _until(events: Iterator[Any], end: type) -> Iterator[Any]:
    for event in events:
        if isinstance(event, end):
            return
        yield event
