"""Slack's limits as buckets."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.rules.pacing import CHANNEL, Bucket, Kind, Limit, buckets, limit_of, pause

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
THREE = Limit(burst=3, every=timedelta(seconds=1))


def test_a_full_bucket_gives_its_burst_at_once_and_then_one_for_each_interval() -> None:
    bucket = Bucket(THREE, NOW)
    for _ in range(3):
        assert bucket.free_at() <= NOW
        bucket = bucket.spent(NOW)
    assert bucket.free_at() == NOW + timedelta(seconds=1)


def test_a_bucket_fills_up_again_and_no_further() -> None:
    bucket = Bucket(THREE, NOW)
    for _ in range(3):
        bucket = bucket.spent(NOW)
    later = NOW + timedelta(hours=1)
    for _ in range(3):
        assert bucket.free_at() <= later
        bucket = bucket.spent(later)
    assert bucket.free_at() > later


def test_pages_and_posts_of_one_channel_share_only_its_own_limit() -> None:
    page, post = set(buckets(Kind.PAGE, "D1")), set(buckets(Kind.POST, "D1"))
    assert page & post == {"channel:D1"}
    assert limit_of("channel:D1") == CHANNEL


def test_updates_count_against_the_workspace_and_not_the_channel() -> None:
    assert buckets(Kind.UPDATE, "C1") == ("updates",)


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (10_000, 300)])
def test_pauses_double_up_to_five_minutes(attempts: int, seconds: int) -> None:
    assert pause(attempts) == timedelta(seconds=seconds)
