"""Runbooks that nobody presses: what they cannot do there is told where the contract names them."""

from __future__ import annotations

import pytest

from runbooks.policy import PolicyFaults, load
from tests.runbooks.good_folder import GOOD

WORKFLOW, TELL_DESK = "workflows/refund.yml", "runbooks/tell-desk.yml"
NOTE = "  - name: note\n"
BEGIN, END = GOOD[WORKFLOW].index("deliver:"), GOOD[WORKFLOW].index("outcome:")
DELIVERED = GOOD[WORKFLOW][:BEGIN] + "deliver: {runbook: tell-desk}\n" + GOOD[WORKFLOW][END:]


def faults(files: dict[str, str]) -> str:
    """Everything that is wrong."""
    with pytest.raises(PolicyFaults) as raised:
        load(files)
    return str(raised.value)


def test_a_contract_may_deliver_by_a_runbook_of_requests() -> None:
    assert load({**GOOD, WORKFLOW: DELIVERED}).workflows["refund"].deliver


BESIDE = ["timeout: 5s", "retry: {attempts: 2}", "order: subject", "key_lasts: 1h"]


@pytest.mark.parametrize("beside", [*BESIDE, "already: response.status == 409"])
def test_what_is_said_of_one_request_does_not_stand_beside_a_runbook(beside: str) -> None:
    both = DELIVERED.replace("{runbook: tell-desk}", f"{{runbook: tell-desk, {beside}}}")
    key = beside.partition(":")[0]
    assert f"{key} stands beside runbook; keep runbook, or connector and request" in faults({**GOOD, WORKFLOW: both})


@pytest.mark.parametrize("asks", ["find", "verify"])
def test_nobody_asks_a_receiver_about_a_runbook(asks: str) -> None:
    request = 'request: {path: "/refunds/{{ event.id }}"}'
    held = {"find": "found: response.status == 200", "verify": "expect: response.status == 200"}[asks]
    both = DELIVERED.replace(
        "deliver: {runbook: tell-desk}", f"deliver:\n  runbook: tell-desk\n  {asks}:\n    {request}\n    {held}"
    )
    assert f"{asks} stands beside runbook" in faults({**GOOD, WORKFLOW: both})


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("  - {name: again, replay: {}}\n", "replay"),
        ("  - {name: again, retry_failed: {}}\n", "retry_failed"),
        ("  - name: tell\n    notify: {to: owner, text: Hello}\n", "notify"),
        ("  - name: may\n    ask: {who: owner, text: May I?}\n", "ask"),
        ("  - name: give\n    assign: {role: money}\n", "assign"),
    ],
)
def test_what_needs_a_case_cannot_deliver(step: str, kind: str) -> None:
    book = GOOD[TELL_DESK].replace(NOTE, step + NOTE)
    told = faults({**GOOD, WORKFLOW: DELIVERED, TELL_DESK: book})
    assert f"{kind} in runbooks/tell-desk.yml needs a case, and where an event is delivered there is none" in told
    assert "workflows/refund.yml:17:20" in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("mode: shadow\n", "is in shadow: each event would wait for a yes"),
        ("approval: {by: [steward]}\n", "approval in runbooks/tell-desk.yml needs a case"),
        ("for_each: event\n", "for_each in runbooks/tell-desk.yml needs a case"),
    ],
)
def test_a_runbook_that_would_wait_for_a_person_cannot_deliver(line: str, told: str) -> None:
    book = GOOD[TELL_DESK].replace("steps:\n", f"{line}steps:\n")
    assert told in faults({**GOOD, WORKFLOW: DELIVERED, TELL_DESK: book})


def test_what_another_runbook_of_it_does_counts_too() -> None:
    both = DELIVERED.replace("deliver: {runbook: tell-desk}", "deliver: {runbook: outer}")
    outer = "runbook: outer\ntitle: Outer\nsteps:\n  - {name: inner, run: tell-desk}\n"
    book = GOOD[TELL_DESK].replace(NOTE, "  - {name: again, replay: {}}\n" + NOTE)
    files = {**GOOD, WORKFLOW: both, TELL_DESK: book, "runbooks/outer.yml": outer}
    assert "replay in runbooks/tell-desk.yml needs a case" in faults(files)


def test_an_input_that_nobody_fills_in_needs_a_default() -> None:
    book = GOOD[TELL_DESK].replace("steps:\n", "inputs:\n  why: {label: Why, required: true}\nsteps:\n")
    told = faults({**GOOD, TELL_DESK: book})
    assert 'nobody fills in "why", which the runbook "tell-desk" requires' in told
    load({**GOOD, TELL_DESK: book.replace("required: true", "required: true, default: late")})
