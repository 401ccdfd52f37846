-- A database at 0005: an event of which nothing is kept any more but its row, a service that was asked whether it can
-- work and has posted a card, and a checkpoint of the audit log.
INSERT INTO events (id, workflow, key, digest, content, received_at, gone, drop_at)
VALUES (50, 'refund', NULL, 'd50', '{}', '2026-05-23T09:00:00.000000+00:00', 'old', '2027-06-27T09:00:00.000000+00:00');
INSERT INTO pulses (id, at)
VALUES (1, '2026-11-23T09:00:00.000000+00:00');
INSERT INTO paces (name, full_at, held_until)
VALUES ('channel:C000OPS', '2026-11-23T09:00:01.100000+00:00', NULL);
INSERT INTO storms (id, channel, workflow, since_at, due_at, counts, most, channel_id, ts)
VALUES (1, 'C000OPS', 'refund', '2026-11-23T09:00:00.000000+00:00', NULL, '{"P2":3}', 30, 'C000OPS', '1.1');
INSERT INTO audit_leaves (place, chain, seq, hash, number, broken)
VALUES (0, 'desk', 1, 'h1', 1, '');
INSERT INTO audit_blocks (place, root)
VALUES (0, 'r1');
INSERT INTO checkpoints (number, at, body, signature)
VALUES (1, '2026-11-23T09:00:00.000000+00:00', '{"number":1}', 's1');
INSERT INTO turns (name, due_at, cursor)
VALUES ('checkpoints', '2026-11-23T10:00:00.000000+00:00', '');
INSERT INTO outages (name, since_at, because)
VALUES ('slack', '2026-11-23T09:00:00.000000+00:00', 'no answer in time');
INSERT INTO findings (id, kind, key, about, at, case_id)
VALUES (1, 'late', 'timer:1:response:3', 'C-1', '2026-11-23T09:00:00.000000+00:00', NULL);
