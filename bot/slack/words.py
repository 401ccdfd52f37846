"""Words for people: text from outside made harmless, instants as Slack dates, people and roles by name.

Escaping follows docs.slack.dev (formatting message text): `&`, `<` and `>` only. Mentions, channel links and dates
exist in Slack only inside `<…>`, so what is escaped wakes nobody."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.rules.instants import in_utc

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters, direction overrides and isolates, invisible marks and halves of surrogate pairs."""
_LOOKALIKES = str.maketrans({"`": "ˋ", "*": "∗", "~": "∼"})
_SLACK_PERSON = re.compile(r"[UW][A-Z0-9]{2,}")
_HALF_TOKEN = re.compile(r"(<[^>]*|&[a-z]*)$")
_TOKEN = re.compile(r"<([@#!]?)([^>|]*)(?:\|([^>]*))?>")
_IN_UTC = re.compile(r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) UTC\b")
MORE = "…"


def clean(text: str, most: int) -> str:
    """The text without what is not seen (direction overrides, control characters), at most `most` characters."""
    seen = _UNSEEN.sub("", text[: most * 4]).strip()
    return seen if len(seen) <= most and len(text) <= most * 4 else seen[: most - 1].rstrip() + MORE


def one_line(text: str, most: int) -> str:
    """`clean`, on one line."""
    return clean(" ".join(text[: most * 4].split()), most)


def escape(text: str) -> str:
    """The text so that mrkdwn shows it as it is; Slack's three entities and nothing else."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quote(text: str, most: int = 300) -> str:
    """One line of outside text for use inside mrkdwn: escaped, and its marks cannot style what follows."""
    return escape(one_line(text, most).translate(_LOOKALIKES))


def cut(mrkdwn: str, most: int) -> str:
    """Our own mrkdwn, at most `most` characters, never cut inside a token or an entity."""
    if len(mrkdwn) <= most:
        return mrkdwn
    return _HALF_TOKEN.sub("", mrkdwn[: most - 1]).rstrip() + MORE


def date(at: datetime) -> str:
    """An instant in the reader's own time zone; in UTC where Slack cannot."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{in_utc(at)}>"


def has_instants(text: str) -> bool:
    """Whether an instant stands in the text as the desk writes it, in UTC."""
    return bool(_IN_UTC.search(text))


def paragraph(text: str, most: int) -> str:
    """Text from anywhere as mrkdwn that shows it as it is, but for instants that are written in UTC: these are told in
    the reader's own time zone."""
    return _IN_UTC.sub(_as_date, escape(clean(text, most).translate(_LOOKALIKES)))


def _as_date(written: re.Match[str]) -> str:
    try:
        return date(datetime.fromisoformat(written[1]).replace(tzinfo=UTC))
    except ValueError:
        return written[0]


def link(url: str, label: str) -> str:
    """A link of our own; the label is outside text."""
    return f"<{escape(url)}|{quote(label, 150)}>"


def is_person(name: str) -> bool:
    """Whether this is a Slack user id."""
    return bool(_SLACK_PERSON.fullmatch(name))


def mention(user: str) -> str:
    """The person, who is notified if this is in a new message."""
    return f"<@{user}>" if is_person(user) else quote(user, 80)


@dataclass(frozen=True, slots=True)
class Names:
    """What people and roles are called: names by Slack id, titles by role name, titles by workflow name."""

    people: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    workflows: Mapping[str, str] = field(default_factory=dict)

    def person(self, user: str | None) -> str:
        """The person by name, who is not notified; somebody whose name Slack has not told yet is mentioned."""
        if not user:
            return "somebody"
        name = self.people.get(user)
        return f"*{quote(name, 60)}*" if name else mention(user)

    def persons(self, users: Iterable[str]) -> str:
        """Several people, as a list in words."""
        return listed([self.person(user) for user in users])

    def role(self, name: str | None) -> str:
        """The role's title, or its name when the policy does not know it."""
        return quote(self.roles.get(name or "", name or "nobody"), 80)

    def workflow(self, name: str) -> str:
        """The workflow's title, or its name when no contract has it."""
        return quote(self.workflows.get(name, name), 120)


def percent(share: float) -> str:
    """Rounded down: 99.96 % is not all of it."""
    return f"{int(share * 1000) / 10:g} %"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def spoken(name: str) -> str:
    """A name of ours (`waiting_for_systems`) as people say it."""
    return escape(name.replace("_", " "))


def said(text: str) -> str:
    """What a person wrote, from Slack's markup: tokens by their label, entities as what they stand for."""
    return html.unescape(_TOKEN.sub(_shown, text))


def _shown(token: re.Match[str]) -> str:
    sign, target, label = token[1], token[2], token[3]
    if label:
        return f"{sign.replace('!', '@')}{label}" if sign else label
    return f"{'@' if sign in ('@', '!') else sign}{target}"
