-- A database at 0001: an open case, a closed one, and one row at least of everything else.
INSERT INTO policies (digest, files, recorded_at)
VALUES ('d1', '{"team.yml":"roles: {}\n"}', '2026-11-23T09:00:00.000000+00:00');
INSERT INTO policy_in_force (id, digest, since_at)
VALUES (1, 'd1', '2026-11-23T09:00:00.000000+00:00');
INSERT INTO events (id, workflow, key, digest, content, received_at)
VALUES (1, 'renewal-notice', 'k-1', '00', '{"account":"acc_17","name":"Müller"}', '2026-11-23T09:00:00.000000+00:00');
INSERT INTO cases (id, workflow, failure_mode, title, detail, subject, source, risk, priority, state, route, route_rule, route_because, owner, match_key, fingerprint, policy_digest, event_id, opened_at, opened_by, last_seen_at, occurrences, acknowledge_due_at, resolve_due_at, response_from_at, exhausted, reopened, is_drill, channel, version, acknowledged_at, acknowledged_by, lease_until, card_ts)
VALUES (1, 'renewal-notice', 'crm_stale', 'Renewal of Müller & Söhne is stale', '', 'acc_17', 'hubspot', 'medium', 'P2', 'in_progress', 'owner_queue', 'exceptions.crm_stale', 'its failure mode says so', 'revenue-ops', 'v1:1', 'v1:1', 'd1', 1, '2026-11-23T09:00:00.000000+00:00', 'hubspot', '2026-11-23T09:00:00.000000+00:00', 1, '2026-11-23T12:00:00.000000+00:00', '2026-11-23T12:00:00.000000+00:00', '2026-11-23T09:00:00.000000+00:00', false, 0, false, 'C0REVOPS', 1, '2026-11-23T09:00:00.000000+00:00', 'U0ADA', '2026-11-23T12:00:00.000000+00:00', '1.1');
INSERT INTO cases (id, workflow, failure_mode, title, detail, subject, source, risk, priority, state, route, route_rule, route_because, owner, match_key, fingerprint, policy_digest, event_id, opened_at, opened_by, last_seen_at, occurrences, acknowledge_due_at, resolve_due_at, response_from_at, exhausted, reopened, is_drill, channel, version, closed_at, resolution, thread_ts)
VALUES (2, 'renewal-notice', 'crm_stale', 'Renewal of Müller & Söhne is stale', '', 'acc_17', 'hubspot', 'medium', 'P2', 'resolved', 'owner_queue', 'exceptions.crm_stale', 'its failure mode says so', 'billing', 'v1:2', 'v1:2', 'd1', NULL, '2026-11-23T09:00:00.000000+00:00', 'hubspot', '2026-11-23T09:00:00.000000+00:00', 1, '2026-11-23T12:00:00.000000+00:00', '2026-11-23T12:00:00.000000+00:00', '2026-11-23T09:00:00.000000+00:00', false, 0, false, 'C0BILLING', 1, '2026-11-23T12:00:00.000000+00:00', 'done', '1.2');
INSERT INTO exceptions (id, case_id, occurrence, received_at, source, title, detail, event_id, links)
VALUES (1, 1, 1, '2026-11-23T09:00:00.000000+00:00', 'hubspot', 'stale', '', 1, '["https://crm.acme.test/17"]');
INSERT INTO timers (case_id, kind, due_at, step, attempts, lease_until)
VALUES (1, 'resolution', '2026-11-23T12:00:00.000000+00:00', 1, 0, NULL);
INSERT INTO timers (case_id, kind, due_at, step, attempts, lease_until)
VALUES (1, 'response', NULL, 0, 0, NULL);
INSERT INTO outbox (id, kind, key, case_id, channel, payload, while_unacknowledged, state, created_at, not_before_at, attempts, maybe_sent)
VALUES (1, 'card', 'card:1', 1, 'C0REVOPS', '{}', false, 'owed', '2026-11-23T09:00:00.000000+00:00', '2026-11-23T09:00:00.000000+00:00', 0, false);
INSERT INTO outbox (id, kind, key, case_id, channel, payload, while_unacknowledged, state, created_at, not_before_at, attempts, maybe_sent, sent_at, result)
VALUES (2, 'page', 'page:1:1', 1, 'U0ADA', '{"what":"opened_on_call"}', true, 'sent', '2026-11-23T09:00:00.000000+00:00', '2026-11-23T09:00:00.000000+00:00', 1, false, '2026-11-23T09:00:00.000000+00:00', '{"ts":"1.3"}');
INSERT INTO state_changes (id, case_id, state, at)
VALUES (1, 1, 'in_progress', '2026-11-23T09:00:00.000000+00:00');
INSERT INTO notes (id, case_id, at, author, text, message_ts)
VALUES (1, 1, '2026-11-23T09:00:00.000000+00:00', 'U0ADA', 'Ich schaue nach.', '1.4');
INSERT INTO paged (case_id, who, at)
VALUES (1, 'U0ADA', '2026-11-23T09:00:00.000000+00:00');
INSERT INTO requests (key, at, digest, answer)
VALUES ('slack:event:Ev1', '2026-11-23T09:00:00.000000+00:00', '', NULL);
INSERT INTO overrides (id, rota, start_at, end_at, person, made_by, made_at)
VALUES (1, 'revenue-ops-on-call', '2026-11-23T09:00:00.000000+00:00', '2026-11-23T12:00:00.000000+00:00', 'U0BEN', 'U0ADA', '2026-11-23T09:00:00.000000+00:00');
INSERT INTO deliveries (id, case_id, event_id, workflow, connector, verb, generation, idempotency_key, key_born_at, policy_digest, state, content, asked_by, asked_at, confirmed, attempts, status, because)
VALUES (1, 1, 1, 'renewal-notice', 'marketing', 'replay', 1, 'pm-1', '2026-11-23T09:00:00.000000+00:00', 'd1', 'delivered', '{"account":"acc_17"}', 'U0ADA', '2026-11-23T09:00:00.000000+00:00', false, 1, 200, '');
INSERT INTO attempts (id, delivery_id, at, purpose, request, status, response, error)
VALUES (1, 1, '2026-11-23T09:00:00.000000+00:00', 'deliver', '{"method":"POST"}', 200, '{}', '');
INSERT INTO rota_calendars (address, text, fetched_at)
VALUES ('https://cal.acme.test/rota.ics', 'BEGIN:VCALENDAR', '2026-11-23T09:00:00.000000+00:00');
INSERT INTO people (id, team_id, name, email, is_bot, is_guest, is_deleted, members, checked_at)
VALUES ('U0ADA', 'T0ACME', 'Ada', 'ada@acme.test', false, false, false, NULL, '2026-11-23T09:00:00.000000+00:00');
