"""Public holidays of a country or subdivision, from the holidays library."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import holidays
from holidays.registry import EntityLoader

from runbooks.suggestions import suggest


def check_holidays(code: str) -> None:
    """Raises ValueError, with the nearest code, unless the library knows the country or subdivision `DE-BE`. Only that
    country is loaded: the library's own list loads all of them, which takes longer than the rest of a folder."""
    country, _, subdivision = code.partition("-")
    known = frozenset(EntityLoader.get_country_codes())
    if country not in known:
        raise ValueError(f"no holidays are known for country {country[:20]!r}; {suggest(country, known)}")
    subdivisions = getattr(holidays, country).subdivisions
    if "-" in code and subdivision not in subdivisions:
        hint = suggest(subdivision, subdivisions, "it has none: write the country alone")
        raise ValueError(f"no holidays are known for {subdivision[:20]!r} in {country}; {hint}")


@lru_cache(maxsize=1_024)
def holidays_of(code: str, year: int) -> Mapping[date, str]:
    """The public holidays of one year with their names, in English where the library has it.

    One year at a time, and kept: the library's own objects grow while they are read, which two threads must not
    do at once.
    """
    country, _, subdivision = code.partition("-")
    found = holidays.country_holidays(country, subdivision or None, years=year, language=_language(country))
    return {day: str(name) for day, name in found.items()}


@lru_cache(maxsize=512)
def _language(country: str) -> str | None:
    supported = holidays.country_holidays(country).supported_languages
    return "en_US" if "en_US" in supported else None
