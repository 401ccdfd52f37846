"""What people type: `/case …`, `/oncall …` and mentions, read into commands. Pure: text in, a value out.

Slack sends people as `<@U1|name>` and links as `<https://…>` (`should_escape` in the manifest)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.desk import commands as desk
from bot.rules.closing import DECISION_WORDS, REASONS
from bot.slack.words import said
from runbooks.lengths import Length, parse_length

_REF = re.compile(r"[Cc]-?(\d{1,18})")
_NUMBER = re.compile(r"(?:[Cc]-?)?(\d{1,18})")
"""The case's name, or its number alone: only where the text could mean nothing else."""
_PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>|([UW][A-Z0-9]{7,})")
_LINK = re.compile(r"<?https?://[^\s|>]*/archives/([CGD][A-Z0-9]+)/p(\d{10})(\d{6})([^\s|>]*)(?:\|[^>]*)?>?")
_ROOT = re.compile(r"thread_ts=(\d+\.\d+)")
_SPAN = re.compile(r"(\S+?)\.\.(\S+)")
LONGEST_TITLE = 300
OVERRIDE = "override"


class Misread(Exception):
    """What was typed is not understood; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class Link:
    """A message by its link: the thread that it is in, and itself."""

    channel: str
    thread_ts: str
    ts: str


@dataclass(frozen=True, slots=True)
class Queue:
    """My queue."""


@dataclass(frozen=True, slots=True)
class List:
    """Open cases: of a role, of a workflow, or all."""

    of: str


@dataclass(frozen=True, slots=True)
class Show:
    """One case."""

    case_id: int


@dataclass(frozen=True, slots=True)
class Open:
    """A case from a thread, or by hand. Without a title a form asks for one."""

    link: Link | None
    title: str


@dataclass(frozen=True, slots=True)
class Send:
    """Retry or replay."""

    case_id: int
    verb: str


@dataclass(frozen=True, slots=True)
class Start:
    """A runbook of the case."""

    case_id: int
    runbook: str


@dataclass(frozen=True, slots=True)
class PostMortem:
    """A case's post-mortem: to be read, or to be written."""

    case_id: int


@dataclass(frozen=True, slots=True)
class Workflows:
    """The handoff matrix; with a name, all of one workflow."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Events that are held: everywhere, or of a workflow."""

    of: str | None


@dataclass(frozen=True, slots=True)
class Help:
    """What can be typed."""


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call: everywhere, or for a role."""

    role: str | None


@dataclass(frozen=True, slots=True)
class Take:
    """Somebody takes a rota: for a length from now, or from one wall-clock time to another."""

    role: str
    person: str
    length: timedelta | None = None
    start: datetime | None = None
    end: datetime | None = None


Typed = Queue | PostMortem | List | Show | Open | Send | Start | Workflows | Quarantine | Help | desk.OnCase

USAGE: Mapping[str, str] = {
    "list": "list [role, workflow or all]",
    "show": "show C-12",
    "open": "open [message link] what is wrong",
    "ack": "ack C-12",
    "assign": "assign C-12 @somebody",
    "handoff": "handoff C-12 role",
    "escalate": "escalate C-12",
    "snooze": "snooze C-12 2h",
    "priority": "priority C-12 P1",
    "run": "run C-12 retry (or replay, or a runbook)",
    "resolve": f"resolve C-12 [{', '.join(REASONS)}] what was done (or: override why)",
    "fail": "fail C-12 why it cannot be fixed",
    "reopen": "reopen C-12 why",
    "note": "note C-12 text",
    "quarantine": "quarantine [workflow]",
    "postmortem": "postmortem C-12",
    "workflows": "workflows [name]",
    "help": "help",
}
ALIASES = {
    "take": "ack",
    "acknowledge": "ack",
    "mine": "queue",
    "ls": "list",
    "new": "open",
    "close": "resolve",
    "done": "resolve",
    "resolved": "resolve",
    "hand": "handoff",
    "give": "assign",
    "prio": "priority",
    "held": "quarantine",
    "retry": "run",
    "replay": "run",
    "workflow": "workflows",
    "post-mortem": "postmortem",
}
IN_THREAD = ("open", "ack", "resolve", "note", "show", "escalate", "fail", "reopen", "snooze", "assign")


def parse_case(text: str, *, of_thread: int | None = None) -> Typed:
    """What was typed after `/case`, or after the bot's name in a thread, whose case `of_thread` need not be named.
    Raises `Misread`."""
    text = text.strip()
    if not text:
        return Queue()
    word, _, rest = text.partition(" ")
    if (found := _named(word, of_thread)) is not None:
        return Show(found)
    verb = ALIASES.get(word.lower(), word.lower())
    if verb == "run" and word.lower() in ("retry", "replay"):
        rest = f"{rest} {word.lower()}"
    reader = _READERS.get(verb)
    if reader is None:
        raise Misread(_nearest(word, [*USAGE, *ALIASES], "/case help"))
    return reader(_Words(verb, rest.strip(), of_thread))


def parse_oncall(text: str) -> OnCall | Take | Help:
    """What was typed after `/oncall`. Raises `Misread`."""
    words = text.split()
    if not words:
        return OnCall(None)
    if words[0].lower() == "help":
        return Help()
    if words[0].lower() != "override":
        return OnCall(words[0]) if len(words) == 1 else _not_oncall()
    if len(words) != 4 or not (person := _PERSON.fullmatch(words[2])):
        return _not_oncall()
    return _take(words[1], person[1] or person[2], words[3])


def parse_link(text: str) -> Link | None:
    """The message that a link leads to; None if it is not a link to a message."""
    found = _LINK.fullmatch(text.strip())
    if not found:
        return None
    ts = f"{found[2]}.{found[3]}"
    root = _ROOT.search(found[4].replace("&amp;", "&"))
    return Link(found[1], root[1] if root else ts, ts)


@dataclass(frozen=True, slots=True)
class _Words:
    """What follows the verb."""

    verb: str
    text: str
    of_thread: int | None

    def case(self) -> tuple[int, str]:
        """The case that is meant, and what follows."""
        word, _, rest = self.text.partition(" ")
        if (found := _named(word, self.of_thread)) is not None:
            return found, rest.strip()
        if self.of_thread is not None:
            return self.of_thread, self.text
        raise self.wrong("Which case?")

    def wrong(self, why: str) -> Misread:
        """What would have been right."""
        return Misread(f"{why} Write `/case {USAGE[self.verb]}`.")


Reader = Callable[[_Words], Typed]


def _named(word: str, of_thread: int | None) -> int | None:
    """The case that the word names. In a thread, whose case need not be named, a number may belong to the text."""
    found = (_NUMBER if of_thread is None else _REF).fullmatch(word)
    return int(found[1]) if found else None


def _on_case(make: Callable[[int], Typed]) -> Reader:
    def read(words: _Words) -> Typed:
        case_id, rest = words.case()
        if rest:
            raise words.wrong("That is more than is needed.")
        return make(case_id)

    return read


def _with_text(make: Callable[[int, str], Typed], missing: str) -> Reader:
    def read(words: _Words) -> Typed:
        case_id, rest = words.case()
        if not rest:
            raise words.wrong(missing)
        return make(case_id, said(rest))

    return read


def _open(words: _Words) -> Typed:
    first, _, rest = words.text.partition(" ")
    link = parse_link(first)
    if link is None and first.lstrip("<").startswith(("http://", "https://")):
        raise words.wrong("That is not a link to a message: use *Copy link* of the message's menu.")
    return Open(link, said(rest if link else words.text).strip()[:LONGEST_TITLE])


def _assign(words: _Words) -> Typed:
    case_id, rest = words.case()
    found = _PERSON.fullmatch(rest)
    if not found:
        raise words.wrong("To whom?")
    return desk.Assign(case_id, found[1] or found[2])


def _snooze(words: _Words) -> Typed:
    case_id, rest = words.case()
    if not rest:
        raise words.wrong("For how long?")
    return desk.Snooze(case_id, rest)


def _priority(words: _Words) -> Typed:
    case_id, rest = words.case()
    if rest.upper() not in ("P1", "P2", "P3", "P4"):
        raise words.wrong("Which priority: P1, P2, P3 or P4?")
    return desk.SetPriority(case_id, rest.upper())


def _resolve(words: _Words) -> Typed:
    case_id, rest = words.case()
    reason, decision = "", ""
    while rest:
        word, _, after = rest.partition(" ")
        word = word.lower().strip(",:").replace("-", "_")
        if word in REASONS and not reason:
            reason = word
        elif word in DECISION_WORDS and not decision:
            decision = word
        elif word == OVERRIDE:
            return _override(words, case_id, reason, decision, after)
        else:
            break
        rest = after.strip()
    return desk.Resolve(case_id, reason or next(iter(REASONS)), said(rest).strip(), decision)


def _override(words: _Words, case_id: int, reason: str, decision: str, why: str) -> Typed:
    """In spite of its checks; a reason for resolving that is not said is the one that was wanted before."""
    if not why.strip():
        raise words.wrong("Why is it closed in spite of its checks?")
    return desk.Resolve(case_id, reason, decision=decision, override=said(why).strip())


def _run(words: _Words) -> Typed:
    case_id, rest = words.case()
    if rest.lower() in ("retry", "replay"):
        return Send(case_id, rest.lower())
    if not rest:
        raise words.wrong("What is to be run: retry, replay or a runbook?")
    return Start(case_id, said(rest).strip())


_READERS: Mapping[str, Reader] = {
    "queue": lambda words: Queue(),
    "list": lambda words: List(words.text) if words.text else Queue(),
    "show": _on_case(Show),
    "open": _open,
    "ack": _on_case(desk.Acknowledge),
    "assign": _assign,
    "handoff": _with_text(desk.HandOff, "To which role?"),
    "escalate": _on_case(desk.Escalate),
    "snooze": _snooze,
    "priority": _priority,
    "run": _run,
    "resolve": _resolve,
    "fail": _with_text(desk.Fail, "Why can it not be fixed?"),
    "reopen": _with_text(desk.Reopen, "Why is it to be opened again?"),
    "note": _with_text(desk.AddNote, "What is the note?"),
    "postmortem": _on_case(PostMortem),
    "workflows": lambda words: Workflows(said(words.text) or None),
    "quarantine": lambda words: Quarantine(said(words.text).strip() or None),
    "help": lambda words: Help(),
}


def _take(role: str, person: str, when: str) -> Take:
    span = _SPAN.fullmatch(when)
    try:
        if span:
            return Take(role, person, start=datetime.fromisoformat(span[1]), end=datetime.fromisoformat(span[2]))
        length: Length = parse_length(when)
    except ValueError as fault:
        raise Misread(f"{fault}. Write a length such as 2h, or 2026-01-05T09:00..2026-01-06T09:00.") from None
    if length.is_business:
        raise Misread("An override runs on the clock: write a length such as 2h or 3d.")
    return Take(role, person, length=timedelta(seconds=length.seconds))


def _not_oncall() -> OnCall:
    raise Misread("Write `/oncall`, `/oncall role`, or `/oncall override role @somebody 2h`.")


def nearest_name(word: str, known: Sequence[str]) -> str | None:
    """The known name that is most like the word, if one is like it."""
    return next(iter(difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)), None)


def _nearest(word: str, known: Sequence[str], help_: str) -> str:
    near = nearest_name(word, known)
    meant = f" Did you mean `{ALIASES.get(near, near)}`?" if near else ""
    return f"I do not know that word.{meant} `{help_}` lists what there is."
