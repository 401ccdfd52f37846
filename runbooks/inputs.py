"""What is asked of a person before a run: the values that stand in the form at first, and those that are given, read
by their types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from runbooks.examples import text_like
from runbooks.runbook import Input, Runbook
from runbooks.templates import ExpressionFault, Missing, render_tree

LONGEST_TEXT = 3000
_PERSON = re.compile(r"[UW][A-Z0-9]{2,}")


class WrongInputs(ValueError):
    """Values that cannot be taken: what is wrong with each, by the name of its input."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {why}" for name, why in wrong.items()))
        self.wrong = dict(wrong)


def first_values(runbook: Runbook, names: Mapping[str, object]) -> dict[str, Any]:
    """What stands in the form before anybody changes it; what cannot be filled in from the event stays empty."""
    values = {}
    for name, field in runbook.inputs.items():
        try:
            value = render_tree(field.default, names) if field.default is not None else None
        except (Missing, ExpressionFault):
            value = None
        if field.type == "toggle":
            value = value is True
        if value is not None:
            values[name] = value if isinstance(value, str | int | float | bool) else str(value)
    return values


def read_inputs(runbook: Runbook, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values by their types; an optional one that was left empty is null. Raises `WrongInputs` with all that is
    wrong, in words for the person."""
    wrong = {name: "there is no such input" for name in given if name not in runbook.inputs}
    values = {}
    for name, field in runbook.inputs.items():
        value = given.get(name)
        if isinstance(value, str):
            value = value.strip()
        try:
            values[name] = _read(field, value)
        except ValueError as fault:
            wrong[name] = str(fault)
    if wrong:
        raise WrongInputs(wrong)
    return values


def _read(field: Input, value: Any) -> Any:
    if value is None or value == "":
        if field.type == "toggle":
            return False
        if field.required:
            raise ValueError("fill this in")
        return None
    return _READERS[field.type](field, value)


def _text(field: Input, value: Any) -> str:
    text = str(value)
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"at most {LONGEST_TEXT:,} characters")
    if field.pattern is not None and not field.pattern.fullmatch(text):
        example = text_like(field.pattern)
        raise ValueError(f"write it like {example}" if example else f"it does not fit {field.pattern.pattern}")
    return text


def _number(field: Input, value: Any) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = str(value)
    if re.fullmatch(r"[+-]?[0-9]{1,15}", text):
        return int(text)
    if re.fullmatch(r"[+-]?[0-9]{1,15}\.[0-9]{1,9}", text):
        return float(text)
    raise ValueError("a number is wanted, for example 12 or 12.50")


def _select(field: Input, value: Any) -> str:
    if str(value) not in field.options:
        raise ValueError(f"choose one of: {', '.join(field.options)}")
    return str(value)


def _toggle(field: Input, value: Any) -> bool:
    words = {True: True, False: False, "yes": True, "true": True, "no": False, "false": False}
    if (value if isinstance(value, bool) else str(value).lower()) not in words:
        raise ValueError("say yes or no")
    return words[value if isinstance(value, bool) else str(value).lower()]


def _date(field: Input, value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError("a date is wanted, for example 2026-12-24") from None


def _user(field: Input, value: Any) -> str:
    text = str(value).removeprefix("<@").removesuffix(">").partition("|")[0]
    if not _PERSON.fullmatch(text):
        raise ValueError("choose a person of this workspace")
    return text


_READERS: Mapping[str, Callable[[Input, Any], Any]] = {
    "text": _text,
    "number": _number,
    "select": _select,
    "toggle": _toggle,
    "date": _date,
    "user": _user,
}
