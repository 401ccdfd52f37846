"""A stage for each story: on SQLite and in HTTP mode unless the story says otherwise."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from bot.clock import MovableClock
from bot.settings import Settings
from runbooks.policy import Policy, digest_of, load
from store.database import Database
from tests.conftest import ENGINES, EXAMPLE_COMPANY, UNHURRIED
from tests.stories.company import company, workspace
from tests.stories.stage import TOKEN, Stage

on_both_engines = pytest.mark.parametrize("engine_name", ENGINES, indirect=True)


@pytest.fixture(scope="session")
def compiled_once() -> Callable[[Mapping[str, str]], Policy]:
    """Loads a policy, each one once in all stories."""
    known: dict[str, Policy] = {}

    def load_once(files: Mapping[str, str]) -> Policy:
        digest = digest_of(files)
        if digest not in known:
            known[digest] = load(files)
        return known[digest]

    return load_once


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch, compiled_once: Callable[[Mapping[str, str]], Policy]) -> None:
    """Spares each story what takes long and tells nothing: compiling the policy, and the breath between two looks.
    Health paths are asked once, at the start, and what is answered late is told by its own stories: elsewhere real
    seconds would decide what a story finds."""
    for place in ("bot.desk.policies", "bot.desk.policing", "bot.main"):
        monkeypatch.setattr(f"{place}.load", compiled_once)
    monkeypatch.setattr("bot.main.LOOKS_AT_HEALTH_EVERY", 3600.0)
    # while the clock stands still a health path would take the turn of what a story asks
    monkeypatch.setattr("bot.desk.health.take_room", lambda tx, connector: None)
    monkeypatch.setattr("bot.jobs.scheduler.BREATH", 0)
    monkeypatch.setattr("bot.jobs.scheduler.RESTS", 0)
    monkeypatch.setattr("bot.slack.guard.LIMIT", UNHURRIED)


@pytest.fixture
def engine_name(request: pytest.FixtureRequest) -> str:
    """SQLite; both, one after the other, in stories that are marked with `on_both_engines`."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def limits() -> bool:
    """Whether Slack's rate limits are on."""
    return False


@pytest.fixture
def socket_mode() -> bool:
    """Whether the service connects to Slack, and not Slack to the service."""
    return False


@pytest.fixture
def stage_kind() -> type[Stage]:
    """What the stage is made of."""
    return Stage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The company's policy folder, which a story may change."""
    return Path(shutil.copytree(EXAMPLE_COMPANY, tmp_path / "policy"))


@pytest.fixture
async def empty_stage(
    database_url: str, folder: Path, clock: MovableClock, limits: bool, socket_mode: bool, stage_kind: type[Stage]
) -> AsyncIterator[Stage]:
    """A stage on which no service runs yet."""
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(workspace(clock, limits=limits))
        settings = Settings(
            slack_bot_token=SecretStr(slack.app.bot_token),
            slack_signing_secret=SecretStr(slack.app.signing_secret),
            slack_app_token=SecretStr(slack.app.app_token) if socket_mode else None,
            slack_api_url=slack.api_url,
            database_url=database_url,
            policy=folder,
            port=0,
        )
        database = Database(database_url)
        stack.callback(database.close)
        stage = stage_kind(
            slack=slack,
            clock=clock,
            settings=settings,
            company=await stack.enter_async_context(company()),
            database=database,
            http=await stack.enter_async_context(aiohttp.ClientSession()),
            environment={"MONITORS_SOURCE_TOKEN": TOKEN},
        )
        stack.push_async_callback(stage.stop)
        yield stage


@pytest.fixture
async def stage(empty_stage: Stage) -> Stage:
    """A stage on which one service runs."""
    await empty_stage.start()
    return empty_stage
