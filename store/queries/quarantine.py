"""Events that are held in quarantine, as they are read: lists by page, one by its number, and how many there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlmodel import Session, col

from store.contract_models import Trigger
from store.models import Event

HELD = "quarantined"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: all that is said must hold. `workflows` None: all. `before`: only those with a lower number, where
    the page before ended."""

    limit: int
    workflow: str | None = None
    workflows: Sequence[str] | None = None
    case_id: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """An event in quarantine: what is known of it, and what is kept of it."""

    trigger: Trigger
    event: Event

    @property
    def ref(self) -> str:
        """What people call the event."""
        return f"E-{self.event.id}"

    @property
    def title(self) -> str:
        """Why it is held, in words."""
        said = (self.trigger.misfit or {}).get("title") or self.trigger.because
        return str(said or "It is held by a rule of its contract")

    @property
    def lines(self) -> list[str]:
        """Everything about it that does not fit, in words."""
        return [str(line) for line in (self.trigger.misfit or {}).get("lines") or [self.title]]


_IN_WORDS: Any = bindparam(None, HELD, literal_execute=True)
"""Written into the SQL: SQLite uses the index of what is held only where the word of its condition stands there."""
_HELD = select(Trigger, Event).join(Event, col(Event.id) == col(Trigger.event_id))
_HELD = _HELD.where(col(Trigger.state) == _IN_WORDS)


def held_statement() -> Any:
    """All events that are held, each with what is known of it; to be narrowed."""
    return _HELD


def list_held(session: Session, wanted: Wanted) -> list[Held]:
    """The events, latest first, at most `limit`."""
    query: Any = _HELD
    if wanted.workflow:
        query = query.where(col(Trigger.workflow) == wanted.workflow)
    if wanted.workflows is not None:
        query = query.where(col(Trigger.workflow).in_(wanted.workflows))
    if wanted.case_id is not None:
        query = query.where(col(Trigger.case_id) == wanted.case_id)
    if wanted.before is not None:
        query = query.where(col(Trigger.event_id) < wanted.before)
    rows = session.execute(query.order_by(col(Trigger.event_id).desc()).limit(wanted.limit))
    return [Held(trigger, event) for trigger, event in rows]


def find_trigger(session: Session, event_id: int) -> Trigger | None:
    """What is known of the event of this number."""
    return session.get(Trigger, event_id)


def held_of_cases(session: Session, case_ids: Collection[int]) -> Mapping[int, int]:
    """How many events of each of these cases are held; a case without any is left out."""
    if not case_ids:
        return {}
    query = select(col(Trigger.case_id), func.count()).where(
        col(Trigger.case_id).in_(case_ids), col(Trigger.state) == HELD
    )
    return {case_id: count for case_id, count in session.execute(query.group_by(col(Trigger.case_id)))}


def held_by_workflow(session: Session, workflows: Collection[str] | None = None) -> Mapping[str, int]:
    """How many events of each workflow are held."""
    query = select(col(Trigger.workflow), func.count()).where(col(Trigger.state) == _IN_WORDS)
    if workflows is not None:
        query = query.where(col(Trigger.workflow).in_(workflows))
    return {name: count for name, count in session.execute(query.group_by(col(Trigger.workflow)))}


def misfit_of_case(session: Session, case_id: int) -> Mapping[str, str] | None:
    """`found, wanted, pointer` of the first event of a case that did not fit its schema."""
    first = select(col(Trigger.misfit)).where(col(Trigger.case_id) == case_id, col(Trigger.misfit).is_not(None))
    misfit = session.execute(first.order_by(col(Trigger.event_id)).limit(1)).scalar()
    return {name: str(misfit[name]) for name in ("found", "wanted", "pointer")} if misfit else None
