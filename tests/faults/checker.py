"""The independent checker: reads the database itself, and what was answered, delivered and shown, and counts.

It shares no code with the product: what is looked at is read by SQL, and the hash chain is walked here once more."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import psycopg

MARKS = {"queued": "🔴", "in_progress": "🔵", "closing": "🟢", "resolved": "✅", "failed": "⛔"}
"""How a card of a case in this state begins."""
RUNGS = (1, 2)
"""The steps of the ladder of the suite's policy."""
NAMED = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as it stands in Slack: where (a person's id in a direct message), under which key, and its words."""

    place: str
    key: str
    words: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the world knows: what was answered, what the shop was asked under which key, and what Slack shows."""

    reports: Sequence[tuple[str, str, int]] = ()
    events: Sequence[str] = ()
    outcomes: Sequence[str] = ()
    clicks: Sequence[tuple[str, str, bool]] = ()
    notes: Sequence[tuple[str, str, str, bool]] = ()
    asked: Sequence[tuple[str, str]] = ()
    shown: Sequence[Shown] = ()


@dataclass
class Row:
    """One line of the table, and each thing that is not as it should be, named."""

    what: str
    count: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def once(self, name: str, times: int, *, at_most: bool = False) -> None:
        """Counts something that has to be there exactly once (`at_most`: or not at all, and then it is not counted)."""
        self.count += bool(times or not at_most)
        if times > 1:
            self.doubled.append(f"{name}: {times} times")
        elif times < 1 and not at_most:
            self.lost.append(name)


class Rows:
    """The tables, by SQL that both engines understand."""

    def __init__(self, url: str) -> None:
        is_file = url.startswith("sqlite:///")
        self._connection: Any = sqlite3.connect(url.removeprefix("sqlite:///")) if is_file else psycopg.connect(url)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        return list(self._connection.execute(sql).fetchall())


def check(url: str, evidence: Evidence) -> list[Row]:
    """The table: a row for each thing that is promised."""
    with closing(Rows(url)) as rows:
        entries = _entries(rows)
        return [
            _reports(rows, evidence),
            _events(rows, evidence),
            _outcomes(rows, evidence),
            _clicks(entries, evidence),
            _notes(rows, entries, evidence),
            _cards(rows, evidence),
            *_escalations(rows, entries, evidence),
            _messages(rows, evidence),
            _chain(rows),
        ]


def table(rows: Iterable[Row]) -> str:
    """The rows as text, and below them what is wrong, named."""
    rows = list(rows)
    lines = [f"{'what':<58}{'how many':>9}{'lost':>7}{'doubled':>9}"]
    lines += [f"{row.what:<58}{row.count:>9,}{len(row.lost):>7,}{len(row.doubled):>9,}" for row in rows]
    for row in rows:
        lines += [f"lost: {row.what}: {each}" for each in row.lost[:NAMED]]
        lines += [f"doubled: {row.what}: {each}" for each in row.doubled[:NAMED]]
    return "\n".join(lines)


def is_clean(rows: Iterable[Row]) -> bool:
    """Whether nothing was lost and nothing doubled."""
    return not any(row.lost or row.doubled for row in rows)


def _entries(rows: Rows) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for chain, body in rows.read("SELECT chain, body FROM audit_entries ORDER BY chain, seq"):
        found[chain].append(json.loads(body))
    return found


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _chain_of(case: str) -> str:
    return f"case:{case.removeprefix('C-')}"


def _reports(rows: Rows, evidence: Evidence) -> Row:
    row = Row("exceptions answered 202, each in one case")
    kept: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for case, occurrence, detail in rows.read("SELECT case_id, occurrence, detail FROM exceptions"):
        kept[detail].append((f"C-{case}", occurrence))
    for mark, case, occurrence in evidence.reports:
        row.once(mark, len(kept[mark]))
        if kept[mark] and kept[mark][0] != (case, occurrence):
            found, at = kept[mark][0]
            row.lost.append(f"{mark} was answered {case} ({occurrence}) and is in {found} ({at})")
    return row


def _events(rows: Rows, evidence: Evidence) -> Row:
    row = Row("events accepted, each delivered under one key")
    keys: dict[str, set[str]] = defaultdict(set)
    kept: Counter[str] = Counter()
    for order, key in evidence.asked:
        keys[order].add(key)
    for (content,) in rows.read("SELECT e.content FROM triggers t JOIN events e ON e.id = t.event_id"):
        kept[_json(content)["order_id"]] += 1
    given = _given_to_a_person(rows)
    for order in evidence.events:
        row.once(order, len(keys[order]), at_most=order in given)
        if kept[order] != 1:
            (row.doubled if kept[order] else row.lost).append(f"{order} is on record {kept[order]} times")
    return row


def _given_to_a_person(rows: Rows) -> set[str]:
    """The orders whose delivery ended in a case: nothing is owed there but an answer by somebody."""
    ask = "SELECT e.content FROM triggers t JOIN events e ON e.id = t.event_id WHERE t.state = 'failed'"
    return {_json(content)["order_id"] for (content,) in rows.read(ask)}


def _outcomes(rows: Rows, evidence: Evidence) -> Row:
    row = Row("outcomes accepted, each matched with its event")
    kept: Counter[str] = Counter()
    for (content,) in rows.read("SELECT content FROM outcomes WHERE state = 'matched' AND event_id IS NOT NULL"):
        kept[_json(content)["order_id"]] += 1
    for order in evidence.outcomes:
        row.once(order, kept[order])
    return row


def _clicks(entries: dict[str, list[dict[str, Any]]], evidence: Evidence) -> Row:
    """Of one that its person was not told about, only that it is not there twice can be said."""
    row = Row("clicks answered, each in the audit log")
    for person, case, is_told in evidence.clicks:
        found = [each for each in entries[_chain_of(case)] if each["action"] == "case.acknowledged"]
        by_them = sum(each["actor"]["id"] == person for each in found)
        row.once(f"{person} took {case}", len(found) if by_them else 0, at_most=not is_told)
    return row


def _notes(rows: Rows, entries: dict[str, list[dict[str, Any]]], evidence: Evidence) -> Row:
    row = Row("notes answered, each in its case and the audit log")
    kept: Counter[tuple[str, str]] = Counter()
    of_case: Counter[str] = Counter()
    for case, text in rows.read("SELECT case_id, text FROM notes"):
        kept[f"C-{case}", text] += 1
        of_case[f"case:{case}"] += 1
    for person, case, text, is_told in evidence.notes:
        row.once(f"{person} wrote {text} in {case}", kept[case, text], at_most=not is_told)
    for chain, count in of_case.items():
        on_record = sum(each["action"] == "case.noted" for each in entries[chain])
        if on_record != count:
            (row.lost if on_record < count else row.doubled).append(f"{chain}: {count} notes, {on_record} on record")
    return row


def _cards(rows: Rows, evidence: Evidence) -> Row:
    row, cards = Row("cases, each with one card that shows its state"), defaultdict(list)
    for each in evidence.shown:
        if each.key.startswith("card:"):
            cards[each.key].append(each.words)
    for case, state, priority in rows.read("SELECT id, state, priority FROM cases ORDER BY id"):
        words = cards[f"card:{case}"]
        row.once(f"C-{case}", len(words))
        wanted = f"{MARKS.get(state, '')} {priority} · C-{case} "
        if words and wanted.strip() not in words[0]:
            row.lost.append(f"C-{case} is {state}, and its card shows {words[0][:60]!r}")
    return row


def _escalations(rows: Rows, entries: dict[str, list[dict[str, Any]]], evidence: Evidence) -> Iterator[Row]:
    """Whoever took a case stopped its ladder: of those each step happened once at the most."""
    due, told = Row("steps of ladders that were due, each done"), Row("people to be told by them, each told")
    pages = Counter((each.place, each.key) for each in evidence.shown if each.key.startswith("page:"))
    cancelled = {key for (key,) in rows.read("SELECT key FROM outbox WHERE kind = 'page' AND state = 'cancelled'")}
    for chain in _cases_with_ladder(rows):
        taken = any(each["action"] == "case.acknowledged" for each in entries[chain])
        steps = [each["detail"] for each in entries[chain] if each["action"] == "case.escalated"]
        for rung in RUNGS:
            due.once(f"{chain} step {rung}", sum(step["step"] == rung for step in steps), at_most=taken)
        for step in steps:
            for person in step["people"]:
                start, end = f"page:{chain[5:]}:response:", f":{step['step']}:escalated:{person}"
                found = [count for (_, key), count in pages.items() if key.startswith(start) and key.endswith(end)]
                is_over = any(key.startswith(start) and key.endswith(end) for key in cancelled)
                told.once(f"{person} of {chain} step {step['step']}", sum(found), at_most=is_over and taken)
    yield from (due, told)


def _cases_with_ladder(rows: Rows) -> list[str]:
    found = rows.read("SELECT id FROM cases WHERE workflow = 'orders' ORDER BY id")
    return [f"case:{case}" for (case,) in found]


def _messages(rows: Rows, evidence: Evidence) -> Row:
    row, shown = Row("messages owed, each shown"), Counter(each.key for each in evidence.shown if each.key)
    posted = "kind IN ('card', 'line', 'question', 'notice', 'page', 'storm')"
    owed = rows.read(f"SELECT DISTINCT key FROM outbox WHERE {posted} AND state = 'sent'")
    for key in sorted({key for (key,) in owed} | set(shown)):
        row.once(key, shown[key])
    for key, state in rows.read(f"SELECT key, state FROM outbox WHERE {posted} AND state NOT IN ('sent', 'cancelled')"):
        row.lost.append(f"{key} is still {state}")
    return row


def _chain(rows: Rows) -> Row:
    row = Row("entries of the audit log, each in its place")
    last: dict[str, tuple[int, str]] = {}
    seen: Counter[str] = Counter()
    for chain, seq, body, before, own in rows.read(
        "SELECT chain, seq, body, prev_hash, hash FROM audit_entries ORDER BY chain, seq"
    ):
        at, head = last.get(chain, (0, sha256(f"pointsman:{chain}".encode()).hexdigest()))
        row.count += 1
        seen[body] += 1
        if (seq, before) != (at + 1, head):
            row.lost.append(f"{chain}: entry {seq} does not follow entry {at}")
        if sha256((before + body).encode()).hexdigest() != own:
            row.lost.append(f"{chain}: entry {seq} was edited")
        last[chain] = (seq, own)
    heads = {chain: (seq, own) for chain, seq, own in rows.read("SELECT chain, seq, hash FROM audit_heads")}
    row.lost += [f"{chain} does not end with its head" for chain in heads | last if heads.get(chain) != last.get(chain)]
    row.doubled += [body[:80] for body, times in seen.items() if times > 1]
    return row
