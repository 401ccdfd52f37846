"""A fault planted in a contract or a schema is found at its place, and told with what would be right."""

import pytest

from tests.runbooks.good_folder import assert_told

IN_WORKFLOW = [
    # names that are used and do not exist
    ("accountable: money", "accountable: §mony", 'there is no role "mony"; did you mean "money"?'),
    ("source_of_record: bank", "source_of_record: §bnak", 'there is no connector "bnak"; did you mean "bank"?'),
    (
        "schema: refund.v1.json",
        "schema: §refund.v2.json",
        'there is no schema "refund.v2.json"; did you mean "refund.v1.json"?',
    ),
    (
        "  connector: bank\n  request",
        "  connector: §bnk\n  request",
        'there is no connector "bnk"; did you mean "bank"?',
    ),
    ("otherwise: ignore", "otherwise: §ignor", 'there is no failure mode "ignor"; did you mean "ignore"?'),
    (
        "for: [delivery_failed]",
        "for: [§delivery_faild]",
        'there is no failure mode "delivery_faild"; did you mean "delivery_failed"?',
    ),
    ("  delivery_failed:\n", "  §delivery_failled:\n", 'is one slip away from the failure mode "delivery_failed"'),
    ("runbooks: [callback]", "runbooks: [§calback]", 'there is no runbook "calback"; did you mean "callback"?'),
    ("{runbook: callback", "{runbook: §callbak", 'there is no runbook "callbak"; did you mean "callback"?'),
    ("on_open: [tell-desk]", "on_open: [§tell-dsk]", 'there is no runbook "tell-dsk"; did you mean "tell-desk"?'),
    ("1bd, calendar: office", "1bd, calendar: §offce", 'there is no calendar "offce"; did you mean "office"?'),
    ('request: {connector: bank, path: "/due', 'request: {connector: §bak, path: "/due', 'there is no connector "bak"'),
    ("to: steward, repeat", "to: §stewart, repeat", 'there is no role "stewart"; did you mean "steward"?'),
    ("owner: money\n", "owner: §monet\n", 'there is no role "monet"; did you mean "money"?'),
    # keys and values
    ("checks:", "§cheks:", 'there is no key "cheks" here; did you mean "checks"?'),
    ("otherwise: ignore", "§otherwize: ignore", 'there is no key "otherwize" here; did you mean "otherwise"?'),
    ("give_up_after: 20m", "§give_up: 20m", 'there is no key "give_up" here; did you mean "give_up_after"?'),
    ("version: 3", "version: §0", "0 is too small: at least 1"),
    ("version: 3", "version: §true", "a whole number is wanted, not true"),
    ("version: 3", 'version: §"3"', 'a whole number is wanted, not "3"; write digits without quotes'),
    ("risk: high", "risk: §hihg", '"hihg" is not known here; did you mean "high"?'),
    ("route: on_call", "route: §oncall", '"oncall" is not known here; did you mean "on_call"?'),
    ("priority: P1\n    owner", "priority: §P0\n    owner", '"P0" is not known here; known: P1, P2, P3, P4'),
    ("method: POST", "method: §PSOT", '"PSOT" is not known here; did you mean "POST"?'),
    ("threads: [C0MONEY]", "threads: §C0MONEY", 'a list is wanted, not "C0MONEY"; write ["C0MONEY"]'),
    ("workflow: refund", "workflow: §refunds", 'name the file workflows/refunds.yml, or write "refund"'),
    ("percent: 20", "percent: §120", "120 is too large: at most 100"),
    ("attempts: 3", "attempts: §0", "0 is too small: at least 1"),
    ("factor: 2", "factor: §fast", 'a number is wanted, not "fast"'),
    ("timeout: 5s", "timeout: §1bh", "1bh is business time, and this runs on the clock; write s, m, h, d or w"),
    ("key_lasts: 24h", "key_lasts: §1bd", "1bd is business time, and this runs on the clock"),
    ("path: /refunds\n", "path: §refunds\n", "a path begins with one /; the host comes from the connector"),
    ("path: /refunds\n", "path: §//evil.test/refunds\n", "a path begins with one /; the host comes from the connector"),
    ("change_gate: true", "change_gate: §yes", 'true or false is wanted, not "yes"'),
    ("purpose: Each refund arrives, once.", "§purpose:", "purpose has no value; write one"),
    # expressions and texts
    ('"{{ event.id }}"\n  subject', '"{{ §evnt.id }}"\n  subject', "did you mean event?"),
    ('"{{ event.id }}"\n  subject', '"{{ event.id | §lowr }}"\n  subject', "did you mean lower?"),
    (
        '"{{ event.id }}"\n  subject',
        "{§{ event.id }}\n  subject",
        'put quotes around a text with braces: "{{ event.id }}"',
    ),
    ('"{{ event.id }}"\n  subject', '"§{% if a %}b{% endif %}"\n  subject', "a text has expressions only"),
    ("expect: response.status == 201", "expect: §respons.status == 201", "did you mean response?"),
    ("response.status == 409", "response.status is §numeric", "unknown test 'numeric'"),
    ("done: outcome.state", "done: §event.state", "unknown name 'event'; there are now, outcome"),
    ("ids: response.body.ids", "ids: §case.ids", "unknown name 'case'"),
    ("when: event.cents", "when: §steps.cents", "unknown name 'steps'; there are case, event, now"),
    ('cents: "{{ event.cents }}"', 'cents: "{{ §response.cents }}"', "unknown name 'response'"),
    ('{id: "{{ event.id }}", lines', '{"{{ §evnt.id }}": 1, lines', "did you mean event?"),
    ("expect: case.quarantined", "expect: §response.status", "there is no response without a request"),
    # rules
    (
        "    method: POST\n    path: /refunds\n    query: {dry: false}\n    headers: {X-Source: pointsman}\n    json",
        "    path: /refunds\n    §json",
        "a GET carries no json; add method: POST",
    ),
    ("deliver:\n  connector: bank\n", "§deliver:\n", "connector is missing in deliver; add connector: …"),
    ("C0MONEY]", "C0MONEY, §X0MONEY]", '"X0MONEY" is not a channel\'s id'),
    ("- name: nothing is held", "- name: §the bank has it", '"the bank has it" is written twice; it stands on line'),
    (
        "confirm: I have told the customer.",
        "§request: {connector: bank, path: /x}\n    confirm: I have told the customer.",
        "a person confirms without a request",
    ),
    ("name: nothing is held\n    expect: case.quarantined == 0", "§name: nothing is held", "what must hold is missing"),
    (
        'subject: "{{ event.customer }}"',
        'subject: §"{{ event.email }}"',
        'trigger.subject shows "email", which is redacted; take another field for subject',
    ),
    ("redact: [email]", "redact: [§emial]", 'the schema has no field "emial"; did you mean "email"?'),
    (
        "mode: canary, percent: 20, match: event.cents < 1000",
        "mode: live, §percent: 20",
        "percent is for a canary only",
    ),
    (
        "{mode: canary, percent: 20, match: event.cents < 1000}",
        "§{mode: canary}",
        "a canary needs its share; add percent: 20",
    ),
    ("{to: on_call}, {after: 15m, to", "{to: on_call}, §{to", "only the first step goes at once; add after: …"),
    (
        "unacknowledged: [{to: on_call}, {after: 15m, to: steward, repeat: 2}]",
        "§unacknowledged: []",
        "this ladder has no step",
    ),
    ("order: subject", "order: none\n  §order: none", '"order" is written twice; it stands on line 29 already'),
]

IN_SCHEMA = [
    ('"type": "integer"', '"type": §"integr"', '"integr" is not a type; did you mean "integer"?'),
    ('"pattern": "^re_"', '"pattern": §"^re_["', '"pattern" is not right in a schema; it takes a regex'),
    ('"pattern": "^re_"', '"pattern": §"^re_\\\\Z"', "cannot be checked against events; patterns are the regular"),
    ('"minimum": 0', '"minimum": §"0"', '"minimum" is not right in a schema; it takes number'),
    (
        '"required": ["id", "cents"],',
        '"requird": §["id", "cents"],',
        'there is no keyword "requird" in JSON Schema; did you mean "required"?',
    ),
    ('"cents"],', '§"cent"],', '"cent" is required and not among the properties; did you mean "cents"?'),
    ('"format": "email"', '"format": §"emial"', 'there is no format "emial"; did you mean "email"?'),
    ('"#/$defs/moment"', '§"#/$defs/momnt"', '"#/$defs/momnt" leads nowhere'),
    ('"#/$defs/moment"', '§"https://acme.test/moment.json"', "leads out of this file; copy it under"),
    (
        '"https://json-schema.org/draft/2020-12/schema"',
        '§"http://json-schema.org/draft-07/schema#"',
        "only JSON Schema 2020-12",
    ),
    (
        '"type": "object",',
        '"type": "object"\n  §"x": 1,',
        "is not JSON: expecting ',' delimiter; look for a missing comma",
    ),
    ('"email": {', '§"id": {"type": "string"}, "email": {', '"id" is written twice'),
    ('"minimum": 0', '"minimum": §NaN', "NaN is not JSON"),
]


@pytest.mark.parametrize(("old", "new", "words"), IN_WORKFLOW)
def test_a_fault_in_a_workflow_is_told_with_its_place(old: str, new: str, words: str) -> None:
    assert_told("workflows/refund.yml", old, new, words)


@pytest.mark.parametrize(("old", "new", "words"), IN_SCHEMA)
def test_a_fault_in_a_schema_is_told_with_its_place(old: str, new: str, words: str) -> None:
    assert_told("schemas/refund.v1.json", old, new, words)
