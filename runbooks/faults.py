"""Faults of a policy folder: where, what is wrong, and what would be right."""

from dataclasses import dataclass

_LONGEST = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong. `line` and `column` count from 1, in characters."""

    file: str
    line: int
    column: int
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        """`file:line:column: what is wrong; what would be right`, on one line."""
        told = f"{self.message}; {self.hint}" if self.hint else self.message
        return _on_one_line(f"{self.file}:{self.line}:{self.column}: {told}")


def _on_one_line(text: str) -> str:
    """Names and texts of a folder are anybody's: no line breaks, no control or direction characters, bounded."""
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(text.split()))


class PolicyFaults(Exception):
    """A folder cannot be loaded; `faults` holds all that is wrong with it, sorted by place."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults
