"""The figures of workflows: what came lately and what became of it, and what waits for somebody now. Drills are no
part of any of them.

Nearly all events come to a good end, so those that did not are counted, each kind by an index of its own, and taken
off the whole. None of these questions reads what is over, but for the one count of what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlmodel import Session, col

from store.columns import Instant
from store.contract_models import ConnectorState, Trigger

LEFT_OUT = ("ignored", "shadowed", "released", "dropped")
"""What came and is no part of the rate: it was not to be delivered, or it is counted as what was released of it."""


@dataclass(slots=True)
class Figures:
    """Of one workflow. Since the moment that was asked for: `came`, of these `succeeded` (delivered, and done where an
    outcome is awaited) and `pending` (under way, or waiting for its outcome). Now: events in quarantine and on their
    way, outcomes that match nothing, open cases by failure mode. `last_event_at`: of all times."""

    came: int = 0
    succeeded: int = 0
    pending: int = 0
    quarantined: int = 0
    under_way: int = 0
    unmatched: int = 0
    open_cases: dict[str, int] = field(default_factory=dict)
    last_event_at: datetime | None = None

    @property
    def rate(self) -> float | None:
        """The share of what came that succeeded; None where nothing came."""
        return self.succeeded / self.came if self.came else None


def figures(session: Session, workflows: Sequence[str], *, since: datetime) -> dict[str, Figures]:
    """The figures of each of these workflows."""
    found = {name: Figures(last_event_at=last_event_at(session, name)) for name in workflows}
    given = {"workflows": list(workflows), "since": since}
    _count_lately(session, found, given)
    for statement, name_of_figure in (
        (_UNDER_WAY, "under_way"),
        (_QUARANTINED, "quarantined"),
        (_UNMATCHED, "unmatched"),
    ):
        for name, count in session.execute(statement, given):
            setattr(found[name], name_of_figure, count)
    for name, mode, count in session.execute(_OPEN_CASES, given):
        found[name].open_cases[mode] = count
    return found


def _count_lately(session: Session, found: Mapping[str, Figures], given: Mapping[str, Any]) -> None:
    for name, count in session.execute(_CAME, given):
        found[name].came = found[name].succeeded = count
    for name, state, is_drill, count in session.execute(_ASTRAY, given):
        _take_off(found[name], count, came=is_drill or state in LEFT_OUT)
    for name, count in session.execute(_DRILLS_THAT_WENT_WELL, given):
        _take_off(found[name], count, came=True)
    for statement, is_pending in ((_SENDING, True), (_WAITING, True), (_IN_VAIN, False)):
        for name, count in session.execute(statement, given):
            _take_off(found[name], count, came=False)
            found[name].pending += count if is_pending else 0


def _take_off(of: Figures, count: int, *, came: bool) -> None:
    of.succeeded -= count
    of.came -= count if came else 0


def last_event_at(session: Session, workflow: str) -> datetime | None:
    """When the last event of the workflow came."""
    last = select(col(Trigger.received_at)).where(col(Trigger.workflow) == workflow, col(Trigger.is_drill).is_(False))
    return session.execute(last.order_by(col(Trigger.received_at).desc()).limit(1)).scalar_one_or_none()


def connectors_held(session: Session) -> Mapping[str, str]:
    """The connectors to which nothing is sent for now, and why."""
    rows = select(col(ConnectorState.connector), col(ConnectorState.because))
    return {name: because for name, because in session.execute(rows.where(col(ConnectorState.state) != "closed"))}


def _asked(sql: str) -> Any:
    """The SQL has the words of the partial indexes as they have them: a parameter would match none. SQLite joins in
    the order of a CROSS JOIN, from the few rows to the many."""
    wanted: list[Any] = [bindparam("workflows", expanding=True)] if ":workflows" in sql else []
    return text(sql).bindparams(*wanted, *([bindparam("since", type_=Instant)] if ":since" in sql else []))


_CAME = _asked(
    "SELECT workflow, count(*) FROM triggers WHERE workflow IN :workflows AND received_at >= :since GROUP BY workflow"
)
_ASTRAY = _asked(
    "SELECT workflow, state, is_drill, count(*) FROM triggers "
    "WHERE state IN ('failed', 'quarantined', 'ignored', 'shadowed', 'released', 'dropped') "
    "AND workflow IN :workflows AND received_at >= :since GROUP BY workflow, state, is_drill"
)
_DRILLS_THAT_WENT_WELL = _asked(
    "SELECT workflow, count(*) FROM triggers WHERE is_drill AND workflow IN :workflows AND received_at >= :since "
    "AND state IN ('accepted', 'delivering', 'delivered') GROUP BY workflow"
)
_UNDER_WAY = _asked(
    "SELECT workflow, count(*) FROM deliveries WHERE due_at IS NOT NULL AND workflow IN :workflows "
    "AND event_id NOT IN (SELECT event_id FROM triggers WHERE is_drill) GROUP BY workflow"
)
_SENDING = _asked(
    "SELECT t.workflow, count(*) FROM deliveries d CROSS JOIN triggers t WHERE d.due_at IS NOT NULL "
    "AND t.event_id = d.event_id AND t.state = 'delivering' AND NOT t.is_drill AND t.workflow IN :workflows "
    "AND t.received_at >= :since GROUP BY t.workflow"
)
_WAITING = _asked(
    "SELECT t.workflow, count(*) FROM expected e CROSS JOIN triggers t WHERE e.due_at IS NOT NULL "
    "AND t.event_id = e.event_id AND NOT t.is_drill AND t.workflow IN :workflows AND t.received_at >= :since "
    "GROUP BY t.workflow"
)
_IN_VAIN = _asked(
    "SELECT t.workflow, count(*) FROM expected e CROSS JOIN triggers t WHERE e.state IN ('missing', 'failed') "
    "AND e.workflow IN :workflows AND e.since_at >= :since AND t.event_id = e.event_id AND NOT t.is_drill "
    "AND t.received_at >= :since GROUP BY t.workflow"
)
_QUARANTINED = _asked(
    "SELECT workflow, count(*) FROM triggers WHERE state = 'quarantined' AND workflow IN :workflows "
    "AND NOT is_drill GROUP BY workflow"
)
_UNMATCHED = _asked(
    "SELECT workflow, count(*) FROM outcomes WHERE state IN ('early', 'unmatched') AND state = 'unmatched' "
    "AND workflow IN :workflows GROUP BY workflow"
)
_OPEN_CASES = _asked(
    "SELECT workflow, failure_mode, count(*) FROM cases WHERE closed_at IS NULL AND NOT is_drill "
    "AND workflow IN :workflows GROUP BY workflow, failure_mode"
)
