"""A step's question is answered: `ask` waits for a yes."""

from __future__ import annotations

from dataclasses import dataclass

from bot.desk.acting import begin, finish, name_of, roles_among
from bot.desk.commands import OnCase, Outcome
from bot.desk.people import find_role
from bot.desk.runs.calling import record
from bot.desk.runs.chosen import check_open, chosen, goes_on
from bot.desk.runs.rows import Going, save
from bot.desk.tx import Tx
from bot.rules.lifecycle import ago
from bot.rules.permissions import Act
from bot.rules.refusals import Refused
from bot.rules.saying import What
from store.models import Case
from store.run_models import RunStep


@dataclass(frozen=True, slots=True)
class AnswerQuestion(OnCase):
    """Yes or no to what a step has asked."""

    step_id: int
    yes: bool


def answer_question(tx: Tx, command: AnswerQuestion) -> Outcome:
    """The first answer counts: after a yes the run goes on at once, a no fails the step. Refused for somebody who was
    not asked, and for whoever comes second."""
    acting = begin(tx, command, Act.NOTE)
    if isinstance(acting, Outcome):
        return acting
    case = acting.case
    going, position = _find(tx, case, command.step_id)
    row, word = going.steps[position], "yes" if command.yes else "no"
    _check_asked(tx, case, going, row)
    if command.yes:
        check_open(case, going)
    response = {**(row.response or {}), "answer": word, "by": tx.actor.id}
    state, because = "done" if command.yes else "failed", f"{name_of(tx.session, tx.actor.id)} said {word}"
    going.touch(position, state=state, ended_at=tx.now, because=because, response=response)
    record(tx, going, "run.answered", step=row.name, answer=word)
    goes_on(tx, going)
    save(tx, going)
    facts = {"by": tx.actor.id, "runbook": going.runbook.title, "run": going.run.id, "answer": word}
    return finish(tx, acting, What.RUN_ANSWERED, {**facts, "text": response.get("text", "")})


def _find(tx: Tx, case: Case, step_id: int) -> tuple[Going, int]:
    """The run and the place of the question, which waits for its answer. Raises `Refused` that says what became of
    it."""
    row = tx.session.get(RunStep, step_id, populate_existing=True)
    if row is None or row.kind != "ask":
        raise Refused("no_such_question", "There is no such question any more.", case_id=case.id)
    going = chosen(tx, case, row.run_id)
    row = next((each for each in going.steps.values() if each.id == step_id), row)
    if row.state != "waiting" or going.run.state != "running":
        raise _too_late(tx, case, going, row)
    return going, row.position


def _too_late(tx: Tx, case: Case, going: Going, row: RunStep) -> Refused:
    response = row.response or {}
    if response.get("by") and row.ended_at:
        who, when = name_of(tx.session, str(response["by"])), ago(row.ended_at, now=tx.now)
        return Refused("answered", f"{who} said {response['answer']} {when}.", case_id=case.id)
    return Refused("not_asked", f"{going.runbook.title} does not wait for this answer any more.", case_id=case.id)


def _check_asked(tx: Tx, case: Case, going: Going, row: RunStep) -> None:
    asked = row.response or {}
    if asked.get("person"):
        if tx.actor.id == asked["person"]:
            return
        raise _not_asked(case, f"it asks {name_of(tx.session, asked['person'])}, who started it")
    role = find_role(tx.policy, str(asked.get("role") or case.owner))
    if not roles_among(tx, [role]):
        raise _not_asked(case, f"{role.title} can")


def _not_asked(case: Case, who: str) -> Refused:
    return Refused("not_allowed", f"{case.ref}: you cannot answer this: {who}.", case_id=case.id)
