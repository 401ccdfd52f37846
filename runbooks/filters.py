"""The filters and tests of expressions: Jinja2's own pure ones, bounded, and four for times.

Left out of Jinja2's: what draws lots (`random`), reaches Python attributes (`attr`), writes HTML (`escape`,
`safe`, `xmlattr`, `urlize`, `striptags`), formats by `%` or `repr` (`format`, `pprint`), or takes quadratic
time (`wordwrap`).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import cast
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Undefined
from jinja2.tests import TESTS as JINJA_TESTS

from runbooks.lengths import parse_length
from runbooks.values import (
    ExpressionFault,
    Frame,
    Missing,
    cost,
    fits,
    item,
    joined,
    kind,
    number,
    plain,
    size,
    text_of,
)

_TEXT_FILTERS = frozenset(
    ("capitalize", "center", "indent", "lower", "title", "trim", "truncate", "upper", "urlencode", "wordcount")
)
_LIST_FILTERS = frozenset(
    (
        *("abs", "batch", "count", "dictsort", "filesizeformat", "first", "float", "groupby", "int", "items"),
        *("last", "length", "list", "max", "min", "reverse", "round", "slice", "sort", "unique"),
    )
)
_CALL = 3
"""Units of work that calling one of Jinja2's functions takes."""

_NUMBERS_BOUNDED = {"batch": 1_000, "center": 10_000, "indent": 100, "round": 20, "slice": 1_000}

TESTS = frozenset(JINJA_TESTS) - {"callable", "escaped", "filter", "sameas", "test"}
"""The names after `is`."""


class _Items(Environment):
    """Jinja2's environment for its own filters: `attribute=` reads items, never attributes."""

    def getitem(self, obj: object, argument: object) -> object:
        try:
            return item(obj, argument)
        except KeyError:
            return StrictUndefined(hint=f"[…].{argument}", exc=Missing)


_ENVIRONMENT = _Items(undefined=StrictUndefined)
_ENVIRONMENT.filters = {name: JINJA_FILTERS[name] for name in _TEXT_FILTERS | _LIST_FILTERS}
_ENVIRONMENT.tests = {name: JINJA_TESTS[name] for name in TESTS}


def apply_filter(frame: Frame, name: str, value: object, *args: object, **kwargs: object) -> object:
    """The value of `value | name(…)`. Paths in Missing are relative to `value`."""
    frame.spend(_CALL + size(value) + sum(size(argument) for argument in (*args, *kwargs.values())))
    if name in OWN:
        return OWN[name](frame, value, *args, **kwargs)
    if name not in _ENVIRONMENT.filters:
        raise ExpressionFault(f"there is no filter {name!r}")
    _check_numbers(name, value, (*args, *kwargs.values()))
    if name in _TEXT_FILTERS:
        value = _text(frame, value)
    return _finished(frame, name, _ENVIRONMENT.call_filter(name, value, args, kwargs))


def _check_numbers(name: str, value: object, arguments: Sequence[object]) -> None:
    most = _NUMBERS_BOUNDED.get(name)
    for argument in arguments if most is not None else ():
        length = len(argument) if isinstance(argument, str) else argument
        if isinstance(length, int | float) and abs(length) > (most or 0):
            raise ExpressionFault(f"{name} takes numbers up to {most}")
    if name == "indent" and isinstance(value, str):
        fits(len(value) + 100 * value.count("\n"))


def _finished(frame: Frame, name: str, result: object) -> object:
    if isinstance(result, Undefined):
        raise Missing(f" | {name}")
    if isinstance(result, Iterator):
        result = list(islice(result, frame.work + 1))
    frame.spend(size(result))
    return result


def passes(frame: Frame, name: object, value: object, *args: object, **kwargs: object) -> bool:
    """Whether `value is name(…)`."""
    if name not in TESTS:
        raise ExpressionFault(f"there is no test {name!r}")
    frame.spend(_CALL + size(value) + sum(size(argument) for argument in args))
    return bool(_ENVIRONMENT.call_test(str(name), value, args, kwargs))


def _text(frame: Frame, value: object) -> str:
    frame.spend(cost(value))
    return text_of(value)


def _each(value: object) -> Sequence[object]:
    if isinstance(value, Mapping | list | tuple):
        return list(value)
    raise ExpressionFault(f"a list is wanted, not {kind(value)}")


def _field(value: object, path: object) -> object:
    for part in str(path).split("."):
        try:
            value = item(value, int(part) if part.isdecimal() else part)
        except KeyError:
            raise Missing(f".{path}") from None
    return value


def _numbered(index: int, missing: Missing) -> Missing:
    return Missing(f"[{index}]{missing.path}")


_NO_DEFAULT = object()


def _map(frame: Frame, value: object, *args: object, **kwargs: object) -> object:
    """`map(attribute='a.b')`, with `default=`, or `map('filter', …)`."""
    attribute, default = kwargs.get("attribute"), kwargs.get("default", _NO_DEFAULT)
    results: list[object] = []
    for index, each in enumerate(_each(value)):
        frame.spend(1)
        try:
            if attribute is not None:
                results.append(_field(each, attribute))
            else:
                results.append(apply_filter(frame, str(args[0]), each, *args[1:], **kwargs))
        except Missing as missing:
            if default is _NO_DEFAULT:
                raise _numbered(index, missing) from None
            results.append(default)
    return results


def _select(frame: Frame, value: object, *test: object) -> object:
    return [each for each in _each(value) if _holds(frame, each, test)]


def _reject(frame: Frame, value: object, *test: object) -> object:
    return [each for each in _each(value) if not _holds(frame, each, test)]


def _select_by_field(frame: Frame, value: object, path: object, *test: object) -> object:
    return [each for index, each in enumerate(_each(value)) if _field_holds(frame, index, each, path, test)]


def _reject_by_field(frame: Frame, value: object, path: object, *test: object) -> object:
    rows = enumerate(_each(value))
    return [each for index, each in rows if not _field_holds(frame, index, each, path, test)]


def _holds(frame: Frame, value: object, test: tuple[object, ...]) -> bool:
    frame.spend(1)
    return passes(frame, test[0], value, *test[1:]) if test else bool(value)


def _field_holds(frame: Frame, index: int, value: object, path: object, test: tuple[object, ...]) -> bool:
    try:
        found = _field(value, path)
    except Missing as missing:
        if test and test[0] in ("defined", "undefined"):
            return test[0] == "undefined"
        raise _numbered(index, missing) from None
    return _holds(frame, found, test)


def _join(frame: Frame, value: object, d: object = "", attribute: object = None) -> str:
    pieces: list[object] = []
    for index, each in enumerate(_each(value)):
        frame.spend(1)
        try:
            found = each if attribute is None else _field(each, attribute)
            pieces.extend((d, _text(frame, found)) if pieces else (_text(frame, found),))
        except Missing as missing:
            raise _numbered(index, missing) from None
    return joined(pieces, frame)


def _sum(frame: Frame, value: object, attribute: object = None, start: object = 0) -> object:
    total = number(start)
    for index, each in enumerate(_each(value)):
        frame.spend(1)
        try:
            total += number(each if attribute is None else _field(each, attribute))
        except Missing as missing:
            raise _numbered(index, missing) from None
    return total


def _replace(frame: Frame, value: object, old: object, new: object, count: object = -1) -> str:
    text, before, after = _text(frame, value), _text(frame, old), _text(frame, new)
    times = int(number(count)) if count is not None else -1
    hits = text.count(before) if times < 0 else min(times, text.count(before))
    if len(after) > len(before):
        fits(len(text) + hits * (len(after) - len(before)))
    return text.replace(before, after, times)


def _string(frame: Frame, value: object) -> str:
    return _text(frame, value)


def _to_json(frame: Frame, value: object) -> str:
    """JSON text (RFC 8259) in one line; no HTML escapes, unlike Jinja2's."""
    text = json.dumps(plain(value, frame), ensure_ascii=False)
    fits(len(text))
    return text


def _instant(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ExpressionFault("not a time", "write it by RFC 3339: 2026-01-05T09:00:00Z") from None
    if not isinstance(value, datetime):
        raise ExpressionFault(f"a time is wanted, not {kind(value)}")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _date(frame: Frame, value: object, timezone: object = "UTC") -> str:
    """The date of an instant in a zone, `2026-01-05`. A date alone is in no zone and stays as it is."""
    if isinstance(value, str) and len(value) == 10:
        return _instant(value).date().isoformat()
    return _instant(value).astimezone(ZoneInfo(str(timezone))).date().isoformat()


def _time(frame: Frame, value: object, timezone: object = "UTC") -> str:
    """The wall clock of an instant in a zone, `09:00`."""
    return _instant(value).astimezone(ZoneInfo(str(timezone))).strftime("%H:%M")


def _plus(frame: Frame, value: object, length: object) -> datetime:
    """The instant that is a length on the clock later; with a minus before it, earlier."""
    written = str(length)
    parsed = parse_length(written.removeprefix("-"))
    if parsed.is_business:
        raise ExpressionFault("plus runs on the clock", "write a length such as 30d, 12h or 15m")
    return _instant(value) + timedelta(seconds=parsed.seconds) * (-1 if written.startswith("-") else 1)


def _ago(frame: Frame, value: object) -> str:
    """How long ago an instant was, in its two largest units: `2h 5m ago`, `in 3d`, `just now`."""
    now = frame.names.get("now")
    if now is None:
        raise ExpressionFault("ago is known only where now is")
    seconds = round((_instant(now) - _instant(value)).total_seconds())
    rest, shown = abs(seconds), []
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        count, rest = divmod(rest, length)
        shown += [f"{count}{unit}"] if count else []
    if not shown:
        return "just now"
    spoken = " ".join(shown[:2])
    return f"{spoken} ago" if seconds > 0 else f"in {spoken}"


OWN = cast(
    "Mapping[str, Callable[..., object]]",
    {
        **{"map": _map, "select": _select, "reject": _reject, "join": _join, "sum": _sum},
        **{"selectattr": _select_by_field, "rejectattr": _reject_by_field, "replace": _replace},
        **{"string": _string, "tojson": _to_json},
        **{"date": _date, "time": _time, "plus": _plus, "ago": _ago},
    },
)
"""The filters that are ours: for times, and those of Jinja2 that run a function for each item or grow."""

FILTERS = _TEXT_FILTERS | _LIST_FILTERS | frozenset(OWN) | {"default", "d"}
"""The names after `|`. `default` is evaluated by the expression itself, since its value may be missing."""
