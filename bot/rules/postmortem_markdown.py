"""A post-mortem as a document: Markdown (CommonMark with the tables of GFM) in which no text from outside is more than
text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from bot.rules.instants import in_utc
from bot.rules.postmortems import Moment, lasted, one_line

_MARKS = re.compile(r"([\\`*_{}\[\]|~$])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LEADING = re.compile(r"^(#{1,6}|[-+=]+|\d{1,9}[.)])")
"""What at the start of a line makes a heading, a list or a rule of it."""
_LINKS = re.compile(r"(?i)(:)(?=//)|(?<=www)(\.)|(@)")
"""Where an address, which would be a link, or a mention, which would wake somebody, is broken up."""
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class ActionTold:
    """An action, as its case is now."""

    ref: str
    title: str
    owner: str
    due_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class PostMortemTold:
    """All that the document tells. Roles and people are called by their titles and names."""

    ref: str
    title: str
    about: Sequence[tuple[str, str]]
    """Facts by name: the workflow, the owner, why there is one."""
    moments: Sequence[Moment]
    actions: Sequence[ActionTold]
    summary: str
    causes: str
    opened_at: datetime
    acknowledged_at: datetime | None
    closed_at: datetime | None


def markdown(told: PostMortemTold) -> str:
    """The document. It ends with a line break."""
    return "\n".join(_lines(told)) + "\n"


def _lines(told: PostMortemTold) -> Iterator[str]:
    yield f"# Post-mortem of {told.ref}: {inline(told.title)}"
    yield ""
    for name, value in (*told.about, *_times(told)):
        yield f"- **{name}**: {inline(value)}"
    yield from ("", "## What happened", "", text(told.summary) or "–")
    yield from ("", "## Causes", "", text(told.causes) or "–")
    yield from ("", "## Timeline", "")
    yield from (f"- {in_utc(each.at)} (+{lasted(each.after)}) {inline(each.text)}" for each in told.moments)
    yield from ("", "## Actions", "")
    if not told.actions:
        yield "None."
        return
    yield from ("| Case | What | Owner | Due | State |", "|---|---|---|---|---|")
    for each in told.actions:
        cells = (each.ref, inline(each.title), inline(each.owner), in_utc(each.due_at), each.state.replace("_", " "))
        yield f"| {' | '.join(cells)} |"


def _times(told: PostMortemTold) -> Iterator[tuple[str, str]]:
    yield "Opened", in_utc(told.opened_at)
    if told.acknowledged_at:
        yield "Acknowledged", f"{in_utc(told.acknowledged_at)}, after {lasted(told.acknowledged_at - told.opened_at)}"
    if told.closed_at:
        yield "Closed", f"{in_utc(told.closed_at)}, after {lasted(told.closed_at - told.opened_at)}"


def inline(said: str, most: int = 400) -> str:
    """Text from outside on one line, without any meaning in Markdown or HTML."""
    return _harmless(one_line(_UNSEEN.sub(" ", said[: 4 * most]), most))


def text(said: str) -> str:
    """The same over several lines, whose breaks stay."""
    lines = [_harmless(_UNSEEN.sub(" ", line).strip()) for line in said.strip().splitlines()]
    followed = [bool(line and after) for line, after in pairwise(lines)]
    return "\n".join(f"{line}\\" if goes_on else line for line, goes_on in zip(lines, [*followed, False], strict=False))


def _harmless(line: str) -> str:
    escaped = _MARKS.sub(r"\\\1", line).translate(_ENTITIES)
    escaped = _LEADING.sub(lambda found: _escaped_start(found[0]), escaped)
    return _LINKS.sub(lambda found: f"{found[0]}\u2060", escaped)


def _escaped_start(found: str) -> str:
    return f"{found[:-1]}\\{found[-1]}" if found[0].isdigit() else f"\\{found}"
