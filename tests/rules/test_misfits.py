"""Why an event does not fit, said once for all events that do not fit in the same way."""

from typing import Any

import pytest

from bot.rules.misfits import Misfit, likeness, misfit_of
from runbooks.validation import EventSchema

RENEWAL = EventSchema(
    {
        "type": "object",
        "required": ["account_id", "renewal_date"],
        "properties": {
            "account_id": {"type": "string"},
            "renewal_date": {"type": "string", "format": "date"},
            "amount_cents": {"type": "integer"},
            "contact": {"type": "object", "required": ["email"], "properties": {"email": {"format": "email"}}},
            "lines": {"type": "array", "items": {"properties": {"sku": {"type": "string"}}}},
        },
    }
)
GOOD = {"account_id": "a-1", "renewal_date": "2026-01-31"}


def misfit(**content: Any) -> Misfit:
    violations = RENEWAL.misfits(content)
    assert violations
    return misfit_of(violations, content, RENEWAL)


def test_a_renamed_field_is_recognised_and_said() -> None:
    found = misfit(account_id="a-1", renewal_dt="2026-01-31")
    assert found.title == "renewal_dt came, renewal_date was wanted"
    assert found.as_names() == {"found": "renewal_dt", "wanted": "renewal_date", "pointer": "/renewal_date"}


def test_a_field_deeper_down_is_named_by_its_pointer() -> None:
    found = misfit(**GOOD, contact={"e-mail": "ada@acme.test"})
    assert found.title == "/contact/e-mail came, /contact/email was wanted"
    assert found.as_names()["wanted"] == "/contact/email"


@pytest.mark.parametrize(
    "other",
    [
        {"renewal_dt": "31.01.2026"},  # its value is no date
        {"renewal_dt": 7},
        {"start": "2026-01-31"},  # its name is another
        {"amount_cents": 3},  # declared, so it is itself
    ],
)
def test_a_field_of_another_name_or_value_is_no_rename(other: dict[str, Any]) -> None:
    found = misfit(account_id="a-1", **other)
    assert (found.kind, found.title) == ("missing:/renewal_date", "renewal_date is missing")


def test_events_that_miss_it_in_the_same_way_are_of_one_kind() -> None:
    assert misfit(**GOOD, lines=[{"sku": 1}]).kind == misfit(**GOOD, lines=[{"sku": "a"}, {"sku": 2}]).kind
    assert misfit(**GOOD, amount_cents="12").kind == misfit(**GOOD, amount_cents=None).kind == "type:/amount_cents"
    assert misfit(account_id="a-1").kind != misfit(account_id="a-1", renewalDate="2026-01-31").kind


def test_what_weighs_most_names_the_kind_and_all_of_it_is_told() -> None:
    found = misfit(account_id=1, amount_cents="12")
    assert found.kind == "missing:/renewal_date"
    assert found.pointers == ("/renewal_date", "/account_id", "/amount_cents")
    assert found.lines[2] == "amount_cents is a text, a whole number was wanted"


def test_no_value_of_the_event_is_in_it() -> None:
    secret = "ada@private.example"
    found = misfit(account_id=[secret], renewal_dt=secret, amount_cents=secret, contact={"email": secret})
    assert secret not in str(found.as_document())


def test_hostile_names_stay_short_and_on_one_line() -> None:
    found = misfit(account_id="a-1", **{"renewal\n_date": "2026-01-31", "x" * 9_000: 1})
    assert "\n" not in found.title
    assert len(found.title) < 300


@pytest.mark.parametrize(
    ("came", "wanted", "is_like"),
    [
        ("renewal_dt", "renewal_date", True),
        ("dueDate", "due_date", True),
        ("email", "contact_email", True),
        ("customer", "customer_id", True),
        ("account_name", "account_id", False),
        ("created_at", "renewal_date", False),
        ("", "x", False),
    ],
)
def test_names_are_alike_by_letters_and_by_words(came: str, wanted: str, is_like: bool) -> None:
    assert (likeness(came, wanted) >= 0.75) is is_like
