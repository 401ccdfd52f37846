"""A fault planted in a runbook is found at its place, and told with what would be right."""

import pytest

from runbooks.policy import PolicyFaults, load
from tests.runbooks.good_folder import GOOD, assert_told

IN_RUNBOOK = [
    # names that are used and do not exist
    ("allow: [owner, on_call", "allow: [owner, §oncall", 'there is no role "oncall"; did you mean "on_call"?'),
    ("by: [accountable", "by: [§acountable", 'there is no role "acountable"; did you mean "accountable"?'),
    ("to: asker", "to: §aksr", 'there is no role "aksr"; did you mean "asker"?'),
    ("assign: {role: money}", "assign: {role: §mony}", 'there is no role "mony"; did you mean "money"?'),
    ("run: tell-desk", "run: §tell-dsk", 'there is no runbook "tell-dsk"; did you mean "tell-desk"?'),
    ("connector: bank, method: POST", "connector: §bnak, method: POST", 'there is no connector "bnak"'),
    ("connector: bank, method: DELETE", "connector: §bnak, method: DELETE", 'there is no connector "bnak"'),
    ("check: the bank", "check: §the bonk", 'workflow "refund" uses this runbook and has no check "the bonk has it"'),
    ("/refunds/{{ inputs.id", "/refunds/{{ inputs.§idd", 'there is no input "idd"; did you mean "id"?'),
    ("when: inputs.tell", "when: inputs.§tel", 'there is no input "tel"; did you mean "tell"?'),
    ('{"{{ inputs.id }}"', "{\"{{ inputs['§ids'] }}\"", 'there is no input "ids"; did you mean "id"?'),
    ("when: steps.ask", "when: steps.§aks", 'there is no earlier step "aks"; did you mean "ask"?'),
    ("when: steps.ask", "when: steps.§tell", 'there is no earlier step "tell"'),
    (
        "expect: response.status",
        "expect: steps.§ask.status",
        'there is no earlier step "ask"; there is no earlier step',
    ),
    # keys and values
    ("button: Retry callback", "§buton: Retry callback", 'there is no key "buton" here; did you mean "button"?'),
    ("    wait_for: {", "    §wait_fr: {", 'there is no key "wait_fr" here; did you mean "wait_for"?'),
    ("{outcome: done", "{outcome: §finished", '"finished" is not known here; known: done'),
    ("style: primary", "style: §primry", '"primry" is not known here; did you mean "primary"?'),
    ("type: text", "type: §txt", '"txt" is not known here; did you mean "text"?'),
    ("on_failure: undo", "on_failure: §explode", '"explode" is not known here; known: escalate, stop, undo'),
    ("button: Retry callback", f"button: §{'x' * 31}", "this text is too long: at most 30 characters"),
    ('"re_[a-z0-9]+"', '§"re_[a-z0-9"', "is not a regular expression"),
    ("- name: came", "- name: §it-came", '"it-came" cannot be used in expressions; use letters, digits and _'),
    ("- name: came", "- name: §ask", '"ask" is written twice; it stands on line 13 already'),
    ("runbook: callback", "runbook: §call-back", '"call-back" stands in a file of another name'),
    ("pause: 30s", "pause: §30 seconds", "is not a length; write 30s"),
    # expressions and texts
    ('default: "{{ event.id }}"', 'default: "{{ §evnt.id }}"', "did you mean event?"),
    ('default: "{{ event.id }}"', 'default: "{{ §steps.ask }}"', "unknown name 'steps'"),
    ("when: event.cents", "when: §response.cents", "unknown name 'response'"),
    ("This asks for {{ inputs", "This asks for {{ §outcome", "unknown name 'outcome'"),
    # rules
    ("    wait_for: {outcome: done, within: 5m}", "    pause: 5m\n    §pauze: 5m", 'there is no key "pauze" here'),
    ("    pause: 30s", "    pause: 30s\n    §run: tell-desk", "run stands beside pause; keep one of request, replay"),
    ("name: pause\n    pause: 30s", "§name: pause", "what the step does is missing; add request, replay"),
    ("    pause: 30s", "    pause: 30s\n    §expect: event.ok", "expect stands beside a request only"),
    (
        "{outcome: done, within: 5m}",
        "{outcome: done, within: 5m}\n    §timeout: 5m",
        "timeout does nothing beside wait_for; write within: … in wait_for",
    ),
    (
        "    run: tell-desk",
        "    run: tell-desk\n    §retry: {attempts: 2}",
        "retry does nothing beside run; write retry beside the steps of that runbook",
    ),
    ("    replay: {set", "    §retry: {attempts: 2}\n    replay: {set", "the contract's deliver says how often"),
    ("    pause: 30s", "    pause: 30s\n    §retry: {attempts: 2}", "retry does nothing beside pause; remove it"),
    ("    assign: {", "    §timeout: 5m\n    assign: {", "timeout does nothing beside assign; remove it, or write it"),
    ("{outcome: done, within: 5m}", "§{within: 5m}", "what to wait for is missing; add outcome or event"),
    ("{role: money}", '{role: money, §user: "{{ asker.id }}"}', "user stands beside role; keep one of role or user"),
    (
        "why: {label: Why, type: select, options: [lost, late], default: late}",
        "why: §{label: Why, type: select}",
        "a select needs options",
    ),
    ("default: late", "default: §lat", '"lat" is not among the options; did you mean "late"?'),
    ("default: true", "default: §maybe", "a toggle is true or false; write true or false, without quotes"),
    ("type: toggle", "type: toggle, §options: [a]", "options are for type: select; add type: select"),
    ("type: toggle", 'type: toggle, §pattern: "a"', "a pattern is for text, and this is toggle; remove it"),
    ("expires: 1h", "expires: 1h, count: §3", "3 must say yes, and 2 roles are asked; name more roles in by"),
    ('{set: {"{{ inputs.id }}": "{{ event.id }}"}}', "{set: §[a]}", "set is a mapping of fields to values"),
    ("run: tell-desk", "run: §callback", "this runbook runs itself: callback → callback"),
    ("method: DELETE, path", "method: GET, §json: {a: 1}, path", "a GET carries no json"),
    ("{connector: bank, method: POST", "§{method: POST", "connector is missing in this request"),
    ("    replay: {set", "    retry_failed: §no\n    #", "retry_failed takes nothing; write retry_failed: {}"),
]


@pytest.mark.parametrize(("old", "new", "words"), IN_RUNBOOK)
def test_a_fault_in_a_runbook_is_told_with_its_place(old: str, new: str, words: str) -> None:
    assert_told("runbooks/callback.yml", old, new, words)


def test_runbooks_that_run_each_other_are_told_both() -> None:
    files = {**GOOD, "runbooks/tell-desk.yml": GOOD["runbooks/tell-desk.yml"] + "  - {name: more, run: callback}\n"}
    with pytest.raises(PolicyFaults) as told:
        load(files)
    assert [str(fault).partition("; ")[0] for fault in told.value.faults] == [
        "runbooks/callback.yml:34:10: this runbook runs itself: callback → tell-desk → callback",
        "runbooks/tell-desk.yml:6:23: this runbook runs itself: tell-desk → callback → tell-desk",
    ]
