"""A condition in the words of people, as far as it has such words."""

from collections.abc import Mapping

from jinja2 import nodes

from runbooks.mentions import path_from
from runbooks.syntax import parse

_COMPARED = {
    "eq": "is",
    "ne": "is not",
    "gt": "is over",
    "gteq": "is at least",
    "lt": "is under",
    "lteq": "is at most",
    "in": "is one of",
    "notin": "is none of",
}
_LONGEST_LIST = 8


def in_words(source: str, labels: Mapping[str, str]) -> str | None:
    """When the condition holds, as what follows "when": `amount_cents is at least 50,000`. Inputs go by their `labels`,
    the case and the event by the names of their fields. None where there are no plain words for it: more than
    comparisons with values that are written there, joined by one word."""
    return _said(parse(source), labels)


def _said(node: nodes.Node, labels: Mapping[str, str]) -> str | None:
    match node:
        case nodes.And(left=left, right=right):
            return _joined("and", nodes.Or, (left, right), labels)
        case nodes.Or(left=left, right=right):
            return _joined("or", nodes.And, (left, right), labels)
        case nodes.Compare(expr=left, ops=[nodes.Operand(op=op, expr=right)]):
            value = _listed(right) if op in ("in", "notin") else _value(right)
            return _about(left, labels, f"{_COMPARED[op]} {value}") if value else None
        case nodes.Test(node=inner, name="defined"):
            return _about(inner, labels, "is there")
        case nodes.Not(node=nodes.Test(node=inner, name="defined")):
            return _about(inner, labels, "is missing")
        case nodes.Not(node=inner):
            return _about(inner, labels, "is no")
    return _about(node, labels, "is yes")


def _joined(
    word: str, other: type[nodes.Node], sides: tuple[nodes.Node, nodes.Node], labels: Mapping[str, str]
) -> str | None:
    """Where both words stand, nobody hears which of them binds."""
    said = [None if isinstance(side, other) else _said(side, labels) for side in sides]
    return f" {word} ".join(filter(None, said)) if all(said) else None


def _about(node: nodes.Node, labels: Mapping[str, str], says: str) -> str | None:
    """The name of what is looked at, and what is said of it."""
    name = path_from(node, "inputs")
    if name and len(name) == 1:
        return f'"{labels.get(name[0], name[0])}" {says}'
    if about := path_from(node, "case"):
        return f"the case's {' '.join(about).replace('_', ' ')} {says}"
    if about := path_from(node, "event"):
        return f"{'.'.join(about)} {says}"
    return None


def _value(node: nodes.Node) -> str:
    """A value that is written there; "" for what is not one."""
    match node:
        case nodes.Const(value=bool(value)):
            return "yes" if value else "no"
        case nodes.Const(value=int() | float() as value):
            return f"{value:,}"
        case nodes.Const(value=str(value)):
            return value
        case nodes.Neg(node=nodes.Const(value=int() | float() as value)):
            return f"-{value:,}"
    return ""


def _listed(node: nodes.Node) -> str:
    values = [_value(item) for item in node.items] if isinstance(node, nodes.List | nodes.Tuple) else []
    return ", ".join(values) if values and all(values) and len(values) <= _LONGEST_LIST else ""
