"""What people do with post-mortems: ask for the form, see one, send what they wrote."""

from __future__ import annotations

from sqlmodel import Session

from bot.desk import postmortems
from bot.desk.commands import OnCase
from bot.desk.postmortems import ActionRefused, Whole, WritePostMortem
from bot.rules.refusals import Refused
from bot.slack import postmortems as views
from bot.slack.asking import Asker, Form, heard_at
from bot.slack.edge import Edge
from bot.slack.guard import FieldRefused, Told
from bot.slack.parts import Block
from bot.slack.postmortems import Draft
from bot.slack.reading import allowed


async def form(edge: Edge, asker: Asker, case_id: int) -> Block:
    """The form for those who may write. Raises `Refused` for others, and where the case gets none."""
    await edge.context.desk.run(postmortems.open_form, OnCase(case_id), actor=await edge.actor(asker))
    whole = await _whole(edge, case_id)
    kept = heard_at(asker, Form(whole.case.ref))
    return views.form(whole, views.first_draft(whole, edge.context.clock.now()), kept, edge.context.policies.latest)


async def filled(edge: Edge, case_id: int, draft: Draft, kept: Form) -> Block:
    """The form as somebody has filled it in so far."""
    return views.form(await _whole(edge, case_id), draft, kept, edge.context.policies.latest)


async def sent(edge: Edge, asker: Asker, case_id: int, draft: Draft) -> Told | None:
    """Keeps what was written. Raises `Refused`; beside the field that is wrong where it is one of an action's."""
    placed = views.actions_of(draft)
    written = tuple(action for _, action in placed)
    command = WritePostMortem(case_id, draft.seen, draft.summary, draft.causes, written, request_key=asker.key)
    try:
        return await edge.run(asker, postmortems.write, command)
    except ActionRefused as refused:
        field = f"due:{placed[refused.place][0]}"
        raise FieldRefused(refused.code, refused.text, field=field) from None


async def typed(edge: Edge, asker: Asker, case_id: int) -> Told | None:
    """`/case postmortem C-1`: shows it; one that is still to be written is written at once, where a form can open."""
    await allowed(edge, asker, case_id)
    whole = await _whole(edge, case_id)
    if whole.row.written_at is None and asker.trigger_id:
        return await edge.ask(asker, await form(edge, asker, case_id))
    url = await edge.links.of(whole.case.channel, whole.case.card_ts) if whole.case.card_ts else None
    return views.told(whole, url)


async def _whole(edge: Edge, case_id: int) -> Whole:
    policies = edge.context.policies

    def reading(session: Session) -> Whole | None:
        return postmortems.whole(session, policies.in_force(session), case_id)

    found = await edge.context.desk.read(reading)
    if found is None:
        why = "it is critical or one of its windows passed, and it is closed"
        raise Refused("no_post_mortem", f"C-{case_id} has no post-mortem: a case gets one when {why}.")
    return found
