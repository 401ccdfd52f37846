"""What `pointsman doctor` asks Slack: tokens and scopes, the clock, channels, people and user groups."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.findings import Finding, well, wrong
from bot.settings import Settings
from bot.slack.client import TIMEOUT, error_of, make_client
from bot.slack.directory import known_user
from bot.slack.manifest import SCOPES

MOST_APART = timedelta(seconds=60)
"""Slack's requests are refused when its clock and ours are five minutes apart; long before that, windows are wrong."""
WAITS_FOR_LIMITS = 5


@dataclass(frozen=True, slots=True)
class Named:
    """Whom and what the policy names, each with the place where it does."""

    channels: Mapping[str, str]
    people: Mapping[str, str]
    usergroups: Mapping[str, str]


class _Unreachable(Exception):
    """Slack does not answer; the text says why."""


async def look_at_slack(settings: Settings, named: Named, now: datetime) -> list[Finding]:
    """A finding for each thing that was asked; where Slack refuses the token or is not there, that alone."""
    if settings.slack_bot_token is None:
        return []
    async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
        client = make_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url, http)
        client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=WAITS_FOR_LIMITS))
        findings: list[Finding] = []
        try:
            async for finding in _look(client, settings, named, now):
                findings.append(finding)
        except _Unreachable as fault:
            findings.append(
                wrong(f"Slack: cannot be reached at {settings.slack_api_url} ({fault}): is it allowed out?")
            )
        return findings


async def _look(client: AsyncWebClient, settings: Settings, named: Named, now: datetime) -> AsyncIterator[Finding]:
    try:
        us = await _answer(client.auth_test())
    except SlackApiError as fault:
        yield wrong(f"SLACK_BOT_TOKEN: Slack says {error_of(fault)}: install the app and copy its bot token (xoxb-…)")
        return
    yield well(f"SLACK_BOT_TOKEN: we are {us['user']} in {us['team']}")
    for finding in of_headers(us.headers, now):
        yield finding
    if settings.slack_app_token:
        yield await _app_token(client, settings.slack_app_token.get_secret_value())
    for channel, of in sorted(named.channels.items()):
        yield await _channel(client, channel, of)
    for person, of in sorted(named.people.items()):
        yield await _person(client, person, of)
    for group, of in sorted(named.usergroups.items()):
        yield await _usergroup(client, group, of)


def of_headers(headers: Mapping[str, str], now: datetime) -> list[Finding]:
    """What the headers of an answer tell: the scopes of the token (`x-oauth-scopes`), and what time it is for Slack
    (`Date`, RFC 9110). A header that is not there tells nothing."""
    said = {name.lower(): value for name, value in headers.items()}
    findings = []
    if "x-oauth-scopes" in said:
        findings.append(_scopes({scope.strip() for scope in said["x-oauth-scopes"].split(",")}))
    if "date" in said:
        findings.append(clock_against("Slack", parsedate_to_datetime(said["date"]), now))
    return findings


def clock_against(whose: str, theirs: datetime, ours: datetime) -> Finding:
    """Whether this machine's clock is that of somebody else."""
    apart = ours - theirs
    if abs(apart) <= MOST_APART:
        return well(f"clock: as {whose} has it")
    way = "ahead of" if apart > timedelta(0) else "behind"
    return wrong(f"clock: {abs(apart).total_seconds():.0f} s {way} {whose}: set this machine's clock (NTP)")


def _scopes(granted: set[str]) -> Finding:
    missing = sorted(set(SCOPES) - granted)
    if not missing:
        return well("Slack scopes: all that the manifest asks for")
    return wrong(f"Slack scopes: {', '.join(missing)} missing: update the app from `pointsman manifest`, reinstall it")


async def _app_token(client: AsyncWebClient, token: str) -> Finding:
    try:
        await _answer(client.apps_connections_open(app_token=token))
    except SlackApiError as fault:
        why = f"Slack says {error_of(fault)}"
        return wrong(f"SLACK_APP_TOKEN: {why}: make an app-level token (xapp-…) with connections:write")
    return well("SLACK_APP_TOKEN: Socket Mode can connect")


async def _channel(client: AsyncWebClient, channel: str, of: str) -> Finding:
    what = f"channel {channel} of {of}"
    try:
        where = (await _answer(client.conversations_info(channel=channel)))["channel"]
    except SlackApiError as fault:
        if error_of(fault) == "channel_not_found":
            return wrong(f"{what}: not there, or private without us: correct team.yml, or `/invite @Pointsman` in it")
        return wrong(f"{what}: Slack says {error_of(fault)}")
    name = f"{what} (#{where.get('name')})"
    if where.get("is_archived"):
        return wrong(f"{name}: archived: unarchive it, or name another in team.yml")
    if where.get("is_member"):
        return well(f"{name}: joined")
    if where.get("is_private"):
        return wrong(f"{name}: private, and we are not in it: type `/invite @Pointsman` there")
    return well(f"{name}: public, joined with the first case")


async def _person(client: AsyncWebClient, person: str, of: str) -> Finding:
    what = f"person {person} of {of}"
    asked = client.users_lookupByEmail(email=person) if "@" in person else client.users_info(user=person)
    try:
        known = known_user((await _answer(asked))["user"])
    except SlackApiError as fault:
        if error_of(fault) in ("user_not_found", "users_not_found", "user_not_visible"):
            return wrong(f"{what}: Slack knows nobody of this name: correct team.yml")
        return wrong(f"{what}: Slack says {error_of(fault)}")
    if known.is_deleted:
        return wrong(f"{what} ({known.name}): deactivated in Slack: put somebody else into team.yml")
    if known.is_bot:
        return wrong(f"{what} ({known.name}): a bot, which cannot be told: put a person into team.yml")
    return well(f"{what} ({known.name}): reachable")


async def _usergroup(client: AsyncWebClient, group: str, of: str) -> Finding:
    what = f"user group {group} of {of}"
    try:
        members = (await _answer(client.usergroups_users_list(usergroup=group)))["users"]
    except SlackApiError as fault:
        return wrong(f"{what}: Slack says {error_of(fault)}: correct usergroup in team.yml")
    if not members:
        return wrong(f"{what}: nobody is in it: add people to it in Slack")
    return well(f"{what}: {len(members)} in it")


async def _answer(call: Awaitable[Any]) -> Any:
    """Slack's answer. Raises `SlackApiError` for a refusal and `_Unreachable` where there is none."""
    try:
        return await call
    except SlackApiError:
        raise
    except (aiohttp.ClientError, SlackRequestError, TimeoutError, OSError, json.JSONDecodeError) as fault:
        raise _Unreachable(str(fault) or type(fault).__name__) from None
