"""The page's renderer in real Chromium: what an app may say to people, and what it must not do to them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PAGE = Path(__file__).parents[2] / "bot" / "sandbox" / "page"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ORIGIN = "http://page.invalid"
NOON = 1795176000  # 2026-11-20 12:00 UTC, a Friday

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]

SETUP = """
async (given) => {
  const { block, messageBody } = await import("/static/blocks.js");
  const clock = await import("/static/clock.js");
  const { faults, readState } = await import("/static/values.js");
  const { mrkdwn } = await import("/static/mrkdwn.js");
  const { morph } = await import("/static/morph.js");
  const context = {
    now: %d, zone: "Europe/Berlin", me: "U0ADA", view: "V1",
    users: new Map([["U0ADA", { id: "U0ADA", real_name: "Ada Okafor" }], ["U0BEN", { id: "U0BEN", real_name: "Ben" }]]),
    channels: new Map([["C0REVOPS", { id: "C0REVOPS", name: "revenue-ops" }]]),
  };
  const show = (markup) => { document.body.innerHTML = String(markup); return document.body.innerHTML; };
  const draw = (one) => show(block(one, context));
  %s
}
"""

Run = Callable[..., Any]


def serve(route: Route) -> None:
    name = route.request.url.removeprefix(ORIGIN).removeprefix("/static/")
    if name == "/":
        route.fulfill(content_type="text/html", body="<!doctype html><body></body>")
    else:
        route.fulfill(path=PAGE / name, content_type="text/javascript")


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=CHROMIUM, headless=True, args=FLAGS
        )
        page = browser.new_page()
        page.route("**/*", serve)
        page.goto(f"{ORIGIN}/")
        yield page
        browser.close()


@pytest.fixture
def run(browser_page: Page) -> Run:
    """Runs JavaScript with the renderer at hand; `given` is its one argument."""

    def evaluate(script: str, given: object = None) -> Any:
        return browser_page.evaluate(SETUP % (NOON, script), given)

    return evaluate


def text_of(run: Run, text: str) -> str:
    shown: str = run("show(mrkdwn(given, context)); return document.body.innerText", text)
    return shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*bold* _it_ ~gone~ `a*b*c`", "<strong>bold</strong> <em>it</em> <s>gone</s> <code>a*b*c</code>"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2*3*4"),
        ("*<https://x.io/a?b=1&amp;c=2|PM-1>*", 'href="https://x.io/a?b=1&amp;c=2"'),
        ("&gt; quoted\nnot", "<blockquote>quoted</blockquote>not"),
        ("• one\n• two", "<ul><li>one</li><li>two</li></ul>"),
        ("```\n*x* <1>\n```", "<pre>*x* &lt;1&gt;</pre>"),
        ("<@U0BEN> in <#C0REVOPS>", "@Ben"),
        ("<!subteam^S1|@ops> <!here>", "@ops"),
        (":rotating_light: :no_such_thing:", "🚨 :no_such_thing:"),
    ],
)
def test_mrkdwn_reads_as_in_slack(run: Run, text: str, shown: str) -> None:
    assert shown in run("return show(mrkdwn(given, context))", text)


def test_plain_text_keeps_its_lines_and_indents(run: Run, browser_page: Page) -> None:
    browser_page.add_style_tag(path=PAGE / "style" / "blocks.css")
    said = {"type": "section", "text": {"type": "plain_text", "text": "Traceback:\n  line 1\n\nend <b>"}}
    shown = run("draw(given); return document.querySelector('.section-text').innerText", said)
    assert shown == "Traceback:\n  line 1\n\nend <b>"


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<javascript:alert(1)|click me>",
        "<JaVaScRiPt:alert(1)>",
        "<data:text/html,hi|data>",
        '<https://x.io/"onmouseover="alert(1)|x>',
        "`<b>` *<svg/onload=alert(1)>*",
        "<@<img src=x>> \ue0000\ue001",
    ],
)
def test_hostile_text_stays_text(run: Run, text: str) -> None:
    found = run(
        """show(mrkdwn(given, context));
        return [...document.body.querySelectorAll("*")].flatMap((n) => [n.nodeName, ...[...n.attributes]
          .filter((a) => /^on/.test(a.name) || /^(javascript|data):/i.test(a.value)).map((a) => a.name)])""",
        text,
    )
    assert set(found) <= {"STRONG", "CODE", "A", "SPAN", "P", "BR", "UL", "LI", "BLOCKQUOTE"}


def test_label_of_a_dropped_link_is_still_read(run: Run) -> None:
    assert text_of(run, "<javascript:alert(1)|click me>") == "click me"


def test_very_long_text_is_drawn_whole(run: Run) -> None:
    assert len(text_of(run, "*" * 20_000 + "`x " * 10_000)) > 39_000


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (f"<!date^{NOON}^{{date_short_pretty}} at {{time}}|x>", "Today at 1:00 PM"),
        (f"due <!date^{NOON + 86400}^{{date_pretty}}|x>", "due tomorrow"),
        (f"<!date^{NOON - 86400 * 3}^{{date_short}}|x>", "Nov 17, 2026"),
        (f"<!date^{NOON}^{{date_num}} {{time_secs}}|x>", "2026-11-20 1:00:00 PM"),
        (f"<!date^{NOON + 7200}^{{ago}}|x>", "In 2 hours"),
        (f"<!date^{NOON}^{{date_long}}|x>", "Friday, November 20th, 2026"),
        ("<!date^soon^{time}|at noon>", "At noon"),
    ],
)
def test_dates_are_in_the_viewers_zone_by_the_sandbox_clock(run: Run, token: str, shown: str) -> None:
    assert text_of(run, token) == shown


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("2026-07-01T09:00", "2026-07-01T07:00:00.000Z"),
        ("2026-10-25T03:30", "2026-10-25T02:30:00.000Z"),
        ("2026-12-01T09:00", "2026-12-01T08:00:00.000Z"),
    ],
)
def test_picked_wall_time_is_meant_in_the_viewers_zone(run: Run, wall: str, instant: str) -> None:
    script = """const at = clock.instantOf(given, "Europe/Berlin");
    return [new Date(at * 1000).toISOString(), clock.wallOf(at, "Europe/Berlin")]"""
    assert run(script, wall) == [instant, wall]


@pytest.mark.parametrize("kind", ["data_visualization", "constructor", None])
def test_unknown_block_is_shown_as_a_box_with_its_type(run: Run, kind: str | None) -> None:
    shown = run("draw(given); return document.querySelector('.block-unknown').innerText", {"type": kind})
    assert (kind or "none") in shown


def test_rich_text_markdown_and_tables_keep_their_words(run: Run) -> None:
    line = {"type": "rich_text_section", "elements": [{"type": "text", "text": "<b>", "style": {"bold": True}}]}
    blocks = [
        {"type": "rich_text", "elements": [{"type": "rich_text_list", "style": "ordered", "elements": [line]}]},
        {"type": "markdown", "text": "## Head\n- **one** <script>\n\n```\ncode\n```"},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "H"}], [{"type": "raw_text", "text": "<i>"}]]},
    ]
    shown = run("return show(messageBody({ blocks: given }, context))", blocks)
    assert "<li><strong>&lt;b&gt;</strong></li>" in shown
    assert "<li><strong>one</strong> &lt;script&gt;</li>" in shown
    assert "<pre>code</pre>" in shown
    assert "&lt;i&gt;</td>" in shown


def test_attachment_bar_takes_colours_and_nothing_else(run: Run) -> None:
    colours = ["#e01e5a", "good", "red;background:url(//x)"]
    script = """return given.map((color) => { show(messageBody({ attachments: [{ color, text: "x" }] }, context));
      return document.querySelector(".attachment").style.cssText })"""
    assert run(script, colours) == ["--bar: #e01e5a;", "--bar: #2eb67d;", "--bar: var(--line-strong);"]


def test_button_carries_all_that_a_click_tells(run: Run) -> None:
    button = {
        "type": "button", "action_id": "ack", "value": "PM-1:3", "style": "primary",
        "text": {"type": "plain_text", "text": "Acknowledge :eyes:"},
    }  # fmt: skip
    given = {"type": "actions", "block_id": "a1", "elements": [button]}
    script = """draw(given); const { dataset, className, innerText } = document.querySelector("button");
    return [dataset.actionId, dataset.blockId, dataset.value, dataset.type, className, innerText]"""
    assert run(script, given) == ["ack", "a1", "PM-1:3", "button", "button primary", "Acknowledge 👀"]


def field(name: str, kind: str, **more: object) -> dict[str, object]:
    element = {"type": kind, "action_id": "x", **more}
    return {"type": "input", "block_id": name, "label": {"type": "plain_text", "text": name}, "element": element}


def options(*values: str) -> list[dict[str, object]]:
    return [{"text": {"type": "plain_text", "text": value.upper()}, "value": value} for value in values]


@pytest.mark.parametrize(
    ("kind", "more", "value"),
    [
        ("plain_text_input", {"initial_value": "a <b> & c"}, {"value": "a <b> & c"}),
        ("plain_text_input", {"initial_value": "\nfirst\n", "multiline": True}, {"value": "\nfirst\n"}),
        ("number_input", {"initial_value": "7"}, {"value": "7"}),
        ("email_text_input", {}, {"value": None}),
        ("static_select", {"options": options("p1", "p2"), "initial_option": options("p2")[0]},
         {"selected_option": options("p2")[0]}),
        ("external_select", {"initial_option": options("p9")[0]}, {"selected_option": options("p9")[0]}),
        ("radio_buttons", {"options": options("a", "b"), "initial_option": options("a")[0]},
         {"selected_option": options("a")[0]}),
        ("checkboxes", {"options": options("a", "b"), "initial_options": options("b")},
         {"selected_options": options("b")}),
        ("users_select", {"initial_user": "U0BEN"}, {"selected_user": "U0BEN"}),
        ("multi_users_select", {"initial_users": ["U0ADA"]}, {"selected_users": ["U0ADA"]}),
        ("conversations_select", {"initial_conversation": "C0REVOPS"}, {"selected_conversation": "C0REVOPS"}),
        ("datepicker", {"initial_date": "2026-11-20"}, {"selected_date": "2026-11-20"}),
        ("timepicker", {"initial_time": "09:30"}, {"selected_time": "09:30"}),
        ("datetimepicker", {"initial_date_time": NOON}, {"selected_date_time": NOON}),
    ],
)  # fmt: skip
def test_inputs_give_back_what_they_were_given(
    run: Run, kind: str, more: dict[str, object], value: dict[str, object]
) -> None:
    state = run("draw(given); return readState(document.body, context.zone)", field("f", kind, **more))
    assert state == {"f": {"x": {"type": kind, **value}}}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (field("f", "plain_text_input"), "Please complete this required field."),
        ({**field("f", "plain_text_input"), "optional": True}, None),
        (field("f", "number_input", initial_value="2", min_value="3"), "Please enter 3 or more."),
        (field("f", "email_text_input", initial_value="nobody"), "Please enter an email address."),
        (field("f", "plain_text_input", initial_value="ab", min_length=3), "Please use at least 3 characters."),
    ],
)
def test_faults_are_told_at_the_field(run: Run, given: dict[str, object], fault: str | None) -> None:
    script = """draw(given); return faults({ blocks: [given] }, readState(document.body, context.zone))"""
    assert run(script, given).get("f") == fault


def test_redrawing_keeps_what_is_typed_and_the_focus(run: Run) -> None:
    given = [field("a", "plain_text_input"), field("b", "plain_text_input")]
    script = """const all = (list) => list.map((one) => String(block(one, context))).join("");
    show(all(given)); const box = document.querySelectorAll("input")[1];
    box.value = "half a word"; box.focus(); box.setAttribute("data-live-busy", "");
    morph(document.body, "<p>new</p>" + all(given.toReversed()) + "<p>last</p>");
    const kept = document.querySelector("input") === box;
    return [document.activeElement.value, kept, box.hasAttribute("data-live-busy")]"""
    typed, same, busy = run(script, given)
    assert (typed, same, busy) == ("half a word", True, True)


def test_typed_names_and_links_are_sent_as_tokens(run: Run) -> None:
    script = """const { state } = await import("/static/state.js");
    state.users = context.users; state.channels = context.channels;
    const { messageText } = await import("/static/composer.js");
    return messageText(given)"""
    typed = "@Ben see #revenue-ops, not #revenue-ops2: https://x.io/a#revenue-ops, <b> & @Benjamin"
    told = "<@U0BEN> see <#C0REVOPS>, not #revenue-ops2: <https://x.io/a#revenue-ops>, <b> & @Benjamin"
    assert run(script, typed) == told


def test_page_asks_nothing_of_the_world() -> None:
    for path in [PAGE / "index.html", *PAGE.glob("*.js"), *PAGE.glob("style/*.css")]:
        outside = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert '="http' not in outside, path
        assert "@import" not in outside, path
        assert not [line for line in outside.splitlines() if "url(http" in line], path


def test_every_file_is_small_and_named_in_place() -> None:
    for path in [*PAGE.glob("*.js"), *PAGE.glob("style/*.css")]:
        assert len(path.read_text().splitlines()) <= 400, path
    linked = {line.split('"')[3] for line in (PAGE / "index.html").read_text().splitlines() if "stylesheet" in line}
    assert linked == {f"/static/style/{path.name}" for path in PAGE.glob("style/*.css")}
