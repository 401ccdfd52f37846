-- A database at 0003: an event in quarantine, an outcome that is waited for, and a change that waits for its yes.
INSERT INTO subject_keys (id, key, made_at)
VALUES ('s1', '0123456789abcdef0123456789abcdef', '2026-11-23T09:00:00.000000+00:00');
INSERT INTO triggers (event_id, workflow, identity, digest, received_at, source, subject, lane, state, misfit, case_id, policy_digest, contract_version, is_drill, seen, last_seen_at)
VALUES (1, 'renewal-notice', 'acc_17:2026-12-23', 'abc', '2026-11-23T09:00:00.000000+00:00', 'hubspot', 'acc_17', NULL, 'quarantined', '{"kind":"renamed"}', 1, 'd1', 3, false, 1, '2026-11-23T09:00:00.000000+00:00');
INSERT INTO expected (event_id, workflow, key, state, since_at, due_at, policy_digest)
VALUES (1, 'renewal-notice', 'acc_17:2026-12-23', 'waiting', '2026-11-23T09:00:00.000000+00:00', '2026-11-23T09:15:00.000000+00:00', 'd1');
INSERT INTO outcomes (id, workflow, key, digest, content, meaning, because, status, received_at, source, state)
VALUES (1, 'renewal-notice', 'acc_9:2026-12-23', 'def', '{"state":"sent"}', 'done', '', 'unmatched', '2026-11-23T09:00:00.000000+00:00', 'hubspot', 'unmatched');
INSERT INTO baselines (workflow, kind, from_at, due_at, rule, attempts)
VALUES ('renewal-notice', 'freshness', '2026-11-23T09:00:00.000000+00:00', '2026-11-24T09:00:00.000000+00:00', '1 every 1bd', 0);
INSERT INTO missed (workflow, identity, case_id, named_at)
VALUES ('renewal-notice', 'acc_23:2026-12-23', 1, '2026-11-23T09:00:00.000000+00:00');
INSERT INTO connector_states (connector, state, failures, since_at, because)
VALUES ('marketing', 'open', 5, '2026-11-23T09:00:00.000000+00:00', 'it answered 503');
INSERT INTO proposals (id, digest, before, state, proposed_at, needs, told, version)
VALUES (1, 'd1', 'd1', 'proposed', '2026-11-23T09:00:00.000000+00:00', '[{"part":"workflow renewal-notice","seats":[{"seat":"steward","role":"revenue-ops"}]}]', '{"changes":[]}', 1);
INSERT INTO approvals (proposal_id, part, person, seats, at)
VALUES (1, 'workflow renewal-notice', 'U0ADA', '["steward"]', '2026-11-23T09:00:00.000000+00:00');
INSERT INTO contract_versions (id, workflow, digest, version, policy_digest, since_at, state)
VALUES (1, 'renewal-notice', 'c1', 3, 'd1', '2026-11-23T09:00:00.000000+00:00', 'current');
INSERT INTO drills (id, name, workflow, by, asked_at, state, because, started_at, gives_up_at)
VALUES (1, 'silence', 'renewal-notice', 'ada', '2026-11-23T09:00:00.000000+00:00', 'running', '', '2026-11-23T09:00:01.000000+00:00', '2026-11-23T10:00:00.000000+00:00');
INSERT INTO releases (id, case_id, asked_by, asked_at, after_id, upto_id, names, counts, due_at)
VALUES (1, 1, 'U0ADA', '2026-11-23T09:00:00.000000+00:00', 0, 1, '{"/renewal_date":"renewal_dt"}', '{"count":0}', '2026-11-23T09:00:00.000000+00:00');
