"""`GET /v1/quarantine`: the events that are held, for readers. Releasing is people's: it is a judgement about what a
system got wrong, and a source cannot be asked why. So there is nothing here that changes anything."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bot.context import Context
from bot.desk.kept import hidden_of
from bot.web.answers import answer
from bot.web.paging import before, check_parameters, cursor, limit
from bot.web.sources import Gate
from runbooks.policy import Policy
from store.queries.quarantine import Held, Wanted, list_held

PARAMETERS = ("workflow", "limit", "cursor")


class Quarantine:
    """Answers sources with `read: true`, each for the workflows that it may see."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._desk = context.desk
        self._gate = gate

    async def list_(self, request: web.Request) -> web.Response:
        """A page of the events that are held, the latest first, masked as people see them."""
        reader = await self._gate.admit_reader(request)
        check_parameters(request, PARAMETERS)
        wanted = Wanted(
            limit=limit(request.query.get("limit")) + 1,
            workflow=request.query.get("workflow") or None,
            workflows=reader.source.workflows,
            before=before(request.query.get("cursor")),
        )
        found = await self._desk.read(lambda session: list_held(session, wanted))
        page, policy = found[: wanted.limit - 1], self._desk.policies.latest
        following = cursor(page[-1].event.id) if len(found) == wanted.limit else None
        return answer({"events": [_shown(policy, each) for each in page], "next": following})


def _shown(policy: Policy, held: Held) -> dict[str, Any]:
    trigger = held.trigger
    return {
        "event": held.ref,
        "workflow": trigger.workflow,
        "case": f"C-{trigger.case_id}" if trigger.case_id else None,
        "subject": trigger.subject,
        "title": held.title,
        "misfit": trigger.misfit,
        "content": hidden_of(policy, trigger.workflow, held.event.content, is_misfit=True).content,
        "received_at": trigger.received_at,
        "source": trigger.source,
        "seen": trigger.seen,
        "drill": trigger.is_drill,
    }
