"""What a policy that is proposed would change, looked at beside the writers: the difference in words, whose yes it
needs, and what it would have done to what came in the last 30 days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk.kept import removed_from
from bot.desk.policies import Policies
from bot.rules.admission import Verdict, admit
from bot.rules.changes import Need, needs
from bot.rules.redaction import restored
from bot.rules.routing import route
from runbooks.differences import changed_parts, differences, workflow_of
from runbooks.policy import Policy
from store.contract_models import Trigger
from store.models import Case, Event, PolicyInForce
from store.queries.quarantine import misfit_of_case

LOOKS_BACK = timedelta(days=30)
SAMPLE = 2_000
"""At most so many events, and so many cases, are looked at: the latest of each workflow, as many of each."""
AT_ONCE = 100
"""So many events are in memory at a time."""
CHANGES_KEPT = 100


@dataclass(frozen=True, slots=True)
class Compared:
    """A policy beside the one in force (`before`; None: none is). `told` is plain data for the card."""

    before: str | None
    parts: frozenset[str]
    needs: tuple[Need, ...]
    told: Mapping[str, Any]


def compare(session: Session, policies: Policies, after: Policy, *, now: datetime) -> Compared:
    """What changes if `after` comes into force now. Slow: not to be called in a transaction that writes."""
    digest = session.execute(select(col(PolicyInForce.digest))).scalar_one_or_none()
    if digest is None or digest == after.digest:
        return Compared(digest, frozenset(), (), {})
    before = policies.compiled(session, digest)
    parts = changed_parts(before, after)
    told = _words(before, after) | {"preview": preview(session, before, after, parts, now=now)}
    return Compared(digest, parts, needs(before, after, parts), told)


def _words(before: Policy, after: Policy) -> dict[str, Any]:
    found = differences(before, after)
    kept = [{"part": each.part, "words": each.words, "breaking": each.breaking} for each in found[:CHANGES_KEPT]]
    breaking = sum(change.breaking for change in found)
    return {"changes": kept, "count": len(found), "breaking": breaking, "versions": _versions(before, after)}


def _versions(before: Policy, after: Policy) -> dict[str, list[int]]:
    both = sorted(before.workflows.keys() & after.workflows.keys())
    pairs = {name: (before.workflows[name], after.workflows[name]) for name in both}
    return {name: [was.version, now.version] for name, (was, now) in pairs.items() if was.digest != now.digest}


def preview(
    session: Session, before: Policy, after: Policy, parts: Iterable[str], *, now: datetime
) -> dict[str, int | bool]:
    """What the change would have done to the events and cases of the last 30 days of the workflows that changed: how
    many were looked at, how many more and fewer would be in quarantine, how many cases would go elsewhere."""
    workflows = [name for part in sorted(parts) if (name := workflow_of(part))]
    figures: dict[str, int | bool] = {
        "events": 0,
        "more": 0,
        "fewer": 0,
        "cases": 0,
        "elsewhere": 0,
        "is_sample": False,
    }
    for workflow in workflows:
        most, since = max(SAMPLE // len(workflows), 1), now - LOOKS_BACK
        events, cases = _events(session, workflow, since, most), _cases(session, workflow, since, most)
        for held_before, held_after in _held(session, before, after, workflow, events, now):
            figures["events"] += 1
            figures["more"] += held_after and not held_before
            figures["fewer"] += held_before and not held_after
        figures["cases"] += len(cases)
        figures["elsewhere"] += sum(_goes_elsewhere(before, after, *each) for each in _with_events(session, cases))
        figures["is_sample"] = figures["is_sample"] or most in (len(events), len(cases))
    return figures


def _events(session: Session, workflow: str, since: datetime, most: int) -> Sequence[int]:
    came = col(Trigger.workflow) == workflow, col(Trigger.received_at) >= since, col(Trigger.is_drill).is_(False)
    latest = select(col(Trigger.event_id)).where(*came).order_by(col(Trigger.received_at).desc()).limit(most)
    return session.execute(latest).scalars().all()


def _cases(session: Session, workflow: str, since: datetime, most: int) -> Sequence[Case]:
    """Numbers grow with time, so the latest are read backwards, and no more of them than are wanted."""
    latest = select(Case).where(col(Case.workflow) == workflow, col(Case.is_drill).is_(False))
    found = session.execute(latest.order_by(col(Case.id).desc()).limit(most)).scalars()
    return [case for case in found if case.opened_at >= since]


def _held(
    session: Session, before: Policy, after: Policy, workflow: str, events: Sequence[int], now: datetime
) -> Iterator[tuple[bool, bool]]:
    """Of each event, whether it is held in quarantine by the one policy and by the other."""
    for _, content in _contents(session, events):
        yield _is_held(before, workflow, content, now), _is_held(after, workflow, content, now)


def _contents(session: Session, ids: Sequence[int]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The events as they came, by their ids; those whose subject was erased are left out."""
    for start in range(0, len(ids), AT_ONCE):
        among = select(Event).where(col(Event.id).in_(ids[start : start + AT_ONCE]))
        found = session.execute(among).scalars().all()
        for event, removed in zip(found, removed_from(session, found), strict=True):
            if removed is not None:
                yield event.id, restored(event.content, removed)


def _is_held(policy: Policy, workflow: str, content: Mapping[str, Any], now: datetime) -> bool:
    schema, contract = policy.event_schemas.get(workflow), policy.workflows.get(workflow)
    violations = schema.misfits(content) if schema else ()
    names = {"event": content, "now": now}
    admission = admit(contract, content, violations, names=names, digest=lambda _: "")
    return admission.verdict is Verdict.QUARANTINE


def _with_events(
    session: Session, cases: Sequence[Case]
) -> Iterator[tuple[Case, Mapping[str, Any], Mapping[str, str] | None]]:
    """Each case with the event that it was opened with (an empty one where there is none, or it was erased), and how an
    event of it missed its schema."""
    for start in range(0, len(cases), AT_ONCE):
        some = cases[start : start + AT_ONCE]
        events = dict(_contents(session, [case.event_id for case in some if case.event_id is not None]))
        yield from ((case, events.get(case.event_id or 0, {}), misfit_of_case(session, case.id)) for case in some)


def _goes_elsewhere(
    before: Policy, after: Policy, case: Case, event: Mapping[str, Any], misfit: Mapping[str, str] | None
) -> bool:
    about = {
        "title": case.title,
        "subject": case.subject,
        "priority": None,
        "state": "queued",
        "workflow": case.workflow,
        "failure_mode": case.failure_mode,
        "risk": case.risk,
        "opened_at": case.opened_at,
        "quarantined": int(misfit is not None),
        **({"misfit": dict(misfit)} if misfit else {}),
    }
    names = {"event": event, "case": about, "now": case.opened_at}
    was, now = (
        route(policy, workflow=case.workflow, failure_mode=case.failure_mode, names=names).terms
        for policy in (before, after)
    )
    return (was.route, was.owner) != (now.route, now.owner)
