"""Opening a case by hand or from a thread: the form, and what happens when it is sent."""

from __future__ import annotations

from dataclasses import dataclass

from bot.desk.commands import OpenByHand, OpenThread
from bot.rules.refusals import Refused
from bot.slack import modals
from bot.slack.acts import carry_out
from bot.slack.asking import Asker, Body, Form, chosen
from bot.slack.commands import Link, Open, parse_link
from bot.slack.edge import Edge
from bot.slack.facts import find_case_of_thread
from bot.slack.guard import FieldRefused, Told
from bot.slack.modals import FAILURE_MODE, WORKFLOW, Opening
from bot.slack.parts import Block
from bot.slack.places import Thread, enter, thread, title_of
from bot.slack.reading import addressed, allowed
from runbooks.policy import Policy
from store.models import Case

UNTITLED = "A thread that needs somebody"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be opened. Without a `thread` it is a case of its own."""

    title: str
    workflow: str | None = None
    failure_mode: str | None = None
    priority: str | None = None
    thread: Link | None = None


async def thread_form(edge: Edge, asker: Asker, link: Link, text: str | None = None) -> Block:
    """The form for a thread, filled as far as it can be; or the case that the thread has; or how to invite the bot.
    `text`: of the message that is meant, where the request brought it."""
    try:
        await allowed(edge, asker)
        await enter(edge.client, link.channel, asker.user)
    except Refused as refused:
        return modals.told("Open a case", refused.text)
    found = await thread(edge.client, link.channel, link.thread_ts, most=1)
    root = found.root
    case = await edge.context.desk.read(lambda session: find_case_of_thread(session, link.channel, root))
    if case is not None:
        return modals.told("Open a case", await has_one(edge, case))
    policy = edge.context.policies.latest
    title = title_of(text) if text is not None else title_of(_first(found))
    form = Form(channel=link.channel, thread_ts=root, root_ts=root)
    return modals.open_case(form, Opening(title, workflow_of(policy, link.channel)), policy)


async def has_one(edge: Edge, case: Case) -> str:
    """What is said where a thread has a case, open or closed: it gets no other."""
    if case.is_open:
        return await addressed(edge, case, "This thread is a case already:")
    named = await addressed(edge, case, "The case of this thread is closed:")
    return f"{named}. *Reopen* is on its card; or say why with `/case reopen {case.ref} why`."


def blank_form(edge: Edge, asker: Asker) -> Block:
    """The form where nobody knows yet what it is about."""
    policy = edge.context.policies.latest
    form = Form(channel=asker.channel, thread_ts=asker.thread_ts)
    workflow = workflow_of(policy, asker.channel or "")
    return modals.open_case(form, Opening(workflow=workflow, asks_link=True), policy)


def workflow_of(policy: Policy, channel: str) -> str | None:
    """What a thread of this channel belongs to."""
    here = (contract.workflow for contract in policy.workflows.values() if channel in contract.threads)
    return next(here, policy.team.defaults.thread_workflow)


async def sent_form(edge: Edge, asker: Asker, view: Body, form: Form) -> Told | None:
    """Opens what was filled in. Raises `Refused`."""
    link = Link(form.channel or "", form.root_ts, form.root_ts) if form.root_ts else _typed_link(view)
    mode = next((block for block in view["state"]["values"] if block.startswith(FAILURE_MODE)), FAILURE_MODE)
    wanted = Wanted(
        title=chosen(view, "title"),
        workflow=chosen(view, WORKFLOW) or None,
        failure_mode=chosen(view, mode) or None,
        priority=chosen(view, "priority") or None,
        thread=link,
    )
    return await open_case(edge, asker, wanted)


def _typed_link(view: Body) -> Link | None:
    typed = chosen(view, "link")
    link = parse_link(typed) if typed else None
    if typed and link is None:
        raise FieldRefused("not_a_link", "Use “Copy link” of the message's menu.", field="link")
    return link


async def typed(edge: Edge, asker: Asker, asked: Open) -> Told | None:
    """Opens what was typed. Without a title, what the thread's first message says is the title."""
    return await open_case(edge, asker, Wanted(asked.title, thread=asked.link))


async def open_case(edge: Edge, asker: Asker, wanted: Wanted) -> Told | None:
    """Opens a case, in its thread if it has one; what was said there so far is kept with it. Raises `Refused`."""
    await allowed(edge, asker)
    if wanted.thread is None:
        workflow = wanted.workflow or workflow_of(edge.context.policies.latest, asker.channel or "")
        command = OpenByHand(wanted.title, workflow, wanted.failure_mode, wanted.priority)
        return await carry_out(edge, asker, command)
    channel = wanted.thread.channel
    await enter(edge.client, channel, asker.user)
    found = await thread(edge.client, channel, wanted.thread.thread_ts)
    first = _first(found)
    title = wanted.title or title_of(first) or UNTITLED
    opening = OpenThread(
        channel=channel,
        thread_ts=found.root,
        title=title,
        workflow=wanted.workflow,
        failure_mode=wanted.failure_mode,
        priority=wanted.priority,
        detail=first[:3000],
        replies=found.said,
        is_cut=found.is_cut,
    )
    return await carry_out(edge, asker, opening)


def _first(found: Thread) -> str:
    return found.said[0].text if found.said else ""


async def case_of(edge: Edge, channel: str, thread_ts: str) -> Case | None:
    """The case of a thread."""
    return await edge.context.desk.read(lambda session: find_case_of_thread(session, channel, thread_ts))
