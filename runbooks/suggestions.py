"""The nearest known name for a misspelt one."""

from collections.abc import Iterable
from difflib import get_close_matches

_LISTED = 12


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like `word`, upper and lower case alike; None if none is near."""
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(word[:200].casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[found[0]] if found else None


def suggest(word: str, known: Iterable[str], none_yet: str = "there is none yet") -> str:
    """A hint for an unknown word: the nearest known one, or else all of them if they are few."""
    names = sorted(set(known))
    if near := nearest(word, names):
        return f'did you mean "{near}"?'
    if not names:
        return none_yet
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"known: {', '.join(names[:_LISTED])}{more}"


def is_slip(word: str, known: Iterable[str]) -> bool:
    """True if the word is most likely one of the known ones, misspelt."""
    return nearest(word, known, cutoff=0.7) is not None
