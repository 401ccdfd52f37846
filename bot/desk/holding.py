"""What is said of an event that is held in quarantine: the report that opens or joins its case, and its misfit as it is
kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.desk.intake import Report
from bot.rules.actors import Actor
from bot.rules.admission import Admission
from bot.rules.misfits import Misfit, misfit_of
from runbooks.policy import Policy


def misfit(policy: Policy, workflow: str, admission: Admission, content: Mapping[str, Any]) -> Misfit | None:
    """How the event misses its schema; None: it does not, or there is no schema."""
    schema = policy.event_schemas.get(workflow)
    return misfit_of(admission.violations, content, schema) if admission.violations and schema else None


def held_report(
    by: Actor, workflow: str, admission: Admission, found: Misfit | None, content: Mapping[str, Any], event_id: int
) -> Report:
    """One case per workflow and kind of misfit, or per precondition: not one per event. What a precondition holds is
    about whom its first event is about, so that a runbook can ask for them."""
    mode = admission.failure_mode or "other"
    kind = found.kind if found else admission.because
    return Report(
        by=by,
        workflow=workflow,
        failure_mode=mode,
        title=found.title if found else _sentence(admission.because),
        detail=_detail(admission, found),
        subject=None if found else admission.subject,
        event=content,
        event_id=event_id,
        is_held=True,
        dedup_key=f"{mode}:{kind[:300]}",
        misfit=found.as_names() if found else None,
    )


def contradiction_report(
    by: Actor, workflow: str, admission: Admission, content: Mapping[str, Any], event_id: int, *, first: int
) -> Report:
    """The same identity with other content: one case for all that contradict one event, for a person to decide."""
    return Report(
        by=by,
        workflow=workflow,
        failure_mode="duplicate",
        title=f"Two events say that they are the same, and differ: E-{first} and E-{event_id}",
        detail=f"E-{first} came first. E-{event_id} is held in quarantine: it is not delivered unless it is right.",
        subject=admission.subject,
        event=content,
        event_id=event_id,
        is_held=True,
        dedup_key=f"duplicate:{first}",
    )


def _detail(admission: Admission, found: Misfit | None) -> str:
    held = "Such events are held in quarantine, and none of them is delivered until somebody releases it."
    return "\n".join([*(found.lines if found else [_sentence(admission.because)]), held])


def _sentence(because: str) -> str:
    return f"An event is held: {because}"
