"""Taking over a rota: what was typed, in the rota's own wall clock, becomes instants."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.desk.commands import OverrideRota
from bot.desk.rotas import override_rota
from bot.rules.refusals import Refused
from bot.slack.asking import Asker
from bot.slack.commands import Take
from bot.slack.edge import Edge
from bot.slack.guard import Told
from bot.slack.reading import find_named, unknown_name
from runbooks.policy import Policy
from runbooks.rotas import Rota
from runbooks.team import Role


async def take(edge: Edge, asker: Asker, asked: Take) -> Told | None:
    """Gives a stretch of a role's rota to somebody. Raises `Refused`."""
    policy = await edge.context.desk.read(edge.context.policies.in_force)
    role = find_named(policy.team.roles, asked.role, lambda role: role.title)
    if role is None:
        raise unknown_name(asked.role, [*policy.team.roles])
    if role.on_call is None:
        raise Refused("no_rota", f"{role.title} has no rota: all its members are told.")
    await edge.look_up(asked.person)
    start, end = span(asked, zone_of(policy, role), edge.context.clock.now())
    command = OverrideRota(role.on_call, start, end, asked.person)
    return await edge.run(asker, override_rota, replace(command, request_key=asker.key))


def span(asked: Take, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """From when to when, in UTC. A time without a zone is the rota's wall clock."""
    if asked.length is not None:
        return now, now + asked.length
    assert asked.start
    assert asked.end
    return _instant(asked.start, zone), _instant(asked.end, zone)


def _instant(at: datetime, zone: ZoneInfo) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def zone_of(policy: Policy, role: Role) -> ZoneInfo:
    """The zone that a role's rota is kept in; for one that is a calendar elsewhere, the role's own hours'."""
    rota = policy.team.rotas[role.on_call or ""]
    return rota.timezone if isinstance(rota, Rota) else policy.team.calendars[role.calendar].timezone
