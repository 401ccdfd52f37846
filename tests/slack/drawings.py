"""What the golden files show: cases at different moments, hostile ones among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.desk.sending_again import Possible
from bot.slack import modals
from bot.slack.answers import HomeFacts, cases_told, help_told, home
from bot.slack.asking import Form
from bot.slack.cards import card
from bot.slack.facts import CardFacts, Coming
from bot.slack.messages import notice, page
from bot.slack.queues import Cases, OnCallNow
from bot.slack.words import Names
from runbooks.policy import load
from store.models import Case, Delivery
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


def message(drawn: Any) -> dict[str, Any]:
    """A message as it is posted."""
    return {"text": drawn.text, "blocks": list(drawn.blocks)}


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
        "card_hostile": message(card(facts(hostile), NOW)),
        "page": message(page(facts(row()), paged, URL, NOW, reader="U0DEE")),
        "page_hostile": message(page(facts(hostile), paged, None, NOW, reader="U0DEE")),
        "notice": message(notice(row(), {"what": "opened_from_thread", "by": "U0ADA"}, NAMES, URL)),
        "list": message(cases_told("Revenue Ops", Cases((row(), acknowledged(), hostile), 3), NAMES, {12: URL})),
        "list_long": message(cases_told("All", Cases((hostile,) * 20, 900), NAMES, {})),
        "help": message(help_told()),
    }


def views() -> Mapping[str, dict[str, Any]]:
    """Every form and the Home tab, by the name of its golden file."""
    policy, form = load(FOLDER), Form("C-12", channel="C0REVOPS", thread_ts="1.2")
    ops = policy.team.roles["ops"]
    on_call = [OnCallNow(ops, "U0ADA", "ops-on-call"), OnCallNow(policy.team.roles["success"], None, "nobody now")]
    shown = HomeFacts(Cases((row(),), 1), [("ops", Cases((row(), late_one()), 9))], on_call, 3, NAMES)
    entries = modals.Entries("C-12", [f"*{n}* something happened" for n in range(10)], 1, has_older=True)
    return {
        "form_assign": modals.assign(form),
        "form_hand_off": modals.hand_off(form, policy),
        "form_snooze": modals.snooze(form),
        "form_priority": modals.priority(form),
        "form_note": modals.note(form),
        "form_resolve": modals.resolve(form),
        "form_fail": modals.fail(form),
        "form_reopen": modals.reopen(form),
        "form_confirm": modals.confirm(replace(form, verb="replay"), "This may do it twice: <!channel>"),
        "form_open": modals.open_case(form, modals.Opening(HOSTILE, "triage"), policy),
        "form_open_anywhere": modals.open_case(form, modals.Opening(asks_link=True), policy),
        "form_audit": modals.audit(entries),
        "home": home(shown, {12: URL}),
    }


def late_one() -> Case:
    """A case that missed its window."""
    return row(id=13, response_breached_at=NOW, exhausted=True)
