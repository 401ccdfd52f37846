"""Where an exception goes: the contract's word, the same every time, with its reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.rules.redaction import HIDDEN
from bot.rules.routing import Routing, route, terms_of
from bot.rules.windows import lengths_for
from runbooks.lengths import parse_length
from runbooks.policy import Policy, load
from runbooks.team import Windows

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TRIAGE = "workflows/support-triage.yml"


@pytest.fixture(scope="module")
def policy(policy_files: dict[str, str]) -> Policy:
    return load(policy_files)


def routed(
    policy: Policy,
    workflow: str,
    mode: str,
    *,
    event: dict[str, Any] | None = None,
    shown: dict[str, Any] | None = None,
    asked: str | None = None,
) -> Routing:
    names = {"event": event or {}, "case": {"title": "It failed"}, "now": NOW}
    return route(policy, workflow=workflow, failure_mode=mode, names=names, shown_event=shown, asked_priority=asked)


# workflow, failure mode, event -> route, owner, priority, rule
CASES = [
    ("renewal-notice", "schema_drift", {}, "owner_queue", "revenue-ops", "P2", ""),
    ("renewal-notice", "delivery_failed", {}, "on_call", "revenue-ops", "P1", ""),
    ("refund", "delivery_failed", {}, "owner_queue", "billing", "P1", ""),
    ("refund", "duplicate", {}, "owner_queue", "data-steward", "P2", ""),
    ("refund", "nobody_thought_of_it", {}, "owner_queue", "billing", "P2", ""),
    ("renewal-notice", "nobody_thought_of_it", {}, "owner_queue", "revenue-ops", "P2", ""),
    ("no-such-workflow", "delivery_failed", {}, "owner_queue", "revenue-ops", "P3", ""),
    ("support-triage", "misrouted", {}, "owner_queue", "customer-success", "P2", ""),
    ("support-triage", "misrouted", {"tier": "growth"}, "owner_queue", "customer-success", "P2", ""),
    (
        "support-triage",
        "misrouted",
        {"tier": "vip"},
        "on_call",
        "customer-success",
        "P1",
        "VIP customers go to on-call",
    ),
    ("support-triage", "policy_fault", {"tier": "vip"}, "owner_queue", "customer-success", "P3", ""),
]


# event, asked priority, what the VIP rule says more -> how long to acknowledge
WINDOWS = [
    ({}, None, "", "1bh"),
    ({}, "P2", "", "1bh"),
    ({}, "P1", "", "15m"),
    ({"tier": "vip"}, None, "", "15m"),
    ({"tier": "vip"}, "P2", "acknowledge_within: 3m", "3m"),
]


@pytest.mark.parametrize(("event", "asked", "more", "within"), WINDOWS)
def test_a_modes_windows_are_for_its_own_priority(
    policy_files: dict[str, str], event: dict[str, Any], asked: str | None, more: str, within: str
) -> None:
    triage = policy_files[TRIAGE].replace("    priority: P1\n", f"    priority: P1\n    {more}\n")
    changed = load(policy_files | {TRIAGE: triage})
    terms = routed(changed, "support-triage", "misrouted", event=event, asked=asked).terms
    assert terms.acknowledge_within == parse_length(within)
    later = terms_of(changed, workflow="support-triage", failure_mode="misrouted", rule=terms.rule)
    windows = lengths_for(later, terms.priority, changed.team.defaults.priorities)
    assert windows == Windows(acknowledge=terms.acknowledge_within, resolve=terms.resolve_within)


@pytest.mark.parametrize(("workflow", "mode", "event", "to", "owner", "priority", "rule"), CASES)
def test_the_contract_decides(
    policy: Policy, workflow: str, mode: str, event: dict[str, Any], to: str, owner: str, priority: str, rule: str
) -> None:
    terms = routed(policy, workflow, mode, event=event).terms
    assert (terms.route, terms.owner, terms.priority, terms.rule) == (to, owner, priority, rule)


def test_a_mode_that_a_contract_without_an_other_does_not_name_is_unrouted(policy: Policy) -> None:
    refund = policy.workflows["refund"]
    named = {mode: terms for mode, terms in refund.exceptions.items() if mode != "other"}
    narrow = replace(policy, workflows={"refund": replace(refund, exceptions=named)})
    routing = routed(narrow, "refund", "nobody_thought_of_it")
    assert (routing.terms.owner, routing.terms.priority) == ("revenue-ops", "P3")
    assert "names neither nobody_thought_of_it nor other" in routing.because


def test_it_says_which_rule_matched_and_what_it_saw(policy: Policy) -> None:
    routing = routed(policy, "support-triage", "other", event={"tier": "vip"})
    assert "VIP customers go to on-call" in routing.because
    assert routing.facts == {"event.tier": "vip"}


def test_a_missing_field_is_not_met_and_said(policy: Policy) -> None:
    routing = routed(policy, "support-triage", "other")
    assert routing.not_met == ("VIP customers go to on-call: not met: event.tier is missing",)
    assert routing.policy_fault is None


@pytest.mark.parametrize(
    ("workflow", "event", "asked", "priority"),
    [
        ("refund", {}, "P4", "P4"),
        ("no-such-workflow", {}, "P1", "P1"),
        ("support-triage", {"tier": "vip"}, "P4", "P1"),
    ],
)
def test_what_the_reporter_asks_for_wins_over_the_mode_and_not_over_a_rule(
    policy: Policy, workflow: str, event: dict[str, Any], asked: str, priority: str
) -> None:
    assert routed(policy, workflow, "delivery_failed", event=event, asked=asked).terms.priority == priority


def test_a_condition_that_is_no_yes_or_no_is_a_fault_of_the_policy_and_the_next_rule_is_asked(
    policy_files: dict[str, str],
) -> None:
    text = policy_files[TRIAGE].replace("when: event.tier == 'vip'", "when: event.tier")
    routing = routed(load(policy_files | {TRIAGE: text}), "support-triage", "misrouted", event={"tier": "vip"})
    assert routing.policy_fault is not None
    assert "VIP customers go to on-call" in routing.policy_fault
    assert routing.terms.owner == "customer-success"


def test_what_is_hidden_is_not_among_the_facts(policy_files: dict[str, str]) -> None:
    path = "workflows/lead-routing.yml"
    rule = "routing:\n  - name: Own people\n    when: event.tier == 'vip' and event.email == 'a@acme.test'\n"
    changed = load(policy_files | {path: policy_files[path] + "\n" + rule})
    event, shown = {"tier": "vip", "email": "a@acme.test"}, {"tier": "vip", "email": HIDDEN}
    routing = routed(changed, "lead-routing", "other", event=event, shown=shown)
    assert routing.terms.rule == "Own people"
    assert routing.facts == {"event.tier": "vip", "event.email": HIDDEN}


def test_the_terms_of_a_case_are_found_again_by_their_names(policy: Policy) -> None:
    terms = routed(policy, "support-triage", "misrouted", event={"tier": "vip"}).terms
    assert terms_of(policy, workflow="support-triage", failure_mode="misrouted", rule=terms.rule) == terms


def test_a_contracts_ladder_takes_the_place_of_the_default_one_of_its_kind(policy: Policy) -> None:
    own = routed(policy, "refund", "delivery_failed").terms.ladders
    default = policy.team.defaults.escalation
    assert [step.to for step in own.unacknowledged] == ["on_call", "steward"]
    assert own.unresolved == default.unresolved
