"""Runs begin: pressed by a person, or owed by what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlmodel import Session, col

from bot.desk import clocks
from bot.desk.acting import begin, check_right, finish
from bot.desk.commands import Outcome
from bot.desk.deliveries import case_names
from bot.desk.kept import removed_from
from bot.desk.tx import Tx
from bot.rules.approvals import is_needed
from bot.rules.permissions import Act
from bot.rules.redaction import restored
from bot.rules.refusals import Refused
from bot.rules.saying import What
from runbooks.inputs import WrongInputs, read_inputs
from runbooks.policy import Policy
from runbooks.runbook import Runbook
from store.contract_models import Trigger
from store.models import Case, Event
from store.queries.quarantine import HELD, held_of_cases, misfit_of_case
from store.run_models import Run, RunStep

FAILED = ("failed", "stopped")
TAKEN_BACK = ("undoing", "undone", "not_undone")
_RUNS = Run.__table__  # type: ignore[attr-defined]
_COLUMNS = tuple(column.name for column in _RUNS.columns if column.name != "id")


@dataclass(frozen=True, slots=True)
class StartRun:
    """Carry out a runbook of the case. `inputs` are what the form has; `confirmed`: a person said yes to what may
    happen twice."""

    case_id: int
    runbook: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    confirmed: bool = False
    request_key: str | None = None


class InputsRefused(Refused):
    """Inputs that cannot be taken: what is wrong with each, by its name."""

    def __init__(self, wrong: Mapping[str, str], case_id: int) -> None:
        words = "; ".join(f"{name}: {why}" for name, why in wrong.items())
        super().__init__("wrong_inputs", f"{words}.", case_id=case_id)
        self.wrong = dict(wrong)


def offered(policy_of_case: Policy, policy: Policy, case: Case) -> dict[str, tuple[Runbook, Policy]]:
    """The runbooks of the case's failure mode, in their order, each as it is now; one that the policy of now has no
    more is as it was when the case was opened."""
    names = clocks.terms(policy_of_case, case).runbooks
    found = {}
    for name in names:
        by = policy if name in policy.runbooks else policy_of_case
        found[name] = by.runbooks[name], by
    return found


def start(tx: Tx, command: StartRun) -> Outcome:
    """The run is owed; it begins after the commit, or when it was approved. Refused for somebody whom the runbook does
    not allow, for inputs that cannot be taken (`InputsRefused`), and while the same runbook is under way."""
    acting = begin(tx, command, Act.NOTE)
    if isinstance(acting, Outcome):
        return acting
    case = acting.case
    runbook, policy = find_offered(tx, case, command.runbook)
    check_startable(tx, case, runbook)
    try:
        inputs = read_inputs(runbook, command.inputs)
    except WrongInputs as wrong:
        raise InputsRefused(wrong.wrong, case.id) from None
    run_id = owe_run(tx, pressed(tx, case, runbook, policy, inputs, confirmed=command.confirmed))
    tx.record("run.asked_for", case_id=case.id, run=run_id, runbook=runbook.name, policy=policy.digest)
    return finish(tx, acting, What.RUN_STARTED, {"by": tx.actor.id, "runbook": runbook.title, "run": run_id})


def find_offered(tx: Tx, case: Case, name: str) -> tuple[Runbook, Policy]:
    """The runbook of the case that has this name. Raises `Refused` that names those that it has."""
    found = offered(tx.policy_of(case), tx.policy, case)
    if name not in found:
        known = ", ".join(found) or "none"
        raise Refused("no_such_runbook", f"{case.ref} has no runbook {name!r}; it has: {known}.", case_id=case.id)
    return found[name]


def check_startable(tx: Tx, case: Case, runbook: Runbook) -> None:
    """Passes where the runbook may be started on the case now, by the actor. Raises `Refused` that says why not."""
    if case.is_drill:
        raise Refused("drill", f"{case.ref} is a drill: nothing of it may leave. It closes by itself.")
    if not case.is_open:
        raise Refused("closed", f"{case.ref} is closed; reopen it with a reason to run {runbook.title}.")
    check_right(tx, case, runbook.allow)
    busy = select(col(Run.id)).where(
        col(Run.case_id) == case.id, col(Run.runbook) == runbook.name, col(Run.ended_at).is_(None)
    )
    if tx.session.execute(busy.limit(1)).first():
        raise Refused("under_way", f"{runbook.title} is under way on {case.ref}; its card shows how far it is.")


def pressed(tx: Tx, case: Case, runbook: Runbook, policy: Policy, inputs: Mapping[str, Any], *, confirmed: bool) -> Run:
    """The run of a runbook that somebody pressed."""
    return of_case(tx, case, runbook, policy, cause="pressed", inputs=inputs, confirmed=confirmed)


def of_case(
    tx: Tx,
    case: Case,
    runbook: Runbook,
    policy: Policy,
    *,
    cause: str,
    inputs: Mapping[str, Any] | None = None,
    confirmed: bool = False,
) -> Run:
    """The run of a runbook on a case. With `for_each` it is carried out for the events that are held now."""
    upto = _last_held(tx, case.id) if runbook.for_each else None
    if runbook.for_each and upto is None:
        raise Refused("nothing_held", f"Nothing of {case.ref} is held in quarantine any more.", case_id=case.id)
    names = form_names(tx, case, shown=False) | {"inputs": dict(inputs or {}), "steps": {}}
    is_asked_first = runbook.mode == "live" and is_needed(runbook.approval, names, is_for_many=upto is not None).met
    return Run(
        case_id=case.id,
        event_id=case.event_id,
        workflow=case.workflow,
        runbook=runbook.name,
        policy_digest=policy.digest,
        cause=cause,
        mode=runbook.mode,
        asked_by=tx.actor.id,
        asked_at=tx.now,
        inputs=dict(inputs or {}),
        state="approving" if is_asked_first else "running",
        upto_id=upto,
        counts={"confirmed": 1} if confirmed else {},
        due_at=tx.now,
    )


def _last_held(tx: Tx, case_id: int) -> int | None:
    held = select(col(Trigger.event_id)).where(col(Trigger.case_id) == case_id, col(Trigger.state) == HELD)
    return tx.session.execute(held.order_by(col(Trigger.event_id).desc()).limit(1)).scalar()


def owe_run(tx: Tx, run: Run) -> int:
    """Writes the run, which is carried out after the commit; its number."""
    if run.due_at is None and run.state == "running":
        run.due_at = tx.now
    row = {name: getattr(run, name) for name in _COLUMNS}
    return int(tx.session.connection().execute(insert(_RUNS).returning(_RUNS.c.id), row).scalar_one())


def take_up(tx: Tx, run_id: int, *, anew: bool = False) -> None:
    """A run that failed goes on at the step that failed, and so does the one that this step carried out. That goes
    under a new key; under the same one while nobody knows what a request under it did, unless a person said yes to what
    may happen twice (`anew`)."""
    for step in tx.session.execute(_LEFT.where(col(RunStep.run_id) == run_id)).all():
        values: dict[str, Any] = {"state": "under_way", "ended_at": None, "attempts": 1}
        if step.kind == "run" and can_go_on(tx.session, step.link_id):
            take_up(tx, step.link_id, anew=anew)
            values |= {"state": "waiting", "until_at": step.until_at and tx.now + (step.until_at - step.started_at)}
        elif anew or not is_unknown(step):
            values |= {"attempts": 0, "unanswered": 0, "generation": step.generation + 1, "key_born_at": None}
        again = update(RunStep).where(col(RunStep.id) == step.id).values(**values)
        tx.session.execute(again.execution_options(synchronize_session=False))
    goes_on = update(Run).where(col(Run.id) == run_id)
    values = {"state": "running", "ended_at": None, "due_at": tx.now, "because": "", "version": Run.version + 1}
    tx.session.execute(goes_on.values(**values).execution_options(synchronize_session=False))


_LEFT = select(
    col(RunStep.id),
    col(RunStep.kind),
    col(RunStep.generation),
    col(RunStep.key_born_at),
    col(RunStep.unanswered),
    col(RunStep.link_id),
    col(RunStep.started_at),
    col(RunStep.until_at),
).where(col(RunStep.state).in_(("failed", "under_way")))
"""The steps at which a run that is over was left."""


def is_unknown(step: Any) -> bool:
    """Whether nobody knows what a request under the key of a step did."""
    return step.key_born_at is not None and step.unanswered > 0


def unknown_since(session: Session, run_id: int) -> datetime | None:
    """Since when there is a key of which nobody knows what a request under it did, in the run or in one that its steps
    carried out; the oldest."""
    steps = session.execute(_LEFT.where(col(RunStep.run_id) == run_id)).all()
    born = [step.key_born_at for step in steps if is_unknown(step)]
    return min(
        [*born, *filter(None, (unknown_since(session, child) for child in children(session, run_id)))], default=None
    )


def children(session: Session, run_id: int) -> list[int]:
    """The runs that its steps carried out."""
    return list(session.execute(select(col(Run.id)).where(col(Run.parent_id) == run_id)).scalars())


def can_go_on(session: Session, run_id: int | None) -> bool:
    """Whether a run may go on at the step that failed: it failed or was stopped, nothing of it was taken back, and what
    its steps got is still kept."""
    state = session.execute(select(col(Run.state)).where(col(Run.id) == run_id)).scalar()
    is_past = or_(col(RunStep.state).in_(TAKEN_BACK), col(RunStep.gone_at).is_not(None))
    past = session.execute(select(col(RunStep.id)).where(col(RunStep.run_id) == run_id, is_past).limit(1)).first()
    return state in FAILED and past is None


def form_names(tx: Tx, case: Case, *, shown: bool = True) -> dict[str, Any]:
    """What the defaults of a runbook's form see, before there is a run."""
    held = held_of_cases(tx.session, [case.id]).get(case.id, 0)
    about = case_names(case, quarantined=held, misfit=misfit_of_case(tx.session, case.id))
    event: Mapping[str, Any] = {}
    if case.event_id and (row := tx.session.get(Event, case.event_id)):
        removed = {} if shown else removed_from(tx.session, [row])[0] or {}
        event = restored(row.content, removed)
    return {"event": event, "case": about, "asker": tx.actor.id, "now": tx.now}
