"""What a change at a place of a policy file means: a table of places, each with a rule that judges old and new.

Breaking is what makes something that held before not hold any more: for whoever sends, for whoever receives, or for
the people who were promised a window, an owner or a check. A place that the table does not know is to be looked at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runbooks.lengths import Length, parse_length
from runbooks.schema_differences import LOOK

Path = tuple[str, ...]
ORDER = "[order]"
"""The last part of a path that is the order of named items."""


@dataclass(frozen=True, slots=True)
class Delta:
    """One difference between two files: None where nothing stands."""

    path: Path
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Judgement:
    """Why the difference matters, in words, and whether it breaks something."""

    why: str
    breaking: bool


Judge = Callable[[Delta], Judgement]


def breaks(why: str) -> Judge:
    """Whatever changes here breaks something."""
    return lambda _: Judgement(why, breaking=True)


def harmless(why: str) -> Judge:
    """Nothing that changes here breaks anything."""
    return lambda _: Judgement(why, breaking=False)


def look(_: Delta) -> Judgement:
    """Nobody but a person can tell."""
    return Judgement(LOOK, breaking=True)


def only(*, added: Judge | None = None, removed: Judge | None = None, otherwise: Judge = look) -> Judge:
    """A rule for what is new here, one for what is gone, and one for the rest."""

    def judge(delta: Delta) -> Judgement:
        chosen = added if delta.old is None else removed if delta.new is None else None
        return (chosen or otherwise)(delta)

    return judge


def names(*, added: tuple[str, bool], removed: tuple[str, bool]) -> Judge:
    """A list in which only what it holds matters: what more of it means, and what less (why, breaking)."""

    def judge(delta: Delta) -> Judgement:
        was, now = (frozenset(map(str, it or ())) for it in (delta.old, delta.new))
        found = ([removed] if was - now else []) + ([added] if now - was else [])
        if not found:
            return Judgement("written in another order", breaking=False)
        return Judgement(" and ".join(why for why, _ in found), breaking=any(breaking for _, breaking in found))

    return judge


def length(called: str, default: str | None = None, *, longer_breaks: bool = False) -> Judge:
    """A length that breaks something when it becomes shorter (`longer_breaks`: longer)."""

    def judge(delta: Delta) -> Judgement:
        was, now = (_length(it if it is not None else default) for it in (delta.old, delta.new))
        if was is None or now is None:
            return Judgement(f"{called} changed", breaking=True)
        if was.is_business != now.is_business or bool(was.business_days) != bool(now.business_days):
            return Judgement(f"{called}: the two cannot be compared, look yourself", breaking=True)
        longer = _amount(now) - _amount(was)
        word = "lengthened" if longer > 0 else "shortened" if longer < 0 else "written in other words"
        return Judgement(f"{called} {word}", breaking=longer > 0 if longer_breaks else longer < 0)

    return judge


def _length(text: Any) -> Length | None:
    try:
        return parse_length(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _amount(length: Length) -> int:
    return length.seconds or length.business_minutes or length.business_days


def number(called: str, default: float, *, more_breaks: bool) -> Judge:
    """A number that breaks something when it grows, or else when it falls."""

    def judge(delta: Delta) -> Judgement:
        was, now = (it if isinstance(it, int | float) else default for it in (delta.old, delta.new))
        word = "raised" if now > was else "lowered"
        return Judgement(f"{called} {word}", breaking=now > was if more_breaks else now < was)

    return judge


def _risk(delta: Delta) -> Judgement:
    order = ("low", "medium", "high", "critical")
    lower = order.index(delta.new) < order.index(delta.old)
    return Judgement("risk lowered" if lower else "risk raised", breaking=lower)


def _rollout_mode(delta: Delta) -> Judgement:
    both = {delta.old or "live", delta.new or "live"}
    return Judgement("rollout mode changed", breaking="shadow" in both and len(both) == 2)


def _gate(delta: Delta) -> Judgement:
    return Judgement("change gate changed", breaking=delta.new is not True)


def _version(delta: Delta) -> Judgement:
    lower = delta.new < delta.old
    return Judgement("version lowered" if lower else "new version", breaking=lower)


TARGET = breaks("delivery target changed")
IDENTITY = breaks("identity changed")
OWNER = breaks("owner changed")
WORDING = harmless("wording changed")
HANDLING: Mapping[str, Judge] = {
    "": only(added=harmless("mode added"), removed=breaks("mode removed")),
    ".priority": breaks("priority changed"),
    ".owner": OWNER,
    ".route": breaks("route changed"),
    ".auto_fix": breaks("auto-fix changed"),
    ".runbooks": names(added=("runbook offered", False), removed=("runbook no longer offered", True)),
    ".next_step": WORDING,
    ".acknowledge_within": length("window"),
    ".resolve_within": length("window"),
    ".escalation": breaks("escalation changed"),
    ".group_by": breaks("grouping changed"),
}

CONTRACT: Mapping[str, Judge] = {
    "version": _version,
    "title": WORDING,
    "purpose": WORDING,
    "risk": _risk,
    "owners": OWNER,
    "source_of_record": breaks("source of record changed"),
    "threads": names(added=("channel added", False), removed=("channel removed", True)),
    "trigger": only(added=harmless("trigger added"), removed=breaks("trigger removed")),
    "trigger.schema": harmless("another schema file"),
    "trigger.id": IDENTITY,
    "trigger.subject": breaks("subject changed"),
    "trigger.ignore": names(added=("field ignored", False), removed=("field no longer ignored", True)),
    "trigger.redact": names(added=("field hidden", False), removed=("field no longer hidden", True)),
    "preconditions": breaks("order of preconditions changed"),
    "preconditions.*": only(
        added=breaks("precondition added"),
        removed=breaks("precondition removed"),
        otherwise=breaks("precondition changed"),
    ),
    "deliver": TARGET,
    "deliver.connector": TARGET,
    "deliver.runbook": TARGET,
    "deliver.request": TARGET,
    "deliver.expect": breaks("what counts as delivered changed"),
    "deliver.already": breaks("what counts as done before changed"),
    "deliver.timeout": length("timeout"),
    "deliver.retry.attempts": number("tries", 1, more_breaks=False),
    "deliver.retry": harmless("pace of retries changed"),
    "deliver.order": lambda delta: Judgement("order of delivery changed", breaking=delta.new != "subject"),
    "deliver.key_lasts": length("how long a key is remembered", "24h", longer_breaks=True),
    "deliver.find": only(
        added=harmless("find added"), removed=breaks("find removed"), otherwise=breaks("find changed")
    ),
    "deliver.verify": breaks("verification changed"),
    "deliver.verify.after": harmless("time of verification changed"),
    "outcome": only(added=breaks("outcome expected"), removed=breaks("outcome no longer expected")),
    "outcome.id": IDENTITY,
    "outcome.done": breaks("what counts as done changed"),
    "outcome.failed": breaks("what counts as failed changed"),
    "outcome.within": length("window"),
    "freshness": only(added=harmless("freshness watched"), removed=breaks("freshness no longer watched")),
    "freshness.at_least": number("expected count", 1, more_breaks=True),
    "freshness.every": length("window"),
    "census": only(added=harmless("census added"), removed=breaks("census removed")),
    "census.every": length("window"),
    "census.request": breaks("what the census asks changed"),
    "census.ids": breaks("what the census asks changed"),
    **{f"exceptions.*{place}": judge for place, judge in HANDLING.items()},
    "routing": breaks("routing rules in another order"),
    "routing.*": only(
        added=breaks("routing rule added"),
        removed=breaks("routing rule removed"),
        otherwise=breaks("routing rule changed"),
    ),
    "routing.*.next_step": WORDING,
    "checks": harmless("checks in another order"),
    "checks.*": only(added=breaks("check added"), removed=breaks("check removed"), otherwise=breaks("check changed")),
    "on_open": breaks("what runs at opening changed"),
    "on_close": breaks("what runs at closing changed"),
    "rollout.mode": _rollout_mode,
    "rollout": harmless("share of the rollout changed"),
    "change_gate": _gate,
}

TEAM: Mapping[str, Judge] = {
    "calendars.*": only(added=harmless("calendar added"), removed=breaks("calendar removed")),
    "calendars.*.timezone": breaks("time zone changed"),
    "calendars.*.hours": breaks("hours changed"),
    "calendars.*.holidays": breaks("holidays changed"),
    "calendars.*.closed": names(added=("day closed", True), removed=("day no longer closed", False)),
    "calendars.*.open": breaks("hours changed"),
    "rotas.*": only(added=harmless("rota added"), removed=breaks("rota removed"), otherwise=breaks("rota changed")),
    "roles.*": only(added=harmless("role added"), removed=breaks("role removed")),
    "roles.*.title": WORDING,
    "roles.*.channel": breaks("channel changed"),
    "roles.*.members": names(added=("member added", False), removed=("member removed", True)),
    "roles.*.usergroup": breaks("user group changed"),
    "roles.*.calendar": breaks("calendar changed"),
    "roles.*.on_call": breaks("rota changed"),
    "roles.*.backup": breaks("backup changed"),
    "defaults.unrouted": breaks("role for what is unrouted changed"),
    "defaults.governance": breaks("governance role changed"),
    "defaults.thread_workflow": breaks("workflow of threads changed"),
    "defaults.priorities.*.acknowledge": length("window"),
    "defaults.priorities.*.resolve": length("window"),
    "defaults.escalation": breaks("escalation changed"),
    "defaults.remind_at": breaks("reminders changed"),
    "defaults.acknowledgement_lasts": length("window"),
    "defaults.pauses": breaks("states that pause the clock changed"),
    "defaults.retention": breaks("retention changed"),
    "defaults.fallback": breaks("fallback changed"),
    "defaults.checkpoints": breaks("checkpoints of the audit log changed"),
}

CONNECTORS: Mapping[str, Judge] = {
    "connectors.*": only(added=harmless("connector added"), removed=breaks("connector removed")),
    "connectors.*.base_url": TARGET,
    "connectors.*.auth": breaks("credentials changed"),
    "connectors.*.timeout": length("timeout", "10s"),
    "connectors.*.rate": breaks("rate changed"),
    "connectors.*.health": harmless("health check changed"),
    "connectors.*.private": breaks("private addresses changed"),
    "sources.*": only(added=harmless("source added"), removed=breaks("source removed")),
    "sources.*.token": breaks("credentials changed"),
    "sources.*.secret": breaks("credentials changed"),
    "sources.*.kind": breaks("kind of signature changed"),
    "sources.*.workflows": lambda delta: _workflows(delta),
    "sources.*.rate": breaks("rate changed"),
    "sources.*.read": lambda delta: Judgement("right to read changed", breaking=delta.new is not True),
}

RUNBOOK: Mapping[str, Judge] = {
    "title": WORDING,
    "button": WORDING,
    "style": WORDING,
    "warning": WORDING,
    "inputs": breaks("inputs changed"),
    "allow": breaks("who may run it changed"),
    "approval": breaks("approval changed"),
    "mode": breaks("mode changed"),
    "for_each": breaks("what it runs for changed"),
    "steps": breaks("steps in another order"),
    "steps.*": only(added=breaks("step added"), removed=breaks("step removed"), otherwise=breaks("step changed")),
    "on_failure": breaks("what happens on failure changed"),
}


def _workflows(delta: Delta) -> Judgement:
    """None: a source may report for all workflows."""
    if delta.old is None or delta.new is None:
        why = "workflows no longer limited" if delta.new is None else "workflows limited"
        return Judgement(why, breaking=delta.new is not None)
    return names(added=("workflow allowed", False), removed=("workflow no longer allowed", True))(delta)


def judge(rules: Mapping[str, Judge], delta: Delta) -> Judgement:
    """What the rule of the place says, or of the nearest place above it."""
    path = delta.path[:-1] if delta.path[-1] == ORDER else delta.path
    for end in range(len(path), 0, -1):
        for pattern, rule in rules.items():
            if _matches(pattern.split("."), path[:end]):
                inner = end < len(path)
                return rule(Delta(path, object(), object())) if inner else rule(delta)
    return look(delta)


def _matches(pattern: list[str], path: Path) -> bool:
    return len(pattern) == len(path) and all(want in ("*", part) for want, part in zip(pattern, path, strict=True))
