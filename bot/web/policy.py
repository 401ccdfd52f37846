"""`GET /v1/workflows` and `GET /v1/oncall`: the contracts in force and how each does, and whom the roles
name now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web
from sqlmodel import Session

from bot.clock import Clock
from bot.context import Context
from bot.desk.inventory import COUNTED, PROPOSED, Line, Path, inventory
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
        """The handoff matrix: the contracts in force that this reader may see, and how each of them does."""
        reader = await self._gate.admit_reader(request)
        now = self._clock.now()

        def look(session: Session) -> list[Line]:
            policy = self._desk.policies.in_force(session)
            return inventory(session, policy, at=now, only=[name for name in policy.workflows if reader.covers(name)])

        return answer({"at": now, "workflows": [_workflow(each) for each in await self._desk.read(look)]})

    async def oncall(self, request: web.Request) -> web.Response:
        """Each role, and whom telling it reaches now."""
        await self._gate.admit_reader(request)
        now = self._clock.now()

        def look(session: Session) -> list[dict[str, Any]]:
            policy = self._desk.policies.in_force(session)
            return [_role(session, policy, role, now) for _, role in sorted(policy.team.roles.items())]

        return answer({"at": now, "oncall": await self._desk.read(look)})


def _workflow(line: Line) -> Mapping[str, Any]:
    contract = line.contract
    return {
        "workflow": contract.workflow,
        "title": contract.title,
        "purpose": contract.purpose,
        "version": contract.version,
        "rollout": {"mode": contract.rollout.mode, "percent": contract.rollout.percent},
        "risk": contract.risk,
        "owners": {"accountable": contract.owners.accountable, "steward": contract.owners.steward},
        "source_of_record": contract.source_of_record,
        **_terms(contract),
        "failure_modes": sorted(contract.exceptions),
        "exception_paths": [_path(path, line) for path in line.paths],
        "people": {role: list(reach.people) for role, reach in line.reached.items()},
        **_doing(line),
    }


def _terms(contract: Contract) -> dict[str, Any]:
    """What starts it, where it goes, what must come of it."""
    trigger, deliver, outcome, freshness = contract.trigger, contract.deliver, contract.outcome, contract.freshness
    return {
        "trigger": trigger and {"schema": trigger.schema, "id": trigger.id.source},
        "deliver": deliver and {"connector": deliver.connector, "runbook": deliver.runbook},
        "outcome": outcome and {"id": outcome.id.source, "within": str(outcome.within)},
        "freshness": freshness and {"at_least": freshness.at_least, "every": str(freshness.every)},
        "census": contract.census and {"every": str(contract.census.every)},
    }


def _path(path: Path, line: Line) -> dict[str, Any]:
    terms = path.terms
    return {
        "failure_mode": path.failure_mode,
        "named_by": path.named.value,
        "priority": terms.priority,
        "owner": terms.owner,
        "people": list(line.reached[terms.owner].people),
        "route": terms.route,
        "auto_fix": terms.auto_fix and terms.auto_fix.runbook,
        "acknowledge_within": str(terms.acknowledge_within),
        "resolve_within": str(terms.resolve_within),
        "runbooks": list(terms.runbooks),
        "next_step": terms.next_step,
    }


def _doing(line: Line) -> dict[str, Any]:
    """How it does. The metric is the share of what came that was delivered, and done where an outcome must come."""
    figures = line.figures
    metric = {"days": COUNTED.days, "came": figures.came, "succeeded": figures.succeeded, "pending": figures.pending}
    return {
        "state": line.state.value,
        "open_cases": sum(figures.open_cases.values()),
        "open_by_failure_mode": dict(figures.open_cases),
        "held": line.held,
        "held_by": line.held_by,
        "quarantined": figures.quarantined,
        "unmatched_outcomes": figures.unmatched,
        "last_event_at": figures.last_event_at,
        "metric": metric | {"success_rate": figures.rate},
        "proposals": [
            {
                "runbook": each.runbook,
                "mode": each.mode,
                "days": PROPOSED.days,
                "accepted": each.accepted,
                "answered": each.answered,
                "proposed": each.proposed,
            }
            for each in line.proposals
        ],
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
