"""Events against the schema of their contract: JSON Schema 2020-12 with its formats asserted, compiled once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

MOST_VIOLATIONS = 20
LONGEST_WORDS = 160
ANY = "*"
MOST_PLACES = 50
_COMBINED = ("allOf", "anyOf", "oneOf")
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
        return next(iter(self._places(pointer)), None)

    def properties(self, pointer: str = "") -> frozenset[str]:
        """The names that the schema declares in the object at a pointer."""
        return frozenset(name for place in self._places(pointer) for name in place.get("properties") or ())

    def pattern(self, pointer: str) -> str:
        """The pointer with `*` for each part that the schema does not name: the same for every item of a list, and
        for every key that senders choose."""
        places, parts = self._all_of([self.data]), []
        for part in parts_of(pointer):
            named = any(part in _names(place) for place in places)
            parts.append(part if named else ANY)
            places = self._inside(places, part)
        return pointer_of(parts)

    def _places(self, pointer: str) -> list[Mapping[str, Any]]:
        places = self._all_of([self.data])
        for part in parts_of(pointer):
            places = self._inside(places, part)
        return places

    def _inside(self, places: list[Mapping[str, Any]], part: str) -> list[Mapping[str, Any]]:
        return self._all_of([inner for place in places if (inner := _step(place, part)) is not None])

    def _all_of(self, waiting: list[Any]) -> list[Mapping[str, Any]]:
        """The places, and those that speak of the same value: behind `$ref`, which stays in the file, and in what
        is combined. Rings end."""
        found: list[Mapping[str, Any]] = []
        while waiting and len(found) < MOST_PLACES:
            place = waiting.pop(0)
            if isinstance(place, dict) and not any(place is other for other in found):
                found.append(place)
                waiting += [inner for word in _COMBINED for inner in place.get(word) or ()]
                waiting += [place[word] for word in ("if", "then", "else") if word in place]
                if isinstance(target := place.get("$ref"), str):
                    waiting.append(_at(self.data, target.removeprefix("#")))
        return found


def _step(place: Mapping[str, Any], part: str) -> Any:
    properties = place.get("properties")
    if isinstance(properties, dict) and part in properties:
        return properties[part]
    return place.get("items") if part.isdigit() else None


def _names(place: Mapping[str, Any]) -> list[str]:
    return [*(place.get("properties") or ()), *(place.get("required") or ())]


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
