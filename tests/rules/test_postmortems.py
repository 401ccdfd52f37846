"""Which case gets a post-mortem, how it went, and a document in which no text from outside is more than text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.rules.postmortem_markdown import ActionTold, PostMortemTold, inline, markdown, text
from bot.rules.postmortems import Calling, Said, lasted, timeline, why_owed

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
IN_TIME: dict[str, Any] = {
    "risk": "high",
    "failure_mode": "other",
    "is_drill": False,
    "is_action": False,
    "response_passed": False,
    "resolution_passed": False,
}


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        ({}, None),
        ({"risk": "critical"}, "its workflow is critical"),
        ({"response_passed": True}, "its response window passed"),
        (
            {"risk": "critical", "response_passed": True, "resolution_passed": True},
            "its workflow is critical and its response and its resolution window passed",
        ),
        ({"risk": "critical", "is_drill": True}, None),
        ({"risk": "critical", "is_action": True}, None),
        ({"risk": "critical", "is_healed": True}, None),
        ({"risk": "critical", "is_healed": True, "response_passed": True}, "its response window passed"),
        ({"failure_mode": "dead_letter", "resolution_passed": True}, None),
        ({"failure_mode": "policy_fault", "resolution_passed": True}, None),
    ],
)
def test_a_critical_or_late_case_gets_one(facts: dict[str, Any], because: str | None) -> None:
    assert why_owed(**IN_TIME | facts) == because


def entry(action: str, minutes: int, by: str = "U0ADA", **detail: Any) -> dict[str, Any]:
    at = NINE + timedelta(minutes=minutes)
    return {"action": action, "at": at.isoformat(), "actor": {"kind": "person", "id": by}, "detail": detail}


def test_a_timeline_is_in_order_and_says_how_long_after_the_opening() -> None:
    entries = [
        entry("case.opened", 0, "monitors", owner="billing"),
        entry("case.reminded", 5),
        entry("case.acknowledged", 12),
        entry("case.escalated", 30, role="billing", people=["U0ADA", "U0X"], step=1, of=2),
        entry("case.resolved", 200, reason="worked_around"),
    ]
    said = [Said(NINE - timedelta(minutes=3), "U0ADA", "odd"), Said(NINE + timedelta(minutes=13), "U0ADA", "a\nb")]
    calling = Calling({"U0ADA": "Ada"}, {"billing": "Billing escalation"})
    assert [(lasted(each.after), each.text) for each in timeline(entries, said, calling)] == [
        ("0 min", "Ada: odd"),
        ("0 min", "opened by monitors, for Billing escalation"),
        ("12 min", "acknowledged by Ada"),
        ("13 min", "Ada: a b"),
        ("30 min", "escalated to Billing escalation (Ada, U0X), step 1 of 2"),
        ("3 h 20 min", "resolved by Ada: Worked around; the cause is still there"),
    ]


@pytest.mark.parametrize(
    ("action", "detail", "told"),
    [
        ("asked_for", {}, "runbook pay-it asked for by Ada"),
        ("approval_asked", {"role": "ops"}, "runbook pay-it waits for a yes of Operations"),
        ("approval_expired", {"role": "ops"}, "runbook pay-it: Operations said nothing in time"),
        ("approved", {"role": "ops"}, "runbook pay-it: Ada of Operations said yes"),
        ("refused", {"role": "ops", "reason": "no need"}, "runbook pay-it: Ada of Operations said no"),
        ("declined", {"because": "Ada said no: no need"}, "runbook pay-it not carried out: Ada said no: no need"),
        ("proposed", {}, "runbook pay-it says what it would do, and waits"),
        ("proposed_accepted", {}, "runbook pay-it: Ada said Do it"),
        ("proposed_declined", {"reason": "no need"}, "runbook pay-it: Ada said Not this"),
        ("asked", {"step": "is_it_paid"}, "runbook pay-it asks somebody: is it paid"),
        ("answered", {"step": "is_it_paid", "answer": "yes"}, "runbook pay-it: Ada said yes to is it paid"),
        ("stopped", {"because": "Ada stopped it"}, "runbook pay-it stopped: Ada stopped it"),
        ("undo_asked", {}, "runbook pay-it: undo asked for by Ada"),
        ("undoing", {"because": "ask: it answered 404"}, "runbook pay-it is taken back: ask: it answered 404"),
        ("undone", {}, "runbook pay-it undone"),
        ("repaired", {"asked_by": "U0ADA"}, "it was over after runbook pay-it of Ada"),
        ("step_done", {}, None),
    ],
)
def test_a_timeline_tells_what_people_said_of_a_run(action: str, detail: dict[str, Any], told: str | None) -> None:
    calling = Calling({"U0ADA": "Ada"}, {"ops": "Operations"})
    found = timeline([entry(f"run.{action}", 1, runbook="pay-it", **detail)], [], calling)
    assert [each.text for each in found] == ([told] if told else [])


def test_no_record_is_no_timeline() -> None:
    assert timeline([], [], Calling()) == ()


@pytest.mark.parametrize(
    ("said", "harmless"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("[x](https://evil.test)", "\\[x\\](https:\u2060//evil.test)"),
        ("![x](http://evil.test/a.png)", "!\\[x\\](http:\u2060//evil.test/a.png)"),
        ("www.evil.test", "www.\u2060evil.test"),
        ("*bold* _it_ `code` ~~no~~ $x$", "\\*bold\\* \\_it\\_ \\`code\\` \\~\\~no\\~\\~ \\$x\\$"),
        ("a | b", "a \\| b"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("@channel", "@\u2060channel"),
        ("back\\slash", "back\\\\slash"),
        ("a\u202eb\x00c", "a b c"),
        ("# title", "\\# title"),
        ("two\nlines", "two lines"),
    ],
)
def test_text_from_outside_is_only_text(said: str, harmless: str) -> None:
    assert inline(said) == harmless


def test_lines_stay_lines_and_begin_nothing() -> None:
    assert text("- a\n1. b\n\n> c\n===\n    d\n```\ne") == ("\\- a\\\n1\\. b\n\n&gt; c\\\n\\===\\\nd\\\n\\`\\`\\`\\\ne")


def test_the_document_has_all_of_it_and_no_row_breaks_its_table() -> None:
    told = PostMortemTold(
        ref="C-1",
        title="Refund\nlost",
        about=(("Workflow", "Refunds"),),
        moments=timeline([entry("case.opened", 0, "mon|itors", owner="billing")], [], Calling()),
        actions=(ActionTold("C-2", "a | b\n| c", "Ops", NINE, "in_progress"),),
        summary="It was lost.",
        causes="",
        opened_at=NINE,
        acknowledged_at=NINE + timedelta(minutes=5),
        closed_at=NINE + timedelta(days=1, hours=2),
    )
    assert markdown(told) == (
        "# Post-mortem of C-1: Refund lost\n\n- **Workflow**: Refunds\n- **Opened**: 2026-11-23 09:00 UTC\n"
        "- **Acknowledged**: 2026-11-23 09:05 UTC, after 5 min\n- **Closed**: 2026-11-24 11:00 UTC, after 1 d 2 h\n\n"
        "## What happened\n\nIt was lost.\n\n## Causes\n\n–\n\n## Timeline\n\n"
        "- 2026-11-23 09:00 UTC (+0 min) opened by mon\\|itors, for billing\n\n## Actions\n\n"
        "| Case | What | Owner | Due | State |\n|---|---|---|---|---|\n"
        "| C-2 | a \\| b \\| c | Ops | 2026-11-23 09:00 UTC | in progress |\n"
    )
