"""Whose yes a change needs, who may give it, and what is still missing."""

from __future__ import annotations

import pytest

from bot.rules.changes import (
    Need,
    No,
    Seat,
    Seated,
    Yes,
    approve,
    decide,
    is_met,
    missing,
    needs,
    on_record,
    read_needs,
    roll_back,
)
from runbooks.differences import changed_parts
from runbooks.policy import Policy, load, read_folder
from tests.conftest import EXAMPLE_COMPANY

FILES = read_folder(EXAMPLE_COMPANY)
BEFORE = load(FILES)
A, S, G = Seat.ACCOUNTABLE, Seat.STEWARD, Seat.GOVERNANCE
CONTRACT = Need("workflow refund", (Seated(A, "billing"), Seated(S, "ops")))
TEAM = Need("team", (Seated(G, "success"),))
TITLES = {"billing": "Billing", "ops": "Revenue Ops", "success": "Customer Success"}


def after(file: str, old: str, new: str) -> Policy:
    assert old in FILES[file]
    return load(FILES | {file: FILES[file].replace(old, new)})


def needed(policy: Policy, before: Policy = BEFORE) -> dict[str, list[tuple[str, str]]]:
    found = needs(before, policy, changed_parts(before, policy))
    return {need.part: [(each.seat.value, each.role) for each in need.seats] for need in found}


OWNERS_OF_REFUND = [("accountable", "billing"), ("steward", "revenue-ops")]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        (BEFORE, {}),
        (after("workflows/refund.yml", "title: Refunds", "title: Money back"), {"workflow refund": OWNERS_OF_REFUND}),
        (
            after("workflows/refund.yml", "steward: revenue-ops", "steward: data-steward"),
            {"workflow refund": OWNERS_OF_REFUND},
        ),
        (
            after("schemas/refund-requested.v1.json", '"ticket_id"', '"ticket"'),
            {"workflow refund": OWNERS_OF_REFUND},
        ),
        (
            after("workflows/refund.yml", "risk: critical", "risk: low"),
            {"workflow refund": OWNERS_OF_REFUND},
        ),
        (
            after("team.yml", "governance: customer-success", "governance: billing"),
            {"team": [("governance", "customer-success")]},
        ),
        (after("connectors.yml", "rate: 20/s", "rate: 10/s"), {"connectors": [("governance", "customer-success")]}),
        (
            after("runbooks/refund-callback.yml", "first: 2s", "first: 3s"),
            {"workflow refund": OWNERS_OF_REFUND, "runbooks": [("governance", "customer-success")]},
        ),
        (load(FILES | {"templates/card.j2": "{{ case.title }}"}), {"templates": [("governance", "customer-success")]}),
    ],
)
def test_what_a_change_needs_is_said_by_the_policy_before_it(
    policy: Policy, wanted: dict[str, list[tuple[str, str]]]
) -> None:
    assert needed(policy) == wanted


def test_what_is_not_gated_before_or_after_needs_nobody() -> None:
    low = after("workflows/refund.yml", "risk: critical", "risk: low")
    lower = load(dict(low.files) | {"workflows/refund.yml": low.files["workflows/refund.yml"] + "\n# more\n"})
    other = load(
        dict(low.files)
        | {"workflows/refund.yml": low.files["workflows/refund.yml"].replace("title: Refunds", "title: R")}
    )
    assert needed(lower, low) == {}
    assert needed(other, low) == {}
    assert needed(BEFORE, low) == {"workflow refund": OWNERS_OF_REFUND}


def test_a_new_workflow_of_a_new_role_is_for_governance_to_speak_for() -> None:
    text = FILES["workflows/support-triage.yml"].replace("workflow: support-triage", "workflow: chat")
    team = FILES["team.yml"].replace(
        "  data-steward:\n",
        "  chat:\n    {title: Chat, channel: C0CHAT, members: [U0NEW], calendar: always}\n  data-steward:\n",
    )
    new = load(FILES | {"workflows/chat.yml": text.replace("steward: revenue-ops", "steward: chat"), "team.yml": team})
    assert needed(new)["workflow chat"] == [("accountable", "customer-success"), ("steward", "customer-success")]


def yes(person: str, *seats: Seat, part: str = CONTRACT.part) -> Yes:
    return Yes(part, person, frozenset(seats))


@pytest.mark.parametrize(
    ("yeses", "left"),
    [
        ([], [A, S]),
        ([yes("ada", A)], [S]),
        ([yes("ada", S)], [A]),
        ([yes("ada", A), yes("ben", S)], []),
        ([yes("ada", A, S)], [S]),
        ([yes("ada", A, S), yes("ben", A)], []),
        ([yes("ada", A, S), yes("ben", S)], []),
        ([yes("ada", A), yes("ben", A)], [S]),
        ([yes("ada", A, S), yes("ben", A, S)], []),
        ([yes("ada", G, part="team")], [A, S]),
    ],
)
def test_a_different_person_fills_each_seat(yeses: list[Yes], left: list[Seat]) -> None:
    assert [seated.seat for seated in missing(CONTRACT, yeses)] == left
    assert is_met([CONTRACT], yeses) is (not left)


def said(person: str, roles: set[str], yeses: list[Yes], *all_needs: Need) -> tuple[Yes, ...] | No:
    return approve(all_needs or (CONTRACT,), yeses, person=person, roles=frozenset(roles), titles=TITLES)


def test_one_click_is_a_yes_to_all_that_the_person_may_say_yes_to() -> None:
    assert said("ada", {"ops", "success"}, [], CONTRACT, TEAM) == (yes("ada", S), yes("ada", G, part="team"))
    assert said("ada", {"ops", "success"}, [yes("ben", S)], CONTRACT, TEAM) == (yes("ada", G, part="team"),)


@pytest.mark.parametrize(
    ("roles", "yeses", "code", "words"),
    [
        (set[str](), [], "not_allowed", "You cannot approve this change: Billing or Revenue Ops can."),
        ({"success"}, [], "not_allowed", "Billing or Revenue Ops"),
        ({"billing", "ops"}, [yes("ada", A, S)], "same_person", "has to come from somebody else"),
        ({"ops"}, [yes("ada", S)], "same_person", "Billing (accountable)"),
        ({"ops"}, [yes("ben", S)], "nothing_missing", "what is missing has to come from others"),
    ],
)
def test_who_cannot_say_yes_is_told_why(roles: set[str], yeses: list[Yes], code: str, words: str) -> None:
    answer = said("ada", roles, yeses)
    assert isinstance(answer, No)
    assert answer.code == code
    assert words in answer.because


def test_a_yes_that_helps_nothing_is_not_taken() -> None:
    assert isinstance(said("ada", {"billing"}, [yes("ben", A)]), No)
    assert said("ada", {"billing"}, [yes("ben", A, S)]) == (yes("ada", A),)


def test_who_may_take_a_change_back() -> None:
    for role in ("billing", "ops", "success"):
        right = decide([CONTRACT], "success", roles=frozenset({role}), titles=TITLES)
        assert isinstance(right, Seated)
        assert right.role == role
    assert isinstance(decide([CONTRACT], "success", roles=frozenset({"other"}), titles=TITLES), No)


@pytest.mark.parametrize(
    ("role", "may"), [("customer-success", True), ("billing", True), ("revenue-ops", False), ("data-steward", False)]
)
def test_who_may_roll_back(role: str, may: bool) -> None:
    answer = roll_back(BEFORE, ["refund", "gone"], roles=frozenset({role}), titles={})
    assert isinstance(answer, Seated) is may


def test_needs_are_read_as_they_were_written() -> None:
    assert read_needs(on_record([CONTRACT, TEAM])) == (CONTRACT, TEAM)
