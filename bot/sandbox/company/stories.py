"""What a newcomer can play: each story breaks something for real and says where to look."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.company.automations import Automations
from bot.sandbox.company.systems import Mode, System

Say = Callable[[str, str, str, str | None], Awaitable[str]]
"""Posts as a person: user, channel, text, thread; returns the message's ts."""


@dataclass(frozen=True, slots=True)
class Story:
    """One button of the demo: what it does, and where to watch, as whom."""

    id: str
    title: str
    text: str
    watch: str
    channel: str
    user: str

    def as_json(self, state: str) -> dict[str, Any]:
        """How the demo's panel shows it."""
        return {
            "id": self.id,
            "title": self.title,
            "text": self.text,
            "watch": self.watch,
            "channel": self.channel,
            "as": self.user,
            "state": state,
        }


STORIES = (
    Story(
        "renamed",
        "1 · A property is renamed",
        "The CRM calls `renewal_date` now `renewal_dt`, and forty renewals do not fit: one case, one card, and nothing "
        "is lost. Press *Quarantine* on the card and *Release* in the form: all go out under the name that was wanted. "
        "Then press *Resolve*.",
        "#revenue-ops",
        "C0REVOPS",
        "U0ADA",
    ),
    Story(
        "refund",
        "2 · A refund's callback is lost",
        "Billing pays and never says so. Press *To the next deadline*: its ten minutes pass, and that is a case. Press "
        "*Replay* on the card: billing is asked first, so nobody is paid twice. Then set Billing to “OK” below: its "
        "callback comes, late, and the case closes.",
        "#billing",
        "C0BILLING",
        "U0FAY",
    ),
    Story(
        "ticket",
        "3 · A VIP ticket without context",
        "A ticket came whose customer nobody knows: a precondition of its contract is not met, and it is held. The CRM "
        "is asked first; it knows nobody either, and the data steward gets a direct message, for a rule makes VIP "
        "tickets P1. Press *Quarantine*, then *Look*, write an account such as `acct_7`, and press *Release*.",
        "#revenue-ops",
        "C0REVOPS",
        "U0CLEO",
    ),
    Story(
        "lead",
        "4 · A lead lost its tier",
        "A form field was renamed, and the lead would have gone to the wrong team. It is held: press *Quarantine* on "
        "the card to mend and release it. Or let nobody answer: press *To the next deadline* a few times and watch "
        "reminders, then direct messages.",
        "#revenue-ops",
        "C0REVOPS",
        "U0BEN",
    ),
    Story(
        "thread",
        "5 · A thread becomes a case",
        "Three colleagues, one thread, and nobody owns it. React to a message with 🚨, or take *Open a case* from its "
        "“⋯” menu: the thread becomes the case.",
        "#support",
        "C0SUPPORT",
        "U0DEE",
    ),
    Story(
        "down",
        "6 · A system is down",
        "Marketing is down, and an automation that delivers by itself reports what it could not. The case is P1: the "
        "person on call gets a direct message. Set Marketing to “OK” below, press *Retry* on the card, say yes to what "
        "it will do, read its thread, then press *Resolve*: the contract's checks run before the case closes.",
        "#revenue-ops",
        "C0REVOPS",
        "U0ADA",
    ),
    Story(
        "forgotten",
        "7 · A notice is lost, and a runbook finds out",
        "Marketing says yes to a renewal notice and forgets it. Press *To the next deadline*: its fifteen minutes "
        "pass, and a runbook goes first. It asks marketing, sends the notice again, and the case closes by itself. "
        "Nobody is called. Press *Evidence* on the card: each request, and its answer.",
        "#revenue-ops",
        "C0REVOPS",
        "U0ADA",
    ),
    Story(
        "gave_up",
        "8 · A runbook gives up",
        "Marketing sends a notice and never says so. Press *To the next deadline*: the runbook finds the notice there "
        "and sends nothing twice. Press it again: ten minutes in vain, and the case goes to the person on call with "
        "what was tried. Then press *Resolve*: marketing is asked, the notice is there, and the case closes.",
        "#revenue-ops",
        "C0REVOPS",
        "U0ADA",
    ),
    Story(
        "large",
        "9 · A large refund takes a second yes",
        "Billing pays 640.00 and never says so. Press *To the next deadline*, then *Retry callback* on the card and in "
        "its form. From 500.00 on somebody else has to say yes: become Gus (at the far left), open his direct message, "
        "read the very request, and press *Approve*. Billing calls back: the run is done, and so is the case.",
        "#billing",
        "C0BILLING",
        "U0FAY",
    ),
    Story(
        "proposed",
        "10 · A runbook that may only propose",
        "A ticket has lost its customer. The runbook looks the customer up, and as it is in shadow mode it says "
        "what it would write instead of writing it. Press *Do it* on the card: the tier is on the ticket. Then "
        "press *Undo*: what was there before is there again.",
        "#revenue-ops",
        "C0REVOPS",
        "U0CLEO",
    ),
    Story(
        "early",
        "11 · Closed too early",
        "Billing takes a refund and leaves it lying. Press *To the next deadline*, then *Acknowledge* and "
        "*Resolve*: billing is asked, has not paid, and the case stays open. Set Billing to “OK” below, so that it "
        "pays, and press *Resolve* again: now it closes.",
        "#billing",
        "C0BILLING",
        "U0FAY",
    ),
)


class Stage:
    """Plays the stories against the example company."""

    def __init__(self, automations: Automations, systems: Mapping[str, System], say: Say) -> None:
        self._automations = automations
        self._systems = systems
        self._say = say
        self._numbers = itertools.count(1)
        self._plays: dict[str, Callable[[int], Awaitable[None]]] = {
            "renamed": self._renamed,
            "refund": self._refund,
            "ticket": self._ticket,
            "lead": self._lead,
            "thread": self._thread,
            "down": self._down,
            "forgotten": self._forgotten,
            "gave_up": self._gave_up,
            "large": self._large,
            "proposed": self._proposed,
            "early": self._early,
        }

    async def play(self, story_id: str) -> None:
        """Plays one story to its end. Raises `KeyError` for one that there is not."""
        await self._plays[story_id](next(self._numbers))

    async def _renamed(self, number: int) -> None:
        accounts = [f"acct_{number}{each:02}" for each in range(40)]
        renewal = {"account_status": "active", "renewal_dt": "2027-01-20"}
        await self._automations.announce("renewal-notice", *({"account_id": each, **renewal} for each in accounts))

    async def _refund(self, number: int) -> None:
        self._set("billing", Mode.LOSE_CALLBACKS)
        await self._refunded(number, 4_900)

    async def _large(self, number: int) -> None:
        self._set("billing", Mode.LOSE_CALLBACKS)
        await self._refunded(number, 64_000)

    async def _early(self, number: int) -> None:
        self._set("billing", Mode.LEAVE_LYING)
        await self._refunded(number, 4_900)

    async def _refunded(self, number: int, cents: int) -> None:
        refund = {"refund_id": f"re_{700 + number}", "customer_id": f"cus_{number}", "amount_cents": cents}
        await self._automations.announce("refund", refund)

    async def _forgotten(self, number: int) -> None:
        self._set("marketing", Mode.OK)
        self._systems["marketing"].forgets = 1
        await self._due(number)

    async def _gave_up(self, number: int) -> None:
        self._set("marketing", Mode.LOSE_CALLBACKS)
        await self._due(number)

    async def _due(self, number: int) -> None:
        renewal = {"account_status": "active", "renewal_date": "2027-01-20"}
        await self._automations.announce("renewal-notice", {"account_id": f"acct_{60 + number}", **renewal})

    async def _proposed(self, number: int) -> None:
        ticket_id, contact_id = f"T-{90 + number}", f"con_{number}"
        self._systems["crm"].kept[contact_id] = {"id": contact_id, "tier": "growth"}
        self._systems["helpdesk"].kept[ticket_id] = {"ticket_id": ticket_id, "tier": "unknown"}
        await self._automations.miss_context(ticket_id, contact_id)

    async def _ticket(self, number: int) -> None:
        ticket = {"ticket_id": f"T-{90 + number}", "contact_id": f"con_{number}", "tier": "vip"}
        await self._automations.announce("support-triage", ticket)

    async def _lead(self, number: int) -> None:
        lead = {"lead_id": f"lead_{300 + number}", "plan_tier": "vip", "source": "webinar"}
        await self._automations.announce("lead-routing", lead)

    async def _thread(self, number: int) -> None:
        first = await self._say(
            "U0ELI",
            "C0SUPPORT",
            f"Order {8800 + number} was charged twice, the customer is upset "
            "and asks for the second time. Who has this?",
            None,
        )
        await self._say("U0FAY", "C0SUPPORT", "I thought revenue ops looked at it yesterday?", first)
        await self._say("U0DEE", "C0SUPPORT", "Not us. Does anybody know where this stands?", first)

    async def _down(self, number: int) -> None:
        self._set("marketing", Mode.FAIL)
        await self._automations.renewal_notice(
            {
                "account_id": f"acct_{40 + number}",
                "account_status": "active",
                "renewal_date": "2027-01-15",
                "arr_cents": 1_200_000,
            }
        )

    def _set(self, name: str, mode: Mode) -> None:
        self._systems[name].mode = mode
        self._systems[name].changed()
