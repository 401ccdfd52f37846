"""Lengths of time as people write them: `45s 15m 4h 3d 1w` on the clock, `30bm 2bh 1bd` in business time."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

PATTERN = r"^[1-9][0-9]{0,8}(s|m|h|d|w|bm|bh|bd)$"
"""What a length looks like, as a regular expression for JSON Schema."""

_CLOCK = {"w": 7 * 86_400, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_BUSINESS = {"bh": 60, "bm": 1}
_LONGEST_SECONDS = 10 * 366 * 86_400
_LONGEST_BUSINESS_DAYS = 1_000
_LONGEST_BUSINESS_MINUTES = _LONGEST_BUSINESS_DAYS * 24 * 60
_WORDS = re.compile(
    r"([0-9]{1,9})\s*(business|working|b)?[\s-]*(second|sec|minute|min|hour|hr|day|week|s|m|h|d|w)s?", re.I
)
_NUMBER = re.compile(r"[0-9]{1,9}")
_FRACTION = re.compile(r"[0-9]+[.,][0-9]+(b?[a-z])")


@dataclass(frozen=True, slots=True)
class Length:
    """A length of one kind: `seconds` on the clock, `business_minutes` or `business_days` of a calendar.

    Exactly one of the three is greater than zero; ValueError otherwise, and for lengths beyond ten years on
    the clock or 1,000 business days, which are slips of the pen and would overflow dates.
    """

    seconds: int = 0
    business_minutes: int = 0
    business_days: int = 0

    def __post_init__(self) -> None:
        kinds = (self.seconds, self.business_minutes, self.business_days)
        if min(kinds) < 0 or sum(kind > 0 for kind in kinds) != 1:
            raise ValueError("a length is more than nothing, and of one kind: clock, business time or days")
        if self.seconds > _LONGEST_SECONDS:
            raise ValueError("the longest length is ten years (3660d)")
        if max(self.business_minutes / (24 * 60), self.business_days) > _LONGEST_BUSINESS_DAYS:
            raise ValueError(f"the longest length in business time is {_LONGEST_BUSINESS_DAYS}bd")

    @property
    def is_business(self) -> bool:
        """True if the length needs a calendar."""
        return self.seconds == 0

    def __str__(self) -> str:
        """The canonical text, in the largest unit that divides it: `parse_length(str(x)) == x`."""
        if self.business_days:
            return f"{self.business_days}bd"
        units, total = (_BUSINESS, self.business_minutes) if self.is_business else (_CLOCK, self.seconds)
        return next(f"{total // size}{unit}" for unit, size in units.items() if total % size == 0)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A field of this type takes the text (or a Length) and is written as its canonical text."""
        return core_schema.no_info_plain_validator_function(
            _from_field, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What editors check: a string of the pattern."""
        return {"type": "string", "pattern": PATTERN, "examples": ["15m", "2bh", "1bd"]}


def parse_length(text: str) -> Length:
    """Read one length: a whole number and one of s, m, h, d, w (clock) or bm, bh, bd (business time).

    Raises ValueError that says what to write instead.
    """
    if not re.fullmatch(PATTERN.strip("^$"), text):
        raise ValueError(f"{_shown(text)} is not a length; {_advice(text)}")
    number, unit = int(text.rstrip("smhdwb")), text.lstrip("0123456789")
    if unit == "bd":
        return Length(business_days=number)
    if unit in _BUSINESS:
        return Length(business_minutes=number * _BUSINESS[unit])
    return Length(seconds=number * _CLOCK[unit])


def _from_field(value: object) -> Length:
    if isinstance(value, Length):
        return value
    if isinstance(value, str):
        return parse_length(value)
    raise ValueError(f"{_shown(str(value))} is not a length; {_advice(str(value))}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _advice(text: str) -> str:
    text = text.strip()
    if words := _WORDS.fullmatch(text):
        return _in_units(int(words[1]), bool(words[2]), words[3][0].lower())
    if _NUMBER.fullmatch(text) and int(text):
        return f"write {int(text)}s, {int(text)}m, {int(text)}h or {int(text)}d"
    if _FRACTION.fullmatch(text):
        return "write a whole number of a smaller unit, such as 90m for an hour and a half"
    return "write a whole number and a unit: 45s 15m 4h 3d 1w on the clock, 30bm 2bh 1bd in business time"


def _in_units(number: int, business: bool, unit: str) -> str:
    names = {"m": "business minutes", "h": "business hours", "d": "business days"}
    if not number:
        return "a length is more than nothing"
    if unit not in names:
        return f"write {number * 5}bd (business days)" if business else f"write {number}{unit}"
    if business:
        return f"write {number}b{unit} ({names[unit]})"
    return f"write {number}{unit} (clock) or {number}b{unit} ({names[unit]})"
