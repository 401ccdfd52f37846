"""The JSON Schemas of a folder (`schemas/*.json`): JSON Schema 2020-12, each whole in itself."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema_rs import ValidationError

from runbooks.faults import Fault
from runbooks.schema_words import TYPES, misspelt_words
from runbooks.shape_faults import MOST_FAULTS
from runbooks.suggestions import suggest
from runbooks.validation import EventSchema
from runbooks.yaml_source import MAX_DEPTH, Node, parse_yaml

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_CHARACTERS = 256 * 1024
MAX_VALUES = 20_000


_PATTERNS = "patterns are the regular expressions of ECMA-262, without those of other languages, such as \\Z"


class _OddError(ValueError):
    pass


def parse_schema(file: str, text: str) -> tuple[Any, list[Fault]]:
    """Read one schema: its data, or None with its faults. Unknown keywords are left alone, as the
    standard does, unless they are known ones misspelt."""
    data, faults = _parse_json(file, text.removeprefix("\ufeff"))
    if faults:
        return None, faults
    root, _ = parse_yaml(file, text)  # JSON is YAML, near enough to find a place in it
    faults = list(_wrong(file, data, root or Node(1, 1, {})))
    return (None if faults else data), faults


def _parse_json(file: str, text: str) -> tuple[Any, list[Fault]]:
    if len(text) > MAX_CHARACTERS:
        return None, [Fault(file, 1, 1, f"is longer than {MAX_CHARACTERS} characters", "split the workflow")]
    try:
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_not_json)
    except json.JSONDecodeError as error:
        hint = "look for a missing comma, quote or bracket here or just before"
        return None, [Fault(file, error.lineno, error.colno, f"is not JSON: {error.msg.lower()}", hint)]
    except RecursionError:
        return None, [_too_deep(file)]
    except _OddError as error:
        return None, [Fault(file, *_place_of(text, str(error)), str(error), "keep one, and plain JSON only")]
    except ValueError:  # int() of more than 4,300 digits
        return None, [Fault(file, 1, 1, "holds a number that is too long", "write it as a text")]
    faults = list(_too_much(file, data))
    return (None if faults else data), faults


def _too_deep(file: str) -> Fault:
    return Fault(file, 1, 1, f"is nested deeper than {MAX_DEPTH} levels", "make it flatter")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _OddError(f'"{key[:80]}" is written twice')
        found[key] = value
    return found


def _not_json(word: str) -> Any:
    raise _OddError(f"{word} is not JSON")


def _place_of(text: str, message: str) -> tuple[int, int]:
    """Where the word that a message begins with stands last in the text."""
    word = message.split(" is ")[0]
    at = max(text.rfind(word), 0)
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _too_much(file: str, data: Any) -> Iterator[Fault]:
    """A schema that is too deep or too large to be checked in a moment."""
    deepest, count, waiting = 0, 0, [(data, 1)]
    while waiting and count <= MAX_VALUES:
        value, depth = waiting.pop()
        deepest, count = max(deepest, depth), count + 1
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting += [(item, depth + 1) for item in inner]
    if deepest > MAX_DEPTH:
        yield _too_deep(file)
    if count > MAX_VALUES:
        yield Fault(file, 1, 1, f"holds more than {MAX_VALUES} values", "split the workflow")


def _wrong(file: str, data: Any, root: Node) -> Iterator[Fault]:
    if not isinstance(data, dict):
        yield Fault(file, 1, 1, "a schema is a JSON object", 'write {"type": "object", …}')
        return
    dialect = data.get("$schema", DIALECT)
    if dialect != DIALECT:
        node = root.find("$schema") or root
        yield Fault(file, node.line, node.column, "only JSON Schema 2020-12 is read", f'write "$schema": "{DIALECT}"')
        return
    checker = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    broken = list(islice(_misfits(file, data, root, checker), MOST_FAULTS))
    broken = broken or [*_references(file, data, root), *islice(_slips(file, data, root), MOST_FAULTS)]
    yield from broken or _uncompiled(file, data, root)


def _uncompiled(file: str, data: Any, root: Node) -> Iterator[Fault]:
    """What only the validator of events finds: a pattern that its regular expressions do not know."""
    try:
        EventSchema(data)
    except (ValidationError, ValueError) as error:
        node = _at(root, [*getattr(error, "instance_path", ())])
        yield Fault(file, node.line, node.column, "cannot be checked against events", _PATTERNS)


def _slips(file: str, data: Any, root: Node) -> Iterator[Fault]:
    for path, message, near in misspelt_words(data):
        node = _at(root, path)
        yield Fault(file, node.line, node.column, message, f'did you mean "{near}"?')


def _misfits(file: str, data: Any, root: Node, checker: Validator) -> Iterator[Fault]:
    for error in checker.iter_errors(data):
        cause = best_match([error]) or error
        path = [*cause.absolute_path]
        node = _at(root, path)
        name = f'"{path[-1]}"' if path else "this"
        if path and path[-1] == "type" and isinstance(cause.instance, str):
            message, hint = f'"{cause.instance[:40]}" is not a type', suggest(cause.instance, TYPES)
        else:
            message, hint = f"{name} is not right in a schema", _said(cause)
        yield Fault(file, node.line, node.column, message, hint)


def _said(error: Any) -> str:
    wanted = error.validator_value
    if error.validator == "type":
        return f"it takes {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    if error.validator == "format":
        return f"it takes a {wanted}"
    return "look it up in JSON Schema 2020-12"


def _at(root: Node, path: list[str | int]) -> Node:
    node = root
    for part in path:
        if isinstance(part, int):
            node = node.items[part] if part < len(node.items) else node
        else:
            node = node.find(part) or node
    return node


def _references(file: str, data: dict[str, Any], root: Node) -> Iterator[Fault]:
    """References stay in the file: what is fetched from elsewhere can change without a change of the policy."""
    for path, target in _refs(data, []):
        node = _at(root, path)
        if not target.startswith("#"):
            hint = 'copy it under "$defs", and write "#/$defs/NAME"'
            yield Fault(file, node.line, node.column, f'"{target[:80]}" leads out of this file', hint)
        elif target.startswith("#/") and not _resolves(data, target):
            hint = "write the path of a definition, such as #/$defs/NAME"
            yield Fault(file, node.line, node.column, f'"{target[:80]}" leads nowhere', hint)


def _refs(data: Any, path: list[str | int]) -> Iterator[tuple[list[str | int], str]]:
    if isinstance(data, list):
        for index, item in enumerate(data):
            yield from _refs(item, [*path, index])
    if isinstance(data, dict):
        for key, value in data.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield [*path, key], value
            yield from _refs(value, [*path, key])


def _resolves(data: Any, target: str) -> bool:
    for part in target[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(data, dict) and name in data:
            data = data[name]
        elif isinstance(data, list) and name.isdigit() and int(name[:6]) < len(data):
            data = data[int(name[:6])]
        else:
            return False
    return True
