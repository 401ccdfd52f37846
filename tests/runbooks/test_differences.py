"""What changes between two policy folders: a table of small changes of the example company's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from runbooks.contracts import ContractShape, Handling
from runbooks.difference_rules import CONTRACT, RUNBOOK, Delta, judge
from runbooks.differences import Change, changed_parts, differences, without_step
from runbooks.policy import Policy, load, read_folder
from runbooks.runbook import Runbook
from tests.conftest import EXAMPLE_COMPANY

FILES = read_folder(EXAMPLE_COMPANY)
BEFORE = load(FILES)
REFUND, RENEWAL, TRIAGE = "workflows/refund.yml", "workflows/renewal-notice.yml", "workflows/support-triage.yml"
CONFLICT = "  conflict: {priority: P1, owner: data-steward, runbooks: [compare-refund]}\n"
SCHEMA = "schemas/refund-requested.v1.json"


def changed(*changes: tuple[str, str, str]) -> Policy:
    """The company's policy with texts of its files replaced."""
    files = dict(FILES)
    for file, old, new in changes:
        assert old in files[file], (file, old)
        files[file] = files[file].replace(old, new)
    return load(files)


def told(after: Policy, before: Policy = BEFORE) -> tuple[Change, ...]:
    return differences(before, after)


BREAKING = [
    (
        REFUND,
        "steward: revenue-ops",
        "steward: data-steward",
        "owners.steward: owner changed: revenue-ops → data-steward",
    ),
    (REFUND, "source_of_record: billing", "source_of_record: crm", "source of record changed: billing → crm"),
    (REFUND, "risk: critical", "risk: high", "risk lowered: critical → high"),
    (REFUND, "risk: critical", "risk: critical\nchange_gate: false", "change_gate: change gate changed: false"),
    (REFUND, "threads: [C0BILLING]", "threads: []", "threads: channel removed: C0BILLING → nothing"),
    (REFUND, 'id: "{{ event.refund_id }}"', 'id: "{{ event.customer_id }}"', "trigger.id: identity changed"),
    (REFUND, "connector: billing\n", "connector: crm\n", "deliver.connector: delivery target changed: billing → crm"),
    (REFUND, "path: /refunds\n", "path: /v2/refunds\n", "deliver.request.path: delivery target changed"),
    (REFUND, "method: POST", "method: PUT", "deliver.request.method: delivery target changed"),
    (REFUND, "[200, 201, 202]", "[202]", "deliver.expect: what counts as delivered changed"),
    (REFUND, "timeout: 5s", "timeout: 2s", "deliver.timeout: timeout shortened: 5s → 2s"),
    (REFUND, "attempts: 3", "attempts: 2", "deliver.retry.attempts: tries lowered: 3 → 2"),
    (REFUND, "key_lasts: 24h", "key_lasts: 2d", "deliver.key_lasts: how long a key is remembered lengthened"),
    (REFUND, "  within: 10m\n", "  within: 5m\n", "outcome.within: window shortened: 10m → 5m"),
    (REFUND, "  within: 10m\n", "  within: 1bh\n", "outcome.within: window: the two cannot be compared"),
    (REFUND, "done: outcome.state == 'completed'", "done: outcome.ok", "outcome.done: what counts as done changed"),
    (REFUND, "acknowledge_within: 10m", "acknowledge_within: 9m", "acknowledge_within: window shortened: 10m → 9m"),
    (REFUND, "    acknowledge_within: 10m\n", "", "acknowledge_within: window changed: it was 10m"),
    (REFUND, CONFLICT, "", "exceptions.conflict: mode removed"),
    (REFUND, "owner: data-steward, next", "owner: billing, next", "exceptions.duplicate.owner: owner changed"),
    (REFUND, "other: {priority: P2", "other: {priority: P3", "exceptions.other.priority: priority changed: P2 → P3"),
    (REFUND, "after: 15m, to: steward", "after: 25m, to: steward", "escalation changed"),
    (REFUND, "response.body.state == 'completed'", "true", "checks.billing says completed.expect: check changed"),
    (
        RENEWAL,
        "  - name: account is active",
        "  - {name: it is due, expect: event.due, otherwise: ignore}\n  - name: account is active",
        "preconditions.it is due: precondition added",
    ),
    (
        RENEWAL,
        "otherwise: ignore",
        "otherwise: other",
        "preconditions.account is active.otherwise: precondition changed",
    ),
    (RENEWAL, "freshness: {at_least: 1, every: 1bd, calendar: support-emea}", "", "freshness no longer watched"),
    (RENEWAL, "at_least: 1", "at_least: 2", "freshness.at_least: expected count raised: 1 → 2"),
    (RENEWAL, "redact: [contact_email]", "redact: []", "trigger.redact: field no longer hidden"),
    (RENEWAL, "auto_fix: {runbook: resend-if-missing, give_up_after: 20m}", "", "auto-fix changed"),
    (RENEWAL, "stale: {priority: P1, route: on_call,", "stale: {priority: P1,", "route changed"),
    (
        TRIAGE,
        "when: event.tier == 'vip'",
        "when: event.tier == 'gold'",
        "routing.VIP customers go to on-call.when: routing rule changed",
    ),
    (
        TRIAGE,
        "routing:",
        "routing:\n  - {name: first, when: event.a == 1, route: on_call}",
        "routing.first: routing rule added",
    ),
    (
        SCHEMA,
        '"customer_id", "amount_cents"]',
        '"customer_id", "amount_cents", "ticket_id"]',
        "ticket_id is newly required",
    ),
    (SCHEMA, '"type": "integer", "exclusiveMinimum": 0', '"type": "string"', "amount_cents: type integer → string"),
    (
        "connectors.yml",
        'billing:   {base_url: "${BILLING_URL}"',
        'billing:   {base_url: "${PAY_URL}"',
        "delivery target changed",
    ),
    ("connectors.yml", ", workflows: [refund]", ", workflows: [support-triage]", "workflow no longer allowed"),
    (
        "connectors.yml",
        "MONITORS_SOURCE_TOKEN, read: true",
        "MONITORS_SOURCE_TOKEN",
        "sources.monitors.read: right to read changed",
    ),
    ("team.yml", "governance: customer-success", "governance: billing", "defaults.governance: governance role changed"),
    ("team.yml", "members: [U0FAY, U0GUS]", "members: [U0FAY]", "roles.billing.members: member removed"),
    (
        "team.yml",
        "P1: {acknowledge: 15m",
        "P1: {acknowledge: 5m",
        "defaults.priorities.P1.acknowledge: window shortened",
    ),
    ("team.yml", "people: [U0DEE, U0ELI]", "people: [U0ELI, U0DEE]", "rotas.success-on-call.people: rota changed"),
    (
        "runbooks/refund-callback.yml",
        "allow: [owner, on_call, steward]",
        "allow: [owner]",
        "refund-callback: allow: who may run it changed",
    ),
    ("runbooks/refund-callback.yml", "first: 2s", "first: 9s", "refund-callback: steps.ask.retry.first: step changed"),
]

HARMLESS = [
    (REFUND, "title: Refunds", "title: Refunds of today", "title: wording changed: Refunds → Refunds of today"),
    (REFUND, "version: 1", "version: 2", "version: new version: 1 → 2"),
    (REFUND, "  within: 10m\n", "  within: 20m\n", "outcome.within: window lengthened: 10m → 20m"),
    (REFUND, "acknowledge_within: 10m", "acknowledge_within: 600s", "window written in other words: 10m → 600s"),
    (
        REFUND,
        "runbooks: [refund-callback]\n    next",
        "runbooks: [refund-callback, enrich-ticket]\n    next",
        "runbook offered",
    ),
    (REFUND, "attempts: 3", "attempts: 5", "tries raised: 3 → 5"),
    (REFUND, "threads: [C0BILLING]", "threads: [C0BILLING, C0MORE]", "threads: channel added"),
    (REFUND, "  other: {priority", "  late: {priority: P2}\n  other: {priority", "exceptions.late: mode added"),
    (REFUND, "If billing has it", "Where billing has it", "exceptions.delivery_failed.next_step: wording changed"),
    (
        RENEWAL,
        "ignore: [sent_at]",
        "ignore: [sent_at, arr_cents]",
        "trigger.ignore: field ignored: sent_at → sent_at, arr_cents",
    ),
    (
        SCHEMA,
        '"ticket_id": {"type": "string"}',
        '"ticket_id": {"type": "string"}, "note": {"type": "string"}',
        "note: is a new field",
    ),
    ("team.yml", "members: [U0FAY, U0GUS]", "members: [U0FAY, U0GUS, U0NEW]", "roles.billing.members: member added"),
    ("team.yml", "title: Revenue Ops", "title: Revenue", "roles.revenue-ops.title: wording changed"),
    ("connectors.yml", "monitors: {", "more: {token: MORE_TOKEN}\n  monitors: {", "sources.more: source added"),
    (
        "runbooks/refund-callback.yml",
        "button: Retry callback",
        "button: Callback",
        "refund-callback: button: wording changed",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "words"), BREAKING)
def test_what_breaks_is_told_and_counts(file: str, old: str, new: str, words: str) -> None:
    found = [change for change in told(changed((file, old, new))) if change.breaking]
    assert any(words in change.words for change in found), found


@pytest.mark.parametrize(("file", "old", "new", "words"), HARMLESS)
def test_what_breaks_nothing_is_told_all_the_same(file: str, old: str, new: str, words: str) -> None:
    found = told(changed((file, old, new)))
    assert any(words in change.words for change in found), found
    assert not any(change.breaking for change in found)


def test_comments_layout_and_the_order_of_keys_are_no_change() -> None:
    text = FILES[REFUND].replace(
        "{accountable: billing, steward: revenue-ops}", "\n  steward: revenue-ops\n  accountable: billing"
    )
    after = load(FILES | {REFUND: f"# new words\n{text}"})
    assert after.digest != BEFORE.digest
    assert told(after) == ()
    assert changed_parts(BEFORE, after) == frozenset()


def test_each_change_says_where_to_look() -> None:
    after = changed(
        (REFUND, "  within: 10m\n", "  within: 5m\n"),
        (SCHEMA, '"customer_id": {"type": "string"}', '"customer_id": {"type": "null"}'),
    )
    window, schema = told(after)
    lines = FILES[REFUND].splitlines()
    assert (window.part, window.path, window.file) == ("workflow refund", "outcome.within", REFUND)
    assert "within: 10m" in lines[window.line - 1]
    assert (schema.part, schema.file, schema.line) == ("workflow refund", SCHEMA, 3)
    assert schema.path == f"{SCHEMA}#/properties/customer_id/type"


def test_what_is_gone_is_shown_at_the_nearest_place_that_is_left() -> None:
    after = changed((REFUND, CONFLICT, ""))
    (gone,) = told(after)
    assert FILES[REFUND].splitlines()[gone.line - 1].startswith("exceptions:")


def test_a_workflow_comes_and_goes() -> None:
    without = {name: text for name, text in FILES.items() if name != TRIAGE and "enrich" not in name}
    without["team.yml"] = FILES["team.yml"].replace("thread_workflow: support-triage", "thread_workflow: refund")
    fewer = load(without)
    assert [c.words for c in told(fewer) if c.part == "workflow support-triage"] == [
        "support-triage is no longer a workflow"
    ]
    assert [c.breaking for c in told(BEFORE, fewer) if c.part == "workflow support-triage"] == [False]
    assert without_step(BEFORE, fewer, told(fewer)) == ()


def test_a_contract_is_another_one_when_a_runbook_of_its_is() -> None:
    after = changed(("runbooks/refund-callback.yml", "first: 2s", "first: 9s"))
    assert changed_parts(BEFORE, after) == {"workflow refund", "runbooks"}
    assert changed_parts(BEFORE, changed((SCHEMA, '"ticket_id"', '"ticket_ref"'))) == {"workflow refund"}
    assert changed_parts(BEFORE, changed(("billing-on-call.ics", "SUMMARY", "SUMMARY"))) == frozenset()
    assert changed_parts(BEFORE, load(FILES | {"templates/card.j2": "{{ case.title }}"})) == {"templates"}


def test_the_shifts_in_a_calendar_file_are_the_team() -> None:
    after = changed(("billing-on-call.ics", "PRODID:", "PRODID:other "))
    assert changed_parts(BEFORE, after) == {"team"}
    assert [(change.part, change.why) for change in told(after)] == [("team", "rota changed")]


@pytest.mark.parametrize(
    ("changes", "wanting"),
    [
        ([(REFUND, "  within: 10m\n", "  within: 5m\n")], ("refund",)),
        ([(REFUND, "  within: 10m\n", "  within: 5m\n"), (REFUND, "version: 1", "version: 2")], ()),
        ([(REFUND, "  within: 10m\n", "  within: 20m\n")], ()),
        ([(RENEWAL, "version: 3", "version: 2")], ("renewal-notice",)),
        ([("team.yml", "members: [U0FAY, U0GUS]", "members: [U0FAY]")], ()),
        ([(SCHEMA, '"amount_cents"]', '"amount_cents", "ticket_id"]')], ("refund",)),
    ],
)
def test_what_breaks_wants_a_higher_version(changes: Any, wanting: tuple[str, ...]) -> None:
    after = changed(*changes)
    assert without_step(BEFORE, after, told(after)) == wanting


def test_what_nobody_has_a_rule_for_is_to_be_looked_at() -> None:
    for path in (("something_new",), ("freshness", "calendar"), ("exceptions", "late", "something_new")):
        judged = judge(CONTRACT, Delta(path, 1, 2))
        assert (judged.why, judged.breaking) == ("changed, look yourself", True)


def test_every_key_of_the_language_has_a_rule_of_its_own() -> None:
    def keys(shape: Any) -> set[str]:
        fields: Mapping[str, Any] = shape.__dataclass_fields__
        return set(fields)

    known = {pattern.split(".")[0] for pattern in CONTRACT}
    assert keys(ContractShape) - known == {"workflow"}
    assert {f"exceptions.*.{name}" for name in keys(Handling)} <= set(CONTRACT)
    assert keys(Runbook) - set(RUNBOOK) == {"name"}
