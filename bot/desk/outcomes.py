"""Outcomes come in, each for the event whose id it renders to; and events that were delivered wait for theirs.

An outcome and the delivery of its event may be written at the same moment. Both lock the event's row first, so that
one of them sees the other; an outcome that came before its event was even there is looked for once more when the
window has passed (`bot.desk.missing`). So none is overlooked, whichever came first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlmodel import col

from bot.desk.intake import report_policy_fault
from bot.desk.kept import content_digest
from bot.desk.once import KeyReused, Submission, once
from bot.desk.people import find_role
from bot.desk.runs.waking import wake_waiting
from bot.desk.settling import Awaited, Heard, awaited, settle_all, write
from bot.desk.tx import Tx
from bot.rules.actors import Actor, source
from bot.rules.admission import LONGEST_IDENTITY
from bot.rules.outcomes import Meaning, Read, read
from bot.rules.redaction import HIDDEN, hides, masked
from bot.rules.routing import terms
from bot.rules.windows import due
from runbooks.contracts import OutcomeRule
from runbooks.policy import Policy
from store.contract_models import Expected, OutcomeCame, Trigger
from store.rows import insert_rows, lock_rows
from store.sealing import desk_key


@dataclass(frozen=True, slots=True)
class Came:
    """An outcome as it came."""

    by: Actor
    workflow: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an outcome: its event (None: there is none yet), and `done`, `failed`, `late` (done, after the
    window), `waiting` (it says neither), `unclear` (the contract has a fault), `early` (its event is not delivered
    yet) or `unmatched` (no event is known by its id)."""

    event: str | None
    status: str
    case: str | None = None
    because: str | None = None


@dataclass(frozen=True, slots=True)
class _Before:
    """The same outcome as it came before."""

    status: str
    event_id: int | None


@dataclass(slots=True)
class _Outcome:
    """An outcome within this call, and what is found out about it. `before`: it is a repeat of that one."""

    came: Came
    read: Read
    content: Mapping[str, Any]
    digest: str
    event_id: int | None = None
    heard: Heard | None = None
    before: _Before | _Outcome | None = None

    @property
    def key(self) -> str:
        """The id that it renders to; "" where it cannot."""
        return self.read.key or ""

    @property
    def name(self) -> str:
        """Its id among those of all workflows."""
        return f"{self.came.workflow}\0{self.key}"

    @property
    def state(self) -> str:
        """How it is kept."""
        if self.heard:
            return "matched"
        return "early" if self.event_id else "unmatched"

    @property
    def status(self) -> str:
        """What its sender is told."""
        if self.before:
            return self.before.status
        return self.heard.settled.status if self.heard else self.state


def take(tx: Tx, submissions: Sequence[Submission[Came]]) -> list[tuple[Taken, ...] | KeyReused]:
    """One answer per submission: what became of each outcome, or `KeyReused`. Everything is committed together. The
    same outcome again, since its event was last delivered, changes nothing and is answered as before."""
    return once(tx, submissions, _take_in, Taken)


def _take_in(tx: Tx, came: Sequence[Came]) -> list[Taken]:
    key = desk_key(tx.session)
    outcomes = [_read(tx, each, key) for each in came]
    keys = {each.key for each in outcomes if each.key}
    events = _events(tx, keys)
    waiting = awaited(tx, events.values())
    fresh = _without_repeats(tx, outcomes, keys)
    for each in fresh:
        each.event_id = events.get(each.name)
        waits = waiting.get(each.event_id or 0)
        each.heard = Heard(waits, each.read, each.came.by) if waits else None
    settle_all(tx, [each.heard for each in fresh if each.heard])
    for each in fresh:
        if each.read.fault and not each.heard:
            report_policy_fault(tx, each.came.workflow, each.read.fault)
    _keep(tx, fresh)
    wake_waiting(tx, {each.came.workflow for each in fresh})
    return [_answer(each, waiting, events) for each in outcomes]


def _read(tx: Tx, came: Came, key: bytes) -> _Outcome:
    """The outcome by the contract of now. Fields that the contract redacts are not kept."""
    contract = tx.policy.workflows.get(came.workflow)
    redact = contract.trigger.redact if contract and contract.trigger else ()
    content = masked(came.content, redact).content
    if contract is None or contract.outcome is None:
        found = Read(None, Meaning.UNCLEAR, "the contract waits for no outcome")
    else:
        found = read(contract.outcome, {"outcome": came.content, "now": tx.now})
    facts = {path: HIDDEN if hides(redact, path) else value for path, value in found.facts.items()}
    shown = replace(found, key=found.key[:LONGEST_IDENTITY] if found.key else None, facts=facts)
    return _Outcome(came, shown, content, content_digest(key, [came.workflow, shown.key, content]))


def _events(tx: Tx, keys: set[str]) -> dict[str, int]:
    """The events of these identities, locked in the order of their ids."""
    if not keys:
        return {}
    return {
        f"{workflow}\0{identity}": event_id for workflow, identity, event_id in lock_rows(tx.session, _EVENTS, keys)
    }


_EVENTS = "SELECT workflow, identity, event_id FROM triggers WHERE identity AMONG ORDER BY event_id"
_SAME = (
    select(col(OutcomeCame.digest), col(OutcomeCame.status), col(OutcomeCame.event_id))
    .where(
        col(OutcomeCame.key).in_(bindparam("keys", expanding=True)),
        col(OutcomeCame.digest).in_(bindparam("digests", expanding=True)),
        col(OutcomeCame.state) != "superseded",
        col(OutcomeCame.meaning) != Meaning.UNCLEAR.value,
    )
    .order_by(col(OutcomeCame.id).desc())
)


def _without_repeats(tx: Tx, outcomes: Sequence[_Outcome], keys: set[str]) -> list[_Outcome]:
    """Those that did not come before; a repeat in the same call is one of its first. What a fault of the contract kept
    from being understood is looked at again."""
    wanted = {"keys": [*keys, ""], "digests": [each.digest for each in outcomes]}
    before = {digest: _Before(status, event_id) for digest, status, event_id in tx.session.execute(_SAME, wanted)}
    first: dict[str, _Outcome] = {}
    for each in outcomes:
        each.before = before.get(each.digest) or first.get(each.digest)
        if not each.before:
            first[each.digest] = each
    return list(first.values())


def _keep(tx: Tx, fresh: Sequence[_Outcome]) -> None:
    rows = [
        {
            "workflow": each.came.workflow,
            "key": each.key,
            "digest": each.digest,
            "content": dict(each.content),
            "meaning": each.read.meaning.value,
            "because": each.read.because,
            "status": each.status,
            "received_at": tx.now,
            "source": each.came.by.id,
            "state": each.state,
            "event_id": each.event_id,
        }
        for each in fresh
    ]
    insert_rows(tx.session, OutcomeCame, rows)
    for each in fresh:
        tx.record(
            "outcome.came",
            workflow=each.came.workflow,
            actor=each.came.by,
            event=each.event_id,
            digest=each.digest,
            status=each.status,
            because=each.read.because,
        )


def _answer(each: _Outcome, waiting: Mapping[int, Awaited], events: Mapping[str, int]) -> Taken:
    event_id = each.event_id or events.get(each.name)
    waits = waiting.get(event_id or 0)
    case_id = waits.case_id if waits and each.status in ("failed", "late") else None
    return Taken(
        f"E-{event_id}" if event_id else None,
        each.status,
        f"C-{case_id}" if case_id else None,
        each.read.because if each.read.key is None or each.status == "unclear" else None,
    )


# --- what waits for an outcome


@dataclass(frozen=True, slots=True)
class Landed:
    """An event that was delivered, and the policy that it was delivered by."""

    event_id: int
    workflow: str
    policy: Policy
    was_there: bool = False
    """The receiver had it already."""

    @property
    def rule(self) -> OutcomeRule | None:
        """What its contract waits for."""
        contract = self.policy.workflows.get(self.workflow)
        return contract.outcome if contract else None


def expect(tx: Tx, landed: Sequence[Landed]) -> None:
    """From now on the contract's window runs in which each event's outcome has to come; those that came already are
    taken into account. Delivered again, an event that has not come to its end waits anew; one that is done stays so,
    and one that the receiver had already waits as before: nothing was sent. To be called in the transaction in which
    the deliveries ended well."""
    by_id = {each.event_id: each for each in landed if each.rule}
    if not by_id:
        return
    events = {row.event_id: row for row in tx.session.execute(_DELIVERED, {"ids": list(by_id)})}
    for event_id in _done_as_another(tx, [row for row in events.values() if by_id[row.event_id].was_there]):
        del events[event_id]
    known = awaited(tx, events)
    due_at = _due(tx, [by_id[event_id] for event_id in events])
    rows = [
        {
            "event_id": event_id,
            "workflow": row.workflow,
            "key": row.identity,
            "state": "waiting",
            "since_at": tx.now,
            "due_at": due_at[_rule(by_id[event_id])],
            "policy_digest": by_id[event_id].policy.digest,
        }
        for event_id, row in events.items()
    ]
    insert_rows(tx.session, Expected, [row for row in rows if row["event_id"] not in known])
    sent = {event_id for event_id in known if not by_id[event_id].was_there}
    _wait_again(tx, known, [row for row in rows if row["event_id"] in sent])
    hear_kept(tx, {event_id: (row.workflow, row.identity) for event_id, row in events.items()})


_DELIVERED = (
    select(col(Trigger.event_id), col(Trigger.workflow), col(Trigger.identity))
    .where(col(Trigger.event_id).in_(bindparam("ids", expanding=True)))
    .order_by(col(Trigger.event_id))
    .with_for_update()
)


def _done_as_another(tx: Tx, rows: Sequence[Any]) -> list[int]:
    """Of the events that the receiver had already, those whose outcome has come: for the one whose place they took."""
    if not rows:
        return []
    done = select(col(Expected.workflow), col(Expected.key)).where(
        col(Expected.key).in_([row.identity for row in rows]), col(Expected.state).in_(("done", "late"))
    )
    names = {(workflow, key) for workflow, key in tx.session.execute(done)}
    return [row.event_id for row in rows if (row.workflow, row.identity) in names]


def _rule(each: Landed) -> tuple[str, str]:
    return each.policy.digest, each.workflow


def _due(tx: Tx, landed: Sequence[Landed]) -> dict[tuple[str, str], datetime]:
    """When the windows that begin now end, in the hours of the role that a missing outcome goes to."""
    found: dict[tuple[str, str], datetime] = {}
    for each in landed:
        if _rule(each) not in found and each.rule:
            policy = each.policy
            owner = find_role(policy, terms(policy, policy.workflows[each.workflow], "outcome_missing", None).owner)
            calendar = policy.team.calendars[owner.calendar]
            found[_rule(each)] = due(calendar, start=tx.now, within=each.rule.within)
    return found


def _wait_again(tx: Tx, known: Mapping[int, Awaited], rows: Sequence[Mapping[str, Any]]) -> None:
    """What was delivered again: what its deliveries before brought counts no more."""
    anew = [row for row in rows if known[row["event_id"]].state not in ("done", "late")]
    if not anew:
        return
    for row in anew:
        waits = known[row["event_id"]]
        waits.state, waits.due_at = "waiting", row["due_at"]
        restart = update(Expected).where(col(Expected.event_id) == waits.event_id)
        restart = restart.values(since_at=tx.now, policy_digest=row["policy_digest"])
        tx.session.execute(restart.execution_options(synchronize_session=False))
    write(tx, [known[row["event_id"]] for row in anew])
    ids = [row["event_id"] for row in anew]
    before = update(OutcomeCame).where(col(OutcomeCame.event_id).in_(ids), col(OutcomeCame.state) == "matched")
    tx.session.execute(before.values(state="superseded").execution_options(synchronize_session=False))


def hear_kept(tx: Tx, waiting: Mapping[int, tuple[str, str]]) -> None:
    """Lets events, known by workflow and identity, have the outcomes that are kept for them, in the order in which
    these came."""
    events = {known_by: event_id for event_id, known_by in waiting.items()}
    kept = select(OutcomeCame).where(
        col(OutcomeCame.key).in_([key for _, key in events]), col(OutcomeCame.state).in_(("early", "unmatched"))
    )
    rows = tx.session.execute(kept.order_by(col(OutcomeCame.id))).scalars()
    theirs = [(row, events[row.workflow, row.key]) for row in rows if (row.workflow, row.key) in events]
    if not theirs:
        return
    known = awaited(tx, {event_id for _, event_id in theirs})
    heard = [Heard(known[event_id], _as_read(row), source(row.source)) for row, event_id in theirs]
    settle_all(tx, heard)
    for (row, event_id), each in zip(theirs, heard, strict=True):
        matched = update(OutcomeCame).where(col(OutcomeCame.id) == row.id)
        matched = matched.values(state="matched", event_id=event_id)
        tx.session.execute(matched.execution_options(synchronize_session=False))
        status = each.settled.status
        tx.record("outcome.matched", workflow=row.workflow, event=event_id, digest=row.digest, status=status)


def _as_read(row: OutcomeCame) -> Read:
    return Read(row.key, Meaning(row.meaning), row.because)
