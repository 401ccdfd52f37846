"""An event in quarantine, mended by a person: fields that get another value, and fields that get another name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from bot.rules.misfits import renamed_from
from bot.rules.redaction import HIDDEN
from runbooks.mentions import mentioned
from runbooks.validation import EventSchema, Violation, parts_of, pointer_of

_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")


class Unfit(ValueError):
    """What was written cannot be what the schema wants there; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Mending:
    """What a person changes, by JSON pointer: `values` to put there, and `names` under which a value came that belongs
    there."""

    values: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def pointers(self) -> list[str]:
        """The places that change."""
        return sorted({*self.values, *self.names})


@dataclass(frozen=True, slots=True)
class Wrong:
    """A declared field of an event that is missing or does not fit. `came_as`: the undeclared field that seems to be
    it; `shown`: what is there now, None if it may not be seen; `place`: what the schema says of it."""

    pointer: str
    wanted: str
    place: Mapping[str, Any]
    came_as: str | None = None
    shown: str | None = None


def wrong_fields(
    violations: Sequence[Violation], content: Mapping[str, Any], shown: Mapping[str, Any], schema: EventSchema
) -> list[Wrong]:
    """The declared fields that somebody could mend, each once. `shown` is the event as it may be seen."""
    found: dict[str, Wrong] = {}
    for violation in violations:
        place = schema.declared(violation.pointer)
        if place is None or not violation.pointer:
            continue
        is_missing = violation.keyword == "required"
        came_as = renamed_from(violation.pointer, content, schema) if is_missing else None
        seen = None if is_missing else _seen(shown, violation.pointer)
        found.setdefault(violation.pointer, Wrong(violation.pointer, violation.wanted, place, came_as, seen))
    return list(found.values())


def fields_of_rule(rule: str, content: Mapping[str, Any], shown: Mapping[str, Any], schema: EventSchema) -> list[Wrong]:
    """The fields that a rule of the contract looks at: of an event that fits its schema and not the rule, they are what
    somebody could mend."""
    found = []
    for path in mentioned(rule, "event"):
        pointer = pointer_of(path)
        came_as = None if _is_there(content, path) else renamed_from(pointer, content, schema)
        place = schema.declared(pointer) or {}
        found.append(Wrong(pointer, "what the rule asks for", place, came_as, _seen(shown, pointer)))
    return found


def _is_there(content: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(content, dict) or name not in content:
            return False
        content = content[name]
    return True


def mended(content: Mapping[str, Any], mending: Mending) -> dict[str, Any]:
    """The event as it is after the mending. A name that is not there, or whose place is taken, changes nothing. Raises
    `Unfit` for a place that cannot be in this event."""
    whole = deepcopy(dict(content))
    for pointer, came_as in mending.names.items():
        parent, last = _parent(whole, pointer)
        if isinstance(parent, dict) and came_as in parent and last not in parent:
            parent[last] = parent.pop(came_as)
    for pointer, value in mending.values.items():
        parent, last = _parent(whole, pointer)
        if isinstance(parent, dict):
            parent[last] = value
        elif isinstance(parent, list) and last.isdigit() and int(last[:9]) < len(parent):
            parent[int(last[:9])] = value
        else:
            raise Unfit(f"{pointer} has no place in this event")
    return whole


def pointer_named(name: str) -> str:
    """The JSON pointer of a field as `set` names it: by its name at the top, or by its pointer."""
    return name if name.startswith("/") else pointer_of([name])


def as_wanted(text: str, place: Mapping[str, Any]) -> Any:
    """What somebody wrote, as the type that the schema wants there. Raises `Unfit`."""
    if "enum" in place or "const" in place:
        return _one_of(text, place["enum"] if "enum" in place else [place["const"]])
    types = place.get("type", "string")
    wanted = [types] if isinstance(types, str) else list(types)
    if text.strip() == "null" and "null" in wanted:
        return None
    for each in wanted:
        if each in _READERS:
            try:
                return _READERS[each](text.strip() if each != "string" else text)
            except ValueError:
                continue
    raise Unfit(f"Write {' or '.join(_WORDS.get(each, each) for each in wanted)}.")


def choices(place: Mapping[str, Any]) -> list[str]:
    """What there is to choose from, where the schema lists it."""
    if "enum" in place:
        return [_text(each) for each in place["enum"]]
    return ["true", "false"] if place.get("type") == "boolean" else []


def _one_of(text: str, allowed: Sequence[Any]) -> Any:
    for each in allowed:
        if _text(each) == text.strip():
            return each
    raise Unfit(f"Write one of {', '.join(map(_text, allowed))[:200]}.")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _boolean(text: str) -> bool:
    if text.lower() in _YES + _NO:
        return text.lower() in _YES
    raise ValueError(text)


def _integer(text: str) -> int:
    if not (text.isascii() and text.lstrip("-").isdigit() and len(text) < 20):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> float | int:
    value = json.loads(text) if len(text) < 40 else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise ValueError(text)
    return value


def _of_type(kind: type[Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            value = json.loads(text)
        except RecursionError:
            raise ValueError("nested too deep") from None
        if not isinstance(value, kind):
            raise ValueError("another type")
        return value

    return read


_READERS: Mapping[str, Callable[[str], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _of_type(list),
    "object": _of_type(dict),
    "string": str,
}
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list as JSON",
    "object": "an object as JSON",
    "string": "a text",
    "null": "null",
}


def _parent(content: Any, pointer: str) -> tuple[Any, str]:
    *path, last = parts_of(pointer) or [""]
    for part in path:
        if isinstance(content, dict):
            content = content.get(part)
        elif isinstance(content, list) and part.isdigit() and int(part[:9]) < len(content):
            content = content[int(part[:9])]
        else:
            raise Unfit(f"{pointer} has no place in this event")
    return content, last


def _seen(shown: Any, pointer: str) -> str | None:
    try:
        parent, last = _parent(shown, pointer)
        value = parent[int(last)] if isinstance(parent, list) else parent[last]
    except (Unfit, LookupError, TypeError, ValueError):
        return None
    return None if value == HIDDEN else _text(value)
