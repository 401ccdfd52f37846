"""What a run will do, told before it does it: its steps with their texts filled in as far as they are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote_plus, urlencode

from bot.rules.repair import Mending, Unfit, mended, pointer_named
from runbooks.contracts import Contract
from runbooks.mentions import mentioned
from runbooks.request import Request
from runbooks.runbook import Input, Runbook, Step
from runbooks.steps import KINDS
from runbooks.templates import Expression, ExpressionFault, Missing, Text, Tree

Names = Mapping[str, Any]
LONGEST_GIVEN = 500


@dataclass(frozen=True, slots=True)
class Planned:
    """A step that will be carried out. `words` say what it does; `request` is what is sent (`method, connector, path,
    json`), as it may be shown; None: it sends none of its own. `is_known`: all of it can be told before."""

    name: str
    kind: str
    words: str
    request: Mapping[str, Any] | None = None
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class View:
    """What is known before: `shown` is what texts see, without what is redacted; `clear` is what conditions see; `done`
    are the steps that have their answers. `runbooks` and the `contract` are those that steps may name; `called` says
    how a person is called."""

    shown: Names
    clear: Names
    done: Collection[str] = ()
    runbooks: Mapping[str, Runbook] = field(default_factory=dict)
    contract: Contract | None = None
    called: Callable[[str], str] = str


def given(inputs: Mapping[str, Input], values: Mapping[str, Any]) -> list[dict[str, str]]:
    """What was filled in before a run, as whoever says yes to it sees it: the `label` of each input with its `text`, or
    with the `person` that was chosen, in the order of the form. What was left empty is left out; `values` are those
    that may be shown."""
    order = [*(name for name in inputs if name in values), *(name for name in values if name not in inputs)]
    return [_given(inputs.get(name), name, values[name]) for name in order if values[name] not in (None, "")]


def _given(field: Input | None, name: str, value: Any) -> dict[str, str]:
    label = field.label if field else name
    if field and field.type == "user":
        return {"label": label, "person": str(value)}
    said = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return {"label": label, "text": said[:LONGEST_GIVEN]}


def foresee(steps: Sequence[Step], view: View) -> list[Planned]:
    """The steps in their order; those of a runbook that a step carries out stand after the step's name. A step whose
    condition is known not to be met is left out."""
    planned: list[Planned] = []
    for step in steps:
        condition = _condition(step, view)
        if condition is not None:
            planned += [_under(each, condition) for each in _plan(step, view)]
    return planned


def _condition(step: Step, view: View) -> str | None:
    """What is said of the step's condition, if it is not known yet; None: it is not met."""
    if step.when is None:
        return ""
    if _waits_for(step.when, view.done):
        return f", if {step.when.source}"
    try:
        return "" if step.when.decide(view.clear).met else None
    except ExpressionFault:
        return f", if {step.when.source}"


def _under(planned: Planned, condition: str) -> Planned:
    if not condition:
        return planned
    return Planned(planned.name, planned.kind, planned.words + condition, planned.request, is_known=False)


def _plan(step: Step, view: View) -> list[Planned]:
    if step.kind == "run" and step.run in view.runbooks:
        return _of_runbook(step, view)
    return [_SAY.get(step.kind, _plainly)(step, view)]


def _of_runbook(step: Step, view: View) -> list[Planned]:
    none: Names = {"steps": {}}
    inner = replace(view, shown={**view.shown, **none}, clear={**view.clear, **none}, done=())
    found = foresee(view.runbooks[step.run or ""].steps, inner)
    return [Planned(f"{step.name} › {each.name}", each.kind, each.words, each.request, each.is_known) for each in found]


def _plainly(step: Step, view: View) -> Planned:
    return Planned(step.name, step.kind, KINDS[step.kind].plainly(step))


def _request(step: Step, view: View) -> Planned:
    assert step.request
    return _planned(step, step.request, step.request.connector or "", view)


def _check(step: Step, view: View) -> Planned:
    checks = view.contract.checks if view.contract else ()
    check = next((each for each in checks if each.name == step.check), None)
    if check is None or check.request is None:
        return _plainly(step, view)
    return _planned(step, check.request, check.request.connector or "", view, before=f"check {step.check}: ")


def _replay(step: Step, view: View) -> Planned:
    filling = _Filling(view.shown, view.done)
    changes = filling.tree(step.replay.set) if step.replay and step.replay.set else {}
    said = ", ".join(f"{name} = {_written(value)}" for name, value in changes.items())
    before = f"send the event again{' with ' + said if said else ''}"
    deliver = view.contract.deliver if view.contract else None
    if deliver is None or deliver.request is None:
        return Planned(step.name, step.kind, before, is_known=filling.is_known)
    try:
        event = mended(view.shown["event"], Mending({pointer_named(name): value for name, value in changes.items()}))
    except Unfit as unfit:
        return Planned(step.name, step.kind, f"{before}: {unfit}", is_known=False)
    changed = View({**view.shown, "event": event}, view.clear, view.done)
    sent = _planned(step, deliver.request, deliver.connector or "", changed, before=f"{before}: ")
    return Planned(sent.name, sent.kind, sent.words, sent.request, sent.is_known and filling.is_known)


def _notify(step: Step, view: View) -> Planned:
    assert step.notify
    return _said(step, f"tell {step.notify.to}", step.notify.text, view)


def _ask(step: Step, view: View) -> Planned:
    assert step.ask
    return _said(step, f"ask {step.ask.who}", step.ask.text, view)


def _assign(step: Step, view: View) -> Planned:
    assert step.assign
    if step.assign.user is None:
        return _plainly(step, view)
    filling = _Filling(view.shown, view.done)
    to = filling.text(step.assign.user)
    called = view.called(to) if filling.is_known else to
    return Planned(step.name, step.kind, f"give the case to {called}", None, filling.is_known)


def _said(step: Step, before: str, text: Text, view: View) -> Planned:
    filling = _Filling(view.shown, view.done)
    return Planned(step.name, step.kind, f"{before}: {filling.text(text)}", None, filling.is_known)


_SAY: Mapping[str, Callable[[Step, View], Planned]] = {
    "request": _request,
    "check": _check,
    "replay": _replay,
    "notify": _notify,
    "ask": _ask,
    "assign": _assign,
}


def _planned(step: Step, request: Request, connector: str, view: View, *, before: str = "") -> Planned:
    filling = _Filling(view.shown, view.done)
    path = filling.text(request.path) + filling.query(request.query, "&" if "?" in request.path.source else "?")
    body = filling.tree(request.json) if isinstance(request.json, Tree) else request.json
    sent = {"method": request.method, "connector": connector, "path": path, "json": body}
    said = "" if body is None else f" with {json.dumps(body, ensure_ascii=False, default=str)}"
    words = f"{before}{request.method} {path} to {connector}{said}"
    return Planned(step.name, step.kind, words, sent, filling.is_known)


class _Filling:
    """Fills in texts, and remembers whether all of it was known."""

    def __init__(self, names: Names, done: Collection[str]) -> None:
        self._names = names
        self._done = done
        self.is_known = True

    def text(self, text: Text) -> str:
        return "".join(part if isinstance(part, str) else self._part(part, text) for part in text.parts)

    def tree(self, tree: Tree) -> Any:
        node = tree.node
        if isinstance(node, Text):
            only = node.parts[0] if len(node.parts) == 1 else None
            return self._value(only) if isinstance(only, Expression) else self.text(node)
        if isinstance(node, list):
            return [self.tree(each) for each in node]
        if isinstance(node, dict):
            return {self.text(name): self.tree(each) for name, each in node.items()}
        return node

    def query(self, query: Mapping[str, Tree], mark: str) -> str:
        pairs = [_pair(name, self.tree(value)) for name, value in query.items()]
        return f"{mark}{'&'.join(pairs)}" if pairs else ""

    def _part(self, expression: Expression, text: Text) -> str:
        one = Text(expression.source, (expression,), text.is_path)
        return str(self._told(expression, lambda: one.render_text(self._names)))

    def _value(self, expression: Expression) -> Any:
        return self._told(expression, lambda: expression.evaluate(self._names))

    def _told(self, expression: Expression, render: Callable[[], Any]) -> Any:
        waits_for = _waits_for(expression, self._done)
        try:
            if waits_for is None:
                return render()
            told = f'known once "{waits_for}" is done'
        except (Missing, ExpressionFault) as fault:
            told = str(fault)
        self.is_known = False
        return f"‹{told}›"


def _pair(name: str, value: Any) -> str:
    """A placeholder stands there as it is."""
    is_told = not (isinstance(value, str) and value.startswith("‹"))
    return urlencode({name: value}, doseq=True) if is_told else f"{quote_plus(name)}={value}"


def _waits_for(expression: Expression, done: Collection[str]) -> str | None:
    """The first step that has to be done before the expression can be told."""
    paths = mentioned(expression.source, "steps")
    return next((path[0] if path else "the steps" for path in paths if not path or path[0] not in done), None)


def _written(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) and "‹" not in value else str(value)
