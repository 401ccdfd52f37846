"""What the stories of the change gate have in common: the folder as it is changed, and the cards of its changes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from bot.sandbox.workspace import Message, Reply
from store.contract_models import ContractVersion, PolicyProposal
from store.models import PolicyInForce
from tests.stories.company import SUCCESS
from tests.stories.stage import Stage

ONLY_REFUND = (("  within: 10m", "  within: 5m"), ("version: 1", "version: 2"))


def change(folder: Path, file: str, *replacements: tuple[str, str]) -> None:
    """Changes a file of the folder."""
    text = (folder / file).read_text()
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    (folder / file).write_text(text)


async def read_again(stage: Stage) -> None:
    """The service looks at the folder."""
    await stage.service.read_policy_again()
    await stage.settle()


async def propose(stage: Stage, folder: Path, file: str, *replacements: tuple[str, str]) -> None:
    """Somebody changes a file of the folder, and the service reads it."""
    change(folder, file, *replacements)
    await read_again(stage)


def cards(stage: Stage, channel: str = SUCCESS) -> list[Message]:
    """The cards of changes in a channel, the oldest first."""
    return [message for message in stage.slack.messages(channel) if _key(message).startswith("proposal:")]


def notices(stage: Stage, channel: str) -> list[str]:
    """What a role's channel was told of changes."""
    return [each.shown for each in stage.slack.messages(channel) if _key(each).startswith("proposal_notice:")]


async def press(stage: Stage, user: str, button: str, *, on: int = -1) -> Reply:
    """Somebody presses a button on a card of a change."""
    reply = await stage.slack.click(user, cards(stage)[on], text=button)
    await stage.settle()
    return reply


def in_force(stage: Stage) -> str:
    """The digest of the policy that decides."""
    return str(stage.database.read_now(lambda session: session.execute(select(col(PolicyInForce.digest))).scalar_one()))


def states(stage: Stage) -> list[str]:
    """What became of each proposal, the oldest first."""
    rows = select(col(PolicyProposal.state)).order_by(col(PolicyProposal.id))
    return stage.database.read_now(lambda session: list(session.execute(rows).scalars()))


def versions(stage: Stage, workflow: str) -> list[tuple[int, str]]:
    """The versions of a contract and their states, the oldest first."""
    wanted = select(col(ContractVersion.version), col(ContractVersion.state))
    rows = wanted.where(col(ContractVersion.workflow) == workflow).order_by(col(ContractVersion.id))
    return stage.database.read_now(lambda session: [(version, state) for version, state in session.execute(rows)])


def on_record(stage: Stage) -> list[dict[str, Any]]:
    """What the desk's own record has of the policy and of refusals."""
    return [entry for entry in stage.audit() if entry["action"].startswith(("policy.", "refused"))]


def actions(entries: Iterable[dict[str, Any]]) -> list[str]:
    """What the entries say was done."""
    return [str(entry["action"]) for entry in entries]


def _key(message: Message) -> str:
    return str((message.metadata or {}).get("event_payload", {}).get("key", ""))
