"""A new contract is tried in shadow or on a share, beside the version before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session

from runbooks.policy import digest_of, read_folder
from store.contract_models import ContractVersion
from store.models import PolicyVersion
from tests.conftest import MONDAY
from tests.stories.conftest import on_both_engines
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
