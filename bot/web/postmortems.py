"""`GET /v1/cases/{ref}/postmortem`: what was learnt from a case, as Markdown."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from sqlmodel import Session

from bot.context import Context
from bot.desk.postmortems import Whole, whole
from bot.rules.instants import in_utc
from bot.rules.postmortem_markdown import ActionTold, PostMortemTold, markdown
from bot.web.cases import case_id_of, get_case
from bot.web.problems import Problem, kind
from bot.web.sources import Gate
from runbooks.policy import Policy

MARKDOWN = "text/markdown"


class PostMortemsOut:
    """Answers readers: sources with `read: true`, each for the workflows that it may see."""

    def __init__(self, context: Context, gate: Gate) -> None:
        self._desk = context.desk
        self._gate = gate

    async def show(self, request: web.Request) -> web.Response:
        """The post-mortem of one case, with its timeline and its actions as they are now."""
        reader = await self._gate.admit_reader(request)
        case_id = case_id_of(request)

        def reading(session: Session) -> str:
            policy = self._desk.policies.in_force(session)
            case = get_case(session, case_id, reader)
            return markdown(told(_written(whole(session, policy, case.id), case.ref), policy))

        return web.Response(text=await self._desk.read(reading), content_type=MARKDOWN, charset="utf-8")


def _written(found: Whole | None, ref: str) -> Whole:
    if found is None:
        why = "a case gets one when it closes, if it is critical or one of its windows passed"
        raise Problem(HTTPStatus.NOT_FOUND, f"{ref} has no post-mortem: {why}", kind=kind("no-post-mortem"))
    if found.row.written_at is None:
        detail = f"the post-mortem of {ref} is owed since {in_utc(found.row.owed_at)} and not written yet"
        raise Problem(HTTPStatus.NOT_FOUND, detail, kind=kind("post-mortem-not-written"))
    return found


def told(found: Whole, policy: Policy) -> PostMortemTold:
    """What the document tells."""
    case, row, calling = found.case, found.row, found.calling
    contract = policy.workflows.get(case.workflow)
    written = f"{in_utc(row.written_at)} by {calling.person(row.written_by)}" if row.written_at else "not yet"
    return PostMortemTold(
        ref=case.ref,
        title=case.title,
        about=(
            ("Workflow", contract.title if contract else case.workflow),
            ("Failure mode", case.failure_mode.replace("_", " ")),
            ("Risk and priority", f"{case.risk}, {case.priority}"),
            ("Owner", calling.role(case.owner)),
            ("Why there is one", row.because),
            ("Written", written),
        ),
        moments=found.moments,
        actions=tuple(
            ActionTold(each.ref, each.title, calling.role(each.owner), each.resolve_due_at, each.state)
            for each in found.actions
        ),
        summary=row.summary,
        causes=row.causes,
        opened_at=case.opened_at,
        acknowledged_at=case.acknowledged_at,
        closed_at=case.closed_at,
    )
