"""Words of a JSON Schema that are almost right: the standard ignores them without a word, and nothing is checked."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from runbooks.suggestions import nearest

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_FORMATS = tuple(Draft202012Validator.FORMAT_CHECKER.checkers)
_OF_MANY = ("properties", "patternProperties", "$defs", "dependentSchemas")
_OF_LIST = ("allOf", "anyOf", "oneOf", "prefixItems")
_OF_ONE = (
    *("items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"),
    *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
)
_CHECKED = (
    *("type", "enum", "const", "required", "format", "pattern", "properties", "patternProperties", "items"),
    *("additionalProperties", "propertyNames", "prefixItems", "contains", "uniqueItems", "dependentRequired"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "allOf", "anyOf", "oneOf"),
)
"""Keywords that check something. Unknown ones like `example` or `note` are annotations, as the standard says."""

_KNOWN = (*_OF_MANY, *_OF_LIST, *_OF_ONE, *_CHECKED)
_NEAR = 0.75

Path = list[str | int]


def misspelt_words(schema: Any) -> Iterator[tuple[Path, str, str]]:
    """The path, what is wrong, and the nearest right word, for keywords, formats and required fields."""
    for path, part in _parts(schema, []):
        for word in part:
            if word not in _KNOWN and (near := nearest(word, _CHECKED, _NEAR)):
                yield [*path, word], f'there is no keyword "{word[:80]}" in JSON Schema', near
        format_ = part.get("format")
        if isinstance(format_, str) and format_ not in _FORMATS and (near := nearest(format_, _FORMATS, _NEAR)):
            yield [*path, "format"], f'there is no format "{format_[:80]}"', near
        yield from _required(path, part)


def _required(path: Path, part: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    fields = part.get("properties")
    if not isinstance(fields, dict):
        return
    for position, name in enumerate(part.get("required", [])):
        if name not in fields and (near := nearest(str(name), fields, _NEAR)):
            yield [*path, "required", position], f'"{str(name)[:80]}" is required and not among the properties', near


def _parts(schema: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The schema and all schemas in it."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for keyword in (*_OF_MANY, *_OF_LIST):
        held = schema.get(keyword)
        pairs = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
        for key, inner in pairs:
            yield from _parts(inner, [*path, keyword, key])
    for keyword in _OF_ONE:
        yield from _parts(schema.get(keyword), [*path, keyword])
