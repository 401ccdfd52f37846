"""The example company's automations, as they are in many companies: glue between systems that works until it does
not. What they cannot do they report to Pointsman, with the event, as any tool could."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp

CALLBACK_PATIENCE = 1.5
"""Seconds that an automation waits for a callback, in place of the contract's ten minutes."""


class Automations:
    """Renewal notices, refunds, lead routing and ticket enrichment of the example company."""

    def __init__(self, http: aiohttp.ClientSession, *, pointsman: str, token: str, systems: Mapping[str, str]) -> None:
        self._http = http
        self._pointsman = pointsman
        self._token = token
        self._systems = systems
        self._called_back: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def hear_refund(self, outcome: dict[str, Any]) -> None:
        """Billing's callback. A second one for the same refund is reported."""
        refund_id = outcome["refund_id"]
        self._called_back[refund_id] = self._called_back.get(refund_id, 0) + 1
        if self._called_back[refund_id] == 2:
            self._later(self._report_twice(refund_id))

    async def hear_notice(self, outcome: dict[str, Any]) -> None:
        """Marketing's callback."""
        self._called_back[outcome["account_id"]] = 1

    async def renewal_notice(self, event: Mapping[str, Any]) -> None:
        """An account's renewal is 30 days ahead: marketing sends the notice."""
        if "renewal_date" not in event:
            await self._report(
                workflow="renewal-notice",
                failure_mode="schema_drift",
                subject=event["account_id"],
                title=f"Renewal of {event['account_id']} came without a date",
                event=dict(event),
                detail="`renewal_date` was wanted; `renewal_dt` came. Somebody renamed the property.",
            )
            return
        key = f"{event['account_id']}:{event['renewal_date']}"
        body = {"account": event["account_id"], "template": "renewal", "due": event["renewal_date"]}
        trouble = await self._send("marketing", "/notices", body, key=key)
        if trouble:
            await self._report(
                workflow="renewal-notice",
                failure_mode="delivery_failed",
                subject=event["account_id"],
                title=f"Renewal notice for {event['account_id']} was not taken by marketing",
                detail=trouble,
                event=dict(event),
                event_key=key,
            )

    async def refund(self, event: Mapping[str, Any]) -> None:
        """A refund was promised: billing pays it and calls back."""
        body = {"refund_id": event["refund_id"], "amount_cents": event["amount_cents"]}
        trouble = await self._send("billing", "/refunds", body, key=event["refund_id"])
        if trouble:
            await self._report(
                workflow="refund",
                failure_mode="delivery_failed",
                subject=event["customer_id"],
                title=f"Refund {event['refund_id']} was not taken by billing",
                detail=trouble,
                event=dict(event),
                event_key=event["refund_id"],
            )
        else:
            self._later(self._expect_callback(event))

    async def _expect_callback(self, event: Mapping[str, Any]) -> None:
        await asyncio.sleep(CALLBACK_PATIENCE)
        if event["refund_id"] not in self._called_back:
            await self._report(
                workflow="refund",
                failure_mode="outcome_missing",
                subject=event["customer_id"],
                title=f"No callback for refund {event['refund_id']}",
                event=dict(event),
                detail="Billing took the refund and has not said how it ended.",
                event_key=event["refund_id"],
            )

    async def _report_twice(self, refund_id: str) -> None:
        await self._report(
            workflow="refund",
            failure_mode="duplicate",
            subject=refund_id,
            title=f"Billing called back twice for refund {refund_id}",
            detail="Compare both before anything is paid again.",
        )

    async def new_lead(self, event: Mapping[str, Any]) -> None:
        """A form was filled in: the lead goes to the team of its tier."""
        if "tier" not in event:
            await self._report(
                workflow="lead-routing",
                failure_mode="schema_drift",
                subject=event["lead_id"],
                title=f"Lead {event['lead_id']} came without a tier",
                event=dict(event),
                detail="`tier` is missing; `plan_tier` came instead. The lead went to onboarding.",
            )
            return
        await self._send("helpdesk", "/tickets", dict(event), key=event["lead_id"])

    async def new_ticket(self, event: Mapping[str, Any]) -> None:
        """A ticket came in: the customer's context is added from the CRM."""
        await self._report(
            workflow="support-triage",
            failure_mode="missing_context",
            subject=event["contact_id"],
            title=f"Ticket {event['ticket_id']} has no customer context",
            event=dict(event),
            detail=f"The CRM does not know {event['contact_id']}.",
        )

    async def _send(self, system: str, path: str, body: Mapping[str, Any], *, key: str) -> str | None:
        """Sends it; None, or what went wrong in words."""
        try:
            sent = self._http.post(
                self._systems[system] + path,
                json=dict(body),
                headers={"Idempotency-Key": key},
                timeout=aiohttp.ClientTimeout(total=3),
            )
            async with sent as response:
                answer = await response.text()
                return None if response.status < 300 else f"{system} answered {response.status}: {answer[:300]}"
        except TimeoutError:
            return f"{system} did not answer within 3 s; whether it did the work is not known"
        except aiohttp.ClientError as fault:
            return f"{system} could not be reached: {fault}"

    async def _report(self, **report: Any) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._http.post(f"{self._pointsman}/v1/exceptions", json=report, headers=headers) as response:
            response.raise_for_status()

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Forgets what was still waiting."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
