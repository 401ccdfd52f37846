"""What a run does next, decided from its runbook, what came of its steps and now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from runbooks.engine import At, Begun, Do, End, Over, Progress, Then, cannot_be_undone, next_step, to_undo
from runbooks.runbook import Runbook
from runbooks.shape_faults import Source, read_shape
from runbooks.templates import ExpressionFault
from runbooks.yaml_source import parse_yaml

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SOON, PAST = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)
HEAD = "runbook: r\ntitle: R\n"
THREE = """
steps:
  - name: a
    request: {connector: crm, method: POST, path: /a}
    undo: {request: {connector: crm, method: DELETE, path: /a}}
  - {name: b, when: inputs.go, request: {connector: crm, method: POST, path: /b}}
  - name: c
    request: {connector: crm, method: POST, path: /c}
    undo: {request: {connector: crm, method: DELETE, path: /c}}
"""
DONE, FAILED, SKIPPED = Begun(At.DONE), Begun(At.FAILED, because="it answered 500"), Begun(At.SKIPPED)


def book(text: str) -> Runbook:
    """The runbook of this text."""
    root, _ = parse_yaml("r.yml", HEAD + text)
    assert root
    runbook, faults = read_shape(Source("r.yml", root), Runbook)
    assert runbook, faults
    return runbook


@pytest.mark.parametrize(
    ("begun", "go", "expected"),
    [
        ({}, True, Do(Then.BEGIN, 0)),
        ({0: Begun(At.UNDER_WAY)}, True, Do(Then.GO_ON, 0)),
        ({0: DONE}, True, Do(Then.BEGIN, 1, "inputs.go")),
        ({0: DONE}, False, Do(Then.SKIP, 1, "inputs.go is false")),
        ({0: DONE, 1: SKIPPED}, True, Do(Then.BEGIN, 2)),
        ({0: DONE, 1: Begun(At.WAITING)}, True, Do(Then.WAIT, 1)),
        ({0: DONE, 1: Begun(At.WAITING, SOON)}, True, Do(Then.WAIT, 1, until_at=SOON)),
        ({0: DONE, 1: Begun(At.WAITING, NOW)}, True, Do(Then.IN_VAIN, 1)),
        ({0: DONE, 1: Begun(At.WAITING, PAST, is_pause=True)}, True, Do(Then.WAITED, 1)),
        ({0: DONE, 1: FAILED}, True, Over(End.FAILED, "b: it answered 500")),
        ({0: DONE, 1: DONE, 2: DONE}, True, Over(End.DONE, "all its steps are done")),
    ],
)
def test_steps_come_in_their_order_each_once(begun: Mapping[int, Begun], go: bool, expected: Do | Over) -> None:
    assert next_step(Progress(book(THREE), begun), {"inputs": {"go": go}}, NOW) == expected


def test_a_condition_over_what_is_missing_is_not_met_and_says_so() -> None:
    decided = next_step(Progress(book(THREE), {0: DONE}), {"inputs": {}}, NOW)
    assert decided == Do(Then.SKIP, 1, "inputs.go is missing")


def test_a_condition_that_is_neither_true_nor_false_is_a_fault() -> None:
    with pytest.raises(ExpressionFault, match="a condition is true or false"):
        next_step(Progress(book(THREE), {0: DONE}), {"inputs": {"go": 3}}, NOW)


@pytest.mark.parametrize(
    ("on_failure", "begun", "expected"),
    [
        ("escalate", {0: DONE, 1: FAILED}, Over(End.FAILED, "b: it answered 500")),
        ("stop", {0: DONE, 1: FAILED}, Over(End.STOPPED, "b: it answered 500")),
        ("undo", {0: DONE, 1: FAILED}, Over(End.FAILED, "b: it answered 500", must_undo=True)),
        ("undo", {0: FAILED}, Over(End.FAILED, "a: it answered 500")),
    ],
)
def test_after_a_failure_the_runbook_says_what_follows(
    on_failure: str, begun: Mapping[int, Begun], expected: Over
) -> None:
    runbook = book(THREE + f"on_failure: {on_failure}\n")
    assert next_step(Progress(runbook, begun), {"inputs": {"go": True}}, NOW) == expected


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        ({0: DONE, 1: DONE, 2: DONE}, Do(Then.TAKE_BACK, 2)),
        ({0: DONE, 1: DONE, 2: Begun(At.UNDOING)}, Do(Then.GO_ON, 2)),
        ({0: DONE, 1: DONE, 2: Begun(At.UNDONE)}, Do(Then.TAKE_BACK, 0)),
        ({0: DONE, 1: FAILED}, Do(Then.TAKE_BACK, 0)),
        ({0: Begun(At.UNDONE), 1: DONE, 2: Begun(At.UNDONE)}, Over(End.UNDONE, "what it did is taken back")),
        ({0: DONE, 1: DONE, 2: Begun(At.NOT_UNDONE)}, Do(Then.TAKE_BACK, 0)),
        ({0: Begun(At.UNDONE), 2: Begun(At.NOT_UNDONE)}, Over(End.FAILED, "could not be undone: c")),
    ],
)
def test_undoing_takes_finished_steps_back_last_first(begun: Mapping[int, Begun], expected: Do | Over) -> None:
    assert next_step(Progress(book(THREE), begun, is_undoing=True), {"inputs": {}}, NOW) == expected


@pytest.mark.parametrize(("gives_up_at", "ends"), [(SOON, False), (NOW, True), (PAST, True)])
def test_a_run_whose_time_is_up_fails_whatever_it_is_at(gives_up_at: datetime, ends: bool) -> None:
    decided = next_step(Progress(book(THREE), {0: Begun(At.WAITING)}, gives_up_at=gives_up_at), {}, NOW)
    assert decided == (Over(End.FAILED, "its time ran out") if ends else Do(Then.WAIT, 0))


@pytest.mark.parametrize(
    ("on_failure", "begun", "children", "expected"),
    [
        ("escalate", {0: DONE}, (), Over(End.FAILED, "its time ran out")),
        ("stop", {0: DONE}, (), Over(End.STOPPED, "its time ran out")),
        ("undo", {0: DONE}, (), Over(End.FAILED, "its time ran out", must_undo=True)),
        ("undo", {0: DONE, 1: Begun(At.WAITING)}, (), Over(End.FAILED, "its time ran out", must_undo=True)),
        ("undo", {0: SKIPPED, 1: Begun(At.WAITING)}, (), Over(End.FAILED, "its time ran out")),
        ("undo", {0: SKIPPED, 1: Begun(At.WAITING)}, (1,), Over(End.FAILED, "its time ran out", must_undo=True)),
    ],
)
def test_when_its_time_is_up_the_runbook_says_what_follows(
    on_failure: str, begun: Mapping[int, Begun], children: tuple[int, ...], expected: Over
) -> None:
    progress = Progress(book(f"on_failure: {on_failure}{THREE}"), begun, False, NOW, frozenset(children))
    assert next_step(progress, {"inputs": {}}, NOW) == expected


def test_only_finished_steps_that_say_how_are_undone() -> None:
    runbook = book(THREE)
    assert to_undo(Progress(runbook, {0: DONE, 1: DONE, 2: FAILED})) == [0]
    assert cannot_be_undone(runbook) == ["b"]


def test_a_step_whose_run_can_be_taken_back_is_undone_even_where_that_run_failed() -> None:
    runbook = book("steps:\n  - {name: a, run: x}\n  - {name: b, run: y}\n  - {name: c, run: z}\n")
    begun = {0: DONE, 1: DONE, 2: FAILED}
    assert to_undo(Progress(runbook, begun)) == []
    assert to_undo(Progress(runbook, begun, children=frozenset({0, 2}))) == [2, 0]


def test_what_a_step_carries_out_cannot_be_undone_where_its_own_steps_cannot() -> None:
    outer = book("steps:\n  - {name: inner, run: x}\n  - {name: other, run: y}\n")
    assert cannot_be_undone(outer, {"x": book(THREE)}) == ["inner: b", "other"]


def test_what_only_reads_or_waits_needs_no_undo() -> None:
    reading = "steps:\n  - {name: a, request: {connector: crm, path: /a}}\n  - {name: b, pause: 5m}\n"
    assert cannot_be_undone(book(reading)) == []
