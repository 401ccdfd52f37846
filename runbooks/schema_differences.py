"""What changes between two JSON Schemas: which values that fit the one do not fit the other (JSON Schema 2020-12).

A change is breaking when something that fits the old schema may not fit the new one. A field that is newly declared
and not required is not breaking, although an open schema took anything in its place. What cannot be compared (`not`,
`if`, other patterns) is said to be for a person to look at, and counts as breaking."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbooks.suggestions import nearest
from runbooks.validation import parts_of, type_name

Schema = Any
Path = tuple[str | int, ...]

LOOK = "changed, look yourself"
TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_LIMITS = {
    "minLength": (0, 1),
    "minItems": (0, 1),
    "minProperties": (0, 1),
    "minContains": (1, 1),
    "maxLength": (None, -1),
    "maxItems": (None, -1),
    "maxProperties": (None, -1),
    "maxContains": (None, -1),
}
"""What counts where a keyword is left out (None: no limit), and the direction in which it takes less."""
_OF_ONE = ("additionalProperties", "propertyNames", "items", "unevaluatedItems", "unevaluatedProperties")
_OPAQUE = ("oneOf", "not", "if", "then", "else", "$dynamicRef")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One difference. `path` leads to the keyword in the new schema, or to where it was in the old one."""

    path: Path
    words: str
    why: str
    breaking: bool


@dataclass(slots=True)
class _Both:
    """The two whole schemas, for their references, and the pairs of parts that were compared already."""

    old: Schema
    new: Schema
    seen: set[tuple[int, int]] = field(default_factory=set)


def schema_differences(old: Schema, new: Schema) -> list[SchemaChange]:
    """All differences that matter to what fits, in the order of the new schema's keywords."""
    return [] if old == new else list(_compare(_Both(old, new), old, new, ()))


def _compare(both: _Both, old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    pair = id(old), id(new)
    if pair in both.seen:  # told at its first place; and what leads to itself ends here
        return
    both.seen.add(pair)
    was, now = _whole(both.old, old), _whole(both.new, new)
    if was is False or now is False:
        if was is not now:
            yield _closed(path) if now is False else _opened(path)
        return
    was, now = ({} if it is True else it for it in (was, now))
    for compared in (_types, _values, _bounds, _limits, _texts):
        yield from compared(was, now, path)
    for applied in (_required, _properties, _items, _combined, _opaque):
        yield from applied(both, was, now, path)


def _whole(root: Schema, schema: Schema) -> Schema:
    """The schema with what its `$ref` leads to; a reference that leads nowhere is left alone."""
    for _ in range(20):
        if not isinstance(schema, dict) or "$ref" not in schema:
            return schema
        target = _target(root, str(schema["$ref"]))
        if target is None:
            return schema
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if any(key in _CHECKING for key in beside):
            return beside | {"allOf": [*beside.get("allOf", ()), target]}
        schema = target
    return schema


def _target(root: Schema, reference: str) -> Schema:
    place = root
    for part in parts_of(reference.removeprefix("#")):
        if isinstance(place, list):
            place = place[int(part)] if part.isdigit() and int(part[:6]) < len(place) else None
        else:
            place = place.get(part) if isinstance(place, dict) else None
    return place if reference == "#" or reference.startswith("#/") else None


def name_of(path: Path) -> str:
    """The field that a path in a schema leads to, as people write it: `customer.lines[].amount`."""
    said, parts = "", list(path)
    while parts:
        part = parts.pop(0)
        if part in ("properties", "patternProperties") and parts:
            said += f".{parts.pop(0)}"
        elif part in ("items", "prefixItems", "contains"):
            said += "[]"
            parts = parts[1:] if part == "prefixItems" else parts
        elif part in ("$defs", "allOf", "anyOf") and parts:
            parts.pop(0)
    return said.removeprefix(".") or "the event"


def _closed(path: Path) -> SchemaChange:
    if path and path[-1] in ("additionalProperties", "unevaluatedProperties"):
        return _narrower(path, "no other fields are taken", f"{name_of(path[:-1])} takes declared fields only")
    return _narrower(path, "no longer taken", f"{name_of(path)} is not taken any more")


def _opened(path: Path) -> SchemaChange:
    if path and path[-1] in ("additionalProperties", "unevaluatedProperties"):
        return _wider(path, "takes undeclared fields as well")
    return _wider(path, "is taken now")


def _wider(path: Path, words: str, why: str = "widened") -> SchemaChange:
    return SchemaChange(path, f"{name_of(path)}: {words}", why, breaking=False)


def _narrower(path: Path, why: str, words: str) -> SchemaChange:
    return SchemaChange(path, words, why, breaking=True)


def _look(path: Path, keyword: str) -> SchemaChange:
    return _narrower((*path, keyword), LOOK, f"{name_of(path)}: {keyword} {LOOK}")


def _types(old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    if _is_finite(new):
        return
    was, now = _types_of(old), _types_of(new)
    said = f"{name_of(path)}: type {_listed(was)} → {_listed(now)}"
    if any(not _covers(now, each) for each in was):
        yield _narrower((*path, "type"), "type narrowed", said)
    elif any(not _covers(was, each) for each in now) and not _is_finite(old):
        yield SchemaChange((*path, "type"), said, "type widened", breaking=False)


def _types_of(schema: Schema) -> frozenset[str]:
    """The types that may fit; those of its values, where these are listed."""
    if _is_finite(schema):
        return frozenset(map(type_name, _values_of(schema)))
    named = schema.get("type", TYPES)
    return frozenset([named] if isinstance(named, str) else named)


def _covers(types: frozenset[str], each: str) -> bool:
    return each in types or (each == "integer" and "number" in types)


def _listed(types: frozenset[str]) -> str:
    return "anything" if types == TYPES else " or ".join(sorted(types))


def _is_finite(schema: Schema) -> bool:
    return "const" in schema or "enum" in schema


def _values_of(schema: Schema) -> Sequence[Any]:
    return [schema["const"]] if "const" in schema else list(schema["enum"])


def _values(old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    if not _is_finite(new):
        if _is_finite(old):
            yield _wider((*path, "enum"), "is not held to listed values any more")
        return
    place = (*path, "const" if "const" in new else "enum")
    now = {_written(each) for each in _values_of(new)}
    if not _is_finite(old):
        yield _narrower(place, "values listed", f"{name_of(path)} takes only {_shown(now)} now")
        return
    was = {_written(each) for each in _values_of(old)}
    if was - now:
        yield _narrower(place, "values narrowed", f"{name_of(path)} no longer takes {_shown(was - now)}")
    if now - was:
        yield _wider(place, f"takes {_shown(now - was)} as well")


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _shown(values: set[str]) -> str:
    said = ", ".join(sorted(values))
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…"


def _bounds(old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    for keyword, exclusive, sign in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        was, now = (_bound(it, keyword, exclusive, sign) for it in (old, new))
        if was == now:
            continue
        place = (*path, exclusive if exclusive in new else keyword)
        if now is not None and (was is None or now > was):
            yield _narrower(place, "range narrowed", f"{name_of(path)}: {_bound_words(keyword, now, sign)} now")
        else:
            yield _wider(place, f"its {keyword} is wider")


def _bound(schema: Schema, keyword: str, exclusive: str, sign: int) -> tuple[float, int] | None:
    """The tighter of the two keywords, as something that grows with tightness."""
    found = [(sign * schema[key], rank) for rank, key in enumerate((keyword, exclusive)) if key in schema]
    return max(found, default=None)


def _bound_words(keyword: str, bound: tuple[float, int], sign: int) -> str:
    return f"{keyword} {'beyond ' if bound[1] else ''}{sign * bound[0]}"


def _limits(old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    for keyword, (default, sign) in _LIMITS.items():
        was, now = old.get(keyword, default), new.get(keyword, default)
        if was == now:
            continue
        if now is not None and (was is None or sign * now > sign * was):
            yield _narrower((*path, keyword), "range narrowed", f"{name_of(path)}: {keyword} {now} now")
        else:
            yield _wider((*path, keyword), f"its {keyword} is wider")
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield _narrower((*path, "uniqueItems"), "range narrowed", f"{name_of(path)}: each item only once now")
    was, now = old.get("multipleOf"), new.get("multipleOf")
    if now is not None and now != was:
        fits = was is not None and (was / now).is_integer()
        said = f"{name_of(path)}: multiples of {now} now"
        yield SchemaChange((*path, "multipleOf"), said, "widened" if fits else "range narrowed", breaking=not fits)


def _texts(old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    for keyword in ("pattern", "format"):
        was, now = old.get(keyword), new.get(keyword)
        if was == now:
            continue
        if now is None:
            yield _wider((*path, keyword), f"is not held to its {keyword} any more")
        elif was is None:
            yield _narrower(
                (*path, keyword), f"{keyword} added", f"{name_of(path)}: {keyword} {str(now)[:_LONGEST]} now"
            )
        else:
            yield _look(path, keyword)


def _required(both: _Both, old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    was, now = old.get("required", ()), new.get("required", ())
    gone = set(old.get("properties", {})) - set(new.get("properties", {}))
    for index, name in enumerate(now):
        if name not in was:
            near = nearest(name, gone) if name not in old.get("properties", {}) else None
            renamed = f"; was it {near}?" if near else ""
            said = f"{name_of((*path, 'properties', name))} is newly required{renamed}"
            yield _narrower((*path, "required", index), "newly required", said)
    for name in sorted(set(was) - set(now)):
        yield _wider((*path, "properties", name), "is not required any more")
    before, after = old.get("dependentRequired", {}), new.get("dependentRequired", {})
    for name, wanted in after.items():
        more = sorted(set(wanted) - set(before.get(name, ())))
        if more:
            said = f"{name_of(path)}: {', '.join(more)} newly required beside {name}"
            yield _narrower((*path, "dependentRequired", name), "newly required", said)


def _properties(both: _Both, old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    was, now = old.get("properties", {}), new.get("properties", {})
    for name in now:
        place = (*path, "properties", name)
        if name in was:
            yield from _compare(both, was[name], now[name], place)
        elif now[name] is False:
            yield _closed(place)
        else:
            yield _wider(place, "is a new field", "field added")
    for name in was:
        if name not in now:
            yield _removed(old, new, path, name)
    for keyword in ("patternProperties", "dependentSchemas"):
        yield from _keyed(both, old.get(keyword, {}), new.get(keyword, {}), (*path, keyword))


def _removed(old: Schema, new: Schema, path: Path, name: str) -> SchemaChange:
    place, others = (*path, "properties", name), new.get("additionalProperties", True)
    if others is True or others == {}:
        return _wider(place, "is not checked any more", "field removed")
    if others is False and not new.get("patternProperties"):
        said = f"{name_of(place)} is not declared any more, and undeclared fields are not taken"
        return _narrower(place, "field removed", said)
    return _narrower(place, LOOK, f"{name_of(place)} is not declared any more: {LOOK}")


def _keyed(both: _Both, was: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> Iterator[SchemaChange]:
    for name in now:
        if name in was:
            yield from _compare(both, was[name], now[name], (*path, name))
        else:
            yield _narrower((*path, name), f"{path[-1]} added", f"{name_of(path[:-1])}: {path[-1]} for {name} now")
    for name in was:
        if name not in now:
            yield _look(path[:-1], str(path[-1]))


def _items(both: _Both, old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    for keyword in _OF_ONE:
        if keyword in old or keyword in new:
            yield from _compare(both, old.get(keyword, True), new.get(keyword, True), (*path, keyword))
    was, now = old.get("prefixItems", []), new.get("prefixItems", [])
    for index in range(max(len(was), len(now))):
        before, after = ((it[index] if index < len(it) else rest) for it, rest in _with_rest(old, new, was, now))
        yield from _compare(both, before, after, (*path, "prefixItems", index))
    if "contains" in new and "contains" not in old:
        yield _narrower((*path, "contains"), "contains added", f"{name_of(path)} has to contain something now")
    elif "contains" in new:
        yield from _compare(both, old["contains"], new["contains"], (*path, "contains"))


def _with_rest(old: Schema, new: Schema, was: list[Any], now: list[Any]) -> tuple[tuple[list[Any], Schema], ...]:
    return (was, old.get("items", True)), (now, new.get("items", True))


def _combined(both: _Both, old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    was, now = old.get("allOf", []), new.get("allOf", [])
    for index, schema in enumerate(now):
        before = was[index] if index < len(was) else True
        yield from _compare(both, before, schema, (*path, "allOf", index))
    if len(was) > len(now):
        yield _wider((*path, "allOf"), "has to fit less")
    yield from _any_of(both, old, new, path)


def _any_of(both: _Both, old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    was, now, place = old.get("anyOf"), new.get("anyOf"), (*path, "anyOf")
    if was is None or now is None:
        if now is not None:
            yield _look(path, "anyOf")
        elif was is not None:
            yield _wider(place, "is not held to alternatives any more")
    elif len(was) == len(now):
        for index, pair in enumerate(zip(was, now, strict=True)):
            yield from _compare(both, *pair, (*place, index))
    elif all(each in now for each in was):
        yield _wider(place, "has another alternative")
    else:
        yield _look(path, "anyOf")


def _opaque(both: _Both, old: Schema, new: Schema, path: Path) -> Iterator[SchemaChange]:
    for keyword in _OPAQUE:
        if (keyword in old or keyword in new) and not _is_same(both, old.get(keyword), new.get(keyword)):
            yield _look(path, keyword)


def _is_same(both: _Both, old: Any, new: Any) -> bool:
    """Whether two parts are the same, what their references lead to as well."""
    if old != new:
        return False
    return _reached(both.old, old) == _reached(both.new, new)


def _reached(root: Schema, part: Any) -> dict[str, Any]:
    """What the references in a part lead to, those behind them too."""
    found: dict[str, Any] = {}
    waiting = [part]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            reference = each.get("$ref")
            if isinstance(reference, str) and reference not in found:
                found[reference] = _target(root, reference)
                waiting.append(found[reference])
            waiting += each.values()
    return found


_CHECKING = frozenset(
    (
        *("type", "enum", "const", "required", "dependentRequired", "properties", "patternProperties", "multipleOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern", "format", "uniqueItems"),
        *("dependentSchemas", "prefixItems", "contains", "allOf", "anyOf"),
        *_LIMITS,
        *_OF_ONE,
        *_OPAQUE,
    )
)
