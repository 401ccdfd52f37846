"""What a run will do, told before it does it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.rules.foreseeing import Planned, View, foresee
from runbooks.runbook import Runbook
from runbooks.shape_faults import Source, read_shape
from runbooks.yaml_source import parse_yaml

EVENT = {"id": "T 1", "cents": 1200, "tags": ["a", "b"], "secret": "•••"}
NAMES: dict[str, Any] = {
    "event": EVENT,
    "case": {"ref": "C-1"},
    "inputs": {"to": "gold", "go": True},
    "steps": {"look": {"response": {"body": {"tier": "silver"}}}},
    "asker": "U0ADA",
}


def book(steps: str) -> Runbook:
    """The runbook with these steps."""
    root, _ = parse_yaml("r.yml", f"runbook: r\ntitle: R\nsteps:\n{steps}")
    assert root
    runbook, faults = read_shape(Source("r.yml", root), Runbook)
    assert runbook, faults
    return runbook


INNER = book("  - {name: write, request: {connector: desk, method: PATCH, path: '/t/{{ inputs.to }}'}}\n")


def foreseen(step: str) -> list[Planned]:
    """What is told of one step, after one that is done (`look`) and before one that is not (`find`)."""
    clear = NAMES | {"event": EVENT | {"secret": "4711"}}
    view = View(NAMES, clear, {"look"}, {"inner": INNER}, called=lambda who: {"U0ADA": "Ada Ito"}.get(who, who))
    return foresee(book(f"  - {step}\n").steps, view)


@pytest.mark.parametrize(
    ("step", "words", "is_known"),
    [
        ("{name: s, request: {connector: crm, path: '/t/{{ event.id }}'}}", "GET /t/T%201 to crm", True),
        (
            "{name: s, request: {connector: crm, path: /t, query: {of: '{{ event.id }}', all: '{{ event.tags }}'}}}",
            "GET /t?of=T+1&all=a&all=b to crm",
            True,
        ),
        (
            "{name: s, request: {connector: crm, method: PUT, path: '/t/{{ steps.look.response.body.tier }}'}}",
            "PUT /t/silver to crm",
            True,
        ),
        (
            "{name: s, request: {connector: crm, path: '/t/{{ steps.find.response.body.id }}'}}",
            'GET /t/‹known once "find" is done› to crm',
            False,
        ),
        (
            "{name: s, request: {connector: crm, path: '/t/{{ steps.find.response.body.id | default(7) }}'}}",
            'GET /t/‹known once "find" is done› to crm',
            False,
        ),
        (
            "{name: s, request: {connector: crm, path: '/t', query: {of: '{{ steps.find.response.body.id }}'}}}",
            'GET /t?of=‹known once "find" is done› to crm',
            False,
        ),
        (
            "{name: s, request: {connector: crm, path: '/t/{{ event.no_such }}'}}",
            "GET /t/‹event.no_such is missing› to crm",
            False,
        ),
        ("{name: s, when: inputs.go, request: {connector: crm, path: /t}}", "GET /t to crm", True),
        (
            "{name: s, when: steps.find.response.status == 200, request: {connector: crm, path: /t}}",
            "GET /t to crm, if steps.find.response.status == 200",
            False,
        ),
        ("{name: s, when: event.secret == '4711', request: {connector: crm, path: /t}}", "GET /t to crm", True),
        ("{name: s, notify: {to: asker, text: 'It is {{ event.secret }}'}}", "tell asker: It is •••", True),
        ("{name: s, ask: {who: owner, text: 'Pay {{ event.cents }}?'}}", "ask owner: Pay 1200?", True),
        ("{name: s, assign: {user: '{{ asker }}'}}", "give the case to Ada Ito", True),
        ("{name: s, assign: {role: billing}}", "give the case to billing", True),
        ("{name: s, pause: 2bh}", "wait 2bh", True),
        ("{name: s, replay: {}}", "send the event again", True),
        (
            "{name: s, replay: {set: {cents: '{{ event.cents }}', tier: '{{ inputs.to }}'}}}",
            'send the event again with cents = 1200, tier = "gold"',
            True,
        ),
        ("{name: s, run: inner}", "PATCH /t/gold to desk", True),
        ("{name: s, run: another}", "run another", True),
    ],
)
def test_a_step_is_told_with_what_is_known(step: str, words: str, is_known: bool) -> None:
    (planned,) = foreseen(step)
    assert (planned.words, planned.is_known) == (words, is_known)


def test_a_step_whose_condition_is_known_not_to_be_met_is_left_out() -> None:
    assert foreseen("{name: s, when: event.cents > 5000, request: {connector: crm, path: /t}}") == []


def test_the_body_keeps_its_types_and_hides_what_is_redacted() -> None:
    body = "{of: '{{ event.cents }}', as: 'it is {{ event.cents }}', by: '{{ event.secret }}', at: [1, '{{ asker }}']}"
    (planned,) = foreseen(f"{{name: s, request: {{connector: crm, method: POST, path: /t, json: {body}}}}}")
    assert planned.request == {
        "method": "POST",
        "connector": "crm",
        "path": "/t",
        "json": {"of": 1200, "as": "it is 1200", "by": "•••", "at": [1, "U0ADA"]},
    }


def test_a_runbook_that_a_step_carries_out_stands_after_its_name() -> None:
    assert [each.name for each in foreseen("{name: s, run: inner}")] == ["s › write"]
