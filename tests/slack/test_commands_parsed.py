"""What is typed, read into commands: pure."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.desk import commands as desk
from bot.slack.commands import (
    Help,
    Link,
    List,
    Misread,
    OnCall,
    Open,
    Queue,
    Send,
    Show,
    Take,
    parse_case,
    parse_link,
    parse_oncall,
)

LINK = "https://acme.slack.com/archives/C0REVOPS/p1764000000000100"
HERE = Link("C0REVOPS", "1764000000.000100", "1764000000.000100")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", Queue()),
        ("list", Queue()),
        ("list Revenue Ops", List("Revenue Ops")),
        ("C-12", Show(12)),
        ("show c12", Show(12)),
        ("12", Show(12)),
        ("C-0", Show(0)),
        ("show 12", Show(12)),
        ("note 12 3 of them", desk.AddNote(12, "3 of them")),
        ("open it burns", Open(None, "it burns")),
        ("open", Open(None, "")),
        (f"open {LINK}", Open(HERE, "")),
        (f"open <{LINK}|see> it &lt;burns&gt;", Open(HERE, "it <burns>")),
        ("ack C-1", desk.Acknowledge(1)),
        ("take C-1", desk.Acknowledge(1)),
        ("assign C-1 <@U0BEN|ben>", desk.Assign(1, "U0BEN")),
        ("handoff C-1 success", desk.HandOff(1, "success")),
        ("escalate C-1", desk.Escalate(1)),
        ("snooze C-1 next business day", desk.Snooze(1, "next business day")),
        ("priority C-1 p2", desk.SetPriority(1, "P2")),
        ("resolve C-1", desk.Resolve(1, "fixed", "")),
        ("resolve C-1 duplicate of C-2", desk.Resolve(1, "duplicate", "of C-2")),
        ("resolve C-1 fixed-by-itself", desk.Resolve(1, "fixed_by_itself", "")),
        ("done C-1 restarted it", desk.Resolve(1, "fixed", "restarted it")),
        ("resolve C-1 override the bank said so", desk.Resolve(1, "", override="the bank said so")),
        ("close C-1 fixed second Override why", desk.Resolve(1, "fixed", "", "second", override="why")),
        ("resolve C-1 we had to override it", desk.Resolve(1, "fixed", "we had to override it")),
        ("fail C-1 gone for good", desk.Fail(1, "gone for good")),
        ("reopen C-1 it came back", desk.Reopen(1, "it came back")),
        ("note C-1 a &amp; b", desk.AddNote(1, "a & b")),
        ("run C-1 Retry", Send(1, "retry")),
        ("replay C-1", Send(1, "replay")),
        ("help", Help()),
    ],
)
def test_words_become_commands(text: str, read: object) -> None:
    assert parse_case(text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("ack", desk.Acknowledge(7)),
        ("ack C-8", desk.Acknowledge(8)),
        ("resolve restarted it", desk.Resolve(7, "fixed", "restarted it")),
        ("note the vendor answered", desk.AddNote(7, "the vendor answered")),
        ("note 3 of them", desk.AddNote(7, "3 of them")),
        ("snooze 2h", desk.Snooze(7, "2h")),
    ],
)
def test_in_a_thread_its_case_is_meant(text: str, read: object) -> None:
    assert parse_case(text, of_thread=7) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("resolv C-1", "`resolve`"),
        ("acknowlege C-1", "`ack`"),
        ("qwertz", "`/case help`"),
        ("ack", "Which case? Write `/case ack C-12`."),
        ("assign C-1 ben", "To whom?"),
        ("assign C-1", "To whom?"),
        ("snooze C-1", "For how long?"),
        ("priority C-1 P9", "P1, P2, P3 or P4"),
        ("run C-1", "retry, replay or a runbook"),
        ("escalate C-1 now please", "more than is needed"),
        ("open https://example.com/x it burns", "Copy link"),
        ("fail C-1", "Why can it not be fixed?"),
    ],
)
def test_what_is_not_understood_says_what_would_be(text: str, said: str) -> None:
    with pytest.raises(Misread, match=r".") as misread:
        parse_case(text)
    assert said in str(misread.value)


@pytest.mark.parametrize("word", ["report", "status", "fix"])
def test_a_word_that_is_like_none_is_given_no_other_meaning(word: str) -> None:
    with pytest.raises(Misread) as misread:
        parse_case(word)
    assert str(misread.value) == "I do not know that word. `/case help` lists what there is."


@given(st.text(max_size=300))
def test_any_text_is_read_or_misread(text: str) -> None:
    for parse in (parse_case, parse_oncall):
        with suppress(Misread):
            assert parse(text) is not None


def test_the_link_of_a_reply_leads_to_its_thread() -> None:
    link = f"<{LINK}?thread_ts=1763999999.000200&amp;cid=C0REVOPS>"
    assert parse_link(link) == Link("C0REVOPS", "1763999999.000200", "1764000000.000100")
    assert parse_link("https://acme.slack.com/archives/C0REVOPS") is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", OnCall(None)),
        ("ops", OnCall("ops")),
        ("override ops <@U0BEN> 2h", Take("ops", "U0BEN", timedelta(hours=2))),
        (
            "override ops <@U0BEN> 2026-01-05T09:00..2026-01-06T09:00",
            Take("ops", "U0BEN", None, datetime(2026, 1, 5, 9), datetime(2026, 1, 6, 9)),
        ),
    ],
)
def test_rotas_are_asked_about_and_taken_over(text: str, read: object) -> None:
    assert parse_oncall(text) == read


@pytest.mark.parametrize("text", ["override ops <@U0BEN> 2bh", "override ops <@U0BEN> later", "override ops ben 2h"])
def test_a_takeover_needs_a_person_and_a_time_on_the_clock(text: str) -> None:
    with pytest.raises(Misread):
        parse_oncall(text)
