-- A database at 0002: the desk's own chain begins.
INSERT INTO audit_entries (chain, seq, body, prev_hash, hash)
VALUES ('desk', 1, '{"action":"policy.in_force","actor":{"id":"hubspot","kind":"source"},"at":"2026-11-23T09:00:00.000000+00:00","chain":"desk","detail":{"digest":"d1"},"seq":1}', 'c2a8f4880cba437994be60cc0b1d6bc5c26279150408b4e3e6c87b0e5c432b6c', '9e87ebbd03c2055742bf69340c9c887861ce35ce7813cc9525c0bdd497ca3a63');
INSERT INTO audit_heads (chain, seq, hash)
VALUES ('desk', 1, '9e87ebbd03c2055742bf69340c9c887861ce35ce7813cc9525c0bdd497ca3a63');
