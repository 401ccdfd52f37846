"""Runs that what happened brings about: owed in its transaction, carried out after the commit. Set-based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert

from bot.desk.tx import Tx
from bot.rules.actors import SYSTEM
from runbooks.policy import Policy
from store.rows import insert_rows
from store.run_models import Run

_RUNS = Run.__table__  # type: ignore[attr-defined]
BY_THEMSELVES = frozenset({"auto_fix", "delivery", "on_open", "on_close"})
"""The causes of runs that nobody pressed: their inputs are their defaults."""


def owed(tx: Tx, policy: Policy, runbook: str, *, cause: str, workflow: str, **more: Any) -> dict[str, Any]:
    """The row of a run that begins after the commit, by the runbook of this policy."""
    return {
        "case_id": None,
        "event_id": None,
        "workflow": workflow,
        "runbook": runbook,
        "policy_digest": policy.digest,
        "cause": cause,
        "mode": policy.runbooks[runbook].mode,
        "asked_by": SYSTEM.id,
        "asked_at": tx.now,
        "inputs": {},
        "state": "running",
        "position": 0,
        "counts": {},
        "because": "",
        "due_at": tx.now,
        "gives_up_at": None,
        "overtaken_by": "",
        "version": 1,
        **more,
    }


def owe(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes runs."""
    insert_rows(tx.session, Run, rows)


def owe_one(tx: Tx, row: Mapping[str, Any]) -> int:
    """Writes a run; its number."""
    return int(tx.session.connection().execute(insert(_RUNS).returning(_RUNS.c.id), dict(row)).scalar_one())
