"""When the new cards of a channel are summed up."""

import pytest

from bot.rules.storms import BEGINS, Course, course

CASES = {
    "a few wait": (BEGINS, BEGINS, False, None),
    "many wait": (BEGINS + 1, BEGINS + 1, False, Course.BEGIN),
    "one of many that are another workflow's": (1, BEGINS + 1, False, Course.BEGIN),
    "none of many": (0, 400, False, None),
    "fewer wait than at the start": (1, 1, True, Course.GO_ON),
    "the last is there": (0, 400, True, Course.END),
}


@pytest.mark.parametrize(("waiting", "in_channel", "is_summed_up", "then"), CASES.values(), ids=CASES.keys())
def test_a_line_begins_with_a_storm_and_ends_with_its_last_card(
    waiting: int, in_channel: int, is_summed_up: bool, then: Course | None
) -> None:
    assert course(waiting, in_channel=in_channel, is_summed_up=is_summed_up) is then
