"""What a look at the service's surroundings found: one line each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`text` names the thing first; of one that is not well it ends with what to do."""

    is_well: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.is_well else '!!'}  {self.text}"


def well(text: str) -> Finding:
    """Nobody has to do anything."""
    return Finding(True, text)


def wrong(text: str) -> Finding:
    """Somebody has to."""
    return Finding(False, text)
