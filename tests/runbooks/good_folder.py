"""A policy folder without a fault, small and with something of everything; tests break it in one place at a time."""

import pytest

from runbooks.policy import PolicyFaults, load

TEAM = """\
calendars:
  office: {timezone: Europe/Berlin, hours: {mon-thu: "09:00-12:30, 13:30-18:00", fri: "09:00-15:00"}, holidays: DE-BE}
  always:
    timezone: UTC
    hours: {mon-sun: "00:00-24:00"}
    closed: [2026-12-24]
    open: {2026-12-25: "10:00-12:00"}
rotas:
  desk-on-call:
    timezone: Europe/Berlin
    starts: 2026-01-05T09:00
    every: 1w
    people: [U0ADA, ben@acme.test]
    layers:
      - {starts: 2026-01-05T18:00, every: 1d, people: [U0CLEO], hours: {mon-fri: "18:00-24:00"}}
  money-on-call: {ical: money.ics}
roles:
  desk:
    title: The desk
    channel: C0DESK
    members: [U0ADA, U0BEN]
    calendar: office
    on_call: desk-on-call
    backup: money
  money:
    title: Money
    channel: C0MONEY
    usergroup: S0MONEY
    calendar: always
    on_call: money-on-call
defaults:
  unrouted: desk
  governance: money
  thread_workflow: refund
  priorities:
    P1: {acknowledge: 15m, resolve: 4h}
    P2: {acknowledge: 2bh, resolve: 1bd}
    P3: {acknowledge: 4bh, resolve: 2bd}
    P4: {acknowledge: 1bd, resolve: 5bd}
  escalation:
    unacknowledged:
      - {to: on_call}
      - {after: 30m, to: backup, repeat: 3}
    unresolved:
      - {to: on_call}
      - {after: 1h, to: accountable}
  remind_at: [0.5, 0.9]
  acknowledgement_lasts: 4bh
  pauses: [waiting_for_customer]
  retention: {payloads: 90d}
  fallback: {email: ops@acme.test}
"""

CONNECTORS = """\
connectors:
  bank: {base_url: "${BANK_URL}/v1", auth: {bearer: BANK_TOKEN}, timeout: 5s, rate: 20/s, health: /health}
  desk: {base_url: "https://desk.acme.test", auth: {header: {X-Api-Key: DESK_KEY}}, private: true}
sources:
  shop: {token: SHOP_TOKEN, workflows: [refund], read: true}
  bank: {secret: BANK_SECRET, rate: 100/m}
"""

WORKFLOW = """\
workflow: refund
version: 3
title: Refunds
purpose: Each refund arrives, once.
risk: high
owners: {accountable: money, steward: desk}
source_of_record: bank
threads: [C0MONEY]
trigger:
  schema: refund.v1.json
  id: "{{ event.id }}"
  subject: "{{ event.customer }}"
  ignore: [sent_at]
  redact: [email]
preconditions:
  - {name: is not a test, expect: event.test is not defined, otherwise: ignore}
deliver:
  connector: bank
  request:
    method: POST
    path: /refunds
    query: {dry: false}
    headers: {X-Source: pointsman}
    json: {id: "{{ event.id }}", lines: [{cents: "{{ event.cents }}"}]}
  expect: response.status == 201
  already: response.status == 409
  timeout: 5s
  retry: {attempts: 3, first: 1s, factor: 2, max: 30s}
  order: subject
  key_lasts: 24h
  find:
    request: {path: "/refunds/{{ event.id }}"}
    found: response.status == 200
  verify:
    after: 30s
    request: {path: "/refunds/{{ event.id }}"}
    expect: response.body.cents == event.cents
outcome:
  id: "{{ outcome.id }}"
  done: outcome.state == 'done'
  failed: outcome.state == 'failed'
  within: 10m
freshness: {at_least: 1, every: 1bd, calendar: office}
census:
  every: 1bd
  calendar: office
  request: {connector: bank, path: "/due?on={{ now | date }}"}
  ids: response.body.ids
exceptions:
  delivery_failed:
    priority: P1
    owner: money
    route: on_call
    runbooks: [callback]
    next_step: Ask the bank.
    acknowledge_within: 10m
    resolve_within: 2h
    escalation:
      unacknowledged: [{to: on_call}, {after: 15m, to: steward, repeat: 2}]
  late: {auto_fix: {runbook: callback, give_up_after: 20m}, group_by: "{{ event.customer }}"}
  other: {priority: P3}
routing:
  - name: large ones
    when: event.cents > 100000
    priority: P1
checks:
  - name: the bank has it
    for: [delivery_failed]
    request: {connector: bank, path: "/refunds/{{ case.subject }}"}
    expect: response.status == 200
  - name: nothing is held
    expect: case.quarantined == 0
  - name: the customer knows
    confirm: I have told the customer.
on_open: [tell-desk]
rollout: {mode: canary, percent: 20, match: event.cents < 1000}
change_gate: true
"""

CALLBACK = """\
runbook: callback
title: Ask the bank for the callback again
button: Retry callback
style: primary
inputs:
  id: {label: Id, type: text, pattern: "re_[a-z0-9]+", default: "{{ event.id }}"}
  why: {label: Why, type: select, options: [lost, late], default: late}
  tell: {label: Tell me, type: toggle, default: true}
allow: [owner, on_call, money]
approval: {by: [accountable, steward], when: event.cents >= 50000, expires: 1h}
warning: This asks for {{ inputs.id }} again.
steps:
  - name: ask
    request: {connector: bank, method: POST, path: "/refunds/{{ inputs.id }}/callback"}
    expect: response.status == 202
    retry: {attempts: 2, first: 2s}
    undo:
      request: {connector: bank, method: DELETE, path: "/callbacks/{{ steps.ask.response.body.id }}"}
  - name: came
    wait_for: {outcome: done, within: 5m}
  - name: check
    check: the bank has it
  - name: again
    when: steps.ask.response.status == 202
    replay: {set: {"{{ inputs.id }}": "{{ event.id }}"}}
  - name: give
    assign: {role: money}
  - name: pause
    pause: 30s
  - name: tell
    when: inputs.tell
    notify: {to: asker, text: "{{ inputs.id }} is done."}
  - name: desk
    run: tell-desk
on_failure: undo
"""

TELL_DESK = """\
runbook: tell-desk
title: Tell the desk
steps:
  - name: note
    request: {connector: desk, method: POST, path: /notes, json: {text: "{{ case.title }}"}}
"""

SCHEMA = """\
{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["id", "cents"],
  "properties": {
    "id": {"type": "string", "pattern": "^re_"},
    "customer": {"type": "string"},
    "email": {"type": "string", "format": "email"},
    "sent_at": {"$ref": "#/$defs/moment"},
    "cents": {"type": "integer", "minimum": 0}
  },
  "$defs": {"moment": {"type": "string", "format": "date-time"}}
}
"""

CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//acme//money on-call//EN
BEGIN:VEVENT
UID:fay@acme
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20260105T090000
DTEND;TZID=Europe/Berlin:20260112T090000
RRULE:FREQ=WEEKLY
SUMMARY:U0FAY
END:VEVENT
END:VCALENDAR
"""

GOOD = {
    "team.yml": TEAM,
    "connectors.yml": CONNECTORS,
    "workflows/refund.yml": WORKFLOW,
    "runbooks/callback.yml": CALLBACK,
    "runbooks/tell-desk.yml": TELL_DESK,
    "schemas/refund.v1.json": SCHEMA,
    "money.ics": CALENDAR,
    "templates/opened.j2": "{{ case.title }} was opened.\n",
}


def broken(file: str, old: str, new: str) -> tuple[dict[str, str], str]:
    """The good folder with one edit, and the place (`file:line:column`) that a § in `new` marks."""
    assert GOOD[file].count(old) >= 1, f"{old!r} is not in {file}"
    marked = GOOD[file].replace(old, new, 1)
    before = marked[: marked.index("§")]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return {**GOOD, file: marked.replace("§", "")}, f"{file}:{line}:{column}"


def edited(file: str, old: str, new: str) -> dict[str, str]:
    """The good folder with one edit."""
    assert GOOD[file].count(old) >= 1, f"{old!r} is not in {file}"
    return {**GOOD, file: GOOD[file].replace(old, new, 1)}


def assert_told(file: str, old: str, new: str, words: str) -> None:
    """The one edit gives the one fault, at the place of the §, that begins with or holds the words."""
    files, place = broken(file, old, new)
    with pytest.raises(PolicyFaults) as told:
        load(files)
    faults = [str(fault) for fault in told.value.faults]
    assert len(faults) == 1, faults
    assert faults[0].startswith(f"{place}: "), (place, faults)
    assert words in faults[0], faults
