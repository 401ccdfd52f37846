"""What the golden files show of changes of the policy: a card at each moment of its way, a hostile one among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.rules.changes import Need, Seat, Seated, Yes, on_record
from bot.slack.proposals import ProposalFacts, proposal_card, proposal_notice
from store.contract_models import PolicyProposal
from tests.slack.drawings import HOSTILE, NAMES, NOW, URL, message

NEEDS = (
    Need("runbooks", (Seated(Seat.GOVERNANCE, "success"),)),
    Need("workflow refund", (Seated(Seat.ACCOUNTABLE, "success"), Seated(Seat.STEWARD, "ops"))),
)
BOTH_SAID_YES = (
    Yes("runbooks", "U0DEE", frozenset({Seat.GOVERNANCE})),
    Yes("workflow refund", "U0DEE", frozenset({Seat.ACCOUNTABLE})),
    Yes("workflow refund", "U0ADA", frozenset({Seat.STEWARD})),
)
PREVIEW = {"events": 1_240, "more": 12, "fewer": 0, "cases": 31, "elsewhere": 3, "is_sample": False}
NOTHING_CAME = {"events": 0, "more": 0, "fewer": 0, "cases": 0, "elsewhere": 0, "is_sample": False}


def change(part: str, words: str, *, breaking: bool = False) -> dict[str, Any]:
    """One difference, as the proposal keeps it."""
    return {"part": part, "words": words, "breaking": breaking}


CHANGES = [
    change("workflow refund", "outcome.within: window shortened: 10m → 5m", breaking=True),
    change("workflow refund", "ticket_id is newly required", breaking=True),
    change("workflow refund", "title: wording changed: Refunds → Refunds of today"),
    change("runbooks", "refund-callback.steps.ask: step changed", breaking=True),
]
MANY_CHANGES = [change(f"workflow flow-{number % 9}", HOSTILE, breaking=number % 2 == 0) for number in range(60)]


def proposal(state: str = "proposed", **said: Any) -> PolicyProposal:
    """A proposal as the table has it."""
    told = {"changes": CHANGES, "count": 4, "breaking": 3, "versions": {"refund": [1, 2]}, "preview": PREVIEW}
    values: dict[str, Any] = {
        "id": 4,
        "digest": "5f1d0c2ba7e94c33",
        "before": "0c2ba7e94c335f1d",
        "state": state,
        "proposed_at": NOW - timedelta(hours=2),
        "decided_at": None if state == "proposed" else NOW,
        "decided_by": None if state == "proposed" else "U0DEE",
        "needs": on_record(NEEDS),
        "told": told,
        "channel": "C0SUCCESS",
        "version": 3,
    }
    return PolicyProposal(**(values | said))


def facts(row: PolicyProposal, **said: Any) -> ProposalFacts:
    """The facts of its card, one yes given."""
    return replace(ProposalFacts(row, NEEDS, BOTH_SAID_YES[:2], NAMES, is_deciding=False), **said)


def proposals() -> Mapping[str, dict[str, Any]]:
    """The card at each moment, by the name of its golden file."""
    told = proposal().told
    same_version = proposal(told=told | {"versions": {"refund": [1, 1]}, "preview": NOTHING_CAME})
    sampled = told | {"preview": PREVIEW | {"events": 2_000, "fewer": 1, "is_sample": True}}
    hostile = proposal(told=told | {"changes": MANY_CHANGES, "count": 400, "breaking": 200, "versions": {}})
    needs = tuple(Need(f"workflow flow-{number}", NEEDS[1].seats) for number in range(40))
    all_said, in_force = {"yeses": BOTH_SAID_YES}, {"is_deciding": True}
    return {
        "proposal_waiting": message(proposal_card(facts(proposal()))),
        "proposal_same_version": message(proposal_card(facts(same_version, yeses=()))),
        "proposal_in_force": message(proposal_card(facts(proposal("in_force", told=sampled), **all_said, **in_force))),
        "proposal_without_needs": message(proposal_card(facts(proposal("in_force"), needs=(), yeses=(), **in_force))),
        "proposal_replaced": message(proposal_card(facts(proposal("replaced"), **all_said))),
        "proposal_withdrawn": message(proposal_card(facts(proposal("withdrawn")))),
        "proposal_rolled_back": message(proposal_card(facts(proposal("rolled_back"), is_latest=False, **all_said))),
        "proposal_hostile": message(proposal_card(facts(hostile, needs=needs, yeses=()))),
        "proposal_notice": message(proposal_notice(facts(proposal()), {"roles": ["ops"]}, URL)),
    }
