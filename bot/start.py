"""What keeps the service from starting."""

from __future__ import annotations


class StartFault(Exception):
    """The service cannot start; the text says why and what to do."""


def first_line(fault: BaseException) -> str:
    """What a library's error says, without what it adds below."""
    return str(fault).strip().partition("\n")[0]
