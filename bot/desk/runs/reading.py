"""What there is to see of a case's runs: for its card, for readers over HTTP, and as evidence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, bindparam, cast, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from bot.desk.policies import Policies
from bot.desk.runs.items import not_begun
from bot.desk.runs.waking import SENDING
from runbooks.engine import cannot_be_undone
from runbooks.policy import Policy
from runbooks.runbook import Runbook
from store.models import Attempt, Delivery
from store.run_models import Run, RunApproval, RunAttempt, RunStep

FINISHED = ("done", "failed", "overtaken")
ASKING = ("approving", "proposed")
MOST_UNDER = 20
READ = 5
"""So many runs of a case are read for its card: those under way, and then the latest."""
UNDER_WAY = frozenset({"held", "approving", "running", "proposed", "undoing"})
_OF_CASE = (
    select(Run)
    .where(col(Run.case_id) == bindparam("case_id"))
    .where(or_(col(Run.parent_id).is_(None), col(Run.state).in_(ASKING)))
    .order_by(col(Run.ended_at).is_not(None), col(Run.id).desc())
    .limit(bindparam("most"))
)
_STEPS = (
    select(RunStep)
    .join(Run, and_(col(Run.id) == col(RunStep.run_id), func.coalesce(col(Run.item_id), 0) == col(RunStep.item_id)))
    .where(col(Run.id).in_(bindparam("ids", expanding=True)))
    .order_by(col(RunStep.id))
)
_APPROVALS = (
    select(RunApproval)
    .where(col(RunApproval.run_id).in_(bindparam("ids", expanding=True)))
    .order_by(col(RunApproval.run_id), col(RunApproval.seat))
)
"""Made once: each drawing of a card asks the first, and the others where there are runs."""


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run as people see it: its runbook as it was when it began, and the steps that were begun of the event that it
    is at, by their places."""

    run: Run
    policy: Policy
    steps: Mapping[int, RunStep] = field(default_factory=dict)
    approvals: Sequence[RunApproval] = ()
    finished: Collection[tuple[int, str]] = ()
    """Of one that is carried out for each of several events: the places that were finished for any of them, and how."""
    events: int = 0
    """For so many events it did something that can be taken back."""
    left: int = 0
    """For so many events nothing of it was begun yet."""
    under: Mapping[int, Sequence[RunSeen]] = field(default_factory=dict)
    """The runs that its steps carried out, by their places."""

    @property
    def runbook(self) -> Runbook:
        """What is carried out."""
        return self.policy.runbooks[self.run.runbook]

    @property
    def is_under_way(self) -> bool:
        """Whether it goes on, or waits for somebody."""
        return self.run.state in UNDER_WAY

    @property
    def at(self) -> int | None:
        """The place of the step that it is at; None where it is at none."""
        if self.run.state not in ("running", "undoing"):
            return None
        active = [at for at, row in self.steps.items() if row.state in ("under_way", "waiting", "undoing")]
        return max(active, default=len(self.steps) if self.run.state == "running" else None)

    @property
    def can_be_undone(self) -> list[str]:
        """The names of the finished steps that say how they are taken back, last first; of a run that a step carried
        out, those of its steps."""
        names: list[str] = []
        for at, state in reversed(self._finished()):
            step = self.runbook.steps[at]
            if step.undo and state == "done":
                names.append(step.name)
            elif not step.undo:
                names += self._of_those_under(at, lambda child: child.can_be_undone)
        return list(dict.fromkeys(names))

    @property
    def stays_done(self) -> list[str]:
        """The names of the finished steps that changed something and cannot be taken back."""
        lasting, names = set(cannot_be_undone(self.runbook)), list[str]()
        for at, state in self._finished():
            name = self.runbook.steps[at].name
            if at in self.under and name in lasting:
                names += self._of_those_under(at, lambda child: child.stays_done)
            elif state == "done" and name in lasting:
                names.append(name)
        return list(dict.fromkeys(names))

    def _finished(self) -> list[tuple[int, str]]:
        mine = {(at, row.state) for at, row in self.steps.items() if row.state in FINISHED}
        return sorted(mine | set(self.finished))

    def _of_those_under(self, at: int, names: Callable[[RunSeen], list[str]]) -> list[str]:
        step = self.runbook.steps[at].name
        return [f"{step}: {name}" for child in self.under.get(at, ()) for name in names(child)]


def runs_of_case(session: Session, policies: Policies, case_id: int, *, most: int = READ) -> tuple[RunSeen, ...]:
    """The runs of a case that nobody's step began, in their order, and all that wait for a yes; where there are more
    than `most`, those under way and the latest. A case without runs takes one look into an index."""
    runs = list(session.execute(_OF_CASE, {"case_id": case_id, "most": most}).scalars())
    return _seen(session, policies, sorted(runs, key=lambda run: run.id or 0)) if runs else ()


def find_run(session: Session, policies: Policies, run_id: int) -> RunSeen | None:
    """The run of this number."""
    run = session.get(Run, run_id)
    return _seen(session, policies, [run])[0] if run else None


def _seen(session: Session, policies: Policies, runs: Sequence[Run]) -> tuple[RunSeen, ...]:
    steps: dict[int, dict[int, RunStep]] = {}
    for row in session.execute(_STEPS, {"ids": [run.id for run in runs]}).scalars():
        steps.setdefault(row.run_id, {})[row.position] = row
    compiled = {run.id: policies.compiled(session, run.policy_digest) for run in runs}
    asked: dict[int, list[RunApproval]] = {}
    approved = [run.id for run in runs if compiled[run.id].runbooks[run.runbook].approval]
    for approval in session.execute(_APPROVALS, {"ids": approved}).scalars() if approved else ():
        asked.setdefault(approval.run_id, []).append(approval)
    seen = (RunSeen(run, compiled[run.id], steps.get(run.id or 0, {}), asked.get(run.id or 0, ())) for run in runs)
    return tuple(_with_all(session, policies, each) for each in seen)


_FINISHED = (
    select(col(RunStep.position), col(RunStep.state), func.count(func.distinct(col(RunStep.item_id))))
    .where(col(RunStep.run_id) == bindparam("id"), col(RunStep.state).in_(FINISHED))
    .group_by(col(RunStep.position), col(RunStep.state))
)
_UNDER = select(Run).where(col(Run.parent_id) == bindparam("id")).order_by(col(Run.id).desc()).limit(bindparam("most"))


def _with_all(session: Session, policies: Policies, seen: RunSeen) -> RunSeen:
    """With what was done for events before, and by runs that its steps carried out: all that Undo would take back. Of
    very many the latest are looked at, which have the same steps. Of one under way, what is left too."""
    if seen.is_under_way and seen.run.upto_id is not None:
        seen = replace(seen, left=not_begun(session, seen.run))
    if not any(step.run or step.undo for step in seen.runbook.steps):
        return seen
    found = list(session.execute(_FINISHED, {"id": seen.run.id})) if seen.run.upto_id is not None else []
    taken = [count for at, state, count in found if seen.runbook.steps[at].run or state == "done"]
    under: dict[int, list[RunSeen]] = {}
    if any(step.run for step in seen.runbook.steps):
        runs = list(session.execute(_UNDER, {"id": seen.run.id, "most": MOST_UNDER}).scalars())
        for child in _seen(session, policies, runs):
            under.setdefault(child.run.parent_position or 0, []).append(child)
    finished = frozenset((at, state) for at, state, _ in found)
    return replace(seen, finished=finished, events=max(taken, default=0), under=under)


Asked = RunAttempt | Attempt
"""A request of a step, or of the delivery that one had sent again."""


def _has(name: str) -> ColumnElement[bool]:
    return cast(col(RunStep.response), Text).contains(f'"{name}":')


_SENT = or_(
    and_(_has("delivery"), col(Delivery.id) == col(RunStep.link_id)),
    and_(_has("released"), col(Delivery.event_id) == col(RunStep.link_id), col(Delivery.verb) == "deliver"),
)
_CARRIED_OUT = or_(col(RunStep.kind) == "run", and_(col(RunStep.kind).in_(SENDING), _has("run")))
_UNDER_IT = aliased(RunStep)
_REQUESTS: tuple[tuple[type[Asked], Any], ...] = (
    (RunAttempt, select(RunStep, RunAttempt).join(RunAttempt, col(RunAttempt.step_id) == col(RunStep.id))),
    (
        Attempt,
        select(RunStep, Attempt)
        .join(Delivery, and_(col(RunStep.kind).in_(SENDING), _SENT))
        .join(Attempt, col(Attempt.delivery_id) == col(Delivery.id)),
    ),
    (
        RunAttempt,
        select(_UNDER_IT, RunAttempt)
        .join_from(RunStep, _UNDER_IT, and_(_CARRIED_OUT, col(_UNDER_IT.run_id) == col(RunStep.link_id)))
        .join(RunAttempt, col(RunAttempt.step_id) == col(_UNDER_IT.id)),
    ),
)
"""The requests of steps: those that they made, those of the deliveries that they had sent again, and those of the steps
of the runs that they carried out or took up."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Some of a run's requests, the latest first, each with its step; and whether there are older ones."""

    seen: RunSeen
    shown: Sequence[tuple[RunStep, Asked]]
    has_older: bool


def evidence(session: Session, policies: Policies, run_id: int, *, page: int, size: int) -> Evidence | None:
    """A page of what a run asked and was answered; None: there is no such run."""
    seen = find_run(session, policies, run_id)
    if seen is None:
        return None
    first, upto = page * size, (page + 1) * size
    rows = [
        (step, asked)
        for model, requests in _REQUESTS
        for step, asked in session.execute(
            requests.where(col(RunStep.run_id) == run_id).order_by(col(model.id).desc()).limit(upto + 1)
        )
    ]
    rows.sort(key=lambda row: row[1].at, reverse=True)
    return Evidence(seen, rows[first:upto], len(rows) > upto)


def attempts_of(session: Session, seen: Sequence[RunSeen]) -> dict[int, list[Asked]]:
    """The requests of the steps of these runs in their order, by the number of the step."""
    ids = [row.id for each in seen for row in each.steps.values()]
    made: dict[int, list[Asked]] = {}
    for model, requests in _REQUESTS if ids else ():
        wanted = requests.where(col(RunStep.id).in_(ids)).order_by(col(model.id))
        for step, asked in session.execute(wanted):
            made.setdefault(step.id or 0, []).append(asked)
    return made
