"""When senders are asked to wait."""

import pytest

from bot.rules.pressure import LONGEST_RETRY, LONGEST_WAIT, MOST_WAITING, Because, ComeBack, Load, come_back

CASES = {
    "nothing waits": (Load(0, 0.0), None),
    "much, and it goes fast": (Load(MOST_WAITING - 1, 0.4), None),
    "too much": (Load(MOST_WAITING, 0.4), ComeBack(Because.MANY, 1)),
    "little, and it takes long": (Load(1, LONGEST_WAIT), ComeBack(Because.SLOW, 3)),
    "as long again, rounded up": (Load(1, 7.2), ComeBack(Because.SLOW, 8)),
    "nobody is sent away for long": (Load(1, 600.0), ComeBack(Because.SLOW, LONGEST_RETRY)),
}


@pytest.mark.parametrize(("load", "answer"), CASES.values(), ids=CASES.keys())
def test_senders_wait_while_commits_take_too_long(load: Load, answer: ComeBack | None) -> None:
    assert come_back(load) == answer
