"""Requests to connectors: filled in from the policy, sent to the connector's host and nowhere else, bounded.

A request never follows a redirect, and reaches a private, loopback or link-local address only where the connector
says `private: true`; the address is checked after the name is resolved."""

import asyncio
import ipaddress
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from runbooks.connectors import Connector, Resolved
from runbooks.filling import Filled

KEPT_BYTES = 50 * 1024
"""So much of an answer is read and kept."""
STRUCK_OUT = "•••"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` None: nothing did, and `error` says why; then it may have happened all the same,
    unless `was_sent` is False. `is_cut`: more came than was read."""

    status: int | None
    headers: Mapping[str, str]
    body: object
    text: str
    error: str = ""
    was_sent: bool = True
    is_cut: bool = False

    def as_names(self) -> dict[str, Any]:
        """The answer as expressions see it (`response`)."""
        return {"status": self.status, "headers": dict(self.headers), "body": self.body}


class _PublicOnly(ThreadedResolver):
    """Resolves names, and refuses those that lead to an address that is not public."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        for each in found:
            _refuse_private(each["host"])
        return found


class PrivateAddress(OSError):
    """The connector's host is on a private network, and `private: true` does not stand beside it."""


def _refuse_private(address: str) -> None:
    if not ipaddress.ip_address(address).is_global:
        raise PrivateAddress(f"{address} is a private address; allow it with `private: true` on the connector")


class Caller:
    """Sends requests; holds the connections. Close it when done."""

    def __init__(self) -> None:
        self._public = aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=_PublicOnly()))
        self._any = aiohttp.ClientSession()

    async def close(self) -> None:
        """Closes all connections."""
        await self._public.close()
        await self._any.close()

    async def send(
        self,
        connector: Connector,
        resolved: Resolved,
        filled: Filled,
        *,
        timeout: float,
        headers: Mapping[str, str],
        most: int = KEPT_BYTES,
    ) -> Answer:
        """The answer to one request, or what kept it from coming. Never raises for what the network does.
        `timeout` is in seconds, for the whole request; `most` bytes of the answer are read."""
        http = self._any if connector.private else self._public
        try:
            _refuse_literal(connector, resolved)
            return await _send(http, resolved, filled, timeout=timeout, headers=headers, most=most)
        except PrivateAddress as refused:
            return _nothing(str(refused), was_sent=False)
        except TimeoutError:
            return _nothing(f"no answer within {timeout:g} s")
        except aiohttp.ClientConnectorError as fault:
            return _nothing(f"no connection: {fault.os_error.strerror or fault.os_error}", was_sent=False)
        except (aiohttp.ClientError, OSError) as fault:
            return _nothing(f"the connection was lost: {type(fault).__name__}")


def _nothing(error: str, *, was_sent: bool = True) -> Answer:
    return Answer(None, {}, None, "", error, was_sent)


def _refuse_literal(connector: Connector, resolved: Resolved) -> None:
    """A host that is written as an address is not resolved, so it is checked here."""
    host = URL(resolved.base_url).host or ""
    if connector.private:
        return
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    _refuse_private(host)


async def _send(
    http: aiohttp.ClientSession,
    resolved: Resolved,
    filled: Filled,
    *,
    timeout: float,
    headers: Mapping[str, str],
    most: int,
) -> Answer:
    url = URL(resolved.base_url + filled.path, encoded=True)
    sent = http.request(
        filled.method,
        url,
        json=filled.json,
        headers={**filled.headers, **headers, **resolved.headers},
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=timeout),
    )
    async with sent as response:
        raw = await _read(response, most)
        text = struck_out(raw.decode(response.get_encoding(), "replace"), resolved)
        headers_came = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers_came, _parsed(text), text, is_cut=len(raw) == most)


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    try:
        return await response.content.readexactly(most)
    except asyncio.IncompleteReadError as whole:
        return whole.partial


def struck_out(text: str, resolved: Resolved) -> str:
    """The text without the connector's secrets."""
    for secret in resolved.secrets:
        text = text.replace(secret, STRUCK_OUT)
    return text


def _parsed(text: str) -> object:
    """The body if it is JSON, else its text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
