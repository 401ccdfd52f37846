"""Which data an expression speaks of, whatever they are."""

from collections.abc import Iterator

from jinja2 import nodes

from runbooks.syntax import parse


def mentioned(source: str, root: str) -> tuple[tuple[str, ...], ...]:
    """The paths of names that the expression follows from a root, each once, in the order in which they stand."""
    return tuple(dict.fromkeys(_paths(parse(source), root)))


def _paths(node: nodes.Node, root: str) -> Iterator[tuple[str, ...]]:
    path = path_from(node, root)
    if path:
        yield path
        return
    for child in node.iter_child_nodes():
        yield from _paths(child, root)


def path_from(node: nodes.Node, root: str) -> tuple[str, ...] | None:
    """The names from the root to the node; None where another root or something else than a name is on the way."""
    match node:
        case nodes.Name(name=name):
            return () if name == root else None
        case nodes.Getattr(node=inner, attr=key) | nodes.Getitem(node=inner, arg=nodes.Const(value=str() as key)):
            before = path_from(inner, root)
            return None if before is None else (*before, key)
    return None
