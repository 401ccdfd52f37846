"""An expression speaks of the paths that stand in it, whatever the data are."""

import pytest

from runbooks.mentions import mentioned


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("event.account_id is defined", [("account_id",)]),
        ("event.customer.tier == 'vip' and event.customer['e mail']", [("customer", "tier"), ("customer", "e mail")]),
        ("event.tier == 'vip' or event.tier == 'gold'", [("tier",)]),
        ("event.items[0].sku == case.subject", [("items",)]),
        ("event.tags | length > 0", [("tags",)]),
        ("case.event.tier == 'vip'", []),
        ("event", []),
    ],
)
def test_the_paths_under_event_are_found_once_in_their_order(source: str, paths: list[tuple[str, ...]]) -> None:
    assert list(mentioned(source, "event")) == paths
