"""When two reports are the same failure: our fingerprint, where the sender gives no key of its own."""

from __future__ import annotations

import hashlib
import json

VERSION = "v1"


def fingerprint(workflow: str, failure_mode: str, *, title: str, subject: str | None, group: str | None = None) -> str:
    """`v1:` and a SHA-256 over workflow, failure mode and what groups: the contract's `group_by` where it says
    one, else the subject and the title (letter case and spacing aside)."""
    by = [group] if group is not None else [subject or "", " ".join(title.casefold().split())]
    digest = hashlib.sha256(json.dumps([workflow, failure_mode, *by]).encode()).hexdigest()
    return f"{VERSION}:{digest[:40]}"


def match_key(workflow: str, *, dedup_key: str | None, fingerprint: str, is_drill: bool = False) -> str:
    """What an open case is found by: the sender's dedup key within its workflow, or else the fingerprint. A drill joins
    no other case."""
    key = f"key:{workflow}:{dedup_key}" if dedup_key else fingerprint
    return f"drill:{key}" if is_drill else key
