"""Who is asked for a yes, in which order, and whose answer counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from bot.rules.approvals import Answer, Ask, No, NobodyLeft, Seat, Then, is_needed, next_ask, seat_of
from runbooks.runbook import Approval
from runbooks.templates import compile_expression

ROLES = ("billing", "steward")
BOTH = {"billing": ("FAY", "GUS"), "steward": ("CLEO",)}
YES, NO, OPEN, EXPIRED, NOBODY = Answer.YES, Answer.NO, Answer.OPEN, Answer.EXPIRED, Answer.NOBODY


@pytest.mark.parametrize(
    ("seats", "able", "count", "expected"),
    [
        pytest.param([], BOTH, 1, Ask("billing"), id="the first role is asked first"),
        pytest.param([Seat("billing")], BOTH, 1, Then.WAIT, id="as long as its time runs, nobody else is"),
        pytest.param([Seat("billing", YES, "FAY")], BOTH, 1, Then.GO_ON, id="one yes is enough"),
        pytest.param([Seat("billing", EXPIRED)], BOTH, 1, Ask("steward"), id="the next one when time ran out"),
        pytest.param(
            [Seat("billing", EXPIRED), Seat("steward", EXPIRED)], BOTH, 1, NobodyLeft(), id="nobody said yes in time"
        ),
        pytest.param([], {"steward": ("CLEO",)}, 1, Ask("steward", ("billing",)), id="a role without people"),
        pytest.param([], {}, 1, NobodyLeft(("billing", "steward")), id="roles without people"),
        pytest.param([Seat("billing", YES, "FAY")], BOTH, 2, Ask("billing", again=True), id="a second yes of the role"),
        pytest.param(
            [Seat("billing", YES, "FAY"), Seat("billing")], BOTH, 2, Then.WAIT, id="a second yes of it is waited for"
        ),
        pytest.param(
            [Seat("billing", YES, "FAY"), Seat("billing", YES, "GUS")], BOTH, 2, Then.GO_ON, id="two different people"
        ),
        pytest.param(
            [Seat("billing", YES, "FAY")],
            BOTH | {"billing": ("FAY",)},
            2,
            Ask("steward"),
            id="nobody else is in the role: the next one at once",
        ),
        pytest.param(
            [Seat("billing", YES, "CLEO")],
            {"billing": ("CLEO",), "steward": ("CLEO",)},
            2,
            NobodyLeft(("steward",)),
            id="the same person in two roles counts once",
        ),
        pytest.param(
            [Seat("billing", YES, "FAY"), Seat("steward")], BOTH, 1, Then.GO_ON, id="a late yes of the first role"
        ),
    ],
)
def test_roles_are_asked_in_their_order(
    seats: Sequence[Seat],
    able: Mapping[str, Sequence[str]],
    count: int,
    expected: Ask | NobodyLeft | Then,
) -> None:
    assert next_ask(ROLES, seats, able, count=count) == expected


TITLES = {"billing": "Billing", "steward": "Data steward"}


@pytest.mark.parametrize(
    ("seats", "person", "mine", "expected"),
    [
        pytest.param([Seat("billing")], "FAY", ["billing"], 0, id="somebody of the role"),
        pytest.param([Seat("billing", EXPIRED), Seat("steward")], "FAY", ["billing"], 0, id="somebody who is late"),
        pytest.param(
            [Seat("billing", EXPIRED), Seat("steward")], "CLEO", ["billing", "steward"], 1, id="the open seat first"
        ),
        pytest.param(
            [Seat("billing")], "CLEO", ["steward"], "You cannot say yes or no to it: Billing can.", id="not asked yet"
        ),
        pytest.param(
            [Seat("steward", NOBODY), Seat("billing")],
            "CLEO",
            ["steward"],
            "You cannot say yes or no to it: Billing can.",
            id="of a role that was passed over",
        ),
        pytest.param(
            [Seat("billing"), Seat("steward")],
            "BEN",
            ["billing"],
            "You asked for it: somebody else of Billing or Data steward says yes or no.",
            id="who asked",
        ),
        pytest.param(
            [Seat("billing", YES, "FAY"), Seat("billing")],
            "FAY",
            ["billing"],
            "You said yes already; somebody else has to as well.",
            id="the same person twice",
        ),
    ],
)
def test_an_answer_counts_for_a_seat_of_a_role_that_was_asked(
    seats: Sequence[Seat], person: str, mine: Sequence[str], expected: int | str
) -> None:
    found = seat_of(seats, person=person, mine=mine, askers=["BEN"], titles=TITLES)
    assert (found.because if isinstance(found, No) else found) == expected


@pytest.mark.parametrize(
    ("when", "event", "expected"),
    [
        pytest.param(None, {}, True, id="without a condition always"),
        pytest.param("event.cents >= 50000", {"cents": 50_000}, True, id="met"),
        pytest.param("event.cents >= 50000", {"cents": 1}, False, id="not met"),
        pytest.param("event.cents >= 50000", {}, False, id="missing data is not met"),
        pytest.param("event.cents", {"cents": 1}, True, id="neither true nor false: a person decides"),
    ],
)
def test_a_yes_is_wanted_where_the_condition_is_met(when: str | None, event: Mapping[str, int], expected: bool) -> None:
    approval = Approval(by=("billing",), when=compile_expression(when) if when else None)
    assert is_needed(approval, {"event": event}).met is expected


def test_for_several_events_a_condition_about_the_event_is_taken_to_be_met() -> None:
    of_event, of_inputs = (
        Approval(by=("billing",), when=compile_expression(when)) for when in ("event.cents > 9", "inputs.cents > 9")
    )
    names = {"event": {"cents": 1}, "inputs": {"cents": 1}}
    assert is_needed(of_event, names, is_for_many=True).met
    assert not is_needed(of_inputs, names, is_for_many=True).met


def test_a_runbook_without_approval_wants_no_yes() -> None:
    assert not is_needed(None, {}).met
