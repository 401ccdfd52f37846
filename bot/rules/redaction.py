"""Fields that are shown to nobody: taken out of an event before it is kept, and put back where it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from runbooks.validation import EventSchema, parts_of, pointer_of

HIDDEN = "•••"
SHORTEST_STRUCK = 4
"""A value of fewer characters is too common to be struck out of a text."""


@dataclass(frozen=True, slots=True)
class Masked:
    """An event as it may be shown, and what was taken out, by JSON pointer."""

    content: dict[str, Any]
    removed: Mapping[str, Any]


def masked(content: Mapping[str, Any], redact: Sequence[str], schema: EventSchema | None = None) -> Masked:
    """The event without its redacted fields; with a `schema`, also without those that it does not declare."""
    hidden = _outermost([*_redacted(content, redact), *(_undeclared(content, schema) if schema else ())])
    if not hidden:
        return Masked(dict(content), {})
    kept = deepcopy(dict(content))
    return Masked(kept, {pointer_of(parts): _replace(kept, parts, HIDDEN) for parts in hidden})


def wholly_masked(content: Mapping[str, Any]) -> Masked:
    """An event of which nothing is known: the names of its fields, and no value."""
    return Masked(dict.fromkeys(content, HIDDEN), {pointer_of([name]): value for name, value in content.items()})


def restored(content: Mapping[str, Any], removed: Mapping[str, Any]) -> dict[str, Any]:
    """The event with what was taken out in its place again."""
    if not removed:
        return dict(content)
    whole = deepcopy(dict(content))
    for pointer, value in removed.items():
        _replace(whole, parts_of(pointer), deepcopy(value))
    return whole


def hides(redact: Sequence[str], path: str) -> bool:
    """Whether `event.…`, a path that a condition read, is or leads into a redacted field, or holds one."""
    read = path.replace("[", ".").replace("]", "").replace("'", "").replace('"', "").split(".")[1:]
    return any(_same_way(read, way) for field in redact for way in _ways(field))


def as_shown(clear: Any, hidden: Any) -> Any:
    """What was made of an event, as it may be shown: `hidden` is the same made of the masked event. What differs
    between them tells of a hidden field."""
    if isinstance(clear, Mapping) and isinstance(hidden, Mapping) and clear.keys() == hidden.keys():
        return {name: as_shown(value, hidden[name]) for name, value in clear.items()}
    if isinstance(clear, list) and isinstance(hidden, list) and len(clear) == len(hidden):
        return [as_shown(one, other) for one, other in zip(clear, hidden, strict=True)]
    if clear == hidden:
        return clear
    return hidden if isinstance(hidden, str) and HIDDEN in hidden else HIDDEN


def struck_out(text: str, removed: Iterable[Any]) -> str:
    """A text that came from elsewhere without the values that were taken out of an event, should it repeat them."""
    words = {word for value in removed for word in _words(value)}
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, HIDDEN)
    return text


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _words(inner)
    elif isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        for word in (str(value), json.dumps(value).removeprefix('"').removesuffix('"')):
            if len(word) >= SHORTEST_STRUCK:
                yield word


def _ways(field: str) -> list[list[str]]:
    """How `trigger.redact` names a field: by its name, by a path with dots, or by a JSON pointer."""
    if field.startswith("/"):
        return [parts_of(field)]
    return [[field], field.split(".")] if "." in field else [[field]]


def _redacted(content: Mapping[str, Any], redact: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for field in redact:
        for way in _ways(field):
            yield from _leading(content, tuple(way), ())


def _leading(value: Any, way: tuple[str, ...], at: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The places that a way leads to: through a list it goes into each item."""
    if not way:
        yield at
    elif isinstance(value, Mapping):
        if way[0] in value:
            yield from _leading(value[way[0]], way[1:], (*at, way[0]))
    elif isinstance(value, list):
        inner = way[1:] if way[0].isdigit() or way[0] == "*" else way
        for index, item in enumerate(value):
            if not way[0].isdigit() or int(way[0][:9]) == index:
                yield from _leading(item, inner, (*at, index))


def _undeclared(value: Any, schema: EventSchema, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, Mapping):
        names = schema.properties(pointer_of(at))
        for name, inner in value.items():
            if name in names:
                yield from _undeclared(inner, schema, (*at, name))
            else:
                yield (*at, name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if isinstance(inner, Mapping | list):
                yield from _undeclared(inner, schema, (*at, index))


def _outermost(places: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Each place once, without those inside of others."""
    kept: dict[tuple[Any, ...], None] = {}
    for place in sorted(set(places), key=len):
        if not any(place[:length] in kept for length in range(1, len(place))):
            kept[place] = None
    return list(kept)


def _replace(content: Any, parts: Sequence[Any], value: Any) -> Any:
    """Puts a value in its place; what was there."""
    *path, last = parts
    for part in path:
        content = content[int(part)] if isinstance(content, list) else content[part]
    if isinstance(content, list):
        last = int(last)
    before, content[last] = content[last], value
    return before


def _same_way(read: list[str], way: list[str]) -> bool:
    read, way = ([part for part in parts if not part.isdigit()] for parts in (read, way))
    length = min(len(read), len(way))
    return read[:length] == way[:length]
