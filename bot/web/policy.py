"""`GET /v1/workflows` and `GET /v1/oncall`: what the policy in force says, and whom it names now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlmodel import Session

from bot.clock import Clock
from bot.context import Context
from bot.desk.people import members, person_on_call
from bot.web.answers import answer
from bot.web.sources import Gate
from runbooks.contracts import Contract
from runbooks.policy import Policy
from runbooks.team import Role


class PolicyOut:
    """Answers readers."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._desk = context.desk
        self._gate = gate
        self._clock: Clock = context.clock

    async def workflows(self, request: web.Request) -> web.Response:
        """The contracts in force that this reader may see."""
        reader = await self._gate.admit_reader(request)
        policy = await self._desk.read(self._desk.policies.in_force)
        return answer(
            {"workflows": [_workflow(each) for name, each in sorted(policy.workflows.items()) if reader.covers(name)]}
        )

    async def oncall(self, request: web.Request) -> web.Response:
        """Each role, and whom telling it reaches now."""
        await self._gate.admit_reader(request)
        now = self._clock.now()

        def look(session: Session) -> list[dict[str, Any]]:
            policy = self._desk.policies.in_force(session)
            return [_role(session, policy, role, now) for _, role in sorted(policy.team.roles.items())]

        return answer({"at": now, "oncall": await self._desk.read(look)})


def _workflow(contract: Contract) -> Mapping[str, Any]:
    return {
        "workflow": contract.workflow,
        "title": contract.title,
        "version": contract.version,
        "risk": contract.risk,
        "owners": {"accountable": contract.owners.accountable, "steward": contract.owners.steward},
        "failure_modes": sorted(contract.exceptions),
    }


def _role(session: Session, policy: Policy, role: Role, now: datetime) -> dict[str, Any]:
    named = person_on_call(session, policy, role, at=now)
    return {
        "role": role.name,
        "title": role.title,
        "rota": role.on_call,
        "person": named[0] if named else None,
        "because": named[1] if named else _why_nobody(role),
        "members": list(members(session, role)),
        "backup": role.backup,
    }


def _why_nobody(role: Role) -> str:
    return f"rota {role.on_call} names nobody now" if role.on_call else "it has no rota: its members are told"
