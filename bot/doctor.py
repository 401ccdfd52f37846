"""`pointsman doctor`: looks at everything that the service needs, and says what to do. It changes nothing."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlmodel import Session, col

from bot.auditing import signing_key
from bot.clock import Clock, SystemClock
from bot.databases import existing
from bot.desk.people import overrides
from bot.fallback_findings import of_fallback
from bot.findings import Finding, well, wrong
from bot.rules.instants import in_utc
from bot.settings import Settings, SettingsFault, read_secret
from bot.slack.looking import Named, clock_against, look_at_slack
from bot.start import StartFault, check_slack
from bot.system_findings import of_systems
from bot.web.sources import missing_secrets
from runbooks.added_steps import FAULTS
from runbooks.connectors import MissingVariable, resolve, variables_of
from runbooks.ical import parse_ical
from runbooks.policy import Policy, PolicyFaults, load, read_folder
from runbooks.rotas import IcalRota, Override, Rota, gaps, on_call, shifts
from store.checkpoints import public_text
from store.contract_models import PolicyProposal
from store.migrate import check_columns, newest, revision_of
from store.models import PolicyInForce, PolicyVersion, RotaCalendar

LOOKS_AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The policy that decides, or will when the service runs; its rotas and what people took over of them, as far as
    the database could be read."""

    policy: Policy
    rotas: Mapping[str, Rota | IcalRota]
    overrides: Mapping[str, Sequence[Override]] = field(default_factory=dict)
    unfetched: frozenset[str] = frozenset()


async def look(settings: Settings, environment: Mapping[str, str], *, clock: Clock | None = None) -> list[Finding]:
    """A finding for each thing: tokens, database, clock, policy, environment, rotas, roles, Slack."""
    now = (clock or SystemClock()).now()
    findings, seen = await asyncio.to_thread(_look_here, settings, environment, now)
    named = _named(seen, now) if seen else Named({}, {}, {})
    return findings + await look_at_slack(settings, named, now)


def _look_here(settings: Settings, environment: Mapping[str, str], now: datetime) -> tuple[list[Finding], _Seen | None]:
    proposed, of_folder = _folder(settings.policy)
    of_database, seen = _database(settings.database_url, proposed, now)
    findings = [_tokens(settings), *_checkpoints(settings), *map(wrong, FAULTS), *of_folder, *of_database]
    if seen:
        findings += [*_environment(seen.policy, settings, environment), *_rotas(seen, now), *_roles(seen, now)]
        findings += [wrong(f"policy: {each}") for each in seen.policy.dead_ends]
    return findings, seen


def _tokens(settings: Settings) -> Finding:
    try:
        check_slack(settings)
    except StartFault as fault:
        return wrong(str(fault))
    if settings.slack_bot_token is None:
        return wrong("SLACK_BOT_TOKEN: not set, so nobody is told of any case: `pointsman manifest` makes the app")
    return well(f"Slack by {'Socket Mode' if settings.slack_app_token else 'HTTP'}")


def _checkpoints(settings: Settings) -> Iterator[Finding]:
    """How the audit log is signed, and where that is kept."""
    try:
        key = signing_key(settings)
    except StartFault as fault:
        yield wrong(str(fault))
        return
    if key is None:
        yield well("audit log: POINTSMAN_AUDIT_KEY is not set, so no checkpoints are made: a cut tail would not show")
        return
    file = settings.checkpoints
    where = f"and kept in {file}" if file else "and kept in no file (POINTSMAN_CHECKPOINTS)"
    public = public_text(key.public_key())
    yield well(f"audit log: checkpoints are signed {where}; they are checked with --key {public}")
    if file and not os.access(file if file.exists() else file.parent, os.W_OK):
        yield wrong(f"POINTSMAN_CHECKPOINTS: {file} cannot be written: give the service a folder that it may write to")


def _folder(folder: Path | None) -> tuple[Policy | None, list[Finding]]:
    if folder is None:
        return None, []
    try:
        policy = load(read_folder(folder))
    except PolicyFaults as faults:
        count = f"{len(faults.faults)} fault{'' if len(faults.faults) == 1 else 's'}"
        return None, [wrong(f"policy folder {folder}: {count}: `pointsman check {folder}` names them")]
    return policy, [well(f"policy folder {folder}: no faults")]


def _database(url: str, proposed: Policy | None, now: datetime) -> tuple[list[Finding], _Seen | None]:
    try:
        with existing(url) as database:
            return database.read_now(lambda session: _of_session(session, proposed, now))
    except StartFault as fault:
        return [wrong(str(fault))], _Seen(proposed, proposed.team.rotas) if proposed else None


def _of_session(session: Session, proposed: Policy | None, now: datetime) -> tuple[list[Finding], _Seen | None]:
    if not _is_at_version(session):
        behind = wrong("database: reachable, but not at this version: `pointsman migrate` brings it there")
        return [behind], _Seen(proposed, proposed.team.rotas) if proposed else None
    check_columns(session.connection())
    findings = [well(f"database: {session.get_bind().dialect.name}, at this version")]
    if session.get_bind().dialect.name == "postgresql":
        theirs = session.execute(select(func.clock_timestamp())).scalar_one()
        findings.append(clock_against("the database", theirs, now))
    finding, in_force = _in_force(session, proposed)
    policy = proposed or in_force
    findings += [finding, *(of_systems(session, in_force) if in_force else ())]
    return findings, _kept(session, policy, now) if policy else None


def _is_at_version(session: Session) -> bool:
    return revision_of(session.connection()) == newest()


def _in_force(session: Session, proposed: Policy | None) -> tuple[Finding, Policy | None]:
    row = session.execute(select(PolicyInForce)).scalar_one_or_none()
    if row is None and proposed:
        return well("policy in force: none yet, the folder's from the first start on"), None
    if row is None:
        return wrong(
            "policy in force: none: POINTSMAN_POLICY has to name a folder without faults; `pointsman init` writes one"
        ), None
    try:
        policy = load(session.get_one(PolicyVersion, row.digest).files)
    except PolicyFaults as faults:
        return wrong(f"policy in force: this version finds faults in it ({faults.faults[0]}): mend the folder"), None
    if proposed and proposed.digest != row.digest:
        said = _proposed(session, proposed.digest)
        return well(f"policy in force: since {in_utc(row.since_at)}; the folder's is another, and {said}"), policy
    return well(f"policy in force: since {in_utc(row.since_at)}"), policy


def _proposed(session: Session, digest: str) -> str:
    """What became of the folder's policy, which is not the one in force."""
    of_digest = select(col(PolicyProposal.state)).where(col(PolicyProposal.digest) == digest)
    state = session.execute(of_digest.order_by(col(PolicyProposal.id).desc()).limit(1)).scalar()
    if state is None:
        return "is proposed at the next start"
    if state == "proposed":
        return "waits for its yes"
    return f"was {state.replace('_', ' ')}: press *Propose again* on its card, or change the folder"


def _kept(session: Session, policy: Policy, now: datetime) -> _Seen:
    """Calendars at an address are as they were when the service last fetched them."""
    team = policy.team
    kept = {row.address: row.text for row in session.execute(select(RotaCalendar)).scalars()}
    fetched = {name: kept[address] for name, address in team.rota_addresses.items() if address in kept}
    return _Seen(
        policy,
        {**team.rotas, **{name: parse_ical(calendar, name) for name, calendar in fetched.items()}},
        {name: overrides(session, name, at=now) for name in team.rotas},
        frozenset(team.rota_addresses.keys() - fetched.keys()),
    )


def _environment(policy: Policy, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """The variables that connectors and sources need, each read as the service would."""
    for connector in policy.connectors.values():
        try:
            said = {name: read_secret(environment, name) for name in variables_of(connector)}
            resolve(connector, {name: value for name, value in said.items() if value})
        except (MissingVariable, SettingsFault) as fault:
            yield wrong(f"{fault}: what goes there fails until it is")
        else:
            yield well(f"connector {connector.name}: its environment is set")
    yield from of_fallback(policy, settings, environment)
    missing = missing_secrets(policy, environment)
    yield from map(wrong, missing)
    if not missing:
        yield well(f"sources: the credential of each is set ({', '.join(policy.sources) or 'there are none'})")


def _rotas(seen: _Seen, now: datetime) -> Iterator[Finding]:
    for name, rota in seen.rotas.items():
        open_ = gaps(rota, now, now + LOOKS_AHEAD, seen.overrides.get(name, ()))
        if name in seen.unfetched:
            host = urlsplit(seen.policy.team.rota_addresses[name]).hostname
            yield wrong(f"rota {name}: its calendar at {host} was not fetched yet: the running service does it")
        elif open_:
            start, end = open_[0]
            more = f", and {len(open_) - 1} more gaps" if len(open_) > 1 else ""
            what = f"rota {name}: nobody from {in_utc(start)} to {in_utc(end)}{more}"
            yield wrong(f"{what}: add people in team.yml, or type `/oncall override`")
        else:
            yield well(f"rota {name}: somebody at all times in the next {LOOKS_AHEAD.days} days")


def _roles(seen: _Seen, now: datetime) -> Iterator[Finding]:
    """The roles that reach nobody at this moment. Those that never do are dead ends of the policy."""
    for role in seen.policy.team.roles.values():
        if role.on_call and on_call(seen.rotas[role.on_call], now, seen.overrides.get(role.on_call, ())) is None:
            yield wrong(f"role {role.name}: reaches nobody now, for rota {role.on_call} names nobody")


def _named(seen: _Seen, now: datetime) -> Named:
    """Whom and what Slack is asked about."""
    channels, people, usergroups = defaultdict(list), defaultdict(list), defaultdict(list)
    for role in seen.policy.team.roles.values():
        channels[role.channel].append(f"role {role.name}")
        for person in role.members:
            people[person].append(f"role {role.name}")
        if role.usergroup:
            usergroups[role.usergroup].append(f"role {role.name}")
    for name, rota in seen.rotas.items():
        on_it = {shift.person for shift in shifts(rota, now, now + LOOKS_AHEAD, seen.overrides.get(name, ()))}
        for person in on_it:
            people[person].append(f"rota {name}")
    return Named(*({key: ", ".join(of) for key, of in each.items()} for each in (channels, people, usergroups)))
