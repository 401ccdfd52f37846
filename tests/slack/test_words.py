"""Sentences for everything there is to tell, and text from outside made harmless."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rules.saying import What
from bot.slack.lines import SENTENCES, sentence
from bot.slack.parts import BLOCKS, context, detail, mrkdwn, plain, section, within_budget
from bot.slack.words import Names, clean, cut, escape, quote, said

NAMES = Names({"U0ADA": "Ada <!here>"}, {"ops": "Revenue & Ops"})
FACTS: dict[str, Any] = {
    "by": "U0ADA",
    "to": "U0BEN",
    "from": "ops",
    "until": "2026-11-23T09:00:00+00:00",
    "due_at": "2026-11-23T09:00:00+00:00",
    "start_at": "2026-11-23T09:00:00+00:00",
    "end_at": "2026-11-23T10:00:00+00:00",
    "window": "response",
    "ladder": "unacknowledged",
    "step": 1,
    "of": 3,
    "role": "ops",
    "owner": "ops",
    "people": ["U0ADA", "U0BEN"],
    "reason": "<!channel> fixed",
    "note": "<!channel>",
    "text": "<!channel>" * 5000,
    "because": "<!channel>",
    "verb": "retry",
    "status": 503,
    "response": "<!channel>",
    "request": "<!channel>",
    "kind": "card",
    "rota": "ops-on-call",
    "person": "U0BEN",
    "title": "<!channel>",
}


def test_there_is_a_sentence_for_everything_that_can_be_told() -> None:
    assert set(SENTENCES) == set(What)


@pytest.mark.parametrize("what", What)
@pytest.mark.parametrize("facts", [FACTS, {}])
def test_a_sentence_is_short_wakes_nobody_by_accident_and_misses_nothing(what: What, facts: dict[str, Any]) -> None:
    text = sentence(what, facts, NAMES)
    assert 5 < len(text) <= 8000
    assert "<!channel>" not in text
    assert "<!here>" not in text
    assert "None" not in text


def test_what_this_version_does_not_know_is_said_as_it_is() -> None:
    assert sentence("run_<started>", {}, NAMES) == "run &lt;started&gt;"


@given(st.text(max_size=2000), st.integers(2, 400))
def test_cleaned_text_is_bounded_and_shows_what_it_is(text: str, most: int) -> None:
    shown = clean(text, most)
    assert len(shown) <= most
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x07") & set(shown)


@given(st.text(max_size=400))
def test_quoted_text_opens_no_token_and_no_code(text: str) -> None:
    shown = quote(text)
    assert not set("<>`*\n") & set(shown)


def test_instants_in_utc_are_told_in_the_readers_zone_and_all_else_stays_as_it_is() -> None:
    said = detail("It was delivered 2026-11-23 09:10:00 UTC by <!channel> *now*, not 2026-13-40 09:10 UTC.", 200)
    assert said["text"]["text"] == (
        "It was delivered <!date^1795425000^{date_short_pretty} at {time}|2026-11-23 09:10 UTC> by &lt;!channel&gt; "
        "∗now∗, not 2026-13-40 09:10 UTC."
    )
    assert detail("<!channel> *now*", 200)["text"]["type"] == "plain_text"


@given(st.text(alphabet="<>&a@!^|{} \n", max_size=300), st.integers(1, 100))
def test_our_own_text_is_never_cut_inside_a_token(text: str, most: int) -> None:
    token = "<!date^1^{date}|x>"
    shown = cut(escape(text) + token + escape(text), most)
    assert len(shown) <= most
    assert shown.count("<") == shown.count(">")


def test_fifty_thousand_characters_are_cut_quickly_to_what_fits() -> None:
    text = "\u202e<!channel>" * 5000
    assert len(plain(text)["text"]) <= 3000
    assert len(mrkdwn(escape(text))["text"]) <= 3000


def test_empty_text_is_still_a_text() -> None:
    assert plain(" \u202e ")["text"] == "–"


def test_more_blocks_than_fit_are_counted() -> None:
    shown = within_budget([section("x" * 100)] * 70)
    assert len(shown) == BLOCKS
    assert "21 more" in shown[-1]["elements"][0]["text"]


def test_as_many_blocks_as_fit_are_all_shown() -> None:
    blocks = [context("x")] * BLOCKS
    assert within_budget(blocks) == blocks


def test_what_people_wrote_is_read_from_slacks_markup() -> None:
    assert said("<@U1|ada> see <https://x.test|this> in <#C1|ops>, <!here> &lt;b&gt; &amp;amp;") == (
        "@ada see this in #ops, @here <b> &amp;"
    )
