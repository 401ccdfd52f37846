"""Requests to connectors: filled in from the policy, sent to the connector's host and nowhere else, bounded.

A request never follows a redirect, and reaches a private, loopback or link-local address only where the connector
says `private: true`; the address that is checked is the one that is connected to. What comes back is bounded in size,
packed or not, and in time, and the connector's secrets are struck out of it."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from runbooks.addresses import PrivateAddress, PublicResolver, check_public, public_socket
from runbooks.connectors import Connector, Resolved
from runbooks.filling import Filled
from runbooks.striking import longest_form, struck_out, struck_out_of

KEPT_BYTES = 50 * 1024
"""So much of an answer is read and kept."""
LONGEST_RETRY_AFTER = timedelta(hours=1)
UTF_8 = "utf-8"
_ENCODINGS = frozenset(
    {UTF_8, "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252", "cp1252", "utf-16"}
)
"""What an answer may say that it is written in; another one is read as UTF-8."""
_PACKED = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB, _BARE_DEFLATE = 47, -15


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

    @property
    def retry_after(self) -> timedelta | None:
        """Retry-After in seconds (RFC 9110, section 10.2.3), an hour at the most; its date form is not read."""
        said = self.headers.get("retry-after", "")
        is_number = said.isascii() and said.isdigit() and len(said) < 9
        return min(timedelta(seconds=int(said)), LONGEST_RETRY_AFTER) if is_number else None


class Caller:
    """Sends requests; holds the connections. Close it when done. How many there are at once is for its users to say:
    a system that does not answer takes no connection away from the others. No cookie is kept."""

    def __init__(self) -> None:
        self._public = _session(aiohttp.TCPConnector(resolver=PublicResolver(), socket_factory=public_socket, limit=0))
        self._any = _session(aiohttp.TCPConnector(limit=0))

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
            made = _made(connector, resolved, filled, headers)
            async with asyncio.timeout(timeout):
                return await _send(http, made, resolved, most=most)
        except PrivateAddress as refused:
            return _nothing(str(refused), was_sent=False)
        except TimeoutError:
            return _nothing(f"no answer within {timeout:g} s")
        except aiohttp.ClientConnectorError as fault:
            return _nothing(f"no connection: {fault.os_error.strerror or fault.os_error}", was_sent=False)
        except (ValueError, TypeError) as fault:
            return _nothing(f"the request cannot be sent as it is: {type(fault).__name__}", was_sent=False)
        except (aiohttp.ClientError, OSError) as fault:
            return _nothing(f"the connection was lost: {type(fault).__name__}")


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    """Nothing of the environment (proxies, .netrc) and nothing of earlier answers (cookies) goes into a request."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
    )


def _nothing(error: str, *, was_sent: bool = True) -> Answer:
    return Answer(None, {}, None, "", error, was_sent)


@dataclass(frozen=True, slots=True)
class _Made:
    """A request as it leaves."""

    method: str
    url: URL
    headers: CIMultiDict[str]
    body: bytes | None


def _made(connector: Connector, resolved: Resolved, filled: Filled, headers: Mapping[str, str]) -> _Made:
    """The request, for the connector's own host. Raises `PrivateAddress` for a host that is written as a private
    address (what is written as a name is checked when it is resolved), and ValueError for a path that leaves it."""
    base = URL(resolved.base_url)
    url = URL(f"{base.origin()}{base.raw_path.rstrip('/')}{filled.path}", encoded=True)
    if (url.raw_authority, url.scheme) != (base.raw_authority, base.scheme):
        raise ValueError("the path leads to another host")
    if not connector.private and _is_address(base.host or ""):
        check_public(base.host or "")
    sent = CIMultiDict({"Accept-Encoding": "identity"})
    for each in (filled.headers, headers, resolved.headers):
        for name, value in each.items():
            sent[name] = value
    body = None if filled.json is None else json.dumps(filled.json, allow_nan=False).encode()
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    return _Made(filled.method, url, sent, body)


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


async def _send(http: aiohttp.ClientSession, made: _Made, resolved: Resolved, *, most: int) -> Answer:
    sent = http.request(made.method, made.url, data=made.body, headers=made.headers, allow_redirects=False)
    async with sent as response:
        raw, is_cut = await _read(response, most, beyond=4 * longest_form(resolved.secrets))
        decoded = raw.decode(_encoding(response), "replace")
        text = struck_out(decoded, resolved.secrets, most=most)
        headers = {name.lower(): struck_out(value, resolved.secrets) for name, value in response.headers.items()}
        body, text = _parsed(text, resolved.secrets)
        return Answer(response.status, headers, body, text, is_cut=is_cut)


async def _read(response: aiohttp.ClientResponse, most: int, *, beyond: int) -> tuple[bytes, bool]:
    """The body, unpacked, and whether there was more than `most` bytes of it: then a little beyond, so that a secret
    that stands across the cut is seen whole. Neither what comes nor what it unpacks to is taken in further."""
    try:
        raw = await response.content.readexactly(most + beyond)
    except asyncio.IncompleteReadError as whole:
        raw = whole.partial
    packed = response.headers.get("Content-Encoding", "").strip().lower()
    is_cut = len(raw) >= most
    if packed in _PACKED:
        raw = _unpacked(raw, most + beyond)
        is_cut |= len(raw) >= most
    return raw, is_cut


def _unpacked(raw: bytes, most: int) -> bytes:
    """At most so many bytes of what was packed, although nobody asked for that; nothing where it cannot be read."""
    for kind in (_GZIP_OR_ZLIB, _BARE_DEFLATE):
        try:
            return zlib.decompressobj(kind).decompress(raw, most)
        except zlib.error:
            continue
    return b""


def _encoding(response: aiohttp.ClientResponse) -> str:
    said = (response.charset or UTF_8).lower()
    return said if said in _ENCODINGS else UTF_8


def _parsed(text: str, secrets: tuple[str, ...]) -> tuple[object, str]:
    """The body if it is JSON, else its text; and the text. JSON can write a secret in ways that only show when it is
    read, so then it is looked at once more."""
    try:
        body = json.loads(text)
        if "\\" not in text:
            return body, text
        shown = struck_out_of(body, secrets)
        return shown, text if shown == body else json.dumps(shown, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text, text
