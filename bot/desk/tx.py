"""A transaction as a desk function sees it: rows, one `now`, one actor, the policy, and what it will leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from bot.desk.policies import Policies
from bot.rules.actors import Actor
from runbooks.policy import Policy
from store import audit
from store.models import Case, Owed, Paged
from store.writing import add_new


@dataclass(slots=True)
class Tx:
    """One command's transaction. What is recorded and owed is written with it, in one statement each."""

    session: Session
    now: datetime
    actor: Actor
    policies: Policies
    _policy: Policy | None = None
    _entries: list[audit.NewEntry] = field(default_factory=list)
    _owed: dict[str, dict[str, Any]] = field(default_factory=dict)
    _owed_last: dict[str, dict[str, Any]] = field(default_factory=dict)
    _told: dict[tuple[int, str], None] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        if self._policy is None:
            self._policy = self.policies.in_force(self.session)
        return self._policy

    def part(self) -> Tx:
        """One of several pieces of this transaction, whose rows may be taken back without those of the others: what it
        records and owes counts only once it is `absorb`ed."""
        return Tx(self.session, self.now, self.actor, self.policies, self.policy)

    def absorb(self, part: Tx) -> None:
        """A part is done: what it records and owes is written with the whole."""
        self._entries += part._entries
        self._owed |= part._owed
        self._told |= part._told

    def policy_of(self, case: Case) -> Policy:
        """The policy that the case was opened with: its windows, ladders and contract."""
        return self.policies.compiled(self.session, case.policy_digest)

    def record(
        self,
        action: str,
        *,
        case_id: int | None = None,
        workflow: str | None = None,
        is_first: bool = False,
        actor: Actor | None = None,
        **detail: Any,
    ) -> None:
        """An audit entry in the case's chain; without a case in that of the `workflow`, or else in the desk's."""
        if case_id is not None and workflow is not None:
            detail["workflow"] = workflow
        chain = audit.chain_of(case_id) if case_id is not None else _chain(workflow)
        by = (actor or self.actor).on_record()
        self._entries.append(audit.NewEntry(chain, action, by, detail, is_first))

    def owe(
        self,
        kind: str,
        key: str,
        *,
        channel: str,
        case_id: int | None = None,
        payload: Mapping[str, Any] | None = None,
        not_before_at: datetime | None = None,
        while_unacknowledged: bool = False,
        is_last: bool = False,
    ) -> None:
        """A message that must leave after the commit. One with a key that is owed already is not owed twice. What
        `is_last` leaves after what else this transaction owes."""
        (self._owed_last if is_last else self._owed)[key] = {
            "kind": kind,
            "key": key,
            "case_id": case_id,
            "channel": channel,
            "payload": dict(payload or {}),
            "while_unacknowledged": while_unacknowledged,
            "state": "owed",
            "created_at": self.now,
            "not_before_at": not_before_at or self.now,
            "attempts": 0,
            "maybe_sent": False,
        }

    def owe_card(self, case_id: int, channel: str) -> None:
        """The case's card as it will be then: many changes before it is sent are one update."""
        self.owe("card", f"card:{case_id}", channel=channel, case_id=case_id)

    def tell_to_act(self, case_id: int, who: str) -> None:
        """A person (or `role:NAME`) is told to act on the case, which gives the right to."""
        self._told[case_id, who] = None

    def flush(self) -> None:
        """Writes what was recorded and owed, and who was told."""
        audit.append(self.session, self._entries, at=self.now)
        if owed := {**self._owed, **self._owed_last}:
            add_new(self.session, Owed, list(owed.values()), unique=["key"], among="state = 'owed'")
        if self._told:
            rows = [{"case_id": case_id, "who": who, "at": self.now} for case_id, who in self._told]
            add_new(self.session, Paged, rows, unique=["case_id", "who"])
        self._entries, self._owed, self._owed_last, self._told = [], {}, {}, {}


def _chain(workflow: str | None) -> str:
    return audit.DESK if workflow is None else audit.chain_of_workflow(workflow)
