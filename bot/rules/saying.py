"""What there is to tell people about a case. The desk says which; Slack's side finds the words for each."""

from __future__ import annotations

from enum import StrEnum


class What(StrEnum):
    """Something that happened, with the facts that its sentence needs (in brackets)."""

    ACKNOWLEDGED = "acknowledged"  # by, until, again (the same person once more)
    LEASE_RAN_OUT = "lease_ran_out"  # by
    ASSIGNED = "assigned"  # by, to
    HANDED_OFF = "handed_off"  # by, from, to, people
    PRIORITY_CHANGED = "priority_changed"  # by, from, to
    SNOOZED = "snoozed"  # by, until
    SNOOZE_OVER = "snooze_over"
    NOTED = "noted"  # by, text
    STATE_CHANGED = "state_changed"  # by, from, to
    RESOLVED = "resolved"  # by, reason, note
    CLOSING = "closing"  # by, checks
    CLOSING_REFUSED = "closing_refused"  # by, failed (name, because), owner, accountable, people (who asked)
    CLOSING_STOPPED = "closing_stopped"  # by, reason
    PLEASE_CONFIRM = "please_confirm"  # by, confirm, note, people
    OVERRIDDEN = "overridden"  # by, reason, note, override, failed
    FAILED = "failed"  # by, reason
    REOPENED = "reopened"  # by, reason
    POST_MORTEM_OWED = "post_mortem_owed"  # ref, because, again (one was written before it was opened again)
    POST_MORTEM_WRITTEN = "post_mortem_written"  # by, ref, changed, summary, causes, actions (titles…)
    REMINDED = "reminded"  # window (response | resolution), due_at, people
    WINDOW_PASSED = "window_passed"  # window, due_at
    ESCALATED = "escalated"  # ladder (unacknowledged | unresolved | by_hand), step, of, role, people, because, by
    NOBODY_FOUND = "nobody_found"  # ladder, step, role, because
    EXHAUSTED = "exhausted"  # ladder, people (told by hand all the same)
    OPENED_ON_CALL = "opened_on_call"  # role, people
    OPENED_FROM_THREAD = "opened_from_thread"  # by, title, owner, channel, thread_ts, state, kept (if cut)
    OPENED_BY_HAND = "opened_by_hand"  # by, title, owner, channel, state
    ROTA_OVERRIDDEN = "rota_overridden"  # by, rota, person, start_at, end_at
    FAILED_TOLD = "failed_told"  # by, reason: for the accountable role
    DELIVERY_ASKED = "delivery_asked"  # by, verb (retry | replay), request
    DELIVERY_DONE = "delivery_done"  # verb, status, response, already
    DELIVERY_FAILED = "delivery_failed"  # verb, status, response, because
    EVENTS_RELEASED = "events_released"  # by, event (if it was one), count, ignored, known, still, because, left
    EVENT_DROPPED = "event_dropped"  # by, event, reason
    QUARANTINE_CLEARED = "quarantine_cleared"  # count
    DEAD_LETTER = "dead_letter"  # kind, because
    FOUND = "found"  # count
    TOLD_OTHERWISE = "told_otherwise"  # people, way (email | webhook)
    POLICY_CHANGED = "policy_changed"
    # of these, `is_over`: what the case is about is over; `healed`: so it was closed, for nobody had it
    CONNECTOR_BACK = "connector_back"  # connector, held
    OUTCOME_CAME = "outcome_came"  # whose, status, late, failed_in (the case of the failure)
    OUTCOME_CONTRADICTS = "outcome_contradicts"  # whose
    EVENTS_FLOW = "events_flow"  # count, since
    MISSED_CAME = "missed_came"  # ids, came, left
    CENSUS_ASKED = "census_asked"
    DRILL_OVER = "drill_over"  # caught
    RUN_STARTED = "run_started"  # by, runbook, run
    RUN_DONE = "run_done"  # runbook, because, counts
    RUN_FAILED = "run_failed"  # runbook, because, counts, left, at
    RUN_UNDONE = "run_undone"  # runbook, because
    RUN_PROPOSED = "run_proposed"  # runbook, run, requests (words), lasting, role, people
    AUTO_FIX_HELD = "auto_fix_held"  # workflow, most, until
    AUTO_FIX_GAVE_UP = "auto_fix_gave_up"  # runbook, why, tried (step, state, because), role, people
    AUTO_FIX_DONE = "auto_fix_done"  # runbook, people: of a case that somebody has
    RUN_SAYS = "run_says"  # runbook, text
    RUN_ASKS = "run_asks"  # runbook, text, step
    RUN_ANSWERED = "run_answered"  # by, runbook, run, answer (yes | no), text
    RUN_APPROVAL_ASKED = "run_approval_asked"  # by, runbook, run, role, people, requests, lasting, events, until
    RUN_APPROVED = "run_approved"  # by, runbook, run, missing (yeses)
    RUN_REFUSED = "run_refused"  # by, runbook, run, reason
    RUN_DECLINED = "run_declined"  # runbook, run, because
    RUN_ACCEPTED = "run_accepted"  # by, runbook, run
    RUN_UNDOING = "run_undoing"  # by, runbook, run
    RUN_STOPPED = "run_stopped"  # by, runbook, run
