"""Jinja2's expression syntax, turned into functions of a frame.

Jinja2's own evaluation is not used. Its sandbox keeps code from harm, but not from endless work; its undefined
values do not know their path; and it prefers methods to fields of the same name.
"""

import re
from collections.abc import Callable, Mapping
from functools import singledispatch

from jinja2 import nodes

from runbooks import values
from runbooks.filters import FILTERS, TESTS, apply_filter, passes
from runbooks.syntax import Scope, known_names, parse
from runbooks.values import ExpressionFault, Frame, Missing

_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NESTED = {"map": 0, "select": 0, "reject": 0, "selectattr": 1, "rejectattr": 1}

Run = Callable[[Frame], object]


def compile_run(source: str, roots: frozenset[str]) -> Run:
    """The function that evaluates an expression. Raises ExpressionFault with the offset of what is wrong."""
    return build(parse(source), Scope(source, roots))


@singledispatch
def build(node: nodes.Node, scope: Scope) -> Run:
    """The function of one node of the syntax tree. What is not registered is not in the language."""
    raise ExpressionFault(f"{type(node).__name__} is not part of an expression")


@build.register
def _(node: nodes.Const, scope: Scope) -> Run:
    value = node.value
    return lambda frame: value


@build.register
def _(node: nodes.Call, scope: Scope) -> Run:
    called = node.node
    name = called.attr if isinstance(called, nodes.Getattr) else getattr(called, "name", "")
    wanted = f"write … | {name}" if name in FILTERS else "use filters: value | name"
    raise scope.refuse("an expression calls nothing", name, hint=wanted, after=".")


@build.register(nodes.List)
@build.register(nodes.Tuple)
def _(node: nodes.List | nodes.Tuple, scope: Scope) -> Run:
    items = [build(each, scope) for each in node.items]
    return lambda frame: [run(frame) for run in items]


@build.register
def _(node: nodes.Dict, scope: Scope) -> Run:
    pairs = [(build(each.key, scope), build(each.value, scope)) for each in node.items]
    return lambda frame: {key(frame): value(frame) for key, value in pairs}


@build.register(nodes.Name)
@build.register(nodes.Getattr)
@build.register(nodes.Getitem)
def _(node: nodes.Expr, scope: Scope) -> Run:
    """A path: a root name or another value, and the fields that lead from it."""
    keys: list[Run] = []
    base: nodes.Node = node
    while isinstance(base, nodes.Getattr | nodes.Getitem):
        if isinstance(base, nodes.Getitem) and isinstance(base.arg, nodes.Slice):
            break
        keys.insert(0, build(base.arg, scope) if isinstance(base, nodes.Getitem) else _constant(base.attr))
        base = base.node
    if isinstance(base, nodes.Name):
        return _path_of_root(base.name, keys, scope)
    return _path_of_value(base, keys, scope)


def _constant(value: object) -> Run:
    return lambda frame: value


def _path_of_root(root: str, keys: list[Run], scope: Scope) -> Run:
    if root not in scope.roots:
        raise scope.refuse(f"unknown name {root!r}", root, hint=known_names(root, scope.roots))

    def run(frame: Frame) -> object:
        if root not in frame.names:
            raise Missing(root)
        label, value = _follow(frame, root, frame.names[root], keys)
        frame.reads[label] = value
        return value

    return run


def _path_of_value(base: nodes.Node, keys: list[Run], scope: Scope) -> Run:
    label = label_of(base)
    start = _slice(base, scope) if isinstance(base, nodes.Getitem) else build(base, scope)
    return lambda frame: _follow(frame, label, start(frame), keys)[1]


def _follow(frame: Frame, label: str, value: object, keys: list[Run]) -> tuple[str, object]:
    frame.spend(1 + len(keys))
    for run in keys:
        key = run(frame)
        label = _with_key(label, key)
        try:
            value = values.item(value, key)
        except KeyError:
            raise Missing(label) from None
    return label, value


def _with_key(label: str, key: object) -> str:
    if isinstance(key, str):
        return f"{label}.{key}" if _WORD.fullmatch(key) else f"{label}[{key[:80]!r}]"
    return f"{label}[{str(key)[:80]}]"


def _slice(node: nodes.Getitem, scope: Scope) -> Run:
    value = build(node.node, scope)
    assert isinstance(node.arg, nodes.Slice)
    parts = (node.arg.start, node.arg.stop, node.arg.step)
    bounds = [_constant(None) if part is None else build(part, scope) for part in parts]

    def run(frame: Frame) -> object:
        start, stop, step = (bound(frame) for bound in bounds)
        found = value(frame)
        frame.spend(values.size(found))
        return values.cut(found, start, stop, step)

    return run


def label_of(node: nodes.Node) -> str:
    """How a missing value is called: its path as it was written, or as near as that goes."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{label_of(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem):
        return label_of(node.node) + (f"[{node.arg.value!r}]" if isinstance(node.arg, nodes.Const) else "[…]")
    if isinstance(node, nodes.Filter) and node.node is not None:
        return f"{label_of(node.node)} | {node.name}"
    return "(…)"


@build.register
def _(node: nodes.Not, scope: Scope) -> Run:
    value = build(node.node, scope)
    return lambda frame: not value(frame)


@build.register
def _(node: nodes.And, scope: Scope) -> Run:
    left, right = build(node.left, scope), build(node.right, scope)
    return lambda frame: left(frame) and right(frame)


@build.register
def _(node: nodes.Or, scope: Scope) -> Run:
    left, right = build(node.left, scope), build(node.right, scope)
    return lambda frame: left(frame) or right(frame)


@build.register
def _(node: nodes.CondExpr, scope: Scope) -> Run:
    test, first = build(node.test, scope), build(node.expr1, scope)
    if node.expr2 is None:
        raise scope.refuse("if without else", "if", hint="write A if CONDITION else B")
    second = build(node.expr2, scope)
    return lambda frame: first(frame) if test(frame) else second(frame)


@build.register
def _(node: nodes.Concat, scope: Scope) -> Run:
    pieces = [(build(each, scope), label_of(each)) for each in node.nodes]

    def run(frame: Frame) -> object:
        return values.joined([written(piece, label, frame) for piece, label in pieces], frame)

    return run


def written(run: Run, label: str, frame: Frame) -> str:
    """A value as it stands in a text. Null raises Missing, with the value's label."""
    value = run(frame)
    if value is None:
        raise Missing(label)
    frame.spend(values.cost(value))
    return values.text_of(value)


_BINARY: Mapping[type[nodes.Node], Callable[[object, object, Frame], object]] = {
    nodes.Add: values.add,
    nodes.Sub: values.subtract,
    nodes.Mul: values.multiply,
    nodes.Div: values.divide,
    nodes.FloorDiv: values.divide_whole,
    nodes.Mod: values.remainder,
    nodes.Pow: values.power,
}


@build.register
def _(node: nodes.BinExpr, scope: Scope) -> Run:
    operate = _BINARY[type(node)]
    left, right = build(node.left, scope), build(node.right, scope)

    def run(frame: Frame) -> object:
        frame.spend(1)
        return operate(left(frame), right(frame), frame)

    return run


@build.register(nodes.Neg)
@build.register(nodes.Pos)
def _(node: nodes.UnaryExpr, scope: Scope) -> Run:
    value, sign = build(node.node, scope), -1 if isinstance(node, nodes.Neg) else 1
    return lambda frame: sign * values.number(value(frame))


@build.register
def _(node: nodes.Compare, scope: Scope) -> Run:
    first = build(node.expr, scope)
    rest = [(each.op, build(each.expr, scope)) for each in node.ops]

    def run(frame: Frame) -> object:
        left = first(frame)
        for operator, right_run in rest:
            right = right_run(frame)
            if not values.compare(operator, left, right, frame):
                return False
            left = right
        return True

    return run


def _arguments(node: nodes.Filter | nodes.Test, scope: Scope) -> tuple[list[Run], dict[str, Run]]:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise scope.refuse("arguments are written out, without * and **", "*")
    return [build(each, scope) for each in node.args], {str(each.key): build(each.value, scope) for each in node.kwargs}


@build.register
def _(node: nodes.Filter, scope: Scope) -> Run:
    name = node.name
    if name not in FILTERS:
        raise scope.refuse(f"unknown filter {name!r}", name, hint=known_names(name, FILTERS), after="|")
    assert node.node is not None
    _check_nested(node, scope)
    args, kwargs = _arguments(node, scope)
    value, label = build(node.node, scope), label_of(node.node)
    if name in ("default", "d"):
        return _default(value, args, kwargs)

    def run(frame: Frame) -> object:
        found = value(frame)
        given = [each(frame) for each in args]
        named = {key: each(frame) for key, each in kwargs.items()}
        try:
            return apply_filter(frame, name, found, *given, **named)
        except Missing as missing:
            raise Missing(f"{label}{missing.path}") from None

    return run


def _check_nested(node: nodes.Filter, scope: Scope) -> None:
    """The filter or test that `map('upper')` or `select('odd')` names is checked like any other."""
    if node.name not in _NESTED or len(node.args) <= _NESTED[node.name]:
        return
    named = node.args[_NESTED[node.name]]
    known = FILTERS - {"default", "d"} if node.name == "map" else TESTS
    word = named.value if isinstance(named, nodes.Const) else None
    if word not in known:
        what = "filter" if node.name == "map" else "test"
        raise scope.refuse(f"unknown {what} {word!r}", repr(word), hint=known_names(str(word), known))


def _default(value: Run, args: list[Run], kwargs: Mapping[str, Run]) -> Run:
    """`default(instead, true)`: what is used where the value is missing (or, with true, empty)."""
    instead = args[0] if args else kwargs.get("default_value", _constant(""))
    also_empty = args[1] if len(args) > 1 else kwargs.get("boolean", _constant(False))

    def run(frame: Frame) -> object:
        try:
            found = value(frame)
        except Missing:
            return instead(frame)
        return instead(frame) if not found and also_empty(frame) else found

    return run


@build.register
def _(node: nodes.Test, scope: Scope) -> Run:
    name = node.name
    if name not in TESTS:
        raise scope.refuse(f"unknown test {name!r}", name, hint=known_names(name, TESTS))
    args, kwargs = _arguments(node, scope)
    value = build(node.node, scope)
    if name in ("defined", "undefined"):
        return lambda frame: _is_there(value, frame) == (name == "defined")

    def run(frame: Frame) -> object:
        found = value(frame)
        named = {key: each(frame) for key, each in kwargs.items()}
        return passes(frame, name, found, *[each(frame) for each in args], **named)

    return run


def _is_there(value: Run, frame: Frame) -> bool:
    try:
        value(frame)
    except Missing:
        return False
    return True
