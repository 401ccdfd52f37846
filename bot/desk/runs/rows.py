"""A run within a transaction: its row, locked, its steps, and what its texts and conditions see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session, col

from bot.desk.deliveries import case_names
from bot.desk.kept import CONTENT, Kept, removed_from
from bot.desk.pages import owe_page_updates
from bot.desk.runs.owing import BY_THEMSELVES
from bot.desk.tx import Tx
from bot.rules.redaction import HIDDEN, restored, struck_out
from runbooks.engine import At, Begun, Progress
from runbooks.inputs import WrongInputs, first_values, read_inputs
from runbooks.policy import Policy
from runbooks.runbook import Runbook, Step
from store.models import Case, Event
from store.queries.quarantine import held_of_cases, misfit_of_case
from store.run_models import Run, RunStep
from store.sealing import Sealed, ToSeal, seal, unseal

LONGEST_BECAUSE = 1000
M = TypeVar("M")
_RUNS = Run.__table__  # type: ignore[attr-defined]
_STEPS = RunStep.__table__  # type: ignore[attr-defined]
_EVENTS = Event.__table__  # type: ignore[attr-defined]
_CHANGING = (
    "event_id",
    "mode",
    "state",
    "position",
    "inputs",
    "item_id",
    "upto_id",
    "counts",
    "because",
    "due_at",
    "lease_until",
    "gives_up_at",
    "waits_for_yes_since",
    "proposed_at",
    "accepted_by",
    "accepted_at",
    "refused_by",
    "undo_by",
    "started_at",
    "ended_at",
)
_STEP_CHANGING = (
    "state",
    "generation",
    "key_born_at",
    "attempts",
    "unanswered",
    "ended_at",
    "until_at",
    "response",
    "sealed",
    "because",
    "link_id",
)
_STEP_SHOWN = ("state", "until_at", "because")
_SEEN = select(_RUNS).where(_RUNS.c.id == bindparam("id"))
_CASE = select(Case).where(col(Case.id) == bindparam("id")).with_for_update().execution_options(populate_existing=True)
_RUN = _SEEN.with_for_update()
_OF_RUN = (
    select(_STEPS)
    .where(_STEPS.c.run_id == bindparam("run_id"), _STEPS.c.item_id == bindparam("item_id"))
    .order_by(_STEPS.c.position)
)
_EVENT = select(*(_EVENTS.c[name] for name in CONTENT)).where(_EVENTS.c.id == bindparam("id"))
_SAVED = (
    update(_RUNS)
    .where(_RUNS.c.id == bindparam("_id"))
    .values(
        version=_RUNS.c.version + 1, **{name: bindparam(f"_{name}", type_=_RUNS.c[name].type) for name in _CHANGING}
    )
)
_STEP_SAVED = (
    update(_STEPS)
    .where(_STEPS.c.id == bindparam("_id"))
    .values(**{name: bindparam(f"_{name}", type_=_STEPS.c[name].type) for name in _STEP_CHANGING})
)


@dataclass(slots=True)
class Going:
    """A run that is being moved. `steps` are those of the event that it is at; `kept` None: it is about no event."""

    run: Run
    policy: Policy
    runbook: Runbook
    steps: dict[int, RunStep]
    case: Case | None
    kept: Kept | None
    about: Mapping[str, Any]
    removed_responses: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    children: frozenset[int] = frozenset()
    """The places of the steps that carried out a run of which something can be taken back."""
    looks_otherwise: bool = False
    """Whether the case's card, which shows the steps, is to be drawn again."""
    was: str = ""
    """The state of the run as people were told of it."""

    @property
    def item_id(self) -> int:
        """The event of a `for_each` that it is at; 0 where it has none."""
        return self.run.item_id or 0

    @property
    def event_id(self) -> int | None:
        """The event that it is about now."""
        return self.run.item_id or self.run.event_id

    def step(self, position: int) -> Step:
        """The step of the runbook at this place."""
        return self.runbook.steps[position]

    def struck(self, text: str) -> str:
        """The text as it may be kept and shown: bounded, and without what is taken out of the event."""
        removed = self.kept.removed if self.kept else None
        return struck_out(text, (removed or {}).values())[:LONGEST_BECAUSE]

    def waits_until(self, position: int, now: datetime) -> datetime | None:
        """When a step that begins to wait now has waited long enough; None: it waits as long as it takes."""
        timeout = self.step(position).timeout
        return now + timedelta(seconds=timeout.seconds) if timeout else None

    def progress(self) -> Progress:
        """The run as the engine sees it."""
        begun = {
            position: Begun(At(row.state), row.until_at, row.kind == "pause", row.because)
            for position, row in self.steps.items()
        }
        return Progress(self.runbook, begun, self.run.state == "undoing", self._gives_up_at(), self.children)

    def _gives_up_at(self) -> Any:
        return None if self.run.waits_for_yes_since else self.run.gives_up_at

    def touch(self, position: int, **values: Any) -> RunStep:
        """Changes a step; it is written with the run."""
        row = self.steps[position]
        for name, value in values.items():
            self.looks_otherwise |= name in _STEP_SHOWN and getattr(row, name) != value
            setattr(row, name, value)
        self.changed.add(position)
        return row


def load(tx: Tx, run_id: int) -> Going | None:
    """The run, locked after its case, as whoever acts on a case locks it first; None: there is none."""
    connection = tx.session.connection()
    row = connection.execute(_SEEN, {"id": run_id}).one_or_none()
    if row is None:
        return None
    case = tx.session.execute(_CASE, {"id": row.case_id}).scalar_one() if row.case_id else None
    if connection.dialect.name != "sqlite":  # where one writer is alone, nobody changed it meanwhile
        row = connection.execute(_RUN, {"id": run_id}).one()
    return _going(tx, _held(Run, row._mapping), case)


def _held(model: type[M], values: Any) -> M:
    """A row that is changed here and written by `save`, and that no session knows: making a model costs more than all
    else that a step does in Python."""
    columns = model.__table__.columns  # type: ignore[attr-defined]
    return cast(M, SimpleNamespace(**{**dict.fromkeys(columns.keys()), **values}))


def see(tx: Tx, run: Run) -> Going:
    """The run as it was read, to look at only: nothing is locked."""
    return _going(tx, run, tx.session.get(Case, run.case_id) if run.case_id else None)


def _going(tx: Tx, run: Run, case: Case | None) -> Going:
    policy = tx.policies.compiled(tx.session, run.policy_digest)
    going = Going(run, policy, policy.runbooks[run.runbook], {}, case, None, _about(tx, case), was=run.state)
    see_item(tx, going)
    return going


def see_item(tx: Tx, going: Going) -> None:
    """Reads the steps and the event that the run is at now; what changed of those of another event is written."""
    run = going.run
    _write_steps(tx, going)
    rows = tx.session.connection().execute(_OF_RUN, {"run_id": run.id, "item_id": going.item_id})
    going.steps = {row.position: _held(RunStep, row._mapping) for row in rows}
    going.kept = _kept(tx, going.event_id)
    going.removed_responses = _unsealed(tx, going)


def _kept(tx: Tx, event_id: int | None) -> Kept | None:
    if event_id is None:
        return None
    event = tx.session.connection().execute(_EVENT, {"id": event_id}).one_or_none()
    return Kept(event.content, removed_from(tx.session, [event])[0], event.gone) if event else None


def _about(tx: Tx, case: Case | None) -> dict[str, Any]:
    if case is None:
        return {}
    held = held_of_cases(tx.session, [case.id]).get(case.id, 0)
    return case_names(case, quarantined=held, misfit=misfit_of_case(tx.session, case.id))


def names_of(tx: Tx, going: Going, *, shown: bool) -> dict[str, Any]:
    """What the run's texts and conditions see; `shown`: as it may be said to people."""
    steps = {row.name: {"response": _response(going, row, shown)} for row in going.steps.values()}
    return {
        "event": _event(going.kept, shown=shown),
        "case": going.about,
        "inputs": going.run.inputs if shown else _clear_inputs(tx, going),
        "steps": steps,
        "asker": going.run.asked_by,
        "now": tx.now,
    }


def _event(kept: Kept | None, *, shown: bool) -> dict[str, Any]:
    if kept is None:
        return {}
    return dict(kept.shown) if shown else restored(kept.shown, kept.removed or {})


def _clear_inputs(tx: Tx, going: Going) -> dict[str, Any]:
    """The inputs with those filled in anew that nobody was asked for and that are kept without a redacted value; a
    run that a step carries out has those of the first one."""
    inputs = going.run.inputs
    hidden = [name for name, value in inputs.items() if isinstance(value, str) and HIDDEN in value]
    first = first_of(tx, going.run) if hidden else going.run
    if not hidden or first.cause not in BY_THEMSELVES:
        return inputs
    runbook = going.policy.runbooks[first.runbook]
    kept = going.kept if first.event_id == going.event_id else _kept(tx, first.event_id)
    event, now = _event(kept, shown=False), first.started_at or tx.now
    names = {"event": event, "case": going.about, "inputs": {}, "steps": {}, "asker": first.asked_by, "now": now}
    try:
        clear = read_inputs(runbook, first_values(runbook, names))
    except WrongInputs:
        return inputs
    return inputs | {name: clear.get(name, inputs[name]) for name in hidden}


def parents_of(tx: Tx, run: Run) -> list[Any]:
    """The rows of the runs by whose steps this one is carried out, the nearest first."""
    found: list[Any] = []
    parent_id = run.parent_id
    while parent_id is not None:
        found.append(tx.session.connection().execute(_SEEN, {"id": parent_id}).one())
        parent_id = found[-1].parent_id
    return found


def first_of(tx: Tx, run: Run) -> Any:
    """The run that began all of it: the run itself, or the one by whose steps it is carried out in the end."""
    return (parents_of(tx, run) or [run])[-1]


def _response(going: Going, row: RunStep, shown: bool) -> Any:
    sealed = going.removed_responses.get(row.position)
    return row.response if shown or sealed is None else sealed


def begin(tx: Tx, going: Going, position: int, *, state: str = "under_way") -> RunStep:
    """The step at this place is begun."""
    step = going.step(position)
    row: dict[str, Any] = {
        "run_id": going.run.id,
        "item_id": going.item_id,
        "position": position,
        "name": step.name,
        "kind": step.kind,
        "state": state,
        "generation": 1,
        "attempts": 0,
        "unanswered": 0,
        "started_at": tx.now,
        "because": "",
    }
    row["id"] = tx.session.connection().execute(insert(_STEPS).returning(_STEPS.c.id), row).scalar_one()
    going.steps[position] = _held(RunStep, row)
    return going.steps[position]


def save(tx: Tx, going: Going) -> None:
    """Writes the run and what changed of its steps, which the card shows: it is owed when one ends or waits."""
    run, connection = going.run, tx.session.connection()
    connection.execute(_SAVED, {"_id": run.id, **{f"_{name}": getattr(run, name) for name in _CHANGING}})
    run.version += 1
    _show(tx, going, _write_steps(tx, going))
    going.looks_otherwise, going.was = False, run.state


def save_steps(tx: Tx, going: Going) -> None:
    """Writes what changed of its steps alone: whoever carries the run on goes on as they were."""
    _write_steps(tx, going)


def _write_steps(tx: Tx, going: Going) -> list[RunStep]:
    rows = [going.steps[position] for position in sorted(going.changed)]
    if rows:
        values = [{"_id": row.id, **{f"_{name}": getattr(row, name) for name in _STEP_CHANGING}} for row in rows]
        tx.session.connection().execute(_STEP_SAVED, values)
    going.changed = set()
    return rows


def _show(tx: Tx, going: Going, rows: Sequence[RunStep]) -> None:
    """What people have of the run is drawn again: the card, and direct messages that asked something of them."""
    is_other = going.run.state != going.was
    if going.case is None or not (is_other or going.looks_otherwise):
        return
    tx.owe_card(going.case.id, going.case.channel)
    if is_other or any(row.kind == "ask" for row in rows):
        owe_page_updates(tx, [going.case])


def is_forgotten(session: Session, run_id: int | None) -> bool:
    """Whether what its steps got is no longer kept."""
    gone = select(col(RunStep.id)).where(col(RunStep.run_id) == run_id, col(RunStep.gone_at).is_not(None))
    return session.execute(gone.limit(1)).first() is not None


def seal_response(tx: Tx, going: Going, position: int, whole: Mapping[str, Any]) -> None:
    """Keeps what a step got where it may not be shown as it is, under the key of the event's subject."""
    event_id = going.event_id
    key = tx.session.connection().execute(_EVENT, {"id": event_id}).one().subject_key if event_id else None
    if event_id and key:
        going.touch(position, sealed=seal(tx.session, [ToSeal(event_id, key, whole)], at=tx.now)[0])
        going.removed_responses[position] = whole


def _unsealed(tx: Tx, going: Going) -> dict[int, Mapping[str, Any]]:
    having = [row for row in going.steps.values() if row.sealed]
    event_id = going.event_id
    if not having or event_id is None:
        return {}
    key = tx.session.connection().execute(_EVENT, {"id": event_id}).one().subject_key
    opened = unseal(tx.session, [Sealed(event_id, key, row.sealed or "") for row in having])
    return {row.position: values for row, values in zip(having, opened, strict=True) if values is not None}
