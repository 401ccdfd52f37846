"""The example company's automations, as they are in many companies: glue between systems that works until it does
not. Most send their events to Pointsman, which delivers them; one of the old kind delivers by itself, and reports what
it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp


class Automations:
    """Renewal notices, refunds, lead routing and ticket enrichment of the example company."""

    def __init__(self, http: aiohttp.ClientSession, *, pointsman: str, token: str, systems: Mapping[str, str]) -> None:
        self._http = http
        self._pointsman = pointsman
        self._token = token
        self._systems = systems
        self._announced: set[str] = set()

    async def hear_refund(self, outcome: dict[str, Any]) -> None:
        """Billing's callback goes to Pointsman, which waits for it."""
        await self._post("outcomes/refund", outcome)

    async def hear_notice(self, outcome: dict[str, Any]) -> None:
        """Marketing's callback, for the notices that Pointsman had sent."""
        if outcome["account_id"] in self._announced:
            await self._post("outcomes/renewal-notice", outcome)

    async def announce(self, workflow: str, *events: Mapping[str, Any]) -> None:
        """Sends events to Pointsman, which holds them to their contract and delivers them."""
        self._announced |= {str(event["account_id"]) for event in events if "account_id" in event}
        await self._post(f"events/{workflow}", [dict(event) for event in events])

    async def renewal_notice(self, event: Mapping[str, Any]) -> None:
        """An account's renewal is 30 days ahead: marketing sends the notice."""
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

    async def miss_context(self, ticket_id: str, contact_id: str) -> None:
        """A ticket that came without its customer: whoever reads the help desk's tickets reports it."""
        await self._report(
            workflow="support-triage",
            failure_mode="missing_context",
            subject=contact_id,
            title=f"Ticket {ticket_id} does not say whose it is",
            event={"ticket_id": ticket_id, "contact_id": contact_id},
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
        await self._post("exceptions", report)

    async def _post(self, path: str, body: Any) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._http.post(f"{self._pointsman}/v1/{path}", json=body, headers=headers) as response:
            response.raise_for_status()
