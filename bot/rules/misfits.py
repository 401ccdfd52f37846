"""Why an event does not fit its contract, said once for all events that do not fit in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

from bot.rules.texts import clean_line
from runbooks.validation import EventSchema, Violation, parts_of, pointer_of

LIKE = 0.75
PART_OF_IT = 0.8
LONGEST_NAME = 80
MOST_CANDIDATES = 200

_CLASSES = {
    "required": "missing",
    "type": "type",
    "format": "format",
    "enum": "value",
    "const": "value",
    "additionalProperties": "undeclared",
    "unevaluatedProperties": "undeclared",
}
_ORDER = ("renamed", "missing", "type", "format", "value")
_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Misfit:
    """How an event misses its contract. `kind` is the same for all events that miss it in the same way; `found`,
    `wanted` and `pointer` are of what weighs most, `pointers` and `lines` of all of it. Names and types only: no
    value of the event is in it."""

    kind: str
    title: str
    found: str
    wanted: str
    pointer: str
    pointers: tuple[str, ...]
    lines: tuple[str, ...]

    def as_names(self) -> dict[str, str]:
        """What conditions and texts of the policy see as `case.misfit`."""
        return {"found": self.found, "wanted": self.wanted, "pointer": self.pointer}

    def as_document(self) -> dict[str, Any]:
        """As it is kept: plain JSON."""
        return {**asdict(self), "pointers": [*self.pointers], "lines": [*self.lines]}


@dataclass(frozen=True, slots=True)
class _Fault:
    """One violation, with the field that came in the place of the one that is missing."""

    violation: Violation
    renamed_from: str | None

    @property
    def form(self) -> str:
        keyword = self.violation.keyword
        return "renamed" if self.renamed_from is not None else _CLASSES.get(keyword, keyword)


def misfit_of(violations: Sequence[Violation], content: Any, schema: EventSchema) -> Misfit:
    """The misfit that the violations of an event come to; there is at least one violation."""
    faults = list(_faults(violations, content, schema))
    first = min(faults, key=lambda fault: _weight(fault, schema))
    return Misfit(
        kind=_kind(first, schema),
        title=_sentence(first),
        found=_found(first),
        wanted=_wanted(first),
        pointer=first.violation.pointer,
        pointers=tuple(dict.fromkeys(fault.violation.pointer for fault in faults)),
        lines=tuple(dict.fromkeys(_sentence(fault) for fault in faults)),
    )


def _faults(violations: Sequence[Violation], content: Any, schema: EventSchema) -> Iterator[_Fault]:
    for violation in violations:
        is_missing = violation.keyword == "required"
        yield _Fault(violation, renamed_from(violation.pointer, content, schema) if is_missing else None)


def _weight(fault: _Fault, schema: EventSchema) -> tuple[int, str, str]:
    at = _ORDER.index(fault.form) if fault.form in _ORDER else len(_ORDER)
    return at, schema.pattern(fault.violation.pointer), fault.violation.keyword


def _kind(fault: _Fault, schema: EventSchema) -> str:
    came = f":{_name(fault.renamed_from)}" if fault.renamed_from is not None else ""
    return f"{fault.form}:{schema.pattern(fault.violation.pointer)}{came}"


def _found(fault: _Fault) -> str:
    if fault.renamed_from is None:
        return clean_line(fault.violation.found)
    return _place([*parts_of(fault.violation.pointer)[:-1], fault.renamed_from])


def _wanted(fault: _Fault) -> str:
    return (
        _place(parts_of(fault.violation.pointer)) if fault.violation.keyword == "required" else fault.violation.wanted
    )


def _place(parts: list[str]) -> str:
    """A field as people and `set` name it: at the top by its name, deeper by its pointer."""
    return parts[0] if len(parts) == 1 and not parts[0].startswith("/") else pointer_of(parts)


def _name(name: str) -> str:
    return clean_line(name, most=LONGEST_NAME)


def _sentence(fault: _Fault) -> str:
    violation = fault.violation
    place = _name(_place(parts_of(violation.pointer))) or "the event"
    match fault.form:
        case "renamed":
            return f"{_name(_found(fault))} came, {place} was wanted"
        case "missing":
            return f"{place} is missing"
        case "type":
            wanted = " or ".join(_TYPES.get(each, each) for each in violation.wanted.split(" or "))
            return f"{place} is {_TYPES.get(violation.found, violation.found)}, {wanted} was wanted"
        case "format":
            return f"{place} is no {violation.wanted}"
        case "identity":
            return f"there is nothing to know the event by: {violation.wanted}"
        case "undeclared":
            return f"{place} holds fields that the contract does not declare"
        case _:
            return f"{place} is {_TYPES.get(violation.found, violation.found)} that does not fit: {violation.wanted}"


def renamed_from(pointer: str, content: Any, schema: EventSchema) -> str | None:
    """The undeclared field that came in the place of the missing one: its name is like the wanted one's, and its
    value fits what is wanted there."""
    *inside, wanted = parts_of(pointer)
    parent = value_at(content, inside)
    if not isinstance(parent, Mapping):
        return None
    declared = schema.properties(pointer_of(inside))
    names = [name for name in parent if name not in declared and len(name) <= LONGEST_NAME][:MOST_CANDIDATES]
    near = sorted((name for name in names if likeness(name, wanted) >= LIKE), key=lambda name: -likeness(name, wanted))
    return next((name for name in near[:3] if _fits_as(content, inside, name, wanted, schema)), None)


def value_at(content: Any, parts: Sequence[str]) -> Any:
    """The value that the parts of a pointer lead to; None if nothing is there."""
    for part in parts:
        if isinstance(content, Mapping):
            content = content.get(part)
        elif isinstance(content, list) and part.isdigit() and int(part[:6]) < len(content):
            content = content[int(part[:6])]
        else:
            return None
    return content


def _fits_as(content: Any, inside: list[str], name: str, wanted: str, schema: EventSchema) -> bool:
    changed = _with_name(content, inside, name, wanted)
    place = pointer_of([*inside, wanted])
    wrong = [each.pointer for each in schema.misfits(changed)]
    return not any(pointer == place or pointer.startswith(f"{place}/") for pointer in wrong)


def _with_name(content: Any, inside: list[str], name: str, wanted: str) -> Any:
    """A copy in which the field has the wanted name."""
    if not inside:
        return {wanted if key == name else key: value for key, value in content.items()}
    first, *rest = inside
    if isinstance(content, list):
        return [_with_name(it, rest, name, wanted) if str(i) == first else it for i, it in enumerate(content)]
    return {key: _with_name(it, rest, name, wanted) if key == first else it for key, it in content.items()}


def likeness(came: str, wanted: str) -> float:
    """How much one name of a field is like another, from 0 to 1: by letters, and by the words in them (`dueDate` has
    the words of `due_date`, and `email` is a part of `contact_email`)."""
    ours, theirs = _words(came), _words(wanted)
    if ours and theirs and (set(ours) <= set(theirs) or set(theirs) <= set(ours)):
        return max(PART_OF_IT, SequenceMatcher(None, "".join(ours), "".join(theirs)).ratio())
    return SequenceMatcher(None, "".join(ours), "".join(theirs)).ratio()


def _words(name: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(name)]
