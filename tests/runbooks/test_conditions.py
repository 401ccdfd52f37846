"""Conditions in the words of people, and what has none."""

from __future__ import annotations

import pytest

from runbooks.conditions import in_words

LABELS = {"amount": "How much", "go": "Tell the customer"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("event.amount_cents > 50000", "amount_cents is over 50,000"),
        ("event['order'].total >= 12.5", "order.total is at least 12.5"),
        ("event.balance < -5000", "balance is under -5,000"),
        ("inputs.amount <= 100", '"How much" is at most 100'),
        ("inputs.other == 'x y'", '"other" is x y'),
        ("inputs.go", '"Tell the customer" is yes'),
        ("not inputs.go", '"Tell the customer" is no'),
        ("event.paid == true", "paid is yes"),
        ("case.failure_mode != 'conflict'", "the case's failure mode is not conflict"),
        ("event.tier in ['vip', 'gold']", "tier is one of vip, gold"),
        ("event.tier not in ['free']", "tier is none of free"),
        ("event.tier is defined", "tier is there"),
        ("event.tier is not defined", "tier is missing"),
        ("event.a > 1 and event.b > 2 and event.c > 3", "a is over 1 and b is over 2 and c is over 3"),
        ("event.a > 1 or not event.b", "a is over 1 or b is no"),
        ("event.a > 1 or event.b > 2 and event.c > 3", None),
        ("not (event.a > 1)", None),
        ("1 < event.a < 5", None),
        ("event.a > event.b", None),
        ("event.tags | length > 3", None),
        ("event.tier in event.tiers", None),
        ("event.a > 1 and event.tags | length > 3", None),
        ("asker == 'U0ADA'", None),
    ],
)
def test_a_condition_has_words_or_none(source: str, words: str | None) -> None:
    assert in_words(source, LABELS) == words
