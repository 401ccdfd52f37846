"""What a person fills in before a run: what stands there at first, and what is taken of it."""

from __future__ import annotations

from typing import Any

import pytest

from runbooks.inputs import WrongInputs, first_values, read_inputs
from tests.runbooks.test_engine import book

BOOK = book("""
inputs:
  ref: {label: Ref, type: text, required: true, pattern: "re_[0-9]+", default: "{{ event.refund_id }}"}
  amount: {label: Amount, type: number, default: "{{ event.amount }}"}
  why: {label: Why, type: select, options: [late, wrong], default: late}
  tell: {label: Tell, type: toggle, default: true}
  when: {label: When, type: date}
  who: {label: Who, type: user}
steps:
  - {name: a, pause: 1m}
""")
GOOD = {"ref": "re_1"}


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"ref": " re_12 "}, "ref", "re_12"),
        ({}, "amount", None),
        ({"amount": "12"}, "amount", 12),
        ({"amount": "-12.50"}, "amount", -12.5),
        ({"amount": 7}, "amount", 7),
        ({"why": "wrong"}, "why", "wrong"),
        ({"tell": True}, "tell", True),
        ({"tell": "yes"}, "tell", True),
        ({"tell": ""}, "tell", False),
        ({}, "tell", False),
        ({"when": "2026-12-24"}, "when", "2026-12-24"),
        ({"who": "<@U0ADA|ada>"}, "who", "U0ADA"),
        ({"who": ""}, "who", None),
    ],
)
def test_a_value_is_taken_by_its_type(given: dict[str, Any], name: str, value: Any) -> None:
    assert read_inputs(BOOK, {**GOOD, **given})[name] == value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ref": ""}, "ref: fill this in"),
        ({"ref": "   "}, "ref: fill this in"),
        ({"ref": "re_x"}, "ref: write it like re_1042"),
        ({"ref": "re_1" + "1" * 3000}, "ref: at most 3,000 characters"),
        ({"amount": "a dozen"}, "amount: a number is wanted, for example 12 or 12.50"),
        ({"amount": "1e9"}, "amount: a number is wanted, for example 12 or 12.50"),
        ({"amount": True}, "amount: a number is wanted, for example 12 or 12.50"),
        ({"why": "early"}, "why: choose one of: late, wrong"),
        ({"tell": "perhaps"}, "tell: say yes or no"),
        ({"when": "24.12."}, "when: a date is wanted, for example 2026-12-24"),
        ({"who": "ada"}, "who: choose a person of this workspace"),
        ({"more": "x"}, "more: there is no such input"),
    ],
)
def test_what_cannot_be_taken_is_said_beside_its_field(given: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongInputs) as wrong:
        read_inputs(BOOK, {**GOOD, **given})
    assert str(wrong.value) == said


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(WrongInputs) as wrong:
        read_inputs(BOOK, {"amount": "x", "why": "y"})
    assert sorted(wrong.value.wrong) == ["amount", "ref", "why"]


def test_defaults_come_from_the_event_and_what_is_missing_stays_empty() -> None:
    assert first_values(BOOK, {"event": {"refund_id": "re_7"}}) == {"ref": "re_7", "why": "late", "tell": True}
    assert first_values(BOOK, {"event": {"amount": 12}})["amount"] == 12
