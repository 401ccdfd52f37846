"""What an expression may hold and do: JSON values and instants, each operation bounded in work and growth.

Nothing here reaches a Python attribute of a value: fields are items, and only items.
"""

import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from jinja2 import UndefinedError

WORK_LIMIT = 250_000
"""Units of work for one evaluation: a unit is one step, one item, or eight characters of a text."""

TEXT_LIMIT = 65_536
"""Bytes (UTF-8) of a text that is made; what only passes through is bounded by the work."""

_DEPTH_LIMIT = 100
_NUMBER_BITS = 14_000


class Missing(UndefinedError):
    """Data that is not there (or is null where a text is wanted). `path` names it: `event.tier`."""

    def __init__(self, path: str | None = None) -> None:
        super().__init__(f"{path or 'a value'} is missing")
        self.path = path or ""


class ExpressionFault(Exception):
    """A fault of an expression or text itself: `message`, perhaps a `hint` of what would be right.

    `offset` is the place in its source, in characters (0 for faults met while evaluating). `pointer` leads to
    the text inside a tree that was compiled as one.
    """

    def __init__(
        self, message: str, hint: str | None = None, offset: int = 0, pointer: tuple[str | int, ...] = ()
    ) -> None:
        super().__init__(message if hint is None else f"{message}; {hint}")
        self.message = message
        self.hint = hint
        self.offset = offset
        self.pointer = pointer


@dataclass(slots=True)
class Frame:
    """One evaluation: its names, the work that is left, and the paths that were read."""

    names: Mapping[str, object]
    work: int = WORK_LIMIT
    reads: dict[str, object] = field(default_factory=dict)

    def spend(self, units: int) -> None:
        """Take `units` of work; raises ExpressionFault when there is no more."""
        self.work -= units
        if self.work < 0:
            raise ExpressionFault("too much work for one expression", "read less, or a smaller part")


def kind(value: object) -> str:
    """What a value is, in a word for people."""
    if value is None:
        return "null"
    kinds: dict[type | tuple[type, ...], str] = {
        bool: "true or false",
        (int, float): "a number",
        str: "a text",
        datetime: "a time",
        Mapping: "a mapping",
        (list, tuple): "a list",
    }
    return next((name for types, name in kinds.items() if isinstance(value, types)), "something else")


def cost(value: object, most: int = WORK_LIMIT) -> int:
    """The units of work that walking through a value takes; stops counting a little after `most`."""
    units, waiting = 0, [value]
    while waiting and units <= most:
        value = waiting.pop()
        units += 1
        if isinstance(value, str):
            units += len(value) // 8
        elif isinstance(value, Mapping):
            units += len(value)
            waiting.extend(value.values() if len(value) <= most else ())
        elif isinstance(value, list | tuple):
            units += len(value)
            waiting.extend(value if len(value) <= most else ())
    return units


def size(value: object) -> int:
    """The units of work that touching a value takes, without what is inside its items."""
    if isinstance(value, str):
        return 1 + len(value) // 8
    return 1 + len(value) if isinstance(value, list | tuple | Mapping) else 1


def item(value: object, key: object) -> object:
    """The field or element `key` of a mapping, list or text. Raises KeyError if there is none."""
    if isinstance(value, Mapping):
        if isinstance(key, str | int | float) and key in value:
            return value[key]
    elif isinstance(value, Sequence) and isinstance(key, int) and not isinstance(key, bool):
        try:
            return value[key]
        except IndexError:
            raise KeyError(key) from None
    raise KeyError(key)


def cut(value: object, start: object, stop: object, step: object) -> object:
    """A slice of a text or list."""
    if not isinstance(value, str | list | tuple):
        raise ExpressionFault(f"{kind(value)} cannot be sliced")
    return value[_whole(start) : _whole(stop) : _whole(step)]


def _whole(bound: object) -> int | None:
    if bound is None or (isinstance(bound, int) and not isinstance(bound, bool)):
        return bound
    raise ExpressionFault(f"a slice goes by whole numbers, not by {kind(bound)}")


def text_of(value: object) -> str:
    """A value as it stands in a text: JSON's spelling, instants by RFC 3339. Null raises Missing."""
    if isinstance(value, str):
        return value
    if value is None:
        raise Missing
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps(plain(value, Frame({})), ensure_ascii=False, separators=(",", ":"))


def fits(length: int) -> None:
    """Refuse a text of `length` characters or bytes that is about to be made, if it is too long."""
    if length > TEXT_LIMIT:
        raise ExpressionFault(f"a text of more than {TEXT_LIMIT // 1024} KiB")


def plain(value: object, frame: Frame, depth: int = 0) -> object:
    """A value as JSON knows it: instants become texts, tuples lists, keys texts.

    Raises ExpressionFault for what JSON does not know (NaN, infinity), for nesting beyond 100 and for more
    than the frame has work for.
    """
    frame.spend(size(value))
    if depth > _DEPTH_LIMIT:
        raise ExpressionFault(f"nested more than {_DEPTH_LIMIT} deep")
    if isinstance(value, Mapping):
        return {text_of(key): plain(each, frame, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, frame, depth + 1) for each in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionFault("a number that is not finite")
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return text_of(value)
    raise ExpressionFault(f"{type(value).__name__} is not a value that JSON knows")


def number(value: object) -> int | float:
    """The value, if it is a number; true and false are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionFault(f"{kind(value)} is not a number")
    return value


def joined(pieces: Sequence[object], frame: Frame) -> str:
    """The pieces as one text. Raises ExpressionFault beyond TEXT_LIMIT, Missing for null."""
    texts: list[str] = []
    length = 0
    for piece in pieces:
        frame.spend(size(piece))
        texts.append(text_of(piece))
        length += len(texts[-1])
        fits(length)
    return "".join(texts)


def add(left: object, right: object, frame: Frame) -> object:
    """`+` of two numbers, two texts or two lists."""
    if isinstance(left, str) and isinstance(right, str):
        return joined((left, right), frame)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        frame.spend(len(left) + len(right))
        return [*left, *right]
    return _operands("+", left, right)[0] + _operands("+", left, right)[1]


def subtract(left: object, right: object, frame: Frame) -> object:
    """`-` of two numbers."""
    first, second = _operands("-", left, right)
    return first - second


def multiply(left: object, right: object, frame: Frame) -> object:
    """`*` of two numbers, or of a text and how often it is repeated."""
    if isinstance(left, str) and isinstance(right, int):
        fits(len(left) * right)
        return left * right
    first, second = _operands("*", left, right)
    _small(_bits(first) + _bits(second))
    return first * second


def divide(left: object, right: object, frame: Frame) -> object:
    """`/` of two numbers."""
    first, second = _operands("/", left, right)
    return first / second


def divide_whole(left: object, right: object, frame: Frame) -> object:
    """`//` of two numbers."""
    first, second = _operands("//", left, right)
    return first // second


def remainder(left: object, right: object, frame: Frame) -> object:
    """`%` of two numbers; never the formatting of a text."""
    first, second = _operands("%", left, right)
    return first % second


def power(left: object, right: object, frame: Frame) -> object:
    """`**` of two numbers, as long as the result stays small."""
    first, second = _operands("**", left, right)
    if isinstance(second, int):
        _small(_bits(first) * abs(second))
    result: object = first**second
    if isinstance(result, complex):
        raise ExpressionFault("the root of a negative number")
    return result


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda left, right: left in right,
    "notin": lambda left, right: left not in right,
}


def compare(name: str, left: object, right: object, frame: Frame) -> bool:
    """Compare two values by the operator's name in Jinja2's syntax tree: eq, ne, lt, lteq, gt, gteq, in,
    notin."""
    frame.spend(min(cost(left), cost(right)) if name in ("eq", "ne") else cost(right))
    try:
        return bool(_ORDER[name](left, right))
    except TypeError:
        raise ExpressionFault(f"{kind(left)} cannot be compared with {kind(right)}") from None


def _operands(sign: str, left: object, right: object) -> tuple[int | float, int | float]:
    try:
        return number(left), number(right)
    except ExpressionFault:
        raise ExpressionFault(f"'{sign}' does not go with {kind(left)} and {kind(right)}") from None


def _bits(value: int | float) -> int:
    return value.bit_length() if isinstance(value, int) else 64


def _small(bits: int) -> None:
    if bits > _NUMBER_BITS:
        raise ExpressionFault("a number of more than 4,000 digits")
