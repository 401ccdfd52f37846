"""`pointsman demo` in real Chromium, as a newcomer goes through it: every story, its buttons, and the clock."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from bot.clock import MovableClock
from bot.sandbox.company.cast import PEOPLE
from bot.sandbox.demo import demo
from tests.conftest import MONDAY

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30_000
"""Milliseconds that an element may take to come on a machine that has other things to do; what is there is not waited
for."""

STARTS_WITHIN = 90
"""Seconds in which a demo is there, or gone."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


class Visitor:
    """Somebody in front of the page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        page.set_default_timeout(PATIENCE)
        page.goto(url)

    def see(self, selector: str, text: str | re.Pattern[str] = "") -> Locator:
        """Waits until the first such element with this text is seen."""
        found = self.page.locator(selector).filter(has_text=text).first
        expect(found).to_be_visible(timeout=PATIENCE)
        return found

    def press(self, selector: str, text: str = "") -> None:
        """Presses the first such element with this text."""
        self.page.locator(selector).filter(has_text=text).first.click()

    def act_as(self, user: str, channel: str | None = None) -> None:
        """Becomes somebody else, in a channel."""
        self.press(f"#rail [data-user={user}]")
        expect(self.page.locator(f"#rail [data-user={user}]")).to_have_attribute("aria-pressed", "true")
        if channel:
            self.press(f"#sidebar [data-channel={channel}]")
            self.see(f"#sidebar [data-channel={channel}][aria-current=page]")

    def play(self, story: str) -> None:
        """Plays a story and looks where it says."""
        self.press(f"#demo [data-story={story}]")
        self.see(f'[data-key="s:{story}"][data-story-state=done]')
        if self.page.locator(f"[data-look={story}]").count():
            self.press(f"[data-look={story}]")

    def open_thread(self, text: str) -> None:
        """Opens the thread of the channel's message with this text."""
        message = self.page.locator("#messages [data-ts]").filter(has_text=text).first
        message.hover()
        message.locator(".tools [data-do=thread]").click()
        self.see("#thread-messages [data-ts]", text)

    def card(self, text: str) -> Locator:
        """The card of the channel with this text."""
        return self.page.locator("#messages [data-ts]").filter(has_text=text).first

    def on_card(self, text: str, action: str) -> None:
        """Presses a button of a card in the channel."""
        self.card(text).locator(f'button[data-action-id="case.{action}"]').click()

    def send_again(self, text: str, verb: str, *, asked: str) -> None:
        """Presses Retry or Replay of a card, reads what it asks first, and says yes."""
        self.on_card(text, verb)
        self.see("dialog", asked).locator("button[value=yes]").click()

    def release(self) -> None:
        """Presses Release in the form that is open, which is then over."""
        self.press("dialog [data-submit]", "Release")
        expect(self.page.locator("dialog")).to_have_count(0, timeout=PATIENCE)

    def choose(self, system: str, mode: str) -> None:
        """Makes a system of the company behave otherwise, and waits until it does."""
        self.page.locator(f"select[data-system={system}]").select_option(mode)
        self.see(f".mode-{mode} select[data-system={system}]:not([data-live-busy])")

    def let_deadlines_pass_until(self, line: str) -> None:
        """Moves the clock from deadline to deadline until the open thread has such a line."""
        for _ in range(8):
            if self.page.locator("#thread-messages [data-ts]").filter(has_text=line).count():
                return
            self.press("[data-clock-next]")
            self.see("[data-clock-next]:not([data-live-busy])")
        self.see("#thread-messages [data-ts]", line)

    def read_direct_message(self) -> None:
        """Opens the app's direct messages, as soon as there is one."""
        self.press("#sidebar [data-channel^=D]")
        self.press("[data-tab=messages]")

    def say(self, text: str, composer: str = "#composer") -> None:
        """Types into a composer and sends it."""
        self.page.locator(f"{composer} textarea").fill(text)
        self.press(f"{composer} [data-send]")


def run_demo(address: Future[str], stopped: threading.Event) -> None:
    """The demo on a loop of its own: Playwright's synchronous half keeps the test's thread."""

    async def until_stopped() -> None:
        async with demo(port=0) as url:
            address.set_result(url)
            await asyncio.to_thread(stopped.wait)

    try:
        asyncio.run(until_stopped())
    except BaseException as fault:
        if not address.done():
            address.set_exception(fault)
        raise


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A demo of its own, in the week in which Ben is on call."""
    monkeypatch.setattr("bot.sandbox.demo.SystemClock", partial(MovableClock, MONDAY))
    address: Future[str] = Future()
    stopped = threading.Event()
    thread = threading.Thread(target=run_demo, args=(address, stopped))
    thread.start()
    try:
        yield address.result(timeout=STARTS_WITHIN)
    finally:
        stopped.set()
        thread.join(timeout=STARTS_WITHIN)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def visitor(browser: Browser, url: str) -> Iterator[Visitor]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    yield Visitor(page, url)
    page.close()
    assert faults == []


def test_the_first_screen_says_what_to_press(visitor: Visitor) -> None:
    visitor.see("#banner", "every exception gets an owner, a deadline and a button")
    visitor.see("#demo", "Start here")
    visitor.press("#messages [data-story=renamed]")
    visitor.see("#messages [data-ts]", "renewal_dt came, renewal_date was wanted")


def test_forty_renewals_whose_property_was_renamed_are_one_card_and_are_released_at_once(visitor: Visitor) -> None:
    visitor.play("renamed")
    card = visitor.see("#messages [data-ts]", "seen 40 times")
    expect(card).to_contain_text("renewal_dt came, renewal_date was wanted")
    expect(card).to_contain_text("40 events are in quarantine")
    expect(visitor.page.locator("#messages [data-ts]")).to_have_count(1)
    expect(visitor.page.locator("[data-system=marketing]")).to_have_value("ok")
    visitor.open_thread("renewal_dt came")
    visitor.on_card("renewal_dt came", "release")
    visitor.see("dialog", "All 40 of C-1")
    visitor.see("dialog", "Take renewal_date from renewal_dt")
    visitor.release()
    visitor.see("#thread-messages [data-ts]", "released 40 events from quarantine")
    visitor.see("#thread-messages [data-ts]", "what was released (40 events) is through")
    visitor.see('.system [data-requests="40"]')
    visitor.on_card("renewal_dt came", "resolve")
    visitor.see("dialog[data-view-id]", "How was C-1 resolved?")
    visitor.press("dialog [data-submit]")
    visitor.see("#messages [data-ts]", "✅ P2 · C-1")


def test_a_notice_is_retried_and_its_case_resolved(visitor: Visitor) -> None:
    visitor.play("down")
    visitor.see("#messages [data-ts]", "Queued")
    visitor.open_thread("was not taken by marketing")
    visitor.see("#thread-messages [data-ts]", "This one does not wait")
    visitor.choose("marketing", "ok")
    visitor.send_again("was not taken by marketing", "retry", asked="Asks first whether it is there already")
    visitor.see("#thread-messages [data-ts]", "The retry went through with status 202")
    visitor.on_card("was not taken by marketing", "resolve")
    visitor.see("dialog[data-view-id]", "How was C-1 resolved?")
    visitor.press("dialog label", "I have told the account manager.")
    visitor.press("dialog [data-submit]")
    visitor.see("#messages [data-ts]", "✅ P1 · C-1")
    visitor.see("#thread-messages [data-ts]", "resolved it")
    visitor.card("✅ P1").locator("select").select_option("audit")
    visitor.see("dialog[data-view-id]", "audit trail")
    visitor.see("dialog[data-view-id]", "resolved")


def test_the_person_on_call_is_told_in_a_direct_message(visitor: Visitor) -> None:
    visitor.play("down")
    visitor.press("[data-toast]")
    message = visitor.see("#messages [data-ts]", "It goes to the person on call at once.")
    message.locator('button[data-action-id="case.acknowledge"]').click()
    visitor.press("#sidebar [data-channel=C0REVOPS]")
    visitor.see("#messages [data-ts]", "In progress")


def test_the_hints_go_when_they_were_followed(visitor: Visitor) -> None:
    visitor.see("#demo", "Start here")
    visitor.play("renamed")
    expect(visitor.page.locator("#demo")).not_to_contain_text("Start here")
    visitor.play("down")
    visitor.see(".toast", "Ben Ortiz has got a direct message")
    visitor.act_as("U0BEN")
    expect(visitor.page.locator(".toast")).to_have_count(0, timeout=1000)


def test_a_refund_whose_callback_was_lost_is_not_paid_twice(visitor: Visitor) -> None:
    visitor.play("refund")
    visitor.see('[data-system="billing"]')
    visitor.see("[data-next-due]", "an outcome that did not come is missing")
    visitor.press("[data-clock-next]")
    visitor.see("#messages [data-ts]", "No outcome came for cus_")
    visitor.send_again("No outcome came for cus_", "replay", asked="Replay C-1?")
    visitor.open_thread("No outcome came for cus_")
    visitor.see("#thread-messages [data-ts]", "Nothing was sent: the receiver was asked, and it is there already")
    visitor.choose("billing", "ok")
    visitor.see("#thread-messages [data-ts]", "and it is done")
    visitor.see("#messages [data-ts]", "✅ P1 · C-1")


def test_a_ticket_without_context_is_told_at_once_mended_and_released(visitor: Visitor) -> None:
    visitor.play("ticket")
    visitor.read_direct_message()
    visitor.see("#messages [data-ts]", "event.account_id is missing")
    visitor.press("#sidebar [data-channel=C0REVOPS]")
    visitor.see("#messages [data-ts]", "1 event is in quarantine")
    visitor.open_thread("the customer is known")
    visitor.on_card("the customer is known", "release")
    visitor.see("dialog button", "Look").click()
    visitor.see("dialog", "precondition 'the customer is known' is not met")
    visitor.page.get_by_label("account_id (text)").fill("acct_7")
    visitor.release()
    visitor.see("#thread-messages [data-ts]", "what was released (1 event) is through")
    visitor.see('[title="PATCH /tickets/T-91 → 200"]')


def test_a_lead_that_lost_its_tier_is_mended_and_goes_to_the_right_team(visitor: Visitor) -> None:
    visitor.play("lead")
    visitor.open_thread("plan_tier came, tier was wanted")
    visitor.on_card("plan_tier came", "release")
    visitor.see("dialog", "Take tier from plan_tier")
    visitor.release()
    visitor.see("#thread-messages [data-ts]", "what was released (1 event) is through")
    visitor.see('[title="POST /tickets → 201"]')


def test_a_thread_becomes_a_case_where_it_is(visitor: Visitor) -> None:
    visitor.play("thread")
    visitor.open_thread("was charged twice")
    reply = visitor.see("#thread-messages [data-ts]", "I thought revenue ops looked at it")
    reply.hover()
    reply.locator("[data-quick=rotating_light]").click()
    visitor.press("#thread-messages button[data-action-id]", "Open a case")
    visitor.see("dialog [data-submit]", "Open").click()
    card = visitor.see("#thread-messages [data-ts]", "P3 · C-1")
    expect(card).to_contain_text("Customer Success")
    visitor.say("The customer is called back.", "#thread-composer")
    visitor.see("#thread-messages [data-ts]", "The customer is called back.")
    visitor.press("#sidebar [data-channel=C0SUCCESS]")
    visitor.see("#messages [data-ts]", "opened it from a thread, for Customer Success")


def test_a_message_has_a_menu_that_opens_a_case(visitor: Visitor) -> None:
    visitor.play("thread")
    message = visitor.see("#messages [data-ts]", "was charged twice")
    message.hover()
    message.locator("[data-do=more]").click()
    visitor.press("[data-menu-item=open_case]")
    visitor.see("dialog [data-submit]", "Open")
    title = visitor.page.get_by_label("What is wrong?")
    expect(title).to_have_value(re.compile("was charged twice"))
    title.fill("")
    visitor.press("dialog [data-submit]")
    visitor.see("dialog .field-error")


def test_silence_is_escalated_to_whoever_is_on_call(visitor: Visitor) -> None:
    visitor.play("lead")
    visitor.open_thread("plan_tier came, tier was wanted")
    visitor.let_deadlines_pass_until("this is to be acknowledged by")
    visitor.let_deadlines_pass_until("Nobody has acknowledged it")
    visitor.see("#messages [data-ts]", "passed")
    visitor.act_as("U0BEN")
    visitor.read_direct_message()
    visitor.see("#messages [data-ts]", "Nobody has acknowledged it in time.")


def test_the_clock_moves_by_its_buttons(visitor: Visitor) -> None:
    before = float(visitor.see("#demo [data-now]").get_attribute("data-now") or 0)
    visitor.press('[data-advance="7200"]')
    visitor.see("#demo .now", "2 hours ahead")
    after = float(visitor.see("#demo [data-now]").get_attribute("data-now") or 0)
    assert 7200 <= after - before < 7260


def test_what_somebody_may_not_is_told_to_them_alone(visitor: Visitor) -> None:
    visitor.play("lead")
    visitor.see("#messages [data-ts]", "tier was wanted")
    visitor.act_as("U0GUS", "C0REVOPS")
    visitor.on_card("tier was wanted", "acknowledge")
    visitor.see("#messages [data-ephemeral]", "Only visible to you")
    visitor.act_as("U0ADA")
    visitor.see("#messages [data-ts]", "Queued")
    expect(visitor.page.locator("#messages [data-ephemeral]")).to_have_count(0)


def test_commands_and_the_home_tab_show_what_waits(visitor: Visitor) -> None:
    visitor.play("lead")
    card = visitor.see("#messages [data-ts]", "tier was wanted").inner_text()
    on_call = next(person for person in PEOPLE if f"{person.real_name} (on call)" in " ".join(card.split()))
    visitor.say("/case list all")
    visitor.see("#messages [data-ephemeral]", "All open cases (1)")
    visitor.say("/case lst all")
    visitor.see("#messages [data-ephemeral]", "list")
    visitor.act_as(on_call.id)
    visitor.read_direct_message()
    visitor.press("[data-tab=home]")
    visitor.see("#home", "C-1 plan_tier came")
    visitor.see("#home", f"Revenue Ops: {on_call.real_name}")


def test_the_link_of_a_message_leads_to_it(visitor: Visitor) -> None:
    visitor.play("down")
    ts = visitor.see("#messages [data-ts]", "was not taken by marketing").get_attribute("data-ts") or ""
    visitor.page.goto(f"{visitor.url.rstrip('/')}/archives/C0REVOPS/p{ts.replace('.', '')}")
    visitor.see("#sidebar [data-channel=C0REVOPS][aria-current=page]")
    visitor.see("#thread-messages [data-ts]", "was not taken by marketing")


def test_what_is_written_to_the_app_directly_is_answered_there(visitor: Visitor) -> None:
    visitor.play("down")
    visitor.see("#messages [data-ts]", "Queued")
    visitor.read_direct_message()
    visitor.say("show C-1")
    visitor.see("#messages [data-ts]", "Open the card of C-1")


def test_a_narrow_window_is_moved_sideways_to_everything(visitor: Visitor) -> None:
    visitor.page.set_viewport_size({"width": 420, "height": 800})
    visitor.see("#demo", "Start here")
    visitor.page.mouse.move(200, 400)
    visitor.page.mouse.wheel(800, 0)
    expect(visitor.page.locator("#demo-close")).to_be_in_viewport()
