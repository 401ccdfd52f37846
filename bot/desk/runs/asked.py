"""What a message about a run asks of its reader, and what became of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from bot.rules.saying import What
from store.run_models import Run, RunApproval, RunStep

ASKING = (What.RUN_ASKS, What.RUN_APPROVAL_ASKED, What.RUN_PROPOSED)
"""What is asked with buttons."""
_WAITS = {What.RUN_APPROVAL_ASKED: "approving", What.RUN_PROPOSED: "proposed"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Whether a question is still open; if not, who answered what (`yes`, `no`, or nothing) and when, and why it is
    over."""

    is_open: bool
    by: str | None = None
    answer: str = ""
    because: str = ""
    at: datetime | None = None


def asked(session: Session, payload: Mapping[str, Any]) -> Asked | None:
    """What became of what a message asks; None: it asks nothing about a run."""
    what = str(payload.get("what"))
    if what not in ASKING:
        return None
    if what == What.RUN_ASKS:
        return _question(session, int(payload.get("step") or 0))
    run = session.get(Run, int(payload.get("run") or 0), populate_existing=True)
    if run is None:
        return Asked(is_open=False)
    if run.state == _WAITS[What(what)]:
        return Asked(is_open=True)
    if what == What.RUN_PROPOSED and run.accepted_by:
        return Asked(False, run.accepted_by, "yes", at=run.accepted_at)
    return _decided(session, run) if what == What.RUN_APPROVAL_ASKED else _over(run)


def _question(session: Session, step_id: int) -> Asked:
    found = select(RunStep, col(Run.state), col(Run.because)).join(Run, col(Run.id) == col(RunStep.run_id))
    row = session.execute(
        found.where(col(RunStep.id) == step_id).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return Asked(is_open=False)
    step, state, because = row
    if step.state == "waiting" and state == "running":
        return Asked(is_open=True)
    response = step.response or {}
    return Asked(False, response.get("by"), str(response.get("answer") or ""), step.because or because, step.ended_at)


def _decided(session: Session, run: Run) -> Asked:
    """By the last answer that somebody gave; a run that went on since is no less approved for how it ended."""
    answered = select(RunApproval).where(col(RunApproval.run_id) == run.id, col(RunApproval.by).is_not(None))
    latest = answered.order_by(col(RunApproval.answered_at).desc(), col(RunApproval.seat).desc()).limit(1)
    last = session.execute(latest.execution_options(populate_existing=True)).scalar()
    if last is None or (last.answer == "yes" and run.state in ("declined", "stopped") and run.started_at is None):
        return _over(run)
    return Asked(False, last.by, last.answer, last.reason, last.answered_at)


def _over(run: Run) -> Asked:
    return Asked(False, because=run.because, at=run.ended_at)
