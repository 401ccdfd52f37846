"""An event that fits a schema, made from what the schema itself says; and a text that fits a pattern."""

import re
from collections.abc import Mapping
from typing import Any

from runbooks.validation import EventSchema, parts_of

DEEPEST = 20
MOST_ITEMS = 20
HINT = 'write a whole event under "examples" at the top of the schema'
_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T09:00:00Z",
    "time": "09:00:00Z",
    "duration": "P1D",
    "email": "drill@example.com",
    "idn-email": "drill@example.com",
    "hostname": "drill.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/drill",
    "uri-reference": "/drill",
    "iri": "https://example.com/drill",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "json-pointer": "/drill",
    "regex": "drill",
}
_TAILS = ("", "drill", "1", "000001", "A1", "a1b2c3d4", "DRILL", "2026-01-15", "-1", "_1")
_ENDS_A_LITERAL = "\\.[](){}*+?|^$"


_LETTERS = "abcdefghijkl"
_LIKE = (
    *("104212345678"[:most] for most in (4, 1, 2, 3, 5, 6, 7, 8, 9, 10, 12)),
    *(letters[:most] for letters in (_LETTERS, _LETTERS.upper()) for most in (3, 1, 2, 4, 5, 6, 8)),
    *_TAILS,
    "a@example.com",
    "00000000-0000-4000-8000-000000000000",
)


class NoExample(Exception):
    """No event could be made that fits; the text says where, and what to do."""


def example_of(schema: EventSchema) -> dict[str, Any]:
    """An event that fits, always the same: one of the schema's own `examples`, or else one with every field that it
    declares, or those alone that it requires. Raises `NoExample`."""
    own = schema.data.get("examples", ())
    tried = [event for event in own if isinstance(event, dict)] if isinstance(own, list) else []
    tried += [event for event in (_made(schema, every=True), _made(schema, every=False)) if isinstance(event, dict)]
    for event in tried:
        if not schema.misfits(event):
            return dict(event)
    wrong = schema.misfits(tried[-1]) if tried else ()
    where = f"{wrong[0].pointer or 'the event'} wants {wrong[0].wanted}" if wrong else "it describes no object"
    raise NoExample(f"{where}; {HINT}")


def text_like(pattern: re.Pattern[str]) -> str | None:
    """A text that the pattern matches as a whole, always the same; None for one whose shape is not plain."""
    start = _literal(f"^{pattern.pattern.removeprefix('^')}")
    return next((text for tail in _LIKE if (text := f"{start}{tail}") and pattern.fullmatch(text)), None)


def _made(schema: EventSchema, *, every: bool) -> Any:
    return _Maker(schema.data, every).value(schema.data, DEEPEST)


class _Maker:
    """Makes values. `every`: with the fields that are declared and not required."""

    def __init__(self, root: Mapping[str, Any], every: bool) -> None:
        self._root = root
        self._every = every

    def value(self, place: Any, left: int) -> Any:
        """A value for a place of the schema; None where nothing better is known."""
        if not isinstance(place, dict) or left == 0:
            return None
        place = self._whole(place, left)
        if "const" in place:
            return place["const"]
        for word in ("examples", "enum"):
            if isinstance(place.get(word), list) and place[word]:
                return place[word][0]
        return place["default"] if "default" in place else self._typed(place, left)

    def _whole(self, place: Mapping[str, Any], left: int) -> dict[str, Any]:
        """The place with what `$ref` and `allOf` add to it, and the first choice of `anyOf` and `oneOf`."""
        parts = [self._at(place["$ref"])] if isinstance(place.get("$ref"), str) else []
        parts += place.get("allOf") or []
        parts += [choices[0] for choices in (place.get("anyOf"), place.get("oneOf")) if choices]
        whole: dict[str, Any] = {}
        for part in [*(self._whole(each, left - 1) for each in parts if isinstance(each, dict) and left > 1), place]:
            properties = {**whole.get("properties", {}), **part.get("properties", {})}
            required = [*whole.get("required", ()), *part.get("required", ())]
            whole |= part
            whole |= {"properties": properties} if properties else {}
            whole |= {"required": required} if required else {}
        return whole

    def _at(self, reference: str) -> Any:
        found: Any = self._root
        for part in parts_of(reference.removeprefix("#")):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def _typed(self, place: Mapping[str, Any], left: int) -> Any:
        match _type(place):
            case "object":
                return self._object(place, left)
            case "array":
                items = [*place.get("prefixItems", ())]
                items += [place.get("items", {})] * (min(place.get("minItems", 0), MOST_ITEMS) - len(items))
                return [self.value(item, left - 1) for item in items]
            case "string":
                return _text(place)
            case "integer" | "number" as kind:
                return _number(place, whole=kind == "integer")
            case "boolean":
                return True
            case _:
                return None

    def _object(self, place: Mapping[str, Any], left: int) -> dict[str, Any]:
        properties, required = place.get("properties", {}), place.get("required", [])
        names = [name for name in properties if self._every or name in required]
        names += [name for name in required if name not in properties]
        return {name: self.value(properties.get(name, {"type": "string"}), left - 1) for name in names}


def _type(place: Mapping[str, Any]) -> str:
    """The type that is said, or else the one that its other words are about."""
    said = place.get("type")
    if isinstance(said, list):
        return next((each for each in said if each != "null"), "null")
    if isinstance(said, str):
        return said
    if "properties" in place or "required" in place:
        return "object"
    if "items" in place or "prefixItems" in place:
        return "array"
    return "number" if {"minimum", "maximum", "exclusiveMinimum", "multipleOf"} & place.keys() else "string"


def _text(place: Mapping[str, Any]) -> str:
    if place.get("format") in _FORMATS:
        return _FORMATS[place["format"]]
    least, most = place.get("minLength", 0), place.get("maxLength", 200)
    start = _literal(str(place.get("pattern", "")))
    fitting = EventSchema({word: place[word] for word in ("pattern", "minLength", "maxLength") if word in place})
    tried = [f"{start}{tail}" for tail in ("drill", *_TAILS)]
    tried += [text.ljust(least, "1") for text in tried]
    return next((text for text in tried if text and not fitting.misfits(text)), f"{start}drill"[:most])


def _literal(pattern: str) -> str:
    """What a text that matches begins with, as far as the pattern says it letter by letter."""
    if not pattern.startswith("^"):
        return ""
    taken = ""
    for letter in pattern[1:]:
        if letter in _ENDS_A_LITERAL:
            return taken[:-1] if letter in "*?{" else taken
        taken += letter
    return taken


def _number(place: Mapping[str, Any], *, whole: bool) -> int | float:
    """The least number that may be, or else the highest, or 1."""
    step = place.get("multipleOf", 1 if whole else 0)
    if "exclusiveMinimum" in place:
        value = place["exclusiveMinimum"] + (step or 1)
    else:
        value = place.get("minimum", min(1, place.get("maximum", 1)))
    if step:
        value = -(-value // step) * step
    return int(value) if whole else value
