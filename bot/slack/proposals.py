"""The card of a policy that is proposed, and of one that came into force: what changes, what it would have done, who
has said yes, and what may be pressed. One message, edited in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from bot.desk.policies import Policies
from bot.desk.proposals import Decided, read_yeses
from bot.rules.changes import Need, Yes, missing, read_needs
from bot.rules.refusals import Refused
from bot.slack.cards import Drawn
from bot.slack.facts import names
from bot.slack.parts import Block, actions, button, context, header, section, within_budget
from bot.slack.words import Names, date, link, listed, quote
from runbooks.differences import workflow_of
from store.contract_models import PolicyProposal
from store.models import Owed, PolicyInForce

APPROVE = "proposal.approve"
WITHDRAW = "proposal.withdraw"
ROLL_BACK = "proposal.roll_back"
AGAIN = "proposal.again"

CHANGES_SHOWN = 25
NEEDS_SHOWN = 12
WORDS = 220

TITLES = {
    "proposed": "📜 A change of the policy waits for its yes",
    "in_force": "✅ A change of the policy is in force",
    "replaced": "📁 This policy was replaced by another one",
    "superseded": "📁 A change of the policy is over: another one came",
    "withdrawn": "🚫 A change of the policy was withdrawn",
    "rolled_back": "↩️ A change of the policy was rolled back",
}
PARTS = {
    "team": "Team",
    "connectors": "Connectors and sources",
    "runbooks": "Runbooks",
    "templates": "Wording of cards and messages",
}


@dataclass(frozen=True, slots=True)
class ProposalFacts:
    """Everything that the card shows. `is_deciding`: its policy is in force; `is_latest`: it was not proposed again
    since; `is_being_posted`: an earlier message is posting it at this moment."""

    row: PolicyProposal
    needs: tuple[Need, ...]
    yeses: tuple[Yes, ...]
    names: Names
    is_deciding: bool
    is_latest: bool = True
    is_being_posted: bool = False


def proposal_facts(session: Session, policies: Policies, number: int, *, message: int) -> ProposalFacts:
    """The facts of one card, for the outbox's message of this id."""
    row = session.get_one(PolicyProposal, number)
    yeses = read_yeses(session, number)
    users = [row.decided_by, *(yes.person for yes in yeses)]
    in_force = session.execute(select(col(PolicyInForce.digest))).scalar_one()
    later = select(col(PolicyProposal.id)).where(
        col(PolicyProposal.digest) == row.digest, col(PolicyProposal.id) > number
    )
    earlier = select(col(Owed.id)).where(
        col(Owed.key) == f"proposal:{number}", col(Owed.state) == "sending", col(Owed.id) < message
    )
    return ProposalFacts(
        row=row,
        needs=read_needs(row.needs),
        yeses=yeses,
        names=names(session, policies.in_force(session), users),
        is_deciding=row.digest == in_force,
        is_latest=session.execute(later.limit(1)).first() is None,
        is_being_posted=row.card_ts is None and session.execute(earlier.limit(1)).first() is not None,
    )


def proposal_card(facts: ProposalFacts) -> Drawn:
    """The card as it is now."""
    row = facts.row
    buttons = list(_buttons(facts))
    blocks = [
        header(TITLES[row.state]),
        context(_summary(facts)),
        *_changes(facts),
        *_preview(facts),
        *_yeses(facts),
        context(_state(facts)),
        *([actions(buttons, block_id=f"proposal:{row.id}:{row.version}")] if buttons else []),
    ]
    return Drawn(f"{TITLES[row.state]}: {_summary(facts)}", tuple(within_budget(blocks)))


def proposal_notice(facts: ProposalFacts, payload: Mapping[str, Any], url: str | None) -> Drawn:
    """A line for a role whose yes is needed."""
    mine = set(map(str, payload.get("roles") or ()))
    parts = [_part(facts, need.part) for need in facts.needs if any(seated.role in mine for seated in need.seats)]
    card = link(url, "The card") if url else "The card"
    roles = listed([facts.names.role(role) for role in sorted(mine)])
    more = f" and {len(parts) - 5} more" if len(parts) > 5 else ""
    said = f"📜 A change of *{', '.join(parts[:5])}*{more} waits for a yes of {roles}. {card} says what changes."
    return Drawn(said, (section(said),))


def _part(facts: ProposalFacts, part: str) -> str:
    workflow = workflow_of(part)
    return facts.names.workflow(workflow) if workflow else PARTS.get(part, part)


def _summary(facts: ProposalFacts) -> str:
    told = facts.row.told
    breaking = f", {told['breaking']} of them ⚠️ breaking" if told.get("breaking") else ""
    count = int(told.get("count") or 0)
    changes = f"{count} change{'' if count == 1 else 's'}{breaking}"
    return f"{changes} · proposed {date(facts.row.proposed_at)} · policy {facts.row.digest[:12]}"


def _changes(facts: ProposalFacts) -> Iterator[Block]:
    """What changes, part by part, at most CHANGES_SHOWN of it."""
    told, by_part = facts.row.told, dict[str, list[str]]()
    for change in told.get("changes", ())[:CHANGES_SHOWN]:
        mark = "⚠️ " if change["breaking"] else ""
        by_part.setdefault(change["part"], []).append(f"• {mark}{quote(change['words'], WORDS)}")
    for part, lines in by_part.items():
        for start in range(0, len(lines), 10):
            heading = f"*{_part(facts, part)}*{_version(facts, part)}\n" if start == 0 else ""
            yield section(heading + "\n".join(lines[start : start + 10]))
    left = int(told.get("count") or 0) - sum(map(len, by_part.values()))
    if left > 0:
        yield context(f"… and {left} more: `pointsman contracts diff` names them all.")


def _version(facts: ProposalFacts, part: str) -> str:
    versions = facts.row.told.get("versions", {}).get(workflow_of(part) or "")
    if not versions:
        return ""
    was, now = versions
    return f" · version {was} → {now}" if now > was else f" · ⚠️ still version {now}"


def _preview(facts: ProposalFacts) -> Iterator[Block]:
    """What it would have done to the last 30 days, where contracts changed."""
    told = facts.row.told.get("preview") or {}
    if not any(workflow_of(change["part"]) for change in facts.row.told.get("changes", ())):
        return
    if not told.get("events") and not told.get("cases"):
        yield section("*The last 30 days*: no events and no cases of these workflows came.")
        return
    fewer = f", {told['fewer']:,} fewer" if told["fewer"] else ""
    sample = " Only the latest of them were looked at." if told["is_sample"] else ""
    yield section(
        f"*The last 30 days*: of {told['events']:,} events, {told['more']:,} more would be in quarantine{fewer}. "
        f"Of {told['cases']:,} cases, {told['elsewhere']:,} would be routed elsewhere.{sample}"
    )


def _yeses(facts: ProposalFacts) -> Iterator[Block]:
    lines = [_need(facts, need) for need in facts.needs[:NEEDS_SHOWN]]
    if lines:
        left = len(facts.needs) - len(lines)
        more = [f"… and {left} more"] if left else []
        yield section("*Who says yes*\n" + "\n".join([*lines, *more]))


def _need(facts: ProposalFacts, need: Need) -> str:
    said = [yes for yes in facts.yeses if yes.part == need.part]
    left = missing(need, facts.yeses)
    given = [f"✅ {facts.names.person(yes.person)}" for yes in said]
    open_seats = [f"◻️ {facts.names.role(seated.role)} ({seated.seat.value})" for seated in left]
    shown = open_seats if facts.row.state == "proposed" else []
    return f"• {_part(facts, need.part)}: {', '.join([*given, *shown]) or 'nobody'}"


def _state(facts: ProposalFacts) -> str:
    row = facts.row
    if row.state == "proposed":
        return "What is in force stays so until each has said yes. Nobody says yes twice for one contract."
    at = date(row.decided_at) if row.decided_at else "a while ago"
    if row.state == "in_force" and not facts.needs:
        return f"In force since {at}: nothing in it needed a yes."
    said = {
        "in_force": "In force since",
        "replaced": "It was in force from",
        "superseded": "Over since",
        "withdrawn": f"Withdrawn by {facts.names.person(row.decided_by)}",
        "rolled_back": f"Rolled back by {facts.names.person(row.decided_by)}",
    }[row.state]
    return f"{said} {at}."


def _buttons(facts: ProposalFacts) -> Iterator[Block]:
    row, value = facts.row, f"{facts.row.id}:{facts.row.version}"
    if row.state == "proposed":
        yield button("Approve", APPROVE, value, style="primary")
        yield button("Withdraw", WITHDRAW, value)
    elif row.state == "in_force":
        if row.before and facts.is_deciding:
            yield button("Roll back", ROLL_BACK, value, style="danger")
    elif facts.is_latest and not facts.is_deciding:
        yield button("Propose again", AGAIN, value)


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a button of the card carries: the proposal, and the version that was seen."""

    proposal: int
    version: int


def read_pressed(value: str) -> Pressed:
    """What a button carried. Raises `Refused` for a value that is not ours."""
    number, _, version = value.partition(":")
    if not (number.isdecimal() and version.isdecimal() and len(value) < 40):
        raise Refused("not_ours", "That button is from another version of Pointsman.")
    return Pressed(int(number), int(version))


def decided(outcome: Decided, action: str, known: Names) -> str:
    """What somebody is told about their own decision."""
    if action == APPROVE and outcome.state == "in_force":
        return ":white_check_mark: You said yes. Nothing is missing any more: the change is in force."
    if action == APPROVE:
        roles = list(dict.fromkeys(f"{known.role(seated.role)} ({seated.seat.value})" for seated in outcome.missing))
        return f":white_check_mark: You said yes. Still missing: {listed(roles)}."
    if action == AGAIN:
        waits = "It waits for its yes again." if outcome.state == "proposed" else "It is in force."
        return f":scroll: You proposed it again. {waits}"
    if action == WITHDRAW:
        return ":no_entry_sign: You withdrew the change. What is in force stays so."
    return ":leftwards_arrow_with_hook: You rolled it back: the policy before is in force again."
