"""What pydantic finds wrong with the shape of a file, as faults with a place, in plain words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from runbooks.faults import Fault
from runbooks.fields import Blemish, Scope, shown, wants_text
from runbooks.suggestions import is_slip, suggest
from runbooks.yaml_source import Node

T = TypeVar("T")
Loc = tuple[str | int, ...]

MOST_FAULTS = 100
"""Of one kind in one file: what is broken altogether is not told ten thousand times."""

_UNKNOWN_KEY = "unexpected_keyword_argument"


@dataclass(frozen=True, slots=True)
class Source:
    """One file with the places of its nodes."""

    file: str
    root: Node

    def fault(self, node: Node, message: str, hint: str | None = None) -> Fault:
        """A fault at a node."""
        return Fault(self.file, node.line, node.column, message, hint)


def read_shape(source: Source, shape: type[T]) -> tuple[T | None, list[Fault]]:
    """Read a file as `shape`. Either the value, or the faults of its shape."""
    try:
        return _adapter(cast(Any, shape)).validate_python(source.root.plain(), context=Scope()), []
    except ValidationError as errors:
        worth = _worth_telling(errors.errors(include_url=False)[:MOST_FAULTS])
        return None, [fault for error in worth for fault in _told(source, shape, error)]


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _worth_telling(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without what follows from another fault: a key that is missing because it is misspelt, and a key without
    a value, which general_rules tells for all kinds."""
    unknown = [error["loc"] for error in errors if error["type"] == _UNKNOWN_KEY]
    for error in errors:
        *parent, key = error["loc"] or ("",)
        near = (loc for loc in unknown if list(loc[:-1]) == parent)
        is_misspelt = error["type"] == "missing" and any(is_slip(str(loc[-1]), (str(key),)) for loc in near)
        if error["input"] is not None and not is_misspelt:
            yield error


def keys_of(shape: Any, loc: Loc) -> list[str]:
    """The keys that a mapping at `loc` of a shape may have; none where any key may stand."""
    for part in loc:
        shape = _inside(_bare(shape), part)
    fields = getattr(_bare(shape), "__pydantic_fields__", {})
    return [str(field.alias or name) for name, field in fields.items()]


def _bare(shape: Any) -> Any:
    """Without Annotated and without the `| None` of an optional field."""
    while get_origin(shape) in (Annotated, Union, UnionType):
        shape = next((arg for arg in get_args(shape) if arg is not type(None)), None)
    return shape


def _inside(shape: Any, part: str | int) -> Any:
    if is_dataclass(shape):
        fields = getattr(shape, "__pydantic_fields__", {})
        return next((f.annotation for name, f in fields.items() if (f.alias or name) == part), None)
    arguments = get_args(shape)
    is_mapping = get_origin(shape) is Mapping
    return arguments[1 if is_mapping else 0] if arguments else None


def _walk(root: Node, loc: Loc) -> list[Node]:
    """The nodes on the way to `loc`, as far as they exist; a key's node for a last part `[key]`."""
    nodes = [root]
    for i, part in enumerate(loc):
        if i + 1 < len(loc) and loc[i + 1] == "[key]" and part in nodes[-1].pairs:
            return [*nodes, nodes[-1].pairs[str(part)][0]]
        if isinstance(part, int) and part < len(nodes[-1].items):
            nodes.append(nodes[-1].items[part])
        elif part in nodes[-1].pairs:
            nodes.append(nodes[-1].pairs[str(part)][1])
    return nodes


def owner_of(root: Node, loc: Loc) -> Node:
    """Where to point for what is missing at `loc`: the key that it would stand under, or else its list item."""
    nodes = _walk(root, loc)
    if len(nodes) < 2 or not nodes[-2].pairs:
        return nodes[-1]
    return next((key for key, value in nodes[-2].pairs.values() if value is nodes[-1]), nodes[-1])


def key_at(root: Node, loc: Loc) -> Node:
    """The node of the last key of `loc`."""
    return _walk(root, (*loc, "[key]"))[-1]


def _told(source: Source, shape: Any, error: ErrorDetails) -> Iterator[Fault]:
    loc = error["loc"]
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    if kind == "expression":
        yield from (_of_blemish(source, loc, blemish) for blemish in context["blemishes"])
    elif kind == "missing":
        yield source.fault(owner_of(source.root, loc[:-1]), f"{loc[-1]} is missing", f"add {loc[-1]}: … to it")
    elif kind == _UNKNOWN_KEY:
        known = keys_of(shape, loc[:-1])
        yield source.fault(
            key_at(source.root, loc), f"there is no key {shown(str(loc[-1]))} here", suggest(str(loc[-1]), known)
        )
    else:
        message, hint = _worded(kind, context, value)
        node = _walk(source.root, loc)[-1]
        yield source.fault(owner_of(source.root, loc) if node.pairs else node, message, hint)


def _of_blemish(source: Source, loc: Loc, blemish: Blemish) -> Fault:
    node = _walk(source.root, (*loc, *blemish.path))[-1]
    column = node.column if node.text_column is None else node.text_column + blemish.offset
    return Fault(source.file, node.line, column, blemish.message, blemish.hint)


def _worded(kind: str, context: Mapping[str, Any], value: Any) -> tuple[str, str | None]:
    if kind == "value_error":
        message, _, hint = str(context["error"]).partition("; ")
        return message, hint or None
    if kind == "literal_error":
        return _not_in_list(str(context["expected"]), value)
    if kind in _WANTED:
        return _wanted(kind, value)
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        limit = context.get(key, "")
        return words.format(value=_short(value), limit=f"{limit:g}" if isinstance(limit, float) else limit), None
    return f"{_short(value)} is not right here", None


def _not_in_list(expected: str, value: Any) -> tuple[str, str]:
    known = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    if not isinstance(value, str):
        return f"{_short(value)} is not known here", f"one of {', '.join(known)}"
    return f"{shown(value)} is not known here", suggest(value, known)


def _wanted(kind: str, value: Any) -> tuple[str, str | None]:
    if kind == "string_type":
        message, _, hint = wants_text(value).partition("; ")
        return message, hint or None
    wanted, hint = _WANTED[kind]
    item = _short(value) if isinstance(value, str | int | float) else "…"
    return f"{wanted} is wanted, not {_short(value)}", hint.format(item=item)


def _short(value: Any) -> str:
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else "nothing"


_WANTED = {
    "string_type": ("a text", ""),
    "int_type": ("a whole number", "write digits without quotes, such as 3"),
    "float_type": ("a number", "write digits without quotes, such as 20 or 0.5"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "tuple_type": ("a list", "write [{item}]"),
    "dict_type": ("a mapping", "write key: value, one a line"),
    "mapping_type": ("a mapping", "write key: value, one a line"),
    "dataclass_type": ("a mapping", "write key: value, one a line"),
}

_LIMITS = {
    "greater_than_equal": ("{value} is too small: at least {limit}", "ge"),
    "greater_than": ("{value} is too small: more than {limit}", "gt"),
    "less_than_equal": ("{value} is too large: at most {limit}", "le"),
    "less_than": ("{value} is too large: less than {limit}", "lt"),
    "string_too_short": ("an empty text says nothing", "min_length"),
    "string_too_long": ("this text is too long: at most {limit} characters", "max_length"),
    "too_short": ("this list is too short: at least {limit}", "min_length"),
    "too_long": ("this list is too long: at most {limit}", "max_length"),
    "string_pattern_mismatch": ("{value} may not stand here: a name of letters, digits and - is wanted", "pattern"),
}
