"""A direct message that Slack does not take: whether it goes another way, and what is told there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk import outages
from bot.desk.outbox import Claimed
from bot.desk.people import find_role
from bot.rules.fallback import Letter, may_go
from runbooks.policy import Policy
from runbooks.team import Fallback
from store.models import Case, Person


@dataclass(frozen=True, slots=True)
class AnotherWay:
    """What is told, and by which ways."""

    letter: Letter
    by: Fallback


def another_way(session: Session, policy: Policy, owed: Claimed, now: datetime) -> AnotherWay | None:
    """How a direct message goes now that Slack is away; None: it waits for Slack."""
    away_since, by = outages.since(session, outages.SLACK), policy.team.defaults.fallback
    if by is None or away_since is None or not may_go(str(owed.payload.get("what")), away_since, now):
        return None
    case = session.get_one(Case, owed.case_id)
    contract = policy.workflows.get(case.workflow)
    return AnotherWay(
        Letter(
            what=str(owed.payload["what"]),
            ref=case.ref,
            title=case.title,
            priority=case.priority,
            workflow=contract.title if contract else case.workflow,
            owner=find_role(policy, case.owner).title,
            people=(_name(session, owed.channel),),
            acknowledge_due_at=case.acknowledge_due_at,
            resolve_due_at=case.resolve_due_at,
            is_acknowledged=case.acknowledged_at is not None,
            link=_link(case),
            away_since=away_since,
        ),
        by,
    )


def _name(session: Session, person: str) -> str:
    found = session.execute(select(col(Person.name)).where(col(Person.id) == person)).scalar_one_or_none()
    return f"{found} ({person})" if found else person


def _link(case: Case) -> str:
    """Where the case is in Slack, made without asking Slack. A card that is not posted yet has only its channel."""
    ts = case.card_ts or case.thread_ts
    if ts is None:
        return f"https://slack.com/app_redirect?channel={case.channel}"
    return f"https://slack.com/archives/{case.channel}/p{ts.replace('.', '')}"
