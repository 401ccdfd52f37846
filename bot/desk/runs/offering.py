"""What a person sees before a run: what is asked of them, what it will do, and what of that cannot be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.desk.acting import get_ongoing
from bot.desk.runs.foreseeing import Wanted, foreseen, in_words
from bot.desk.runs.meant import role_meant
from bot.desk.runs.starting import check_startable, find_offered, form_names, offered
from bot.desk.sending_again import plans
from bot.desk.tx import Tx
from bot.rules.redaction import HIDDEN
from bot.rules.sending import Plan, Verb
from runbooks.engine import cannot_be_undone
from runbooks.inputs import first_values
from runbooks.runbook import Runbook
from runbooks.templates import ExpressionFault, Missing, Text
from store.models import Case

SENDS = {"replay": Verb.REPLAY, "retry_failed": Verb.RETRY}
"""The kinds of step that send an event again, as Replay and Retry do."""


@dataclass(frozen=True, slots=True)
class LookAtRunbook:
    """What would a runbook do on this case? `runbook`: its name, or what its button says."""

    case_id: int
    runbook: str


@dataclass(frozen=True, slots=True)
class Offered:
    """A runbook as it is shown to somebody who may start it. `values` is what stands in its form at first, `warning`
    what is said before, `ahead` what it will do with these values (the very requests, as far as they are known).
    `lasting` are the steps that cannot be taken back, `held` so many events it is for, `approvers` the roles whose yes
    it may need, in their order; `twice`: what of it may happen twice, so that a person has to confirm it."""

    ref: str
    title: str
    runbook: Runbook
    values: Mapping[str, Any]
    warning: str
    ahead: Sequence[str]
    lasting: Sequence[str]
    held: int
    approvers: Sequence[str] = ()
    twice: str = ""

    @property
    def has_form(self) -> bool:
        """Whether something is asked or said before it starts."""
        return has_form(self.runbook, self.twice)


def has_form(runbook: Runbook, twice: str) -> bool:
    """Whether something is asked or said before a runbook starts."""
    return bool(runbook.inputs or runbook.warning is not None or twice)


def may_be_twice(runbook: Runbook, plans: Mapping[Verb, Plan]) -> str:
    """What a person has to confirm before the runbook sends the case's event again; "" for nothing. Events that are
    held were never sent."""
    sending = {SENDS[step.kind] for step in runbook.steps if step.kind in SENDS and not runbook.for_each}
    return next((plans[verb].confirm or "" for verb in sorted(sending) if verb in plans and plans[verb].confirm), "")


def look_at_runbook(tx: Tx, command: LookAtRunbook) -> Offered:
    """Raises `Refused` where there is no such runbook, or the actor may not start it now."""
    case = get_ongoing(tx, command.case_id).case
    runbook, policy = find_offered(tx, case, _name(tx, case, command.runbook))
    check_startable(tx, case, runbook)
    names = form_names(tx, case)
    values = {name: value for name, value in first_values(runbook, names).items() if HIDDEN not in str(value)}
    inputs = {name: values.get(name) for name in runbook.inputs}
    warning = _said(runbook.warning, names | {"inputs": inputs}) if runbook.warning else ""
    held = int(names["case"].get("quarantined") or 0) if runbook.for_each else 0
    sent_again = plans(tx.session, case, policy=tx.policy, of_case=tx.policy_of(case), now=tx.now)
    wanted = Wanted(case, runbook, policy, inputs, tx.actor.id)
    return Offered(
        ref=case.ref,
        title=case.title,
        runbook=runbook,
        values=values,
        warning=warning,
        ahead=in_words(foreseen(tx.session, tx.policies, wanted, now=tx.now)),
        lasting=cannot_be_undone(runbook, policy.runbooks),
        held=held,
        approvers=_approvers(tx, case, runbook),
        twice=may_be_twice(runbook, sent_again),
    )


def _approvers(tx: Tx, case: Case, runbook: Runbook) -> list[str]:
    named = runbook.approval.by if runbook.approval else ()
    roles = (role_meant(tx, case, each) for each in named)
    return list(dict.fromkeys(role.name for role in roles if role))


def _name(tx: Tx, case: Case, said: str) -> str:
    """The name of the runbook that is meant, by its name, its title or what its button says."""
    wanted = _plain(said)
    for name, (runbook, _) in offered(tx.policy_of(case), tx.policy, case).items():
        if wanted in (_plain(name), _plain(runbook.title), _plain(runbook.button or "")):
            return name
    return said


def _plain(said: str) -> str:
    return said.strip().lower().replace(" ", "-")


def _said(text: Text, names: Mapping[str, Any]) -> str:
    """The text filled in; as it is written where something that it names is not there yet."""
    try:
        return text.render_text(names)
    except (Missing, ExpressionFault):
        return text.source
