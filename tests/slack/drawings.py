"""What the golden files show: cases at different moments, hostile ones among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.desk.quarantine import Look
from bot.desk.sending_again import Possible
from bot.rules.repair import Wrong
from bot.rules.sending import Key, Plan, Verb
from bot.slack import modals
from bot.slack.answers import HomeFacts, cases_told, help_told, home
from bot.slack.asking import Form
from bot.slack.cards import card
from bot.slack.closings import Confirmation, Tried, override_form, resolve_form
from bot.slack.facts import CardFacts, Coming
from bot.slack.messages import line, notice, page
from bot.slack.quarantine import Listing, case_form, drop_form, event_form, list_form, listed_told
from bot.slack.queues import Cases, OnCallNow
from bot.slack.words import Names
from runbooks.policy import load
from store.closing_models import Check, Closing
from store.contract_models import Trigger
from store.models import Case, Delivery, Event
from store.queries.quarantine import Held
from tests.slack.conftest import FOLDER

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
NAMES = Names(
    {"U0ADA": "Ada Lovelace", "U0DEE": "Dee Dee"},
    {"ops": "Revenue Ops", "success": "Customer Success"},
    {"refund": "Refunds"},
)
URL = "https://acme.slack.com/archives/C0REVOPS/p1764000000000100"
HOSTILE = "<!channel> *bold* `code` \u202egnp.exe <@U0ADA> & <https://evil.test|click> {{ 7 * 7 }}\n> quote"


def row(**said: Any) -> Case:
    """A case as the table has it."""
    values: dict[str, Any] = {
        "id": 12,
        "workflow": "refund",
        "failure_mode": "delivery_failed",
        "title": "Refund R-1 was not taken",
        "detail": "billing answered 503 three times",
        "subject": "R-1",
        "source": "monitors",
        "risk": "high",
        "priority": "P1",
        "state": "queued",
        "route": "owner_queue",
        "route_rule": "",
        "route_because": "the contract's terms for delivery_failed; VIP customers: not met: event.tier is missing",
        "owner": "ops",
        "match_key": "v1:1",
        "fingerprint": "v1:1",
        "policy_digest": "0",
        "next_step": "Ask billing whether it is there, then retry.",
        "opened_at": NOW - timedelta(minutes=5),
        "opened_by": "monitors",
        "last_seen_at": NOW - timedelta(minutes=1),
        "acknowledge_due_at": NOW + timedelta(minutes=10),
        "resolve_due_at": NOW + timedelta(hours=4),
        "response_from_at": NOW - timedelta(minutes=5),
        "channel": "C0REVOPS",
        "version": 3,
    }
    return Case(**(values | said))


def facts(case: Case, **said: Any) -> CardFacts:
    """The facts of its card."""
    coming = (
        Coming(case.acknowledge_due_at, "unacknowledged", "ops", "U0ADA"),
        Coming(case.resolve_due_at, "unresolved", "success", None),
    )
    drawn = CardFacts(case, NAMES, "U0ADA", on_call=True, possible=Possible(retry=True, replay=True), coming=coming)
    return replace(drawn, **said)


def acknowledged(**said: Any) -> Case:
    """A case that somebody has."""
    return row(
        state="in_progress",
        assignee="U0DEE",
        acknowledged_at=NOW - timedelta(minutes=1),
        acknowledged_by="U0DEE",
        lease_until=NOW + timedelta(hours=2),
        **said,
    )


def delivery(**said: Any) -> Delivery:
    """The last Retry of a case."""
    values: dict[str, Any] = {"verb": "retry", "state": "delivered", "status": 202, "asked_by": "U0DEE", "because": ""}
    return Delivery(**(values | said))


PLANS = {
    Verb.RETRY: Plan(Key.SAME, True, None, "nobody knows whether it arrived"),
    Verb.REPLAY: Plan(Key.NEXT, False, "This may do it twice.", "it was delivered before"),
}


def held(event_id: int = 7, subject: str = "acc_1") -> Held:
    """An event in quarantine."""
    misfit = {"title": f"{HOSTILE} came, renewal_date was wanted", "lines": [HOSTILE, "arr_cents is a text"]}
    trigger = Trigger(
        event_id=event_id,
        workflow="refund",
        identity="content:1",
        digest="1",
        received_at=NOW,
        source="hubspot",
        subject=subject,
        state="quarantined",
        misfit=misfit,
        case_id=12,
        policy_digest="0",
        contract_version=1,
        seen=3,
        last_seen_at=NOW,
    )
    return Held(trigger, Event(id=event_id, workflow="refund", digest="1", content={}, received_at=NOW))


def tried(state: str, *checks: Check) -> Tried:
    """The last time that somebody wanted the case closed."""
    closing = Closing(
        id=1, case_id=12, asked_by="U0DEE", asked_at=NOW, state=state, state_before="queued", decided_at=NOW
    )
    return Tried(closing, checks)


def check(name: str, state: str, because: str = "", kind: str = "request") -> Check:
    """A check of it."""
    return Check(closing_id=1, name=name, kind=kind, state=state, because=because)


TICK = check("the account manager knows", "confirmed", kind="confirm")
FAILED = check(HOSTILE, "failed", f"it answered 200: {HOSTILE}")
DOWN = check("the account has its notice", "unknown", "it answered 503")


def listing() -> Listing:
    """What is in quarantine."""
    return Listing("All", [held(), held(8, HOSTILE)], {"refund": 1200, HOSTILE: 1}, {12: 1200}, NAMES)


def looked_at() -> Look:
    """An event as it may be seen, with a field of each kind to mend."""
    wrong = (
        Wrong("/renewal_date", "renewal_date", {"type": "string", "format": "date"}, came_as=HOSTILE),
        Wrong("/tier", "one of vip", {"enum": ["vip", "growth", None]}, shown="gold"),
        Wrong("/lines/0/sku", "string", {"type": ["string", "null"]}, shown=HOSTILE),
        Wrong("/" + "x" * 300, "string", {"type": "string"}),
    )
    return Look(held(), {"account_id": HOSTILE, "email": "•••"}, wrong, is_erased=False)


def message(drawn: Any) -> dict[str, Any]:
    """A message as it is posted."""
    return {"text": drawn.text, "blocks": list(drawn.blocks)}


CONFIRMATIONS = [Confirmation("short", HOSTILE[:60]), Confirmation("long", HOSTILE * 3)]
CONFIRMATIONS += [Confirmation(f"box {number}", f"I have looked at {number}") for number in range(10)]


def messages() -> Mapping[str, dict[str, Any]]:
    """Every kind of message, by the name of its golden file."""
    none = Possible(retry=False, replay=False)
    late = row(response_breached_at=NOW, resolution_breached_at=NOW, exhausted=True, occurrences=1200, reopened=1)
    closed = row(state="resolved", closed_at=NOW, resolution="fixed")
    hostile = row(
        title=HOSTILE,
        detail=HOSTILE * 700,
        subject=HOSTILE,
        next_step=HOSTILE,
        opened_by="<!here>",
        route_because=HOSTILE * 20,
    )
    refused = delivery(state="refused", status=409, because=f"it answered 409: {HOSTILE}")
    paged = {"what": "escalated", "ladder": "unacknowledged", "role": "ops", "people": ["U0ADA"], "because": HOSTILE}
    return {
        "card_queued": message(card(facts(row()), NOW)),
        "card_acknowledged": message(card(facts(acknowledged(), person="U0DEE", on_call=False), NOW)),
        "card_retried": message(card(facts(row(), sent=delivery(), sent_at=NOW), NOW)),
        "card_refused": message(card(facts(row(), sent=refused, sent_at=NOW), NOW)),
        "card_late": message(card(facts(late, person=None, coming=()), NOW)),
        "card_waiting": message(
            card(facts(acknowledged(snoozed_until=NOW + timedelta(hours=1)), still=("resolution",), possible=none), NOW)
        ),
        "card_resolved": message(card(facts(closed, possible=none, coming=()), NOW)),
        **closings(),
        "card_hostile": message(card(facts(hostile), NOW)),
        "card_held": message(card(facts(row(failure_mode="schema_drift"), held=1200, possible=none), NOW)),
        "card_with_plans": message(card(facts(row(), plans=PLANS), NOW)),
        "quarantine": message(listed_told(listing())),
        "quarantine_empty": message(listed_told(replace(listing(), shown=(), by_workflow={}, of_cases={}))),
        "page": message(page(facts(row()), paged, URL, NOW, reader="U0DEE")),
        "page_hostile": message(page(facts(hostile), paged, None, NOW, reader="U0DEE")),
        "notice": message(notice(row(), {"what": "opened_from_thread", "by": "U0ADA"}, NAMES, URL)),
        "list": message(cases_told("Revenue Ops", Cases((row(), acknowledged(), hostile), 3), NAMES, {12: URL})),
        "list_long": message(cases_told("All", Cases((hostile,) * 20, 900), NAMES, {})),
        "help": message(help_told()),
    }


def closings() -> Mapping[str, dict[str, Any]]:
    """Cases that are closing, that did not close, and that were closed in spite of a check."""
    over: dict[str, Any] = {"overridden_by": "U0DEE", "override_reason": HOSTILE}
    closed = row(state="resolved", closed_at=NOW, resolution="fixed", **over)
    asked = tried("checking", check("billing has it", "owed"), check("the ledger agrees", "passed"), TICK)
    waiting = tried("refused", check("billing has it", "passed"), check(HOSTILE, "unconfirmed", kind="confirm"))
    failed = [{"name": HOSTILE, "because": HOSTILE}, {"name": "", "because": "E-1 is being sent"}]
    refused = {"what": "closing_refused", "by": "U0DEE", "people": ["U0DEE"], "failed": failed}
    refused |= {"owner": "ops", "accountable": "success"}
    fixed = {"what": "please_confirm", "by": "pointsman", "people": ["U0ADA"], "confirm": [HOSTILE], "note": HOSTILE}
    return {
        "card_closing": message(card(facts(row(state="closing", acknowledged_at=NOW), tried=asked), NOW)),
        "card_not_closed": message(card(facts(acknowledged(), tried=tried("refused", FAILED, DOWN, TICK)), NOW)),
        "card_to_confirm": message(card(facts(row(), tried=waiting), NOW)),
        "card_overridden": message(card(facts(closed, tried=tried("overridden", FAILED, TICK), coming=()), NOW)),
        "card_overridden_once": message(card(facts(row(reopened=1, **over)), NOW)),
        "line_not_closed": message(line(acknowledged(), refused, NAMES, NOW)),
        "line_to_confirm": message(line(row(), fixed, NAMES, NOW)),
        "page_to_confirm": message(page(facts(row()), fixed | {"role": "ops"}, URL, NOW, reader="U0ADA")),
    }


def views() -> Mapping[str, dict[str, Any]]:
    """Every form and the Home tab, by the name of its golden file."""
    policy, form = load(FOLDER), Form("C-12", channel="C0REVOPS", thread_ts="1.2")
    ops = policy.team.roles["ops"]
    on_call = [OnCallNow(ops, "U0ADA", "ops-on-call"), OnCallNow(policy.team.roles["success"], None, "nobody now")]
    queues = [("ops", Cases((row(), late_one()), 9))]
    shown = HomeFacts(Cases((row(),), 1), queues, on_call, 3, NAMES, {"refund": 1200})
    entries = modals.Entries("C-12", [f"*{n}* something happened" for n in range(10)], 1, has_older=True)
    return {
        "form_assign": modals.assign(form),
        "form_hand_off": modals.hand_off(form, policy),
        "form_snooze": modals.snooze(form),
        "form_priority": modals.priority(form),
        "form_note": modals.note(form),
        "form_resolve": resolve_form(form),
        "form_resolve_confirming": resolve_form(form, "conflict", CONFIRMATIONS),
        "form_override": override_form(form, tried("refused", FAILED, DOWN, TICK)),
        "form_fail": modals.fail(form),
        "form_reopen": modals.reopen(form),
        "form_confirm": modals.confirm(replace(form, verb="replay"), "This may do it twice: <!channel>"),
        "form_open": modals.open_case(form, modals.Opening(HOSTILE, "triage"), policy),
        "form_open_anywhere": modals.open_case(form, modals.Opening(asks_link=True), policy),
        "form_audit": modals.audit(entries),
        "quarantine_case": case_form(Form("C-12"), [held(), held(8, HOSTILE)], 1200, {"/renewal_date": HOSTILE}),
        "quarantine_event": event_form(Form("C-12"), looked_at()),
        "quarantine_erased": event_form(Form("C-12"), replace(looked_at(), is_erased=True)),
        "quarantine_drop": drop_form(Form("C-12", event=7)),
        "quarantine_home": list_form(listing()),
        "home": home(shown, {12: URL}),
    }


def late_one() -> Case:
    """A case that missed its window."""
    return row(id=13, response_breached_at=NOW, exhausted=True)
