"""What buttons and modals carry: the case and what was seen of it, so that they work after a restart."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime

from bot.rules.refusals import Refused
from store.models import Case

_REF = re.compile(r"\s*C-?(\d{1,18})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Seen:
    """A case as a person saw it: which version of it and its runs, drawn when (epoch milliseconds)."""

    case: str
    version: int = 0
    drawn: int = 0

    @property
    def case_id(self) -> int:
        """The number in the reference."""
        return case_id_of(self.case)


def drawn_at(now: datetime) -> int:
    """The moment of a drawing, as buttons carry it."""
    return int(now.timestamp() * 1000)


def seen(case: Case, now: datetime, *, moves: int = 0) -> str:
    """The value of a button on a drawing of the case. `moves`: how often its runs have moved on, which leaves the case
    itself as it was."""
    drawing = Seen(case.ref, case.version + moves, drawn_at(now))
    return json.dumps(asdict(drawing), separators=(",", ":"))


def read_seen(value: str) -> Seen:
    """What a button carried. Raises `Refused` for a value that is not ours."""
    try:
        return Seen(**json.loads(value))
    except (TypeError, ValueError):
        raise Refused("not_ours", "That button is from another version of Pointsman. Use `/case show C-…`.") from None


def block_id(case: Case, now: datetime) -> str:
    """What a menu, which has no value of its own, carries: the name of its block. New with each drawing, so that
    Slack forgets what was chosen on the one before."""
    return f"case:{case.ref}:{case.version}:{drawn_at(now)}"


def read_block_id(text: str) -> Seen:
    """What a menu's block was called. Raises `Refused` for a name that is not ours."""
    try:
        _, ref, version, drawn = text.split(":")
        return Seen(ref, int(version), int(drawn))
    except ValueError:
        raise Refused("not_ours", "That menu is from another version of Pointsman. Use `/case show C-…`.") from None


def case_id_of(ref: str) -> int:
    """The id in a case's reference: `C-12`, `c12`. Raises `Refused` that says how one looks."""
    found = _REF.fullmatch(ref)
    if not found:
        raise Refused("not_a_case", "A case is named like C-12.")
    return int(found[1])
