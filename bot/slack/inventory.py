"""`/case workflows`: the handoff matrix, a short section for each workflow, or all that there is to know of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlmodel import Session

from bot.desk.inventory import COUNTED, PROPOSED, Line, Named, Path, Proposals, State, inventory
from bot.slack.asking import Asker
from bot.slack.edge import Edge
from bot.slack.facts import names
from bot.slack.guard import Told
from bot.slack.parts import Block, context, fields, header, section, within_budget
from bot.slack.reading import allowed, find_named, unknown_name
from bot.slack.rollouts import Rolled, read_rollout, rollout_blocks
from bot.slack.words import Names, cut, date, one_line, percent, quote, spoken

MARKS = {State.STALE: "🟠", State.HELD: "🟡", State.OPEN_CASES: "🔴", State.HEALTHY: "🟢"}
PATH = 700
PATHS_AT_ONCE = 4
MOST_PROPOSALS = 10
Read = tuple[list[Line], Names, Rolled | None]


async def workflows(edge: Edge, asker: Asker, name: str | None) -> Told:
    """The workflows, or one of them by its name or title. Raises `Refused`."""
    await allowed(edge, asker)
    now, policies = edge.context.clock.now(), edge.context.policies

    def reading(session: Session) -> Read:
        policy = policies.in_force(session)
        only = None
        if name:
            contract = find_named(policy.workflows, name, lambda contract: contract.title)
            if contract is None:
                raise unknown_name(name, list(policy.workflows))
            only = [contract.workflow]
        lines = inventory(session, policy, at=now, only=only)
        people = [person for line in lines for reach in line.reached.values() for person in reach.people]
        rolled = read_rollout(session, policies, lines[0].contract, now=now) if name else None
        return lines, names(session, policy, people), rolled

    lines, known, rolled = await edge.context.desk.read(reading)
    return _one(lines[0], known, rolled) if rolled else _all(lines, known)


def _all(lines: Sequence[Line], known: Names) -> Told:
    if not lines:
        return Told("There are no workflows yet.", (section("There are no workflows yet."),))
    told = f"{len(lines)} workflows" if len(lines) > 1 else "1 workflow"
    rows = [section(_row(line, known)) for line in lines]
    more = context("`/case workflows NAME` tells all of one: where each of its failures goes, and who that is now.")
    return Told(told, (*within_budget([section(f"*{told}*"), *rows], most=49), more))


def _row(line: Line, known: Names) -> str:
    contract = line.contract
    owners = f"{known.role(contract.owners.accountable)} answers for it, {known.role(contract.owners.steward)} runs it"
    return "\n".join(
        [
            f"{MARKS[line.state]} *{quote(contract.title, 120)}* (`{contract.workflow}`, version {contract.version}): "
            f"{_state(line)}",
            f"{owners} · {contract.risk} risk · {_rate(line)} · {_last(line)}",
        ]
    )


def _state(line: Line) -> str:
    """How it does, in words; more than one may hold."""
    cases = sum(line.figures.open_cases.values())
    said = [
        "too little comes in" if line.state is State.STALE else "",
        f"{line.held} held" if line.held else "",
        f"its connector is held: {quote(line.held_by, 150)}" if line.held_by else "",
        f"{cases} open case{'' if cases == 1 else 's'}" if cases else "",
    ]
    return ", ".join(filter(None, said)) or "healthy"


def _rate(line: Line) -> str:
    counted = line.figures
    if counted.rate is None:
        return f"nothing came in {COUNTED.days} days"
    pending = f", {counted.pending} not at their end yet" if counted.pending else ""
    return f"{percent(counted.rate)} of {counted.came:,} in {COUNTED.days} days{pending}"


def _last(line: Line) -> str:
    last = line.figures.last_event_at
    return f"last event {date(last)}" if last else "no event yet"


def _one(line: Line, known: Names, rolled: Rolled) -> Told:
    contract, paths = line.contract, [_path(path, line, known) for path in line.paths]
    blocks: list[Block] = [
        header(f"{MARKS[line.state]} {one_line(contract.title, 120)}"),
        *([section(quote(contract.purpose, 500))] if contract.purpose else []),
        fields(list(_facts(line, known))),
        *([section("\n".join(_proposals(line)))] if line.proposals else []),
        *rollout_blocks(rolled),
        section(f"*Where its failures go* ({len(paths)})"),
        *(section("\n".join(paths[at : at + PATHS_AT_ONCE])) for at in range(0, len(paths), PATHS_AT_ONCE)),
    ]
    return Told(f"{contract.title}: {_state(line)}", tuple(within_budget(blocks)))


def _facts(line: Line, known: Names) -> Iterator[str]:
    """At most ten: as many as Slack shows beside each other."""
    contract = line.contract
    yield f"*State*\n{_state(line)}"
    yield f"*Success*\n{_rate(line)}; {_last(line)}"
    yield f"*Answers for it*\n{_role(contract.owners.accountable, line, known)}"
    yield f"*Runs it*\n{_role(contract.owners.steward, line, known)}"
    rollout = contract.rollout
    share = f" {rollout.percent:g} %" if rollout.percent is not None else ""
    yield f"*Contract*\n`{contract.workflow}` version {contract.version}, {rollout.mode}{share}, {contract.risk} risk"
    yield f"*Source of record*\n{quote(contract.source_of_record or 'not said', 80)}"
    if contract.trigger:
        yield f"*Trigger*\n{quote(contract.trigger.schema, 100)}, known by `{quote(contract.trigger.id.source, 150)}`"
    if terms := _awaited(line):
        yield f"*Expected*\n{terms}"
    yield f"*Waits for somebody*\n{line.figures.quarantined} in quarantine, {line.figures.unmatched} unmatched outcomes"


def _proposals(line: Line) -> list[str]:
    """How often somebody said Do it to what a runbook proposed: when that is always, it may go live."""
    return [
        f":bulb: {each.accepted} of {each.answered} proposals of {quote(each.title, 120)} were accepted in "
        f"{PROPOSED.days} days{_unanswered(each)}{'; it is live now' if each.mode == 'live' else ''}"
        for each in line.proposals[:MOST_PROPOSALS]
    ]


def _unanswered(each: Proposals) -> str:
    missing = each.proposed - each.answered
    return f", and nobody answered {missing} more" if missing else ""


def _awaited(line: Line) -> str:
    contract = line.contract
    said = [
        f"an outcome within {contract.outcome.within}" if contract.outcome else "",
        f"{contract.freshness.at_least} every {contract.freshness.every}" if contract.freshness else "",
        f"a census every {contract.census.every}" if contract.census else "",
    ]
    return ", ".join(filter(None, said))


def _role(name: str, line: Line, known: Names) -> str:
    people = known.persons(line.reached[name].people)
    return f"{known.role(name)}: {people or 'nobody now'}"


def _path(path: Path, line: Line, known: Names) -> str:
    terms = path.terms
    route = "on call at once" if terms.route == "on_call" else "queue"
    first = f"{quote(terms.auto_fix.runbook, 60)} first, then " if terms.auto_fix else ""
    books = f" · runbooks: {quote(', '.join(terms.runbooks), 150)}" if terms.runbooks else ""
    unnamed = {Named.OTHER: " (as other)", Named.NOTHING: " (no route: to the role for what is unrouted)"}
    return cut(
        f"• *{spoken(path.failure_mode)}*{unnamed.get(path.named, '')}: {terms.priority} · {first}{route} · "
        f"{_role(terms.owner, line, known)} · acknowledged within {terms.acknowledge_within}, resolved within "
        f"{terms.resolve_within}{books}",
        PATH,
    )
