"""A new contract is tried in shadow or on a share, beside the version before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from sqlmodel import Session

from bot.sandbox.workspace import Message
from bot.sandbox.workspace.errors import CannotDo
from runbooks.policy import digest_of, read_folder
from store.contract_models import ContractVersion
from store.models import Event, PolicyVersion
from tests.conftest import MONDAY
from tests.stories.company import ADA, DEE, ZOE
from tests.stories.conftest import on_both_engines
from tests.stories.gate import press, read_again, versions
from tests.stories.stage import Stage
from tests.stories.test_events import send

READER = "token-of-monitors"


def rolled_out(folder: Path, rollout: str) -> dict[str, str]:
    """The folder as it was; now lead routing has a newer version that sends elsewhere, rolled out like this."""
    before = read_folder(folder)
    file = folder / "workflows" / "lead-routing.yml"
    text = file.read_text()
    line = next(each for each in text.splitlines() if each.startswith("rollout:"))
    file.write_text(
        text.replace(line, f"rollout: {rollout}")
        .replace("version: 2", "version: 3")
        .replace("path: /tickets", "path: /tickets?new=1")
    )
    return before


async def rollout_of(stage: Stage) -> Any:
    """What a reader is told."""
    url = f"{stage.service.url}/v1/workflows/lead-routing/rollout"
    async with stage.http.get(url, headers={"Authorization": f"Bearer {READER}"}) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def leads(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"lead_id": f"l_{n}", "tier": "growth", **more} for n in range(count)]


def came_before(stage: Stage, files: dict[str, str]) -> None:
    """The version before was in force with these files."""

    def write(session: Session) -> None:
        digest = digest_of(files)
        session.execute(insert(PolicyVersion), [{"digest": digest, "files": files, "recorded_at": MONDAY}])
        row = {"workflow": "lead-routing", "digest": "c2", "version": 2, "policy_digest": digest, "since_at": MONDAY}
        session.execute(insert(ContractVersion), [row | {"state": "before"}])

    stage.database.write(write).result()


@on_both_engines
async def test_a_contract_in_shadow_decides_and_delivers_nothing(empty_stage: Stage, folder: Path) -> None:
    rolled_out(folder, "{mode: shadow}")
    await empty_stage.start()
    await send(empty_stage, "lead-routing", [*leads(2), {"lead_id": "l_9", "teir": "vip"}])
    assert empty_stage.company["helpdesk"].requests == 0
    assert empty_stage.cases() == []
    told = await rollout_of(empty_stage)
    assert told["versions"][0]["states"] == {"shadowed": 3}
    words = [each["would"] for each in told["shadowed"]]
    assert "would be held" in words[0]
    assert "would send POST /tickets?new=1 to helpdesk" in words[1]
    assert "onboarding" in words[1]


@on_both_engines
async def test_a_canary_takes_its_share_and_the_version_before_the_rest(empty_stage: Stage, folder: Path) -> None:
    before = rolled_out(folder, "{mode: canary, percent: 30}")
    await empty_stage.start()
    came_before(empty_stage, before)
    await send(empty_stage, "lead-routing", leads(60))
    told = await rollout_of(empty_stage)
    came = {each["version"]: each["came"] for each in told["versions"]}
    assert sum(came.values()) == 60
    assert 5 < came[3] < 35
    assert {each["success"] for each in told["versions"]} == {1.0}


@on_both_engines
async def test_what_the_version_before_hides_is_hidden_in_what_goes_by_it(empty_stage: Stage, folder: Path) -> None:
    before = rolled_out(folder, "{mode: canary, percent: 0}")
    file = folder / "workflows" / "lead-routing.yml"
    file.write_text(file.read_text().replace("  redact: [email]\n", ""))
    await empty_stage.start()
    came_before(empty_stage, before)
    await send(empty_stage, "lead-routing", leads(1, email="pat@customer.example"))
    kept = empty_stage.database.read_now(lambda session: session.get_one(Event, 1).content)
    assert kept == {"lead_id": "l_0", "tier": "growth", "email": "•••"}


@on_both_engines
async def test_in_slack_both_versions_stand_side_by_side_and_one_button_rolls_back(stage: Stage, folder: Path) -> None:
    await send(stage, "lead-routing", leads(4))
    rolled_out(folder, "{mode: canary, percent: 50}")
    await read_again(stage)
    for user in (DEE, ADA):
        await press(stage, user, "Approve")
    await send(stage, "lead-routing", [{"lead_id": f"m_{n}", "tier": "growth"} for n in range(20)])
    told = await stage.type(ADA, "/case workflows lead-routing")
    came = {each["version"]: each["came"] for each in (await rollout_of(stage))["versions"]}
    assert came[2] + came[3] == 24
    assert min(came.values()) > 4
    assert f"*Version 3* (in force): {came[3]} came, 100 % arrived: {came[3]} delivered" in told
    assert f"*Version 2*: {came[2]} came, 100 % arrived: {came[2]} delivered" in told

    await stage.slack.click(ZOE, await _listing(stage, ZOE), text="Roll back")
    await stage.settle()
    assert stage.told(ZOE).startswith("You cannot roll this back")
    await stage.slack.click(DEE, await _listing(stage, DEE), text="Roll back")
    await stage.settle()
    assert "You rolled it back" in stage.told(DEE)
    assert versions(stage, "lead-routing") == [(2, "current"), (3, "rolled_back")]
    await send(stage, "lead-routing", [{"lead_id": f"n_{n}", "tier": "growth"} for n in range(10)])
    after = {each["version"]: each["came"] for each in (await rollout_of(stage))["versions"]}
    assert (after[2], after[3]) == (came[2] + 10, came[3])
    with pytest.raises(CannotDo):
        await stage.slack.click(DEE, await _listing(stage, DEE), text="Roll back")


async def _listing(stage: Stage, user: str) -> Message:
    await stage.type(user, "/case workflows lead-routing")
    return stage.slack.ephemerals(user)[-1]


@on_both_engines
async def test_in_slack_it_is_told_what_shadow_would_have_done(empty_stage: Stage, folder: Path) -> None:
    rolled_out(folder, "{mode: shadow}")
    await empty_stage.start()
    await send(empty_stage, "lead-routing", [*leads(2), {"lead_id": "l_9", "teir": "vip"}])
    told = await empty_stage.type(ADA, "/case workflows lead-routing")
    assert "*Version 3* (in force): 3 came, nothing has ended yet: 3 shadowed" in told
    assert "E-3 would be held: teir came, tier was wanted" in told
    assert "E-1 would send POST /tickets?new=1 to helpdesk" in told


async def test_a_second_delivery_goes_by_the_same_version(empty_stage: Stage, folder: Path) -> None:
    before = rolled_out(folder, "{mode: canary, percent: 50}")
    await empty_stage.start()
    came_before(empty_stage, before)
    await send(empty_stage, "lead-routing", leads(10))
    _, again = await send(empty_stage, "lead-routing", leads(10))
    assert {each["status"] for each in again["results"]} == {"duplicate"}
    assert empty_stage.company["helpdesk"].requests == 10


async def test_a_rollout_is_told_only_to_readers_of_a_workflow_that_there_is(stage: Stage) -> None:
    url = f"{stage.service.url}/v1/workflows/no-such/rollout"
    async with stage.http.get(url, headers={"Authorization": f"Bearer {READER}"}) as response:
        assert response.status == 404
    async with stage.http.get(url) as response:
        assert response.status == 401
