"""The folder proposes, the database decides: a good one is in force once it has its yeses, a faulty one is a case."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.conftest import MONDAY
from tests.stories.company import ADA, DEE, FAY
from tests.stories.gate import press
from tests.stories.stage import Stage


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


async def _read_again(stage: Stage) -> None:
    await stage.service.read_policy_again()
    await stage.settle()


def _desk_actions(stage: Stage) -> list[str]:
    return [str(entry["action"]) for entry in stage.audit() if entry["action"].startswith("policy.")]


async def test_open_cases_keep_their_windows_when_a_policy_comes_into_force(stage: Stage, folder: Path) -> None:
    old = await stage.report()
    _change(folder / "workflows" / "refund.yml", "acknowledge_within: 10m", "acknowledge_within: 40m")
    _change(folder / "workflows" / "refund.yml", "version: 1", "version: 2")
    await _read_again(stage)
    for user in (FAY, ADA):
        await press(stage, user, "Approve")
    assert _desk_actions(stage)[-1] == "policy.in_force"
    assert stage.audit()[-1]["detail"]["files"]["changed"] == ["workflows/refund.yml"]
    new = await stage.report(title="Refund re_2 was not taken")
    assert stage.case(new).acknowledge_due_at == MONDAY + timedelta(minutes=40)
    assert (stage.case(old).contract_version, stage.case(new).contract_version) == (1, 2)
    await stage.advance(minutes=11)
    assert stage.case(old).acknowledge_due_at == MONDAY + timedelta(minutes=10)
    assert len(stage.dms(FAY)) == 1


async def test_a_faulty_folder_changes_nothing_and_is_one_case(stage: Stage, folder: Path) -> None:
    _change(folder / "workflows" / "refund.yml", "owner: billing", "owner: biling")
    await _read_again(stage)
    await _read_again(stage)
    (case,) = stage.cases()
    assert case.failure_mode == "policy_fault"
    assert "workflows/refund.yml:" in case.detail
    assert "billing" in case.detail
    assert _desk_actions(stage) == ["policy.in_force", "policy.refused", "policy.refused"]
    ref = await stage.report()
    assert stage.case(ref).owner == "billing"

    _change(folder / "workflows" / "refund.yml", "owner: biling", "owner: billing")
    await _read_again(stage)
    assert "The policy folder has no faults any more." in "\n".join(stage.thread(case.ref))
    assert stage.case(case.ref).is_open


async def test_a_restart_with_a_faulty_folder_goes_on_with_what_was_in_force(stage: Stage, folder: Path) -> None:
    ref = await stage.report()
    _change(folder / "team.yml", "Europe/Berlin", "Europe/Belrin")
    await stage.restart(minutes=1)
    assert stage.cases()[-1].failure_mode == "policy_fault"
    await stage.press(FAY, "Acknowledge", on=ref)
    assert stage.case(ref).acknowledged_by == FAY


async def test_a_role_that_is_gone_does_not_leave_its_cases_alone(stage: Stage, folder: Path) -> None:
    ref = await stage.report(workflow="lead-routing", title="Lead l_1 is lost")
    for file in [folder / "team.yml", *(folder / "workflows").glob("*.yml")]:
        file.write_text(file.read_text().replace("data-steward", "record-keeper"))
    other = await stage.report(failure_mode="conflict", title="The amounts differ")
    assert stage.case(other).owner == "data-steward"
    await _read_again(stage)
    for user in (FAY, ADA, DEE):
        await press(stage, user, "Approve")
    assert _desk_actions(stage)[-1] == "policy.in_force"
    await stage.advance(minutes=40)
    assert stage.case(other).owner == "data-steward"
    assert "case.escalated" in stage.actions(other)
    assert stage.case(ref).is_open
