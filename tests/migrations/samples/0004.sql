-- A database at 0004: a run that waits for somebody's yes after its first step, and a case that is being closed.
INSERT INTO runs (id, case_id, event_id, workflow, runbook, policy_digest, cause, mode, asked_by, asked_at, inputs, state, position, counts, because, overtaken_by, version)
VALUES (1, 1, 1, 'renewal-notice', 'resend-if-missing', 'd1', 'pressed', 'live', 'U0ADA', '2026-11-23T09:00:00.000000+00:00', '{}', 'approving', 1, '{}', '', '', 1);
INSERT INTO run_steps (id, run_id, item_id, position, name, kind, state, generation, attempts, unanswered, started_at, because)
VALUES (1, 1, 0, 0, 'send', 'request', 'done', 1, 1, 0, '2026-11-23T09:00:00.000000+00:00', 'it answered 202');
INSERT INTO run_attempts (id, step_id, purpose, at, request, status, response, error)
VALUES (1, 1, 'step', '2026-11-23T09:00:00.000000+00:00', '{"method":"POST"}', 202, '', '');
INSERT INTO run_approvals (run_id, seat, role, asked_at, expires_at, answer, reason)
VALUES (1, 0, 'revenue-ops', '2026-11-23T09:00:00.000000+00:00', '2026-11-23T10:00:00.000000+00:00', '', '');
INSERT INTO closings (id, case_id, asked_by, asked_at, state, state_before, wanted)
VALUES (1, 1, 'U0ADA', '2026-11-23T09:00:00.000000+00:00', 'checking', 'in_progress', '{"reason":"fixed"}');
INSERT INTO checks (id, closing_id, name, kind, state, attempts, because, found)
VALUES (1, 1, 'the notice went out', 'request', 'owed', 0, '', '');
INSERT INTO post_mortems (case_id, owed_at, because, summary, causes, version)
VALUES (1, '2026-11-23T09:00:00.000000+00:00', 'its resolution window passed', '', '', 1);
INSERT INTO connector_health (connector, state, failures, since_at, due_at, answered_at, status, because)
VALUES ('billing', 'down', 2, '2026-11-23T09:00:00.000000+00:00', '2026-11-23T09:01:00.000000+00:00', NULL, NULL, 'no answer within 10 s');
