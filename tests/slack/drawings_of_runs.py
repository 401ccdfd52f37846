"""What the golden files of runs show: runs at different moments, hostile ones among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from bot.desk.runs.offering import Offered
from bot.desk.runs.reading import Evidence, RunSeen
from bot.slack import runs_forms
from bot.slack.asking import Form
from bot.slack.cards import card
from bot.slack.runs import RunsShown
from bot.slack.runs_forms import evidence_form, reason_form, start_form
from runbooks.engine import cannot_be_undone
from runbooks.policy import load
from runbooks.runbook import Runbook
from store.run_models import Run, RunApproval, RunAttempt, RunStep
from tests.slack.conftest import FOLDER
from tests.slack.drawings import HOSTILE, NAMES, NOW, facts, message, row

CALLBACK = """\
runbook: callback
title: Ask billing for the callback again
button: Retry callback
style: primary
inputs:
  billing_id: {label: Billing ID, required: true, pattern: "re_[a-z]+", default: "{{ event.id }}"}
  amount: {label: Amount, type: number}
  tier: {label: Tier, type: select, options: [vip, growth]}
  follow_up: {label: Tell me how it ended, type: toggle, default: true}
  day: {label: On which day, type: date}
  whom: {label: Whom to tell, type: user}
warning: "This tells the customer: {{ inputs.billing_id }}"
approval: {by: [ops, success], when: event.amount > 1, expires: 1h}
steps:
  - name: ask
    request: {connector: billing, method: POST, path: "/refunds/{{ inputs.billing_id }}/callback"}
    undo: {request: {connector: billing, method: DELETE, path: "/refunds/1/callback"}}
  - name: acknowledged
    wait_for: {outcome: done, within: 5m}
  - name: sure
    ask: {who: owner, text: Is it there?}
  - name: tell
    notify: {to: asker, text: It is complete.}
"""
WORDLESS = CALLBACK.replace(
    "when: event.amount > 1", "count: 2, when: \"event.notes | length > 3 or event.id == '`*'\""
)
BIG = "runbook: big\ntitle: All of it\nsteps:\n" + "".join(f"  - {{name: step_{at}, pause: 1m}}\n" for at in range(50))
SMALL = "runbook: small-{0}\ntitle: Small {0}\nsteps:\n  - {{name: wait, pause: 1m}}\n"
MODE = "  delivery_failed: {{priority: P1, runbooks: [{0}], next_step"


def policy(callback: str = CALLBACK) -> Any:
    """The folder of the other drawings, with runbooks."""
    names = ["callback", "big", *(f"small-{at}" for at in range(6))]
    files = {f"runbooks/small-{at}.yml": SMALL.format(at) for at in range(6)}
    refund = FOLDER["workflows/refund.yml"].replace(
        "  delivery_failed: {priority: P1, next_step", MODE.format(", ".join(names))
    )
    return load(
        {**FOLDER, **files, "runbooks/callback.yml": callback, "runbooks/big.yml": BIG, "workflows/refund.yml": refund}
    )


POLICY = policy()
BOOKS: list[Runbook] = list(POLICY.runbooks.values())


def _shown(runs: Sequence[RunSeen] = (), foreseen: Mapping[int, Sequence[str]] = MappingProxyType({})) -> RunsShown:
    lasting = {book.name: cannot_be_undone(book, POLICY.runbooks) for book in BOOKS}
    return RunsShown(BOOKS, runs, foreseen, lasting=lasting)


def run(runbook: str = "callback", **said: Any) -> Run:
    """A run as the table has it."""
    values: dict[str, Any] = {
        "id": 7,
        "case_id": 12,
        "workflow": "refund",
        "runbook": runbook,
        "policy_digest": "0",
        "cause": "pressed",
        "asked_by": "U0DEE",
        "asked_at": NOW - timedelta(minutes=2),
        "started_at": NOW - timedelta(minutes=2),
        "state": "running",
        "counts": {},
        "because": "",
        "version": 4,
    }
    return Run(**(values | said))


def step(position: int, state: str, name: str = "", kind: str = "request", **said: Any) -> RunStep:
    """A step of it."""
    values: dict[str, Any] = {
        "id": 70 + position,
        "run_id": 7,
        "item_id": 0,
        "position": position,
        "name": name,
        "kind": kind,
        "state": state,
        "started_at": NOW - timedelta(minutes=2),
        "because": "",
    }
    return RunStep(**(values | said))


ASKED = step(0, "done", "ask", response={"status": 202}, because="response.status == 202", ended_at=NOW)
WAITING = step(1, "waiting", "acknowledged", "wait_for", until_at=NOW + timedelta(minutes=5))
CAME = step(1, "done", "acknowledged", "wait_for", because="its outcome is done", ended_at=NOW)
QUESTION = step(2, "waiting", "sure", "ask", response={"text": HOSTILE, "who": "owner"})
GIVEN = {"billing_id": HOSTILE, "amount": 12.5, "tier": "•••", "follow_up": False, "day": None, "whom": "U0DEE"}
FAILED = step(2, "failed", "sure", "ask", because=HOSTILE, ended_at=NOW)
ENDED: dict[str, Any] = {"ended_at": NOW}


def seen(of: Run, *steps: RunStep, approvals: tuple[RunApproval, ...] = ()) -> RunSeen:
    """A run with the steps that were begun."""
    return RunSeen(of, POLICY, {each.position: each for each in steps}, approvals)


def approval(**said: Any) -> RunApproval:
    """A yes that is asked for."""
    values: dict[str, Any] = {
        "run_id": 7,
        "seat": 0,
        "role": "ops",
        "asked_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "answer": "",
    }
    return RunApproval(**(values | said))


RUNS: Mapping[str, tuple[RunSeen, ...]] = {
    "waiting": (seen(run(), ASKED, WAITING),),
    "asking": (seen(run(), ASKED, CAME, QUESTION),),
    "retrying": (
        seen(
            run(due_at=NOW + timedelta(seconds=8)),
            step(0, "under_way", "ask", because=f"it answered 503: {HOSTILE}", attempts=1),
        ),
    ),
    "begun": (seen(run()),),
    "done": (seen(run(state="done", because="all its steps are done", **ENDED), ASKED, CAME),),
    "overtaken": (
        seen(
            run(state="done", cause="auto_fix", because="what the case is about is over", **ENDED),
            ASKED,
            step(1, "overtaken", "acknowledged", "wait_for", because=HOSTILE, ended_at=NOW),
        ),
    ),
    "failed": (
        seen(run("small-1", id=5, state="done", **ENDED)),
        seen(run("small-2", id=6, state="undone", because="what it did is taken back", **ENDED)),
        seen(run(state="failed", because=f"sure: {HOSTILE}", **ENDED), ASKED, CAME, FAILED),
    ),
    "undone": (seen(run(state="undone", **ENDED), step(0, "undone", "ask"), FAILED),),
    "not_undone": (seen(run(state="failed", **ENDED), step(0, "not_undone", "ask", because=HOSTILE)),),
    "approving": (
        seen(
            run(state="approving", started_at=None, inputs=GIVEN),
            approvals=(approval(answer="expired"), approval(seat=1, role="success")),
        ),
    ),
    "declined": (
        seen(
            run(state="declined", because=HOSTILE, **ENDED),
            approvals=(approval(answer="no", by="U0ADA", reason=HOSTILE), approval(seat=1, answer="nobody")),
        ),
    ),
    "proposed": (seen(run(state="proposed"), ASKED),),
    "held": (
        seen(
            run(state="held", started_at=None, cause="auto_fix", because="10 of refund in an hour"),
        ),
    ),
    "for_each": (seen(run("small-0", upto_id=99, item_id=17, counts={"done": 1200, "failed": 3})),),
    "long": (
        seen(
            run("big", state="running"),
            *(step(at, "done", f"step_{at}", "pause", because=HOSTILE * 3) for at in range(30)),
        ),
    ),
    "many": tuple(
        seen(run("big", id=at), *(step(n, "done", f"step_{n}", "pause", because=HOSTILE * 9) for n in range(40)))
        for at in range(5)
    ),
}


def messages() -> Mapping[str, dict[str, Any]]:
    """Cards with runs, by the name of their golden files."""
    requests = {7: [f"POST /refunds/re_a/callback to billing {HOSTILE}"] * 7}
    drawn = {
        name: message(card(facts(row(), runs=_shown(runs, requests if name == "proposed" else {})), NOW))
        for name, runs in RUNS.items()
    }
    closed = row(state="resolved", closed_at=NOW, resolution="fixed")
    return {f"card_{name}": each for name, each in drawn.items()} | {
        "card_offering": message(card(facts(row(), runs=_shown()), NOW)),
        "card_closed": message(card(facts(closed, runs=RunsShown((), RUNS["done"])), NOW)),
    }


def offered(**said: Any) -> Offered:
    """A runbook before it starts."""
    runbook = POLICY.runbooks["callback"]
    values: dict[str, Any] = {
        "ref": "C-12",
        "title": HOSTILE,
        "runbook": runbook,
        "values": {
            "billing_id": HOSTILE,
            "amount": 12.5,
            "tier": "vip",
            "follow_up": True,
            "day": "2026-12-24",
            "whom": "U0DEE",
        },
        "warning": f"This tells the customer: {HOSTILE}",
        "ahead": ["ask: POST /refunds/re_a/callback to billing", f"tell: tell who asked: {HOSTILE}"],
        "lasting": cannot_be_undone(runbook),
        "held": 0,
        "approvers": ["ops", "success"],
    }
    return Offered(**(values | said))


def views() -> Mapping[str, dict[str, Any]]:
    """Forms about runs, by the name of their golden files."""
    form = Form("C-12", channel="C0REVOPS", thread_ts="1.2", verb="callback")
    small = offered(runbook=POLICY.runbooks["small-0"], values={}, warning="", lasting=[])
    attempt = RunAttempt(
        id=1,
        step_id=70,
        purpose="step",
        at=NOW,
        request={"method": "POST", "path": "/refunds/1", "headers": {}, "json": {"note": HOSTILE * 30}},
        status=202,
        response=HOSTILE * 90,
    )
    lost = RunAttempt(id=2, step_id=70, purpose="undo", at=NOW, request={"method": "GET", "path": "/"}, error=HOSTILE)
    found = Evidence(RUNS["failed"][-1], [(ASKED, attempt)] * 8 + [(ASKED, lost)], has_older=True)
    none = Evidence(seen(run(inputs=GIVEN)), [], has_older=False)
    return {
        "form_start": start_form(form, offered(), NAMES),
        "form_start_empty": start_form(form, offered(values={}, warning=""), NAMES),
        "form_start_wordless": start_form(form, offered(runbook=policy(WORDLESS).runbooks["callback"]), NAMES),
        "form_start_foreseen": start_form(form, offered(ahead=[f"ask: POST /refunds/{HOSTILE}"] * 60), NAMES),
        "form_start_small": start_form(form, small, NAMES),
        "form_start_twice": start_form(form, replace(small, twice=f"It was delivered: {HOSTILE * 9}"), NAMES),
        "form_refuse": reason_form(form, runs_forms.REFUSING, HOSTILE),
        "form_not_this": reason_form(form, runs_forms.NOT_THIS, HOSTILE),
        "evidence": evidence_form("C-12", found, 1, NAMES),
        "evidence_none": evidence_form("C-12", none, 0, NAMES),
    }
