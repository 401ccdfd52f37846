"""Stories on both engines, and under policies of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.clock import MovableClock
from bot.desk.desk import Desk
from bot.desk.policies import Policies
from store.database import Database
from tests.conftest import put_in_force
from tests.desk.story import Story

Told = Callable[[str, str], Story]


@pytest.fixture(scope="session")
def policies() -> Policies:
    """Compiled once for all stories: they never change."""
    return Policies()


@pytest.fixture
def story(database: Database, clock: MovableClock, policies: Policies, policy_files: dict[str, str]) -> Story:
    """Told on each engine."""
    put_in_force(database, policy_files, at=clock.now())
    return Story(Desk(database, clock, policies), clock)


@pytest.fixture
def story_where(
    sqlite_database: Database, clock: MovableClock, policies: Policies, policy_files: dict[str, str]
) -> Told:
    """Told where a text of team.yml is another one."""

    def told(text: str, other: str) -> Story:
        team = policy_files["team.yml"]
        assert text in team
        put_in_force(sqlite_database, policy_files | {"team.yml": team.replace(text, other)}, at=clock.now())
        return Story(Desk(sqlite_database, clock, policies), clock)

    return told
