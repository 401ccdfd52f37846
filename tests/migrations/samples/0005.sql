-- A database at 0005: an event of which nothing is kept any more but its row.
INSERT INTO events (id, workflow, key, digest, content, received_at, gone, drop_at)
VALUES (50, 'refund', NULL, 'd50', '{}', '2026-05-23T09:00:00.000000+00:00', 'old', '2027-06-27T09:00:00.000000+00:00');
