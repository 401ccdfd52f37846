"""Who acts: asked from Slack, kept in the database, remembered for some minutes."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sqlmodel import Session

from bot.context import Context
from bot.desk.directory import Known, keep_people
from bot.desk.people import people_ahead
from bot.rules.actors import SYSTEM, Actor, Kind, person
from bot.slack.client import error_of
from bot.slack.words import is_person
from runbooks.policy import Policy
from store.models import Person

log = logging.getLogger(__name__)

LOOKS_AHEAD = timedelta(days=60)
"""So far ahead people on rotas are looked up."""
FRESH = timedelta(minutes=10)
PATIENCE = 1.2
"""Seconds that a click waits for Slack to say who clicked; the answer is due in two."""
REMEMBERED = 5_000

ELSEWHERE = "users of other workspaces"
GUESTS = "guests"
BOTS = "bots"
GONE = "deactivated users"
WHO_ARE_YOU = "Slack did not say who you are"
WHO_ARE_WE = "Slack has not said which workspace this is"


class Directory:
    """Judges who acts. `team` is our own workspace's id, once Slack has told it."""

    def __init__(self, context: Context, client: AsyncWebClient) -> None:
        self._context = context
        self._client = client
        self._remembered: dict[str, tuple[Known, datetime]] = {}
        self.team: str | None = None

    async def actor(self, user: str, *, team: str | None) -> Actor:
        """The person who acts, by Slack id and the workspace that the request says they are of. Full members of our
        workspace are ours. While Slack has not said who we are, or who they are, nobody is: until then only a role's
        list lets somebody in."""
        if team and self.team and team != self.team:
            return _stranger(user, ELSEWHERE)
        known = await self._known(user)
        if self.team is None:
            return _unknown(user, WHO_ARE_WE)
        return _judged(known, self.team) if known else _unknown(user, WHO_ARE_YOU)

    async def ask(self, user: str) -> Known | None:
        """What Slack says of a person, kept. None: there is nobody of this id. Raises `SlackApiError`."""
        try:
            answer = await self._client.users_info(user=user)
        except SlackApiError as fault:
            if error_of(fault) in ("user_not_found", "user_not_visible", "users_not_found"):
                return None
            raise
        known = known_user(answer["user"])
        await self._keep([known])
        return known

    async def _known(self, user: str) -> Known | None:
        now = self._context.clock.now()
        kept, until = self._remembered.get(user, (None, now))
        if kept is not None and until > now:
            return kept
        row = await self._context.desk.read(lambda session: session.get(Person, user))
        if row is not None and row.checked_at + FRESH > now:
            known = _from_row(row)
            self._remember(known)
            return known
        try:
            return await asyncio.wait_for(self.ask(user), PATIENCE)
        except Exception as fault:
            log.warning("Slack was asked in vain who somebody is", extra={"user": user, "because": repr(fault)})
            return None

    async def _keep(self, known: list[Known]) -> None:
        for each in known:
            self._remember(each)
        await self._context.desk.run(keep_people, known, actor=SYSTEM)

    def _remember(self, known: Known) -> None:
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[known.id] = (known, self._context.clock.now() + FRESH)


def _stranger(user: str, why: str) -> Actor:
    return Actor(Kind.PERSON, user, is_ours=False, why_not_ours=why)


def _unknown(user: str, why: str) -> Actor:
    return Actor(Kind.PERSON, user, is_ours=False, why_not_ours=why, is_unknown=True)


def _judged(known: Known, team: str) -> Actor:
    reasons = (
        (known.is_deleted, GONE),
        (known.is_bot, BOTS),
        (known.is_guest, GUESTS),
        (bool(known.team_id and known.team_id != team), ELSEWHERE),
    )
    why = next((why for holds, why in reasons if holds), None)
    return _stranger(known.id, why) if why else person(known.id)


def _from_row(row: Person) -> Known:
    return Known(row.id, row.team_id, row.name, row.email, row.is_bot, row.is_guest, row.is_deleted)


def known_user(user: dict[str, Any]) -> Known:
    """A user object of Slack's."""
    profile = user.get("profile") or {}
    name = profile.get("display_name") or user.get("real_name") or profile.get("real_name") or user.get("name") or ""
    return Known(
        id=str(user["id"]),
        team_id=user.get("team_id"),
        name=str(user.get("real_name") or name),
        email=profile.get("email"),
        is_bot=bool(user.get("is_bot") or user.get("is_workflow_bot")),
        is_guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
        is_deleted=bool(user.get("deleted")),
    )


async def refresh_people(context: Context, client: AsyncWebClient) -> int:
    """Asks Slack for everybody whom the policy names: members of user groups, people by id or e-mail. Returns how many
    were kept. What Slack does not know or cannot say now is left as it was, and logged."""
    policy = await context.desk.read(context.policies.in_force)
    wanted = named(policy) | await context.desk.read(lambda session: _ahead(session, policy, context.clock.now()))
    kept = [each for each in [await _asked(client, name) for name in sorted(wanted)] if each]
    groups = [each for each in kept if each.members is not None]
    people = {member for group in groups for member in group.members or ()} - {each.id for each in kept}
    kept += [each for each in [await _asked(client, name) for name in sorted(people)] if each]
    return await context.desk.run(keep_people, kept, actor=SYSTEM)


def named(policy: Policy) -> set[str]:
    """Everybody whom the roles name: Slack ids, e-mails, user groups."""
    return {name for role in policy.team.roles.values() for name in (*role.members, role.usergroup) if name}


def _ahead(session: Session, policy: Policy, now: datetime) -> set[str]:
    return people_ahead(session, policy, start=now, end=now + LOOKS_AHEAD)


async def _asked(client: AsyncWebClient, name: str) -> Known | None:
    try:
        if "@" in name:
            return known_user((await client.users_lookupByEmail(email=name))["user"])
        if is_person(name):
            return known_user((await client.users_info(user=name))["user"])
        answer = await client.usergroups_users_list(usergroup=name)
        return Known(name, members=tuple(map(str, answer["users"])))
    except Exception as fault:
        log.warning("Slack does not say who this is", extra={"named": name, "because": repr(fault)})
        return None
