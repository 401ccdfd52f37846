"""Where an exception goes, who owns it, how urgent it is, and why: decided by the contract, the same every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from bot.rules.redaction import HIDDEN
from runbooks.contracts import AutoFix, Contract, Mode, RoutingRule
from runbooks.lengths import Length
from runbooks.policy import Policy
from runbooks.team import Ladders, Priority
from runbooks.templates import ExpressionFault, Text

UNROUTED_PRIORITY = "P3"
AUTO_FIX = "auto_fix"
"""The route of a case that a runbook tries to fix first; from there it goes to the route of its terms."""
LOOP_PROOF = ("policy_fault", "dead_letter")
"""Failure modes of the machine itself that pass by the routing rules, so that a faulty rule cannot loop."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the contract says of one failure mode, with a routing rule laid over it and the defaults filled in."""

    rule: str
    route: str
    owner: str
    priority: str
    acknowledge_within: Length
    resolve_within: Length
    ladders: Ladders
    runbooks: tuple[str, ...]
    next_step: str | None
    auto_fix: AutoFix | None
    group_by: Text | None


@dataclass(frozen=True, slots=True)
class Routing:
    """The decision and what it rests on: the rule that chose, why, and the facts that were seen."""

    terms: Terms
    because: str
    facts: Mapping[str, Any]
    not_met: tuple[str, ...]
    policy_fault: str | None = None


def route(
    policy: Policy,
    *,
    workflow: str,
    failure_mode: str,
    names: Mapping[str, Any],
    shown_event: Mapping[str, Any] | None = None,
    asked_priority: str | None = None,
) -> Routing:
    """The routing of an exception. The first routing rule whose condition is met wins over the mode's own terms;
    a condition over a field that is missing is not met, and that is said. `asked_priority` is what the reporter
    asked for: it wins over the mode, not over a rule. An unknown workflow goes to `defaults.unrouted` at P3. The facts
    hold what `shown_event` (None: the event itself) shows of what the conditions read."""
    contract = policy.workflows.get(workflow)
    if contract is None:
        return Routing(terms(policy, None, failure_mode, None, asked_priority), _unknown(workflow), {}, ())
    if failure_mode in LOOP_PROOF:
        return Routing(
            terms(policy, contract, failure_mode, None, asked_priority),
            f"{failure_mode} passes by the routing rules",
            {},
            (),
        )
    shown = names if shown_event is None else {**names, "event": shown_event}
    return _by_rules(policy, contract, failure_mode, names, shown, asked_priority)


def _unknown(workflow: str) -> str:
    return f"no contract is named {workflow!r}: it goes to the role for what is unrouted"


def _by_rules(
    policy: Policy,
    contract: Contract,
    failure_mode: str,
    names: Mapping[str, Any],
    shown: Mapping[str, Any],
    asked_priority: str | None,
) -> Routing:
    facts: dict[str, Any] = {}
    not_met: list[str] = []
    fault = None
    for rule in contract.routing:
        facts.update(_facts(rule, names, shown))
        try:
            decision = rule.when.decide(names)
        except ExpressionFault as raised:
            fault = f"routing rule {rule.name!r}: {raised}"
            continue
        if decision.met:
            chosen = terms(policy, contract, failure_mode, rule, asked_priority)
            return Routing(chosen, f"routing rule {rule.name!r}: {decision.because}", facts, tuple(not_met), fault)
        not_met.append(f"{rule.name}: not met: {decision.because}")
    chosen = terms(policy, contract, failure_mode, None, asked_priority)
    return Routing(chosen, _mode_words(contract, failure_mode), facts, tuple(not_met), fault)


def _facts(rule: RoutingRule, names: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """What the condition read, as it may be kept: where the event as it is shown gives something else, it is hidden."""
    facts = rule.when.facts(names)
    if shown is names:
        return facts
    seen = rule.when.facts(shown)
    return {path: value if path in seen and seen[path] == value else HIDDEN for path, value in facts.items()}


def _mode_words(contract: Contract, failure_mode: str) -> str:
    if failure_mode in contract.exceptions:
        return f"the contract's terms for {failure_mode}"
    if "other" in contract.exceptions:
        return f"the contract does not name {failure_mode}: its terms for other"
    return f"the contract names neither {failure_mode} nor other: the role for what is unrouted"


def terms(
    policy: Policy,
    contract: Contract | None,
    failure_mode: str,
    rule: RoutingRule | None,
    asked_priority: str | None = None,
) -> Terms:
    """The terms of a failure mode under a contract (`None`: unknown workflow), with `rule` laid over them. Its windows
    are meant for its priority: at another one, a rule's or the reporter's, those of the defaults count."""
    mode = _mode(contract, failure_mode)
    of_mode = (mode and mode.priority) or UNROUTED_PRIORITY
    of_rule = (rule and rule.priority) or of_mode
    priority = of_rule if rule and rule.priority else asked_priority or of_mode
    own = [each for each, meant_for in ((rule, of_rule), (mode, of_mode)) if priority == meant_for]
    windows = policy.team.defaults.priorities[cast(Priority, priority)]
    return Terms(
        rule=rule.name if rule else "",
        route=_laid("route", rule, mode) or "owner_queue",
        owner=(rule and rule.owner) or _owner(policy, contract, mode, failure_mode),
        priority=priority,
        acknowledge_within=_first("acknowledge_within", own) or windows.acknowledge,
        resolve_within=_first("resolve_within", own) or windows.resolve,
        ladders=_ladders(policy, rule, mode),
        runbooks=tuple(_laid("runbooks", rule, mode) or ()),
        next_step=_laid("next_step", rule, mode),
        auto_fix=_laid("auto_fix", rule, mode),
        group_by=_laid("group_by", rule, mode),
    )


def terms_of(policy: Policy, *, workflow: str, failure_mode: str, rule: str) -> Terms:
    """The terms that a case was opened with, found again by the names that it keeps."""
    contract = policy.workflows.get(workflow)
    named = next((each for each in contract.routing if each.name == rule), None) if contract and rule else None
    return terms(policy, contract, failure_mode, named)


def terms_of_action(policy: Policy, owner: str, priority: str) -> Terms:
    """The terms of an action of a post-mortem: the role that was named owns it, and the defaults of its priority count.
    No contract is asked."""
    windows = policy.team.defaults.priorities[cast(Priority, priority)]
    return Terms(
        rule="",
        route="owner_queue",
        owner=owner,
        priority=priority,
        acknowledge_within=windows.acknowledge,
        resolve_within=windows.resolve,
        ladders=policy.team.defaults.escalation,
        runbooks=(),
        next_step=None,
        auto_fix=None,
        group_by=None,
    )


def _laid(name: str, rule: RoutingRule | None, mode: Mode | None) -> Any:
    """What the rule says, or else the mode."""
    return _first(name, (rule, mode))


def _first(name: str, parts: Sequence[RoutingRule | Mode | None]) -> Any:
    said = [getattr(part, name) for part in parts if part]
    return next(filter(None, said), None)


def _mode(contract: Contract | None, failure_mode: str) -> Mode | None:
    if contract is None:
        return None
    return contract.exceptions.get(failure_mode) or contract.exceptions.get("other")


def _owner(policy: Policy, contract: Contract | None, mode: Mode | None, failure_mode: str) -> str:
    if contract and (mode or failure_mode in LOOP_PROOF):
        return (mode and mode.owner) or contract.owners.steward
    return policy.team.defaults.unrouted


def _ladders(policy: Policy, rule: RoutingRule | None, mode: Mode | None) -> Ladders:
    """A contract's ladder takes the place of the default one of its kind; the other kind stays."""
    default = policy.team.defaults.escalation
    own = _laid("escalation", rule, mode)
    if own is None:
        return default
    return Ladders(
        unacknowledged=own.unacknowledged or default.unacknowledged, unresolved=own.unresolved or default.unresolved
    )
