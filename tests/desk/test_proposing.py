"""The gate's transactions, on both engines: who comes first, and which contract versions are current."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlmodel import Session, col

from bot.clock import MovableClock
from bot.desk.comparing import Compared, compare
from bot.desk.desk import Desk
from bot.desk.policies import Policies
from bot.desk.policing import Proposal, Verdict, examine, propose
from bot.rules.actors import SYSTEM
from runbooks.policy import Policy
from store.audit import DESK, read
from store.contract_models import ContractVersion
from store.database import Database
from store.models import PolicyInForce

LEADS = "workflows/lead-routing.yml"
Files = dict[str, str]


@pytest.fixture
def empty(database: Database, clock: MovableClock) -> Desk:
    """A desk where no policy is in force."""
    return Desk(database, clock, Policies())


def with_(files: Files, file: str, *replacements: tuple[str, str]) -> Files:
    """The folder with texts of one file replaced."""
    text = files[file]
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return files | {file: text}


async def compared(desk: Desk, files: Files, *, is_changed: bool = False) -> Proposal:
    """The folder beside what is in force now."""
    proposal = examine(files)
    policy = proposal.policy
    assert policy
    desk.policies.keep(policy)
    beside = await desk.read(lambda session: compare(session, desk.policies, policy, now=desk.clock.now()))
    return replace(proposal, compared=beside, is_changed=is_changed)


async def take(desk: Desk, files: Files) -> Verdict:
    """Proposes the folder."""
    return await desk.run(propose, await compared(desk, files), actor=SYSTEM)


async def without_asking(desk: Desk, files: Files) -> Verdict:
    """Proposes the folder as if nothing in it needed a yes."""
    proposal = await compared(desk, files)
    assert proposal.compared
    return await desk.run(propose, replace(proposal, compared=replace(proposal.compared, needs=())), actor=SYSTEM)


async def in_force(desk: Desk) -> Policy:
    return await desk.read(desk.policies.in_force)


async def versions(desk: Desk, workflow: str) -> list[tuple[int, str, str]]:
    """The versions of a contract, their states and which policy is theirs, the oldest first."""

    def rows(session: Session) -> list[tuple[int, str, str]]:
        wanted = select(ContractVersion).where(col(ContractVersion.workflow) == workflow)
        found = session.execute(wanted.order_by(col(ContractVersion.id))).scalars()
        return [(row.version, row.state, row.policy_digest) for row in found]

    return await desk.read(rows)


async def test_of_two_first_folders_at_once_one_is_in_force(empty: Desk, policy_files: Files) -> None:
    other = with_(policy_files, LEADS, ("title: Lead routing", "title: Leads"))
    proposals = [await compared(empty, files) for files in (policy_files, other)]
    verdicts = await asyncio.gather(*(empty.run(propose, each, actor=SYSTEM) for each in proposals))
    assert sorted(verdicts) == [Verdict.IN_FORCE, Verdict.LOOK_AGAIN]
    first = proposals[verdicts.index(Verdict.IN_FORCE)].policy
    assert first
    assert (await in_force(empty)).digest == first.digest


async def test_a_folder_compared_with_what_is_in_force_no_more_is_looked_at_again(
    empty: Desk, policy_files: Files
) -> None:
    await take(empty, policy_files)
    late = await compared(empty, with_(policy_files, LEADS, ("workflow: lead", "# late\nworkflow: lead")))
    assert (
        await take(empty, with_(policy_files, LEADS, ("workflow: lead", "# first\nworkflow: lead"))) is Verdict.IN_FORCE
    )
    assert await empty.run(propose, late, actor=SYSTEM) is Verdict.LOOK_AGAIN
    assert "# first" in (await in_force(empty)).files[LEADS]
    again = await compared(empty, dict(late.files))
    assert await empty.run(propose, again, actor=SYSTEM) is Verdict.IN_FORCE


async def test_without_a_comparison_nothing_gets_past_the_gate(empty: Desk, policy_files: Files) -> None:
    await take(empty, policy_files)
    unseen = examine(with_(policy_files, LEADS, ("title: Lead routing", "title: Leads")))
    assert await empty.run(propose, unseen, actor=SYSTEM) is Verdict.LOOK_AGAIN
    forged = replace(unseen, compared=Compared(None, frozenset(), (), {}))
    assert await empty.run(propose, forged, actor=SYSTEM) is Verdict.LOOK_AGAIN


async def test_many_folders_at_once_come_one_after_the_other(
    empty: Desk, database: Database, policy_files: Files
) -> None:
    await take(empty, policy_files)
    desks = [Desk(database, empty.clock, Policies()) for _ in range(4)]

    async def persist(desk: Desk, number: int) -> None:
        files = with_(policy_files, LEADS, ("workflow: lead", f"# {number}\nworkflow: lead"))
        while await take(desk, files) is Verdict.LOOK_AGAIN:
            pass

    await asyncio.gather(*(persist(desk, number) for number, desk in enumerate(desks)))
    entries = await empty.read(lambda session: read(session, DESK))
    chain = [entry["detail"] for entry in entries if entry["action"] == "policy.in_force"]
    assert len(chain) == 5
    assert [each["before"] for each in chain[1:]] == [each["digest"] for each in chain[:-1]]
    rows = await empty.read(lambda session: session.execute(select(col(PolicyInForce.digest))).scalars().all())
    assert rows == [chain[-1]["digest"]]


async def test_a_canary_is_compared_with_the_version_before_it_however_its_share_grows(
    empty: Desk, policy_files: Files
) -> None:
    share = "rollout: {mode: canary, percent: 20}"
    target = ("path: /tickets", "path: /tickets?new=1")
    first = with_(policy_files, LEADS, (share, "rollout: {mode: live}"))
    second = with_(policy_files, LEADS, ("version: 2", "version: 3"), target)
    third = with_(second, LEADS, ("version: 3", "version: 4"), ("percent: 20", "percent: 60"))
    for files in (first, second, third):
        assert await without_asking(empty, files) is Verdict.IN_FORCE
    digests = [proposal.policy.digest for files in (first, third) if (proposal := examine(files)).policy]
    assert await versions(empty, "lead-routing") == [(2, "before", digests[0]), (4, "current", digests[1])]
    await without_asking(empty, with_(third, LEADS, ("version: 4", "version: 5"), ("?new=1", "?new=2")))
    assert [row[:2] for row in await versions(empty, "lead-routing")] == [(2, "before"), (4, "before"), (5, "current")]


async def test_a_workflow_that_is_gone_has_no_current_version(empty: Desk, policy_files: Files) -> None:
    await take(empty, policy_files)
    fewer = {name: text for name, text in policy_files.items() if name != LEADS}
    assert await without_asking(empty, fewer) is Verdict.IN_FORCE
    assert [row[:2] for row in await versions(empty, "lead-routing")] == [(2, "before")]
