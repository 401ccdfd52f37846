"""Somebody in front of the demo's page, in real Chromium: what they see and press."""

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

in_browser = [
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

    def expect_to_see(self, selector: str, text: str | re.Pattern[str] = "") -> Locator:
        """Fails unless the first such element with this text is seen in time; gives it."""
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
            self.expect_to_see(f"#sidebar [data-channel={channel}][aria-current=page]")

    def play(self, story: str) -> None:
        """Plays a story and looks where it says."""
        self.press(f"#demo [data-story={story}]")
        self.expect_to_see(f'[data-key="s:{story}"][data-story-state=done]')
        if self.page.locator(f"[data-look={story}]").count():
            self.press(f"[data-look={story}]")

    def open_thread(self, text: str) -> None:
        """Opens the thread of the channel's message with this text."""
        message = self.page.locator("#messages [data-ts]").filter(has_text=text).first
        message.hover()
        message.locator(".tools [data-do=thread]").click()
        self.expect_to_see("#thread-messages [data-ts]", text)

    def card(self, text: str) -> Locator:
        """The card of the channel with this text."""
        return self.page.locator("#messages [data-ts]").filter(has_text=text).first

    def on_card(self, text: str, action: str) -> None:
        """Presses a button of a card in the channel."""
        self.card(text).locator(f'button[data-action-id="case.{action}"]').click()

    def send_again(self, text: str, verb: str, *, asked: str) -> None:
        """Presses Retry or Replay of a card, reads what it asks first, and says yes."""
        self.on_card(text, verb)
        self.expect_to_see("dialog", asked).locator("button[value=yes]").click()

    def release(self) -> None:
        """Presses Release in the form that is open, which is then over."""
        self.press("dialog [data-submit]", "Release")
        expect(self.page.locator("dialog")).to_have_count(0, timeout=PATIENCE)

    def choose(self, system: str, mode: str) -> None:
        """Makes a system of the company behave otherwise, and waits until it does."""
        self.page.locator(f"select[data-system={system}]").select_option(mode)
        self.expect_to_see(f".mode-{mode} select[data-system={system}]:not([data-live-busy])")

    def miss_the_outcome(self, text: str) -> Locator:
        """Waits until the outcome is awaited and lets its time pass; gives the card of the case that this is."""
        self.expect_to_see("[data-next-due]", "an outcome that did not come is missing")
        self.press("[data-clock-next]")
        return self.expect_to_see("#messages [data-ts]", text)

    def press_on(self, text: str, button: str) -> None:
        """Presses the button of a card in the channel that says so, as soon as it is there."""
        self.card(text).get_by_role("button", name=button, exact=True).first.click()

    def resolve(self, text: str) -> None:
        """Presses Resolve on a card and in its form."""
        self.on_card(text, "resolve")
        self.press("dialog [data-submit]")
        expect(self.page.locator("dialog")).to_have_count(0, timeout=PATIENCE)

    def let_deadlines_pass_until(self, line: str) -> None:
        """Moves the clock from deadline to deadline until the open thread has such a line."""
        for _ in range(8):
            if self.page.locator("#thread-messages [data-ts]").filter(has_text=line).count():
                return
            self.press("[data-clock-next]")
            self.expect_to_see("[data-clock-next]:not([data-live-busy])")
        self.expect_to_see("#thread-messages [data-ts]", line)

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
        async with demo(port=0) as running:
            address.set_result(running.url)
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
