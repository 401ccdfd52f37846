"""Sending an event again without doing its work twice: under which key, what to ask first, when a person must say yes.

The policy language calls this *Sending again*. A receiver that knows an Idempotency-Key answers a repeat as it did
the first time, errors included; so what was refused is tried under a new key, and what may have happened under the
old one, as long as the receiver remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Verb(StrEnum):
    """What a person asked for: the failed step again, or the original event again."""

    RETRY = "retry"
    REPLAY = "replay"


class Fate(StrEnum):
    """What is known of the last time that the event was sent."""

    NEVER_BY_US = "never_by_us"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    DELIVERED = "delivered"
    UNDER_WAY = "under_way"


class Key(StrEnum):
    """The Idempotency-Key to send under."""

    SAME = "same"
    REPORTED = "reported"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Past:
    """What happened to the event so far. `key_born_at` is when the key that would be used again was first used."""

    fate: Fate
    has_reported_key: bool
    key_born_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """How to send it: the key; whether `find` is asked first; what a person must confirm (None: nothing)."""

    key: Key
    find_first: bool
    confirm: str | None
    because: str

    @property
    def words(self) -> str:
        """What it will do, for whoever is about to press."""
        asks = "Asks first whether it is there already; what is not is sent " if self.find_first else "Sends it "
        return f"{asks}{_UNDER[self.key]}. Why so: {self.because}."


_UNDER = {
    Key.SAME: "under the same Idempotency-Key: a receiver that has it knows it again",
    Key.REPORTED: "under the Idempotency-Key that it first had: a receiver that has it knows it again",
    Key.NEXT: "under a new Idempotency-Key, as something new",
}


def plan(verb: Verb, past: Past, *, has_find: bool, key_lasts: timedelta, now: datetime) -> Plan | None:
    """The plan for sending an event again; None while it is under way already."""
    key_is_young = now < past.key_born_at + key_lasts
    match past.fate:
        case Fate.UNDER_WAY:
            return None
        case Fate.REFUSED:
            return Plan(Key.NEXT, has_find, None, "it was answered and refused: nothing happened there")
        case Fate.DELIVERED:
            return _may_be_twice(Key.NEXT, has_find, "it was delivered before")
        case Fate.UNKNOWN if key_is_young and verb is Verb.RETRY:
            return Plan(Key.SAME, has_find, None, "nobody knows whether it arrived: the same key again is safe")
        case Fate.UNKNOWN:
            return _may_be_twice(Key.NEXT, has_find, "nobody knows whether it arrived before")
        case Fate.NEVER_BY_US if past.has_reported_key and key_is_young:
            return Plan(Key.REPORTED, has_find, None, "under the key that it was first sent with, which is safe")
        case Fate.NEVER_BY_US:
            return _may_be_twice(Key.NEXT, has_find, "somebody else sent it, under a key that we do not have or is old")


def _may_be_twice(key: Key, has_find: bool, because: str) -> Plan:
    """What may have happened: the receiver is asked, or else a person says yes."""
    confirm = None if has_find else f"This may do it twice: {because}, and this workflow has no way to ask (`find`)."
    return Plan(key, has_find, confirm, because)


class Verdict(StrEnum):
    """What an attempt means. `DENIED`: the system refuses who we are, whatever the event."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    DELIVERED = "delivered"
    ALREADY = "already"
    REFUSED = "refused"
    DENIED = "denied"
    UNKNOWN = "unknown"
    IMPOSSIBLE = "impossible"
    RIGHT = "right"
    WRONG = "wrong"


class Course(StrEnum):
    """How a delivery goes on after an attempt: held with its attempts as they were, sent (it is not there yet), tried
    again, looked at once more some time after the yes, or at its end."""

    HOLD = "hold"
    SEND = "send"
    AGAIN = "again"
    VERIFY = "verify"
    END = "end"


def course(
    verdict: Verdict, *, is_verifying: bool, has_verify: bool, is_shut_off: bool, has_attempt_left: bool
) -> Course:
    """`is_shut_off`: after this attempt the connector is left alone, so that its failure counts for nothing."""
    if verdict is Verdict.NOT_FOUND:
        return Course.SEND
    if is_shut_off and verdict in (Verdict.DENIED, Verdict.UNKNOWN):
        return Course.HOLD
    if verdict is Verdict.UNKNOWN and has_attempt_left:
        return Course.AGAIN
    is_there = verdict in (Verdict.DELIVERED, Verdict.ALREADY, Verdict.FOUND)
    return Course.VERIFY if is_there and has_verify and not is_verifying else Course.END


def is_too_old(key_born_at: datetime, *, key_lasts: timedelta, may_have_been_sent: bool, now: datetime) -> bool:
    """Whether the receiver may have forgotten the key of what may have arrived there under it."""
    return may_have_been_sent and key_born_at + key_lasts <= now


@dataclass(frozen=True, slots=True)
class Backoff:
    """A contract's retry: so many attempts in all, waits that grow by `factor` up to `longest`."""

    attempts: int
    first: timedelta
    factor: float
    longest: timedelta


def next_attempt_at(
    backoff: Backoff,
    *,
    made: int,
    now: datetime,
    share: float,
    retry_after: timedelta | None,
    key_ends_at: datetime | None,
) -> datetime | None:
    """When to try again after `made` attempts whose result is not known, with full jitter (`share` of the wait, 0 to
    1; AWS Architecture Blog, Exponential Backoff And Jitter); never before Retry-After. None: no attempt is left, or
    the key would be too old by then (`key_ends_at` None: what is asked needs no key)."""
    if made >= backoff.attempts:
        return None
    longest = min(backoff.first * backoff.factor ** (made - 1), backoff.longest)
    at = now + max(longest * share, retry_after or timedelta(0))
    return at if key_ends_at is None or at < key_ends_at else None
