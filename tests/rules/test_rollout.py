"""Which version of a contract applies to an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bot.rules.rollout import Share, choose
from runbooks.contracts import Contract
from runbooks.policy import load


@pytest.fixture(scope="module")
def contract_with(request: pytest.FixtureRequest) -> Any:
    files = request.getfixturevalue("policy_files")

    def contract_with(rollout: str) -> Contract:
        old = files["workflows/lead-routing.yml"]
        line = next(each for each in old.splitlines() if each.startswith("rollout:"))
        return load(files | {"workflows/lead-routing.yml": old.replace(line, f"rollout: {rollout}")}).workflows[
            "lead-routing"
        ]

    return contract_with


def share(contract: Contract, lead: str = "l_1", *, has_before: bool = True, **more: Any) -> Share:
    content: Mapping[str, Any] = {"lead_id": lead, "tier": "growth"} | more
    return choose(contract, content, has_before=has_before, names={"event": content}).share


def test_a_live_contract_applies_to_all(contract_with: Any) -> None:
    assert share(contract_with("{mode: live}")) is Share.NEW


def test_a_contract_in_shadow_delivers_nothing(contract_with: Any) -> None:
    assert share(contract_with("{mode: shadow}")) is Share.SHADOW


def test_a_canary_takes_a_stable_share_of_the_subjects(contract_with: Any) -> None:
    tenth, half = contract_with("{mode: canary, percent: 10}"), contract_with("{mode: canary, percent: 50}")
    leads = [f"l_{n}" for n in range(2_000)]
    in_tenth = {lead for lead in leads if share(tenth, lead) is Share.NEW}
    in_half = {lead for lead in leads if share(half, lead) is Share.NEW}
    assert 150 < len(in_tenth) < 250
    assert 900 < len(in_half) < 1_100
    assert in_tenth < in_half
    assert {lead for lead in leads if share(tenth, lead, tier="vip") is Share.NEW} == in_tenth


def test_a_canary_takes_what_matches_whatever_its_share(contract_with: Any) -> None:
    canary = contract_with("{mode: canary, percent: 0, match: event.tier == 'vip'}")
    assert share(canary, tier="vip") is Share.NEW
    assert share(canary, tier="growth") is Share.BEFORE


def test_a_match_over_what_is_missing_or_no_condition_goes_by_the_version_before(contract_with: Any) -> None:
    assert share(contract_with("{mode: canary, percent: 0, match: event.country == 'DE'}")) is Share.BEFORE
    assert share(contract_with("{mode: canary, percent: 0, match: event.tier}")) is Share.BEFORE


def test_without_a_version_before_a_canary_applies_to_all(contract_with: Any) -> None:
    assert share(contract_with("{mode: canary, percent: 0}"), has_before=False) is Share.NEW


def test_an_event_without_its_subject_has_a_place_all_the_same(contract_with: Any) -> None:
    canary = contract_with("{mode: canary, percent: 100}")
    assert choose(canary, {"x": 1}, has_before=True, names={"event": {"x": 1}}).share is Share.NEW
