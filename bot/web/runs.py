"""The runs of a case, as `GET /v1/cases/{ref}` tells of them."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from bot.desk.policies import Policies
from bot.desk.runs.reading import attempts_of, runs_of_case
from store.run_models import RunStep

RUNS_SHOWN = 50
RUN_FIELDS = (
    "runbook",
    "cause",
    "mode",
    "state",
    "because",
    "asked_by",
    "asked_at",
    "started_at",
    "ended_at",
    "inputs",
    "counts",
)
STEP_FIELDS = ("name", "kind", "state", "because", "started_at", "ended_at", "until_at")
ATTEMPT_FIELDS = ("at", "purpose", "status", "error")
APPROVAL_FIELDS = ("role", "answer", "by", "asked_at", "answered_at", "expires_at", "reason")


def runs_of(session: Session, policies: Policies, case_id: int) -> list[dict[str, Any]]:
    """The runs in their order, those under way and the latest, each with the steps that were begun (of a run for each
    event: for the event that it is at) and when these asked what."""
    seen = runs_of_case(session, policies, case_id, most=RUNS_SHOWN)
    made = attempts_of(session, seen)

    def step(row: RunStep) -> dict[str, Any]:
        attempts = [_fields(each, ATTEMPT_FIELDS) for each in made.get(row.id or 0, ())]
        return _fields(row, STEP_FIELDS) | {"attempts": attempts}

    return [
        _fields(each.run, RUN_FIELDS)
        | {
            "run": each.run.id,
            "event": f"E-{each.run.item_id}" if each.run.item_id else None,
            "steps": [step(row) for _, row in sorted(each.steps.items())],
            "approvals": [_fields(approval, APPROVAL_FIELDS) for approval in each.approvals],
        }
        for each in seen
    ]


def _fields(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
