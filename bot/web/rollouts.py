"""`GET /v1/workflows/{workflow}/rollout`: the versions of a contract side by side, and what one in shadow would do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from aiohttp import web
from sqlmodel import Session

from bot.context import Context
from bot.desk.rollouts import Figures, figures
from bot.desk.shadows import would_have
from bot.web.answers import answer
from bot.web.problems import Problem, kind
from bot.web.sources import Gate

SHADOWS = 50


class RolloutsOut:
    """Answers readers."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._desk = context.desk
        self._gate = gate
        self._clock = context.clock

    async def show(self, request: web.Request) -> web.Response:
        """How a contract is rolled out. Raises `Problem` 404 for a workflow that there is not, or not for them."""
        reader = await self._gate.admit_reader(request)
        workflow, now = request.match_info["workflow"], self._clock.now()

        def look(session: Session) -> dict[str, Any] | None:
            policy = self._desk.policies.in_force(session)
            contract = policy.workflows.get(workflow)
            if contract is None:
                return None
            rollout, versions = contract.rollout, figures(session, workflow, now=now)
            return {
                "workflow": workflow,
                "version": contract.version,
                "mode": rollout.mode,
                "percent": rollout.percent,
                "match": rollout.match.source if rollout.match else None,
                "versions": [_figures(each) for each in versions],
                "shadowed": [
                    {"event": each.event, "received_at": each.received_at, "would": each.words}
                    for each in would_have(session, self._desk.policies, workflow, versions, now=now, limit=SHADOWS)
                ],
            }

        found = await self._desk.read(look) if reader.covers(workflow) else None
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "there is no such workflow, or not for you", kind=kind("no-workflow"))
        return answer(found)


def _figures(each: Figures) -> dict[str, Any]:
    return {
        "version": each.version,
        "came": each.came,
        "success": each.success,
        "states": dict(each.by_state),
        "first_at": each.first_at,
        "last_at": each.last_at,
    }
