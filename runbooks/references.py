"""What an expression or a text refers to, read from its syntax: which roots, and which fields of a root."""

import re
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment, TemplateError, nodes

_PARSER = Environment(autoescape=True)


def root_used(expression: str, root: str) -> bool:
    """True if a bare expression names the root."""
    return any(name.name == root for name in _names("{{ " + expression + " }}"))


def fields_used(text: str, root: str) -> Iterator[tuple[str, int | None]]:
    """Each `root.FIELD` and `root['FIELD']` in a text with `{{ }}`, with its offset where it can be told."""
    for node in _found(text, (nodes.Getattr, nodes.Getitem)):
        base = node.node
        if isinstance(base, nodes.Name) and base.name == root and (field := _field(node)):
            place = re.search(rf"\b{root}\s*(\.\s*|\[\s*['\"])({re.escape(field)})\b", text)
            yield field, place.start(2) if place else None


def _field(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    argument = node.arg if isinstance(node, nodes.Getitem) else None
    return argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else None


def _names(text: str) -> Iterator[nodes.Name]:
    yield from _found(text, (nodes.Name,))


def _found(text: str, kinds: tuple[type[nodes.Node], ...]) -> list[Any]:
    """The nodes of some kinds; none where the text does not parse, which is told elsewhere."""
    if "{{" not in text:
        return []
    try:
        return list(_PARSER.parse(text).find_all(kinds))
    except (TemplateError, RecursionError, ValueError):
        return []
