-- A database at 0002: the chains of both cases, and the desk's own.
INSERT INTO audit_entries (chain, seq, body, prev_hash, hash)
VALUES ('case:1', 1, '{"action":"case.opened","actor":{"id":"hubspot","kind":"source"},"at":"2026-11-23T09:00:00.000000+00:00","chain":"case:1","detail":{"owner":"revenue-ops"},"seq":1}', 'bb4376c8c5b8dc8109993dfd1340e84a6b73e7152dfee35c97ca5b58b642dd22', '1a42a7c8f2e27bd8aa2557de35acb597f80f847938911591ae8cab796fe22479');
INSERT INTO audit_entries (chain, seq, body, prev_hash, hash)
VALUES ('case:1', 2, '{"action":"case.acknowledged","actor":{"id":"hubspot","kind":"source"},"at":"2026-11-23T09:00:00.000000+00:00","chain":"case:1","detail":{"by":"U0ADA"},"seq":2}', '1a42a7c8f2e27bd8aa2557de35acb597f80f847938911591ae8cab796fe22479', '272eb0b6407ae7c5a3770e40ab6701d1a6230b1e902c0194601b9107075a8a7a');
INSERT INTO audit_heads (chain, seq, hash)
VALUES ('case:1', 2, '272eb0b6407ae7c5a3770e40ab6701d1a6230b1e902c0194601b9107075a8a7a');
INSERT INTO audit_entries (chain, seq, body, prev_hash, hash)
VALUES ('case:2', 1, '{"action":"case.opened","actor":{"id":"hubspot","kind":"source"},"at":"2026-11-23T09:00:00.000000+00:00","chain":"case:2","detail":{"owner":"billing"},"seq":1}', '5f53535da009274a3eb85ee2a51d3cae17b6112f385a1fbbeb41deb96731d85b', '474ed560fd4cbd0716bc3c8f4e01882c5300906db902ee8d3eed0140d5d51187');
INSERT INTO audit_entries (chain, seq, body, prev_hash, hash)
VALUES ('case:2', 2, '{"action":"case.resolved","actor":{"id":"hubspot","kind":"source"},"at":"2026-11-23T09:00:00.000000+00:00","chain":"case:2","detail":{"because":"done"},"seq":2}', '474ed560fd4cbd0716bc3c8f4e01882c5300906db902ee8d3eed0140d5d51187', '2fe8079c2c0cf1db73ed2c63dccd934623a4cff1d362af14a770552614db7d68');
INSERT INTO audit_heads (chain, seq, hash)
VALUES ('case:2', 2, '2fe8079c2c0cf1db73ed2c63dccd934623a4cff1d362af14a770552614db7d68');
INSERT INTO audit_entries (chain, seq, body, prev_hash, hash)
VALUES ('desk', 1, '{"action":"policy.in_force","actor":{"id":"hubspot","kind":"source"},"at":"2026-11-23T09:00:00.000000+00:00","chain":"desk","detail":{"digest":"d1"},"seq":1}', 'c2a8f4880cba437994be60cc0b1d6bc5c26279150408b4e3e6c87b0e5c432b6c', '9e87ebbd03c2055742bf69340c9c887861ce35ce7813cc9525c0bdd497ca3a63');
INSERT INTO audit_heads (chain, seq, hash)
VALUES ('desk', 1, '9e87ebbd03c2055742bf69340c9c887861ce35ce7813cc9525c0bdd497ca3a63');
