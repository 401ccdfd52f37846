"""A stage for each story: on SQLite and in HTTP mode unless the story says otherwise."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from bot.clock import MovableClock
from bot.settings import Settings
from store.database import Database
from tests.conftest import ENGINES, EXAMPLE_COMPANY
from tests.stories.company import company, workspace
from tests.stories.stage import TOKEN, Stage

on_both_engines = pytest.mark.parametrize("engine_name", ENGINES, indirect=True)


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
def folder(tmp_path: Path) -> Path:
    """The company's policy folder, which a story may change."""
    return Path(shutil.copytree(EXAMPLE_COMPANY, tmp_path / "policy"))


@pytest.fixture
async def empty_stage(
    database_url: str, folder: Path, clock: MovableClock, limits: bool, socket_mode: bool
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
        stage = Stage(
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
