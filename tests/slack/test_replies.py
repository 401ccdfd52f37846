"""What somebody is told about what they did is spoken to them; the thread says it to everybody else."""

from __future__ import annotations

from typing import Any

import pytest

from bot.desk.commands import Outcome
from bot.rules.saying import What
from bot.slack.replies import SPOKEN, reply
from bot.slack.words import Names
from tests.slack.conftest import ADA, BEN, REVOPS, World

NAMES = Names({ADA: "Ada Lovelace", BEN: "Ben Hur"}, {"ops": "Revenue Ops"})
FACTS = {"by": ADA, "to": BEN, "role": "ops", "people": [BEN], "owner": "ops", "from": "P1", "text": "<!channel>"}


@pytest.mark.parametrize("what", SPOKEN)
def test_each_is_spoken_to_the_one_who_did_it(what: What) -> None:
    said = reply(Outcome(12, "C-12", what, FACTS), NAMES)
    assert said.startswith("*C-12* ")
    assert "You" in said
    assert "Ada Lovelace" not in said
    assert "<!channel>" not in said


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"to": ADA}, "You have it now."),
        ({"to": BEN}, f"You assigned it to <@{BEN}>, who is told."),
    ],
)
def test_assigning_to_oneself_is_taking_it(facts: dict[str, Any], words: str) -> None:
    assert reply(Outcome(12, "C-12", What.ASSIGNED, {"by": ADA} | facts), NAMES).endswith(words)


async def test_the_thread_names_who_the_answer_speaks_to(world: World) -> None:
    case = await world.opened()
    await world.press(ADA, case, "Acknowledge")
    assert "*C-1* :eyes: You have it now, until" in world.told(ADA)
    assert "*Ada Lovelace* has it until" in world.slack.thread(REVOPS, case.card_ts or "")[-1].shown
