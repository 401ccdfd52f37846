"""Expressions of a policy: what they give, what is missing, and what they refuse."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.templates import (
    ROOTS,
    Decision,
    ExpressionFault,
    Missing,
    compile_expression,
)

NAMES = {
    "event": {
        "tier": "vip",
        "amount": 12,
        "number_as_text": "12",
        "items": [1, 2, 3],
        "nothing": None,
        "empty": "",
        "renewal_date": "2026-03-01",
        "rows": [{"id": "b", "n": 2, "team": {"name": "x"}}, {"id": "a", "n": 1, "team": {"name": "x"}}],
        "holes": [{"id": "a"}, {}],
        "big": "x" * 60_000,
        "numbers": list(range(2_000)),
        "huge": 10**1_000,
    },
    "case": {"subject": "acc 7/a", "opened_at": datetime(2026, 1, 5, 7, 55, tzinfo=UTC), "quarantined": 0},
    "inputs": {"from": "tier", "to": "level"},
    "now": datetime(2026, 1, 5, 10, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("event.tier == 'vip'", True),
        ("event.amount >= 5 and not event.tier in ['growth', 'starter']", True),
        ("1 < event.amount < 12", False),
        ("event.items", [1, 2, 3]),
        ("event['items'][0]", 1),
        ("event.items[-1]", 3),
        ("event.items[:2]", [1, 2]),
        ("event[inputs.from]", "vip"),
        ("event.number_as_text", "12"),
        ("event.nothing", None),
        ("event.nothing is none", True),
        ("event.nope is defined", False),
        ("event.nope.deeper is defined", False),
        ("event.nope is not defined", True),
        ("event.nope.deeper | default('x')", "x"),
        ("event.empty | default('x')", ""),
        ("event.empty | default('x', true)", "x"),
        ("'strategic' if event.tier == 'vip' else 'onboarding'", "strategic"),
        ("event.tier ~ '-' ~ event.amount ~ '-' ~ true", "vip-12-true"),
        ("event.tier | upper | replace('V', 'W')", "WIP"),
        ("event.rows | map(attribute='id') | list", ["b", "a"]),
        ("event.rows | map(attribute='team.name') | unique | list", ["x"]),
        ("event.holes | map(attribute='id', default='-') | join(',')", "a,-"),
        ("event.items | map('string') | join('+')", "1+2+3"),
        ("event.items | select('odd') | list", [1, 3]),
        ("event.items | reject('odd') | first", 2),
        ("event.rows | selectattr('n', 'gt', 1) | map(attribute='id') | first", "b"),
        ("event.holes | selectattr('id', 'defined') | list", [{"id": "a"}]),
        ("event.holes | rejectattr('id', 'defined') | list", [{}]),
        ("event.rows | sum(attribute='n')", 3),
        ("event.rows | sort(attribute='n') | map(attribute='id') | list", ["a", "b"]),
        ("event.rows | groupby('team.name') | map('first') | list", ["x"]),
        ("event.items | batch(2) | list", [[1, 2], [3]]),
        ("event.items | length + 7 // 2 - 1", 5),
        ("{'a': [1, none]} | tojson", '{"a": [1, null]}'),
        ("event.items + [4]", [1, 2, 3, 4]),
        ("-event.amount % 5 + 2 ** 3", 11),
        ("now", "2026-01-05T10:00:00Z"),
        ("now | plus('30d') | date", "2026-02-04"),
        ("now | plus('-2h') | time", "08:00"),
        ("now | time('Europe/Berlin')", "11:00"),
        ("event.renewal_date | plus('1d') | date", "2026-03-02"),
        ("event.renewal_date | date('America/New_York')", "2026-03-01"),
        ("case.opened_at | ago", "2h 5m ago"),
        ("now | plus('3d') | ago", "in 3d"),
        ("case.opened_at | plus('2h') < now", True),
    ],
)
def test_an_expression_gives(source: str, value: object) -> None:
    found = compile_expression(source).evaluate(NAMES)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("event.nope == 1", "event.nope"),
        ("event.nope.deeper", "event.nope"),
        ("event.nothing.deeper", "event.nothing.deeper"),
        ("event.tier.deeper", "event.tier.deeper"),
        ("event.tier.upper", "event.tier.upper"),
        ("event.__class__", "event.__class__"),
        ("event.items.append", "event.items.append"),
        ("event.items[7]", "event.items[7]"),
        ("event['a b']", "event['a b']"),
        ("event[inputs.to]", "event.level"),
        ("asker.name", "asker"),
        ("event.holes | map(attribute='id') | list", "event.holes[1].id"),
        ("event.holes | join(',', attribute='id')", "event.holes[1].id"),
        ("(event.items | select('gt', 5) | first) + 1", "event.items | select | first"),
        ("event.nothing ~ ''", "event.nothing"),
        ("event.nothing | upper", "event.nothing"),
        ("[event.nothing] | join", "(…)[0]"),
        ("event.rows | sort(attribute='x')", "event.rows[…].x"),
    ],
)
def test_missing_data_is_named_by_its_path(source: str, path: str) -> None:
    with pytest.raises(Missing) as missing:
        compile_expression(source).evaluate(NAMES)
    assert missing.value.path == path


@pytest.mark.parametrize(
    ("source", "decision"),
    [
        ("event.tier == 'vip'", Decision(True, "event.tier == 'vip'")),
        ("event.tier == 'growth'", Decision(False, "event.tier == 'growth' is false")),
        ("event.level == 'vip'", Decision(False, "event.level is missing")),
        ("event.nope is defined", Decision(False, "event.nope is missing")),
        ("event.level is defined and event.level", Decision(False, "event.level is defined and event.level is false")),
    ],
)
def test_a_condition_says_why(source: str, decision: Decision) -> None:
    assert compile_expression(source).decide(NAMES) == decision


@pytest.mark.parametrize("source", ["event.amount", "event.tier", "event.nothing", "event.items", "event"])
def test_a_condition_that_is_neither_true_nor_false_is_a_fault(source: str) -> None:
    with pytest.raises(ExpressionFault, match="a condition is true or false"):
        compile_expression(source).decide(NAMES)


def test_facts_are_what_was_read_and_are_short() -> None:
    facts = compile_expression(
        "event[inputs.from] == 'vip' and event.big and event.items and event.huge and now and event.x"
    ).facts(NAMES)
    assert facts["inputs.from"] == "tier"
    assert facts["event.tier"] == "vip"
    assert facts["event.items"] == "a list of 3"
    assert facts["event.huge"] == "a very large number"
    assert facts["now"] == "2026-01-05T10:00:00Z"
    assert len(str(facts["event.big"])) == 200
    assert "event.x" not in facts


def test_facts_end_where_the_evaluation_ended() -> None:
    assert list(compile_expression("event.tier == 'x' and event.amount > 1").facts(NAMES)) == ["event.tier"]


HOSTILE = [
    "'a' * 300000000",
    "300000000 * 'a'",
    "'a' * -1 * 10**9 ~ 'a' * 300000000",
    "2 ** (10 ** 9)",
    "(-8) ** 0.5",
    "(2 ** 9999) ** 9999",
    "10.0 ** 999",
    "1e308 * 10",
    "event.huge * event.huge * event.huge * event.huge * event.huge",
    "event.big ~ event.big",
    "event.big + event.big",
    "[event.big, event.big] | join",
    "event.numbers | join(event.big)",
    "event.big | replace('x', 'xxxxxxxxxxxxxxxx')",
    "event.big | replace('', event.big)",
    "'x' | center(100000000)",
    "'x' | indent(100000000)",
    "'x' | indent(event.big)",
    "event.big | replace('x', '\n') | indent(100, true, true)",
    "[1] | batch(100000000, 'x') | list",
    "[1] | slice(100000000) | list",
    "1.5 | round(1000000000, 'ceil')",
    "event | tojson | tojson",
    "event.numbers | map('in', event.numbers) | list",
    "event.numbers | select('in', event.numbers) | list",
    "[" + ", ".join(["event"] * 500) + "]",
    "event.big" + " | list" * 300,
    "event.big" + " | upper" * 400,
    " and ".join(["event.numbers != event.numbers + [1]"] * 90),
    "'%1000000000d' % 1",
    "event.tier % 1",
    "1 / 0",
    "event.tier > 1",
    "event.tier + 1",
    "-event.tier",
    "{[1]: 2}",
    "1 in 2",
    "event.big[event.tier:]",
    "event.amount | map('upper')",
    "event.tier | date",
    "event.tier | plus('2 hours')",
    "now | plus('2bh')",
    "now | plus('3660d') | plus('3660d')" + " | plus('3660d')" * 80 + " | date" + " | upper(1, 2, 3)",
    "now | date('Mars/Olympus')",
    "now | date('../../etc/passwd')",
    "event.tier | truncate(none, none, none, none, none)",
    "event.items | sum(start=[])",
    "event.numbers | max(attribute=1, nope=2)",
    "[" + ", ".join(["event"] * 400) + "] | join",
    "event.big | list | map('int') | sum",
    "event.numbers | slice(10000) | map('slice', 10000) | list",
    "[event.numbers, event.numbers] | map('select', 'in', event.numbers) | list",
    "event.big | urlencode" + " | urlencode" * 90,
]


@pytest.mark.parametrize("source", HOSTILE)
def test_endless_or_senseless_work_is_a_fault(source: str) -> None:
    with pytest.raises(ExpressionFault):
        compile_expression(source).evaluate(NAMES)


@pytest.mark.parametrize(
    ("source", "offset", "told"),
    [
        ("evnt.tier == 1", 0, "unknown name 'evnt'; did you mean event?"),
        ("event.evnt == evnt", 14, "unknown name 'evnt'"),
        ("'evnt' == evnt", 10, "unknown name 'evnt'"),
        ("event.tier | uper", 13, "unknown filter 'uper'; did you mean upper?"),
        ("event.uper | uper", 13, "unknown filter 'uper'"),
        ("event.x | random", 10, "unknown filter 'random'"),
        ("event.x | attr('y')", 10, "unknown filter 'attr'"),
        ("event.x | xmlattr", 10, "unknown filter 'xmlattr'"),
        ("event.x | format(1)", 10, "unknown filter 'format'"),
        ("event.x is oddd", 11, "unknown test 'oddd'; did you mean odd?"),
        ("event.x | map('uper')", 14, "unknown filter 'uper'; did you mean upper?"),
        ("event.x | map(inputs.f)", 0, "unknown filter None"),
        ("event.x | select('oddd')", 17, "unknown test 'oddd'"),
        ("event.x | selectattr('a', 'oddd')", 26, "unknown test 'oddd'"),
        ("range(10)", 0, "an expression calls nothing; use filters: value | name"),
        ("event.items()", 6, "an expression calls nothing; write … | items"),
        ("event.tier.format(event)", 11, "an expression calls nothing"),
        ("event.tier = 'vip'", 11, "write == to compare"),
        ("event.a && event.b", 8, "write and"),
        ("event.a == null", 11, "unknown name 'null'; did you mean none?"),
        ("event.a ? 1 : 2", 8, "write A if CONDITION else B"),
        ("1 if event.a", 2, "if without else"),
        ("event.a event.b", 8, "should end here"),
        ("event.a +", 9, "unexpected"),
        ("event.x | join(*event.y)", 15, "without * and **"),
        ("{{ event.x }}", 11, "without {{ and }}"),
        ("", 0, "an empty expression"),
        ("  ", 0, "an empty expression"),
        ("'abc", 0, "unexpected"),
        ("(" * 4_000, 0, "cannot be read"),
        ("-" * 4_000 + "1", 0, "cannot be read"),
        ("1" + "+1" * 2_000, 0, "nested more than 100 deep"),
        ("1" * 5_000, 0, "more than 4 KiB"),
    ],
)
def test_a_faulty_expression_is_refused_at_its_place(source: str, offset: int, told: str) -> None:
    with pytest.raises(ExpressionFault) as fault:
        compile_expression(source)
    assert told in str(fault.value)
    assert fault.value.offset == offset


def test_a_fault_tells_no_data() -> None:
    secret = "4111-1111-1111-1111"
    for source in ("event.x | date", "event.x | plus('1d')", "event.x + 1", "now | date(event.x)", "event.x > 1"):
        with pytest.raises(ExpressionFault) as fault:
            compile_expression(source).evaluate({"event": {"x": secret}, "now": NAMES["now"]})
        assert secret not in str(fault.value)


def test_only_the_roots_of_a_place_are_known_there() -> None:
    compile_expression("outcome.state == 'sent'", frozenset({"outcome"}))
    with pytest.raises(ExpressionFault, match="unknown name 'event'; there are now, outcome"):
        compile_expression("event.tier", frozenset({"outcome", "now"}))


WORDS = [
    *("event", "now", "evnt", ".", "tier", "items", "nope", "|", "upper", "list", "first", "map", "date", "if", "else"),
    *("(", ")", "[", "]", "{", "}", "'a'", "'", "0", "7", "+", "-", "*", "**", "/", "~", "==", "<", "in", "is", "not"),
    *("defined", "and", "or", ",", ":", "=", "$", "\\", "\n"),
]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_source_gives_a_value_is_missing_or_at_fault(source: str) -> None:
    offset, path = 0, "some"
    try:
        compile_expression(source, ROOTS).evaluate(NAMES)
    except ExpressionFault as fault:
        offset = fault.offset
    except Missing as missing:
        path = missing.path
    assert 0 <= offset <= len(source)
    assert path
