"""Whatever a folder holds, it loads or its faults are told, soon, and nothing else is ever raised."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks.policy import Policy, PolicyFaults, digest_of, load
from tests.runbooks.good_folder import GOOD, edited

LONGEST_SECONDS = 10.0  # of the processor: what others do at the same time does not count
"""Far beyond what any of these takes; a bomb that goes off takes hours."""

PIECES = st.one_of(
    st.sampled_from(
        [
            *(
                "{",
                "}",
                "[",
                "]",
                ":",
                ": ",
                "- ",
                "\n",
                "\n  ",
                "\t",
                "'",
                '"',
                "|",
                ">",
                "&a ",
                "*a",
                "!!set ",
                "%",
                "@",
            ),
            *(
                "{{",
                "}}",
                "{%",
                "#",
                "?",
                "---\n",
                "...\n",
                "null",
                "~",
                "true",
                "-1",
                "1e999",
                "\x00",
                "\ud800",
                "\u202e",
            ),
            *(
                "event.",
                "steps.",
                "inputs.",
                "(",
                ")",
                "|",
                "is",
                "not ",
                "999999999999999999999",
                "99999999w",
                "1bd",
                "<<",
            ),
            *("\ufeff", "\u2028", "\x85", "\\", "${", "$ref", "#/", "..", "/", "é", "𝕏"),
        ]
    ),
    st.text(max_size=8),
)


@st.composite
def corrupted(draw: st.DrawFn) -> dict[str, str]:
    """The good folder with some stretches of some files cut out, doubled or replaced."""
    files = dict(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(sorted(files)))
        text = files[name]
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        middle = draw(st.one_of(PIECES, st.just(""), st.just(text[start:end] * 2)))
        files[name] = text[:start] + middle + text[end:]
    return files


def loaded(files: dict[str, str]) -> Policy | tuple[str, ...]:
    """The policy, or what is told; the time it took is held."""
    start = time.thread_time()
    try:
        return load(files)
    except PolicyFaults as told:
        faults = told.faults
    finally:
        assert time.thread_time() - start < LONGEST_SECONDS
    assert faults
    assert list(faults) == sorted(faults, key=lambda it: (it.file, it.line, it.column, it.message))
    assert all(fault.line >= 1 and fault.column >= 1 and str(fault).isprintable() for fault in faults)
    return tuple(str(fault) for fault in faults)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(corrupted())
def test_a_corrupted_folder_loads_or_tells_its_faults(files: dict[str, str]) -> None:
    loaded(files)
    assert len(digest_of(files)) == 64


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from([*GOOD, "x", "../a.yml", "runbooks/a\nb.yml"]), st.text(max_size=200)))
def test_a_folder_of_anything_loads_or_tells_its_faults(files: dict[str, str]) -> None:
    loaded(files)
    assert len(digest_of(files)) == 64


WORKFLOW = "workflows/refund.yml"
SCHEMA = "schemas/refund.v1.json"
BOMBS = {
    "aliases": (WORKFLOW, "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(20_000))),
    "unknown keys": (WORKFLOW, "\n".join(f"key{n}: 1" for n in range(15_000))),
    "double keys": (WORKFLOW, "key: 1\n" * 30_000),
    "one long text": (WORKFLOW, "title: " + "x" * 250_000),
    "escapes": (WORKFLOW, 'title: "' + "\\x41" * 60_000 + '"'),
    "anchors": (WORKFLOW, "\n".join(f"- &a{n} x" for n in range(15_000))),
    "quotes": (WORKFLOW, "'" * 200_001),
    "deep json": (SCHEMA, "[" * 100_000),
    "wide json": (SCHEMA, json.dumps({"properties": {f"p{n}": {"tpye": "strng"} for n in range(5_000)}})),
    "wrong json": (
        SCHEMA,
        json.dumps({"properties": {f"p{n}": {"type": "strng", "pattern": "["} for n in range(3_000)}}),
    ),
    "long number": (SCHEMA, "1" * 200_000),
    "names of nobody": (WORKFLOW, GOOD[WORKFLOW] + "on_close: [" + ", ".join(f"r{n}" for n in range(20_000)) + "]\n"),
    "calendar": ("money.ics", "BEGIN:VEVENT\n" * 20_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_a_fault_and_soon_told(bomb: str) -> None:
    file, text = BOMBS[bomb]
    told = loaded({**GOOD, file: text})
    assert isinstance(told, tuple)
    assert any(fault.startswith(f"{file}:") for fault in told)
    assert len(told) <= 300


@pytest.mark.parametrize(
    "expression",
    ["(" * 3_000 + "1" + ")" * 3_000, "not " * 1_000 + "x", "event." * 1_000 + "x", "-" * 3_000 + "1", "event" * 5_000],
)
def test_an_expression_without_end_is_a_fault(expression: str) -> None:
    assert isinstance(loaded(edited(WORKFLOW, "outcome.state == 'done'", expression)), tuple)


@pytest.mark.parametrize("pattern", ["(" * 4_000, "(?:" * 500 + "a" + ")*" * 500, "a{1,99999999999}", "[", "(?P<a"])
def test_a_pattern_that_cannot_be_compiled_is_a_fault(pattern: str) -> None:
    assert isinstance(loaded(edited("runbooks/callback.yml", "re_[a-z0-9]+", pattern)), tuple)


def test_too_many_files_are_refused_unread() -> None:
    told = loaded({**GOOD, **{f"workflows/w{n}.yml": "" for n in range(1_001)}})
    assert told == ("team.yml:1:1: the folder is too large; a policy has at most 1000 files and 4096 KiB",)
