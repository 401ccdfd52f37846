"""`pointsman demo` in real Chromium, as a newcomer goes through it: every story, its buttons, and the clock."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from bot.sandbox.company.cast import PEOPLE
from tests.sandbox.visiting import Visitor, browser, in_browser, url, visitor

__all__ = ["browser", "url", "visitor"]
pytestmark = in_browser


def test_the_first_screen_says_what_to_press(visitor: Visitor) -> None:
    visitor.expect_to_see("#banner", "every exception gets an owner, a deadline and a button")
    visitor.expect_to_see("#demo", "Start here")
    visitor.press("#messages [data-story=renamed]")
    visitor.expect_to_see("#messages [data-ts]", "renewal_dt came, renewal_date was wanted")


def test_forty_renewals_whose_property_was_renamed_are_one_card_and_are_released_at_once(visitor: Visitor) -> None:
    visitor.play("renamed")
    card = visitor.expect_to_see("#messages [data-ts]", "seen 40 times")
    expect(card).to_contain_text("renewal_dt came, renewal_date was wanted")
    expect(card).to_contain_text("40 events are in quarantine")
    expect(visitor.page.locator("#messages [data-ts]")).to_have_count(1)
    expect(visitor.page.locator("[data-system=marketing]")).to_have_value("ok")
    visitor.open_thread("renewal_dt came")
    visitor.on_card("renewal_dt came", "release")
    visitor.expect_to_see("dialog", "All 40 of C-1")
    visitor.expect_to_see("dialog", "Take renewal_date from renewal_dt")
    visitor.release()
    visitor.expect_to_see("#thread-messages [data-ts]", "released 40 events from quarantine")
    visitor.expect_to_see("#thread-messages [data-ts]", "what was released (40 events) is through")
    visitor.expect_to_see('.system [data-requests="40"]')
    visitor.on_card("renewal_dt came", "resolve")
    visitor.expect_to_see("dialog[data-view-id]", "How was C-1 resolved?")
    visitor.press("dialog [data-submit]")
    visitor.expect_to_see("#messages [data-ts]", "✅ P2 · C-1")


def test_a_notice_is_retried_and_its_case_resolved(visitor: Visitor) -> None:
    visitor.play("down")
    visitor.expect_to_see("#messages [data-ts]", "Queued")
    visitor.open_thread("was not taken by marketing")
    visitor.expect_to_see("#thread-messages [data-ts]", "This one does not wait")
    visitor.choose("marketing", "ok")
    visitor.send_again("was not taken by marketing", "retry", asked="Asks first whether it is there already")
    visitor.expect_to_see("#thread-messages [data-ts]", "The retry went through with status 202")
    visitor.on_card("was not taken by marketing", "resolve")
    visitor.expect_to_see("dialog[data-view-id]", "How was C-1 resolved?")
    visitor.press("dialog label", "I have told the account manager.")
    visitor.press("dialog [data-submit]")
    visitor.expect_to_see("#messages [data-ts]", "✅ P1 · C-1")
    visitor.expect_to_see("#thread-messages [data-ts]", "resolved it")
    visitor.card("✅ P1").locator("select").select_option("audit")
    visitor.expect_to_see("dialog[data-view-id]", "audit trail")
    visitor.expect_to_see("dialog[data-view-id]", "resolved")


def test_the_person_on_call_is_told_in_a_direct_message(visitor: Visitor) -> None:
    visitor.play("down")
    visitor.press("[data-toast]")
    message = visitor.expect_to_see("#messages [data-ts]", "It goes to the person on call at once.")
    message.locator('button[data-action-id="case.acknowledge"]').click()
    visitor.press("#sidebar [data-channel=C0REVOPS]")
    visitor.expect_to_see("#messages [data-ts]", "In progress")


def test_the_hints_go_when_they_were_followed(visitor: Visitor) -> None:
    visitor.expect_to_see("#demo", "Start here")
    visitor.play("renamed")
    expect(visitor.page.locator("#demo")).not_to_contain_text("Start here")
    visitor.play("down")
    visitor.expect_to_see(".toast", "Ben Ortiz has got a direct message")
    visitor.act_as("U0BEN")
    expect(visitor.page.locator(".toast")).to_have_count(0, timeout=1000)


def test_a_refund_whose_callback_was_lost_is_not_paid_twice(visitor: Visitor) -> None:
    visitor.play("refund")
    visitor.expect_to_see('[data-system="billing"]')
    visitor.expect_to_see("[data-next-due]", "an outcome that did not come is missing")
    visitor.press("[data-clock-next]")
    visitor.expect_to_see("#messages [data-ts]", "No outcome came for cus_")
    visitor.send_again("No outcome came for cus_", "replay", asked="Replay C-1?")
    visitor.open_thread("No outcome came for cus_")
    visitor.expect_to_see(
        "#thread-messages [data-ts]", "Nothing was sent: the receiver was asked, and it is there already"
    )
    visitor.choose("billing", "ok")
    visitor.expect_to_see("#thread-messages [data-ts]", "and it is done")
    visitor.expect_to_see("#messages [data-ts]", "✅ P1 · C-1")


def test_a_ticket_without_context_is_told_at_once_mended_and_released(visitor: Visitor) -> None:
    visitor.play("ticket")
    visitor.read_direct_message()
    visitor.expect_to_see("#messages [data-ts]", "event.account_id is missing")
    visitor.press("#sidebar [data-channel=C0REVOPS]")
    visitor.expect_to_see("#messages [data-ts]", "1 event is in quarantine")
    visitor.open_thread("the customer is known")
    visitor.on_card("the customer is known", "release")
    visitor.expect_to_see("dialog button", "Look").click()
    visitor.expect_to_see("dialog", "precondition 'the customer is known' is not met")
    visitor.page.get_by_label("account_id (text)").fill("acct_7")
    visitor.release()
    visitor.expect_to_see("#thread-messages [data-ts]", "what was released (1 event) is through")
    visitor.expect_to_see('[title="PATCH /tickets/T-91 → 200"]')


def test_a_lead_that_lost_its_tier_is_mended_and_goes_to_the_right_team(visitor: Visitor) -> None:
    visitor.play("lead")
    visitor.open_thread("plan_tier came, tier was wanted")
    visitor.on_card("plan_tier came", "release")
    visitor.expect_to_see("dialog", "Take tier from plan_tier")
    visitor.release()
    visitor.expect_to_see("#thread-messages [data-ts]", "what was released (1 event) is through")
    visitor.expect_to_see('[title="POST /tickets → 201"]')


def test_a_thread_becomes_a_case_where_it_is(visitor: Visitor) -> None:
    visitor.play("thread")
    visitor.open_thread("was charged twice")
    reply = visitor.expect_to_see("#thread-messages [data-ts]", "I thought revenue ops looked at it")
    reply.hover()
    reply.locator("[data-quick=rotating_light]").click()
    visitor.press("#thread-messages button[data-action-id]", "Open a case")
    visitor.expect_to_see("dialog [data-submit]", "Open").click()
    card = visitor.expect_to_see("#thread-messages [data-ts]", "P3 · C-1")
    expect(card).to_contain_text("Customer Success")
    visitor.say("The customer is called back.", "#thread-composer")
    visitor.expect_to_see("#thread-messages [data-ts]", "The customer is called back.")
    visitor.press("#sidebar [data-channel=C0SUCCESS]")
    visitor.expect_to_see("#messages [data-ts]", "opened it from a thread, for Customer Success")


def test_a_message_has_a_menu_that_opens_a_case(visitor: Visitor) -> None:
    visitor.play("thread")
    message = visitor.expect_to_see("#messages [data-ts]", "was charged twice")
    message.hover()
    message.locator("[data-do=more]").click()
    visitor.press("[data-menu-item=open_case]")
    visitor.expect_to_see("dialog [data-submit]", "Open")
    title = visitor.page.get_by_label("What is wrong?")
    expect(title).to_have_value(re.compile("was charged twice"))
    title.fill("")
    visitor.press("dialog [data-submit]")
    visitor.expect_to_see("dialog .field-error")


def test_silence_is_escalated_to_whoever_is_on_call(visitor: Visitor) -> None:
    visitor.play("lead")
    visitor.open_thread("plan_tier came, tier was wanted")
    visitor.let_deadlines_pass_until("this is to be acknowledged by")
    visitor.let_deadlines_pass_until("Nobody has acknowledged it")
    visitor.expect_to_see("#messages [data-ts]", "passed")
    visitor.act_as("U0BEN")
    visitor.read_direct_message()
    visitor.expect_to_see("#messages [data-ts]", "Nobody has acknowledged it in time.")


def test_the_clock_moves_by_its_buttons(visitor: Visitor) -> None:
    before = float(visitor.expect_to_see("#demo [data-now]").get_attribute("data-now") or 0)
    visitor.press('[data-advance="7200"]')
    visitor.expect_to_see("#demo .now", "2 hours ahead")
    after = float(visitor.expect_to_see("#demo [data-now]").get_attribute("data-now") or 0)
    assert 7200 <= after - before < 7260


def test_what_somebody_may_not_is_told_to_them_alone(visitor: Visitor) -> None:
    visitor.play("lead")
    visitor.expect_to_see("#messages [data-ts]", "tier was wanted")
    visitor.act_as("U0GUS", "C0REVOPS")
    visitor.on_card("tier was wanted", "acknowledge")
    visitor.expect_to_see("#messages [data-ephemeral]", "Only visible to you")
    visitor.act_as("U0ADA")
    visitor.expect_to_see("#messages [data-ts]", "Queued")
    expect(visitor.page.locator("#messages [data-ephemeral]")).to_have_count(0)


def test_commands_and_the_home_tab_show_what_waits(visitor: Visitor) -> None:
    visitor.play("lead")
    card = visitor.expect_to_see("#messages [data-ts]", "tier was wanted").inner_text()
    on_call = next(person for person in PEOPLE if f"{person.real_name} (on call)" in " ".join(card.split()))
    visitor.say("/case list all")
    visitor.expect_to_see("#messages [data-ephemeral]", "All open cases (1)")
    visitor.say("/case lst all")
    visitor.expect_to_see("#messages [data-ephemeral]", "list")
    visitor.act_as(on_call.id)
    visitor.read_direct_message()
    visitor.press("[data-tab=home]")
    visitor.expect_to_see("#home", "C-1 plan_tier came")
    visitor.expect_to_see("#home", f"Revenue Ops: {on_call.real_name}")


def test_the_link_of_a_message_leads_to_it(visitor: Visitor) -> None:
    visitor.play("down")
    ts = visitor.expect_to_see("#messages [data-ts]", "was not taken by marketing").get_attribute("data-ts") or ""
    visitor.page.goto(f"{visitor.url.rstrip('/')}/archives/C0REVOPS/p{ts.replace('.', '')}")
    visitor.expect_to_see("#sidebar [data-channel=C0REVOPS][aria-current=page]")
    visitor.expect_to_see("#thread-messages [data-ts]", "was not taken by marketing")


def test_what_is_written_to_the_app_directly_is_answered_there(visitor: Visitor) -> None:
    visitor.play("down")
    visitor.expect_to_see("#messages [data-ts]", "Queued")
    visitor.read_direct_message()
    visitor.say("show C-1")
    visitor.expect_to_see("#messages [data-ts]", "Open the card of C-1")


def test_a_narrow_window_is_moved_sideways_to_everything(visitor: Visitor) -> None:
    visitor.page.set_viewport_size({"width": 420, "height": 800})
    visitor.expect_to_see("#demo", "Start here")
    visitor.page.mouse.move(200, 400)
    visitor.page.mouse.wheel(800, 0)
    expect(visitor.page.locator("#demo-close")).to_be_in_viewport()


def test_what_comes_while_a_channel_is_asked_for_stays(visitor: Visitor) -> None:
    said = {"as": "U0BEN", "kind": "message", "channel": "C0REVOPS", "text": "Said in between."}

    def answered_late(route: Route) -> None:
        before = route.fetch()
        assert visitor.page.request.post(f"{visitor.url}/ui/act", data=said).json()["ok"]
        visitor.expect_to_see("#messages [data-ts]", "Said in between.")
        route.fulfill(response=before)

    visitor.act_as("U0ADA", "C0SUCCESS")
    visitor.page.route("**/ui/messages?*channel=C0REVOPS*", answered_late, times=1)
    with visitor.page.expect_response("**/ui/messages?*channel=C0REVOPS*") as answer:
        visitor.press("#sidebar [data-channel=C0REVOPS]")
    answer.value.finished()
    visitor.page.evaluate("new Promise(requestAnimationFrame)")
    assert visitor.card("Said in between.").is_visible()
