"""Fetches the calendars that rotas are kept in. A copy that cannot be had or is no rota changes nothing: the last good
one stays in force."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp

from bot.desk.desk import Desk
from bot.desk.people import parsed
from bot.desk.rotas import Fetched, keep_calendar
from bot.rules.actors import SYSTEM

log = logging.getLogger(__name__)

Fetch = Callable[[str], Awaitable[str]]
LARGEST = 1024 * 1024
TIMEOUT = aiohttp.ClientTimeout(total=20)


class RotaCalendars:
    """Asks each address that the policy in force names."""

    def __init__(self, desk: Desk, fetch: Fetch) -> None:
        self._desk = desk
        self._fetch = fetch

    async def tick(self) -> int:
        """Fetches them all, and returns how many have changed."""
        addresses = sorted(set(self._desk.policies.latest.team.rota_addresses.values()))
        return sum(await asyncio.gather(*(self._ask(address) for address in addresses)))

    async def _ask(self, address: str) -> bool:
        try:
            text = await self._fetch(address)
            await asyncio.to_thread(parsed, text, "calendar")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            said = {"host": urlsplit(address).hostname, "because": type(fault).__name__}
            log.warning("a rota's calendar could not be fetched", extra=said)  # its address may hold a key
            return False
        return await self._desk.run(keep_calendar, Fetched(address, text), actor=SYSTEM)


async def fetch(http: aiohttp.ClientSession, address: str) -> str:
    """The text at an address. Raises `ValueError` for one that is too large, and aiohttp's errors."""
    async with http.get(address, timeout=TIMEOUT, raise_for_status=True) as response:
        try:
            raw = await response.content.readexactly(LARGEST + 1)
        except asyncio.IncompleteReadError as whole:
            raw = whole.partial
    if len(raw) > LARGEST:
        raise ValueError("the calendar has more than 1 MiB")
    return raw.decode("utf-8-sig", "replace")
