"""The demo's stories of runbooks in real Chromium: one that helps, one that gives up, a second yes, a proposal that is
done and taken back, a case that does not close too early."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.sandbox.visiting import Visitor, browser, in_browser, url, visitor

__all__ = ["browser", "url", "visitor"]
pytestmark = in_browser


def test_a_notice_that_was_forgotten_is_sent_again_before_anybody_is_called(visitor: Visitor) -> None:
    visitor.play("forgotten")
    visitor.miss_the_outcome("No outcome came for acct_61")
    card = visitor.expect_to_see("#messages [data-ts]", "✅ P2 · C-1")
    expect(card).to_contain_text("Send it again if the receiver does not have it")
    expect(card).to_contain_text("the account has its notice")
    expect(visitor.page.locator(".toast")).to_have_count(0)


def test_a_runbook_that_gives_up_hands_the_case_to_whoever_is_on_call(visitor: Visitor) -> None:
    visitor.play("gave_up")
    visitor.miss_the_outcome("waits for the outcome, until")
    visitor.expect_to_see("[data-next-due]", "a step of a runbook has waited long enough")
    visitor.press("[data-clock-next]")
    visitor.expect_to_see(".toast", "Ben Ortiz has got a direct message")
    expect(visitor.card("No outcome came")).to_contain_text("came: nothing came in time")
    visitor.resolve("No outcome came")
    visitor.expect_to_see("#messages [data-ts]", "✅ P2 · C-1")


def test_a_large_refund_is_asked_for_again_after_somebody_else_said_yes(visitor: Visitor) -> None:
    visitor.play("large")
    visitor.miss_the_outcome("No outcome came for cus_1")
    visitor.press_on("No outcome came for cus_1", "Retry callback")
    expect(visitor.expect_to_see("dialog[data-view-id]").get_by_label("Billing ID")).to_have_value("re_701")
    visitor.expect_to_see("dialog", "Cannot be taken back: ask and tell")
    visitor.press("dialog [data-submit]", "Retry callback")
    visitor.expect_to_see("#messages [data-ts]", "waits for a yes")
    visitor.expect_to_see('[title="GET /refunds/re_701 → 200"]')
    visitor.act_as("U0GUS")
    visitor.read_direct_message()
    visitor.expect_to_see("#messages [data-ts]", "POST /refunds/re_701/callback to billing")
    visitor.press_on("POST /refunds/re_701/callback", "Approve")
    visitor.expect_to_see("#messages [data-ts]", "Gus Petrov said yes.")
    visitor.act_as("U0FAY", "C0BILLING")
    visitor.expect_to_see("#messages [data-ts]", "Ask billing for the callback again is done")
    visitor.expect_to_see(
        "#messages [data-ts]", re.compile("billing says completed.*Fixed.*it answered 202", re.DOTALL)
    )


def test_what_a_runbook_proposes_is_done_at_a_click_and_taken_back_at_another(visitor: Visitor) -> None:
    visitor.play("proposed")
    card = visitor.expect_to_see("#messages [data-ts]", "proposes this and waits for a yes")
    expect(card).to_contain_text("PATCH /tickets/T-91 to helpdesk")
    visitor.press_on("T-91", "Do it")
    visitor.expect_to_see('[title="PATCH /tickets/T-91 → 200"] [data-requests="1"]')
    visitor.press_on("T-91", "Undo")
    visitor.expect_to_see("dialog", "It takes back write").locator("button[value=yes]").click()
    visitor.expect_to_see('[title="PATCH /tickets/T-91 → 200"] [data-requests="2"]')
    visitor.expect_to_see("#messages [data-ts]", "write: taken back")


def test_a_case_is_not_closed_before_what_it_is_about_is_so(visitor: Visitor) -> None:
    visitor.play("early")
    visitor.miss_the_outcome("No outcome came for cus_1")
    visitor.on_card("No outcome came for cus_1", "acknowledge")
    visitor.expect_to_see("#messages [data-ts]", "In progress")
    visitor.resolve("No outcome came for cus_1")
    card = visitor.expect_to_see("#messages [data-ts]", "for a check does not hold")
    expect(card).to_contain_text("billing says completed")
    visitor.choose("billing", "ok")
    visitor.resolve("No outcome came for cus_1")
    visitor.expect_to_see("#messages [data-ts]", "✅ P1 · C-1")
