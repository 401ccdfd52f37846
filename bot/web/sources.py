"""Which source a request comes from: by its bearer token or its signature, as the policy in force says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from aiohttp import web
from standardwebhooks import Webhook

from bot.clock import Clock
from bot.desk.policies import Policies
from bot.rules.actors import Actor
from bot.rules.actors import source as source_actor
from bot.rules.pacing import Bucket, Limit
from bot.settings import SettingsFault, read_secret
from bot.web.bodies import read_body
from bot.web.problems import Problem, kind
from runbooks.connectors import Source
from runbooks.policy import Policy

log = logging.getLogger(__name__)
TOLERANCE = timedelta(minutes=5)
"""How far a signature's time may be from ours: as the Standard Webhooks libraries have it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The source that sent a request, and what it sent. `repeat_key` is the name that it gave to this message and
    repeats when it sends it again."""

    source: Source
    actor: Actor
    body: bytes
    repeat_key: str | None

    def covers(self, workflow: str) -> bool:
        """Whether the policy lets it report for, and read of, this workflow."""
        return self.source.workflows is None or workflow in self.source.workflows


@dataclass(frozen=True, slots=True)
class _Known:
    """The sources of one policy with the environment's values in."""

    policy: Policy
    by_token: Mapping[bytes, Source]
    signing: tuple[tuple[Source, Webhook], ...]


class Gate:
    """Lets requests of known sources in, at the rate of each. Follows the policy in force."""

    def __init__(self, policies: Policies, environment: Mapping[str, str], clock: Clock) -> None:
        self._policies = policies
        self._environment = environment
        self._clock = clock
        self._known: _Known | None = None
        self._buckets: dict[str, Bucket] = {}

    async def admit(self, request: web.Request) -> Caller:
        """The source of this request. Raises `Problem` 401 without or with a wrong credential, 429 beyond its rate,
        413 for too large a body."""
        known = self._sources()
        headers = request.headers
        source = _by_token(known, headers.get("Authorization"))
        if source is not None:
            self._pace(source)
            return _caller(source, await read_body(request), headers.get("Idempotency-Key"))
        if "webhook-signature" not in headers:
            raise _unknown_caller("Authorization" in headers)
        body = await read_body(request)
        source = self._by_signature(known, headers, body)
        if source is None:
            raise _unknown_caller(True)
        self._pace(source)
        return _caller(source, body, headers.get("Idempotency-Key") or headers["webhook-id"])

    async def admit_reader(self, request: web.Request) -> Caller:
        """Like `admit`, for a source that may read. Raises `Problem` 403 for one that may not."""
        caller = await self.admit(request)
        if not caller.source.read:
            detail = f"source {caller.source.name} may not read; say read: true of it in connectors.yml"
            raise Problem(HTTPStatus.FORBIDDEN, detail, kind=kind("may-not-read"))
        return caller

    def _sources(self) -> _Known:
        policy = self._policies.latest
        if self._known is None or self._known.policy is not policy:
            self._known = _with_secrets(policy, self._environment)
        return self._known

    def _pace(self, source: Source) -> None:
        """One window's worth of requests at once, then one each time that its share of the window has gone by."""
        if source.rate is None:
            return
        limit = Limit(source.rate.count, timedelta(seconds=source.rate.seconds) / source.rate.count)
        now = self._clock.now()
        bucket = self._buckets.get(source.name)
        if bucket is None or bucket.limit != limit:
            bucket = Bucket(limit, now)
        if bucket.free_at() > now:
            raise _too_fast(source, bucket.free_at() - now)
        self._buckets[source.name] = bucket.spent(now)

    def _by_signature(self, known: _Known, headers: Mapping[str, str], body: bytes) -> Source | None:
        """Standard Webhooks: the library signs; the comparison and the tolerance are here, because its own `verify`
        reads the machine's clock and fails on malformed headers."""
        message_id, sent_at = headers.get("webhook-id"), _instant(headers.get("webhook-timestamp"))
        if not (message_id and message_id.isascii()) or sent_at is None or abs(self._clock.now() - sent_at) > TOLERANCE:
            return None
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return None
        given = headers["webhook-signature"].split()
        for source, webhook in known.signing:
            wanted = webhook.sign(message_id, sent_at, text)
            if any(hmac.compare_digest(wanted.encode(), _bytes(each)) for each in given):
                return source
        return None


def missing_secrets(policy: Policy, environment: Mapping[str, str]) -> list[str]:
    """A line for each source that cannot be known by its credential, because the environment does not have it."""
    return [
        f"source {source.name}: {name} {why}"
        for source in policy.sources.values()
        for name in filter(None, (source.token, source.secret))
        if (why := _why_unusable(source, name, environment))
    ]


def _why_unusable(source: Source, name: str, environment: Mapping[str, str]) -> str | None:
    try:
        value = read_secret(environment, name)
    except SettingsFault as fault:
        return f"cannot be had ({fault}); until it can, its requests are answered with 401"
    if not value:
        return "is not set in the environment; until it is, its requests are answered with 401"
    if name == source.secret and source.kind is None and _webhook(value) is None:
        return "is not a Standard Webhooks secret: whsec_ and base64"
    return None


def _with_secrets(policy: Policy, environment: Mapping[str, str]) -> _Known:
    for line in missing_secrets(policy, environment):
        log.warning("source without its secret", extra={"because": line})
    by_token, signing = {}, []
    for source in policy.sources.values():
        token = _value(environment, source.token)
        if token:
            by_token[_digest(token)] = source
        secret = _value(environment, source.secret) if source.kind is None else None
        webhook = _webhook(secret) if secret else None
        if webhook:
            signing.append((source, webhook))
    return _Known(policy, by_token, tuple(signing))


def _value(environment: Mapping[str, str], name: str | None) -> str | None:
    """None also where it cannot be read: that is told by `missing_secrets`, and shuts out this source alone."""
    try:
        return read_secret(environment, name) if name else None
    except SettingsFault:
        return None


def _webhook(secret: str) -> Webhook | None:
    """None for what is not `whsec_` and base64, padded or not; the library would leave out what is not base64."""
    text = secret.removeprefix("whsec_").rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    return Webhook(key) if key else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(_bytes(token)).digest()


def _bytes(header: str) -> bytes:
    """A header's value as it was sent: what is not UTF-8 in it comes as lone surrogates."""
    return header.encode("utf-8", "surrogateescape")


def _by_token(known: _Known, authorization: str | None) -> Source | None:
    """RFC 6750. Tokens are found by their SHA-256, so that how long it takes tells nothing of a token."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    return known.by_token.get(_digest(token.strip()))


def _instant(timestamp: str | None) -> datetime | None:
    if timestamp is None or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 11:
        return None
    return datetime.fromtimestamp(int(timestamp), UTC)


def _caller(source: Source, body: bytes, repeat_key: str | None) -> Caller:
    if repeat_key is not None and not (
        0 < len(repeat_key) <= 255 and repeat_key.isascii() and repeat_key.isprintable()
    ):
        detail = "an Idempotency-Key (or webhook-id) has 1 to 255 printable ASCII characters"
        raise Problem(HTTPStatus.BAD_REQUEST, detail, kind=kind("bad-key"))
    return Caller(source, source_actor(source.name), body, repeat_key)


def _too_fast(source: Source, wait: timedelta) -> Problem:
    assert source.rate is not None
    detail = f"source {source.name} may send {source.rate.count} requests in {source.rate.seconds} s"
    headers = {"Retry-After": str(math.ceil(wait.total_seconds()))}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, kind=kind("rate"), headers=headers)


def _unknown_caller(gave_one: bool) -> Problem:
    detail = (
        "this credential is not that of a source in connectors.yml, or its signature is more than 5 minutes old"
        if gave_one
        else "send Authorization: Bearer TOKEN, or a Standard Webhooks signature, of a source in connectors.yml"
    )
    challenge = 'Bearer realm="pointsman"' + (', error="invalid_token"' if gave_one else "")
    return Problem(
        HTTPStatus.UNAUTHORIZED, detail, kind=kind("unknown-source"), headers={"WWW-Authenticate": challenge}
    )
