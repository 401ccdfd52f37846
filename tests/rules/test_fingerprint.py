"""When two reports are the same failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rules.fingerprint import fingerprint, match_key


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ({"title": "refund  FAILED"}, True),
        ({"title": "Refund failed!"}, False),
        ({"subject": "cus_2"}, False),
        ({"workflow": "renewal"}, False),
        ({"failure_mode": "conflict"}, False),
    ],
)
def test_what_makes_two_reports_the_same_failure(other: dict[str, str], is_same: bool) -> None:
    said = {"workflow": "refund", "failure_mode": "delivery_failed", "title": "Refund failed", "subject": "cus_1"}
    assert (_print(said) == _print(said | other)) is is_same


def test_what_the_contract_groups_by_takes_the_place_of_title_and_subject() -> None:
    first = fingerprint("refund", "m", title="a", subject="1", group="re_1")
    assert first == fingerprint("refund", "m", title="b", subject="2", group="re_1")
    assert first != fingerprint("refund", "m", title="a", subject="1", group="re_2")


def test_the_senders_key_wins_within_its_workflow() -> None:
    assert match_key("refund", dedup_key="k", fingerprint="v1:x") == "key:refund:k"
    assert match_key("renewal", dedup_key="k", fingerprint="v1:x") != "key:refund:k"
    assert match_key("refund", dedup_key=None, fingerprint="v1:x") == "v1:x"


@given(st.text(), st.text(), st.text(), st.none() | st.text())
def test_a_fingerprint_names_its_version_and_is_bounded(
    workflow: str, mode: str, title: str, subject: str | None
) -> None:
    found = fingerprint(workflow, mode, title=title, subject=subject)
    assert found.startswith("v1:")
    assert len(found) == 43


@given(st.lists(st.text(), min_size=3, max_size=3), st.lists(st.text(), min_size=3, max_size=3))
def test_moving_a_border_between_fields_gives_another_fingerprint(one: list[str], two: list[str]) -> None:
    same = [" ".join(one[0].casefold().split()), *one[1:]] == [" ".join(two[0].casefold().split()), *two[1:]]
    prints = [fingerprint(w, "m", title=t, subject=s) for t, s, w in (one, two)]
    assert (prints[0] == prints[1]) is same


def _print(said: dict[str, str]) -> str:
    return fingerprint(said["workflow"], said["failure_mode"], title=said["title"], subject=said["subject"])
