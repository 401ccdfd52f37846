"""How the company's systems are, as the running service finds them."""

from __future__ import annotations

import pytest

from bot.sandbox.company.systems import Mode
from store.contract_models import ConnectorHealth
from tests.stories.company import GUS
from tests.stories.stage import Stage


async def test_the_home_tab_shows_a_system_that_goes_down_and_its_one_case(
    empty_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.main.LOOKS_AT_HEALTH_EVERY", 0.05)
    monkeypatch.setattr("bot.main.LOOKS_AT_HOMES_EVERY", 0.05)
    stage = empty_stage
    await stage.start()
    await stage.slack.open_home(GUS)
    await stage.slack.until(lambda: "*billing*: up since" in _home(stage))
    stage.company["billing"].mode = Mode.FAIL
    for _ in range(2):
        before = stage.company["billing"].requests
        await stage.advance(seconds=70)
        assert stage.company["billing"].requests == before
        await stage.slack.until(lambda: _asked_at(stage) == stage.clock.now())
    await stage.slack.until(lambda: "*billing*: down since" in _home(stage))
    await stage.settle()
    assert [case.title for case in stage.cases()] == ["billing is down by its health path"]
    stage.company["billing"].mode = Mode.OK
    await stage.advance(seconds=70)
    await stage.slack.until(lambda: "*billing*: up since" in _home(stage))
    await stage.settle()
    assert "billing answers again" in "\n".join(stage.thread("C-1"))
    assert stage.case("C-1").resolution == "fixed_by_itself"


def _home(stage: Stage) -> str:
    home = stage.slack.home(GUS)
    return home.shown if home else ""


def _asked_at(stage: Stage) -> object:
    row = stage.database.read_now(lambda session: session.get_one(ConnectorHealth, "billing"))
    return row.answered_at
