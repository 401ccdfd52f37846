"""Sending an event again: under which key, what is asked first, when a person must say yes."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.rules.sending import Backoff, Fate, Key, Past, Verb, next_attempt_at, plan

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
YOUNG, OLD = NOW - timedelta(hours=1), NOW - timedelta(hours=25)

# verb, fate, reporter gave a key, key born at, contract has find -> key, find first, needs a yes
CASES = [
    (Verb.RETRY, Fate.UNKNOWN, False, YOUNG, True, Key.SAME, True, False),
    (Verb.RETRY, Fate.UNKNOWN, False, YOUNG, False, Key.SAME, False, False),
    (Verb.RETRY, Fate.UNKNOWN, False, OLD, True, Key.NEXT, True, False),
    (Verb.RETRY, Fate.UNKNOWN, False, OLD, False, Key.NEXT, False, True),
    (Verb.REPLAY, Fate.UNKNOWN, False, YOUNG, True, Key.NEXT, True, False),
    (Verb.REPLAY, Fate.UNKNOWN, False, YOUNG, False, Key.NEXT, False, True),
    (Verb.RETRY, Fate.REFUSED, False, YOUNG, False, Key.NEXT, False, False),
    (Verb.REPLAY, Fate.REFUSED, True, OLD, True, Key.NEXT, True, False),
    (Verb.REPLAY, Fate.DELIVERED, True, YOUNG, True, Key.NEXT, True, False),
    (Verb.REPLAY, Fate.DELIVERED, True, YOUNG, False, Key.NEXT, False, True),
    (Verb.RETRY, Fate.NEVER_BY_US, True, YOUNG, False, Key.REPORTED, False, False),
    (Verb.RETRY, Fate.NEVER_BY_US, True, YOUNG, True, Key.REPORTED, True, False),
    (Verb.REPLAY, Fate.NEVER_BY_US, True, OLD, False, Key.NEXT, False, True),
    (Verb.REPLAY, Fate.NEVER_BY_US, False, YOUNG, True, Key.NEXT, True, False),
    (Verb.REPLAY, Fate.NEVER_BY_US, False, YOUNG, False, Key.NEXT, False, True),
]


@pytest.mark.parametrize(("verb", "fate", "has_key", "born", "has_find", "key", "find_first", "asks"), CASES)
def test_the_plan_follows_from_what_is_known(
    verb: Verb, fate: Fate, has_key: bool, born: datetime, has_find: bool, key: Key, find_first: bool, asks: bool
) -> None:
    chosen = plan(verb, Past(fate, has_key, born), has_find=has_find, key_lasts=DAY, now=NOW)
    assert chosen is not None
    assert (chosen.key, chosen.find_first, chosen.confirm is not None) == (key, find_first, asks)


@pytest.mark.parametrize("verb", Verb)
def test_nothing_is_sent_while_it_is_under_way(verb: Verb) -> None:
    assert plan(verb, Past(Fate.UNDER_WAY, True, YOUNG), has_find=True, key_lasts=DAY, now=NOW) is None


def test_a_yes_is_asked_for_in_words_that_say_why() -> None:
    chosen = plan(Verb.REPLAY, Past(Fate.DELIVERED, True, YOUNG), has_find=False, key_lasts=DAY, now=NOW)
    assert chosen is not None
    assert chosen.confirm is not None
    assert "This may do it twice: it was delivered before" in chosen.confirm


BACKOFF = Backoff(attempts=5, first=timedelta(seconds=1), factor=2, longest=timedelta(seconds=5))


@pytest.mark.parametrize(
    ("made", "share", "retry_after", "wait"),
    [(1, 1.0, None, 1), (2, 1.0, None, 2), (3, 0.5, None, 2), (4, 1.0, None, 5), (1, 0.0, None, 0), (1, 0.0, 30, 30)],
)
def test_waits_grow_with_full_jitter_and_obey_retry_after(
    made: int, share: float, retry_after: int | None, wait: float
) -> None:
    after = timedelta(seconds=retry_after) if retry_after else None
    at = next_attempt_at(BACKOFF, made=made, now=NOW, share=share, retry_after=after, key_ends_at=NOW + DAY)
    assert at == NOW + timedelta(seconds=wait)


def test_the_last_attempt_is_the_last() -> None:
    assert next_attempt_at(BACKOFF, made=5, now=NOW, share=1, retry_after=None, key_ends_at=NOW + DAY) is None


def test_no_attempt_is_made_once_the_receiver_may_have_forgotten_the_key() -> None:
    ends = NOW + timedelta(seconds=1)
    assert next_attempt_at(BACKOFF, made=2, now=NOW, share=1, retry_after=None, key_ends_at=ends) is None
