"""What was filled in before a run, in one line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.slack.words import Names, cut, quote

SHOWN = 20
VALUE = 200
LINE = 1200


def given_line(given: Iterable[Mapping[str, str]], names: Names) -> str:
    """Each input by its label with what it holds, people by name; "" where nothing was filled in."""
    said = [f"{quote(each['label'], 80)}: {_value(each, names)}" for each in given]
    more = [f"and {len(said) - SHOWN} more"] if len(said) > SHOWN else []
    return cut("Given: " + " · ".join([*said[:SHOWN], *more]), LINE) if said else ""


def _value(given: Mapping[str, str], names: Names) -> str:
    return names.person(given["person"]) if given.get("person") else quote(given.get("text", ""), VALUE)
