"""Events against the schema of their contract: JSON Schema 2020-12 with its formats asserted, compiled once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

MOST_VIOLATIONS = 20
LONGEST_WORDS = 160
ANY = "*"
_CLOSING = ("additionalProperties", "unevaluatedProperties", "items", "unevaluatedItems")


@dataclass(frozen=True, slots=True)
class Violation:
    """What does not fit, where: a JSON pointer, the keyword that says so, what it wants, and the type of what was
    found. It holds names and types of the event, never its values."""

    pointer: str
    keyword: str
    wanted: str
    found: str


class EventSchema:
    """A contract's schema, compiled. `data` is the schema as it was written."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self._validator = Draft202012Validator(dict(data), validate_formats=True)

    def misfits(self, content: Any) -> tuple[Violation, ...]:
        """What of an event does not fit, the first MOST_VIOLATIONS of it; nothing if all does."""
        try:
            if self._validator.is_valid(content):
                return ()
            errors = islice(self._validator.iter_errors(content), MOST_VIOLATIONS)
            return tuple(_violation(error) for error in errors)
        except ValueError:  # deeper than the validator goes, or a number that JSON cannot have
            return (Violation("", "depth", "plain JSON that is not nested too deep", type_name(content)),)

    def declared(self, pointer: str) -> Mapping[str, Any] | None:
        """What the schema says of the value at a pointer; None if it does not name that place."""
        place = self._resolved(self.data)
        for part in parts_of(pointer):
            place = self._resolved(_inside(place, part))
        return place

    def properties(self, pointer: str = "") -> frozenset[str]:
        """The names that the schema declares in the object at a pointer."""
        properties = (self.declared(pointer) or {}).get("properties")
        return frozenset(properties) if isinstance(properties, dict) else frozenset()

    def pattern(self, pointer: str) -> str:
        """The pointer with `*` for each part that the schema does not name: the same for every item of a list, and
        for every key that senders choose."""
        place: Any = self._resolved(self.data)
        parts = []
        for part in parts_of(pointer):
            parts.append(part if part in _names(place) else ANY)
            place = self._resolved(_inside(place, part))
        return pointer_of(parts)

    def _resolved(self, place: Any) -> Mapping[str, Any] | None:
        """A place of the schema behind its `$ref`, which stays in the file; rings end."""
        for _ in range(10):
            target = place.get("$ref") if isinstance(place, dict) else None
            if not isinstance(target, str):
                break
            place = _at(self.data, target.removeprefix("#"))
        return place if isinstance(place, dict) else None


def _names(place: Mapping[str, Any] | None) -> list[str]:
    return [*(place.get("properties") or ()), *(place.get("required") or ())] if place else []


def _inside(place: Mapping[str, Any] | None, part: str) -> Any:
    if place is None:
        return None
    properties = place.get("properties")
    if isinstance(properties, dict) and part in properties:
        return properties[part]
    return place.get("items") if part.isdigit() and "items" in place else None


def _at(data: Any, pointer: str) -> Any:
    for part in parts_of(pointer):
        data = data.get(part) if isinstance(data, dict) else None
    return data


def parts_of(pointer: str) -> list[str]:
    """The names that a JSON pointer (RFC 6901) leads through."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def pointer_of(parts: Sequence[Any]) -> str:
    """The JSON pointer (RFC 6901) that leads through names."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def type_name(value: Any) -> str:
    """The type of a JSON value by its name in JSON Schema."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _violation(error: ValidationError) -> Violation:
    kind: Any = error.kind
    path, keyword = [*error.instance_path], str(kind.name)
    if keyword == "required":
        return Violation(pointer_of([*path, kind.property]), keyword, _short(kind.property), "nothing")
    if keyword == "falseSchema" and error.schema_path and error.schema_path[-1] in _CLOSING:
        keyword = str(error.schema_path[-1])
    if unexpected := getattr(kind, "unexpected", None):
        return Violation(pointer_of(path), keyword, "declared fields only", _short(", ".join(map(str, unexpected))))
    return Violation(pointer_of(path), keyword, _wanted(keyword, kind), type_name(error.instance))


def _wanted(keyword: str, kind: Any) -> str:
    match keyword:
        case "type":
            return " or ".join(kind.types)
        case "enum":
            return _short("one of " + ", ".join(map(str, kind.options)))
        case "const":
            return _short(str(kind.expected_value))
        case "format":
            return str(kind.format)
        case "pattern":
            return _short(f"a text like {kind.pattern}")
        case "propertyNames":
            return "other names of fields"
        case "additionalProperties" | "unevaluatedProperties":
            return "declared fields only"
        case "items" | "unevaluatedItems" | "falseSchema":
            return "nothing there"
    limit = getattr(kind, "limit", None)
    return f"{keyword} {limit}" if limit is not None else keyword


def _short(words: str) -> str:
    return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 1] + "…"
