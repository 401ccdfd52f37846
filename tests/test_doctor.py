"""What `pointsman doctor` finds in a company that is set up, and in each way in which one is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from bot.clock import MovableClock
from bot.doctor import look
from bot.sandbox.workspace import AppSettings, Channel, SlackStandIn, User
from bot.settings import Settings
from bot.slack.looking import of_headers
from bot.slack.manifest import SCOPES
from bot.starter import write_starter
from store.database import Database
from store.models import RotaCalendar
from tests.conftest import EXAMPLE_COMPANY, MONDAY

ENVIRONMENT = {"SHOP_URL": "https://shop.acme.test", "SHOP_TOKEN": "s", "AUTOMATIONS_TOKEN": "a"}
PEOPLE = [User("U000ADA", "ada"), User("U000BEN", "ben"), User("U000CLEO", "cleo")]


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    channels = [Channel("C000OPS", "ops"), Channel("C000MGMT", "management", ["U000CLEO"])]
    app = AppSettings(scopes=frozenset(SCOPES))
    async with SlackStandIn(users=PEOPLE, channels=channels, app=app) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_starter(tmp_path / "policy")
    return tmp_path / "policy"


@pytest.fixture
def settings(slack: SlackStandIn, folder: Path, database_url: str) -> Settings:
    return _settings(
        slack_bot_token=slack.app.bot_token,
        slack_signing_secret=slack.app.signing_secret,
        slack_api_url=slack.api_url,
        database_url=database_url,
        policy=folder,
    )


def _settings(**said: object) -> Settings:
    return Settings.model_validate(said)


async def _wrong(settings: Settings, environment: dict[str, str] = ENVIRONMENT) -> list[str]:
    return [finding.text for finding in await look(settings, environment) if not finding.is_well]


@pytest.fixture
def plain(slack: SlackStandIn, folder: Path, migrated_file: Path) -> Settings:
    """The same for what has nothing to do with the engine."""
    return _settings(
        slack_bot_token=slack.app.bot_token,
        slack_app_token=slack.app.app_token,
        slack_api_url=slack.api_url,
        database_url=f"sqlite:///{migrated_file}",
        policy=folder,
    )


async def test_a_company_that_is_set_up_is_well(settings: Settings, engine_name: str) -> None:
    findings = await look(settings, ENVIRONMENT)
    assert [str(finding) for finding in findings if not finding.is_well] == []
    told = "\n".join(map(str, findings))
    assert "ok  database: " in told
    assert "ok  channel C000OPS of role operations (#ops): joined" in told
    assert "ok  channel C000MGMT of role management (#management): public, joined with the first case" in told
    assert "ok  person U000ADA of role operations, rota operations-on-call (ada): reachable" in told
    assert "ok  Slack scopes: all that the manifest asks for" in told
    assert ("clock: as the database has it" in told) is (engine_name == "postgres")


async def test_it_makes_no_database(plain: Settings, tmp_path: Path) -> None:
    missing = plain.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'none.db'}"})
    [told] = await _wrong(missing)
    assert "there is no database at" in told
    assert "pointsman migrate" in told
    assert not (tmp_path / "none.db").exists()


async def test_a_database_that_was_never_migrated_is_told(settings: Settings, empty_database_url: str) -> None:
    _touch(empty_database_url)
    told = await _wrong(settings.model_copy(update={"database_url": empty_database_url}))
    assert told == ["database: reachable, but not at this version: `pointsman migrate` brings it there"]


async def test_a_database_that_is_down_is_told_without_its_password(plain: Settings) -> None:
    down = plain.model_copy(update={"database_url": "postgresql://ada:hunter2@127.0.0.1:1/pointsman"})
    [told] = await _wrong(down)
    assert told.startswith("DATABASE_URL: the database cannot be used: ")
    assert "hunter2" not in told


async def test_without_a_policy_anywhere_it_says_how_to_begin(plain: Settings) -> None:
    [told] = await _wrong(plain.model_copy(update={"policy": None}))
    assert (
        told
        == "policy in force: none: POINTSMAN_POLICY has to name a folder without faults; `pointsman init` writes one"
    )


async def test_a_faulty_folder_is_told_by_the_number_of_its_faults(plain: Settings, folder: Path) -> None:
    (folder / "team.yml").write_text("roles: []\n")
    [told, *_] = await _wrong(plain)
    assert f"policy folder {folder}: " in told
    assert f"`pointsman check {folder}`" in told


async def test_each_variable_that_is_not_set_is_named(plain: Settings) -> None:
    told = "\n".join(await _wrong(plain, {}))
    assert "connector shop: SHOP_URL, SHOP_TOKEN are not set" in told
    assert "source automations: AUTOMATIONS_TOKEN is not set" in told


async def test_a_secret_in_a_file_counts_as_set(plain: Settings, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a\n")
    environment = ENVIRONMENT | {"AUTOMATIONS_TOKEN": "", "AUTOMATIONS_TOKEN_FILE": str(tmp_path / "token")}
    assert await _wrong(plain, environment) == []
    [told] = await _wrong(plain, environment | {"AUTOMATIONS_TOKEN_FILE": str(tmp_path / "none")})
    assert told.startswith("source automations: AUTOMATIONS_TOKEN cannot be had (AUTOMATIONS_TOKEN_FILE: cannot read ")


async def test_a_refused_token_is_told_and_nothing_more_is_asked(plain: Settings, slack: SlackStandIn) -> None:
    slack.faults.fail_next("auth.test", "invalid_auth")
    [told] = await _wrong(plain)
    assert told.startswith("SLACK_BOT_TOKEN: Slack says invalid_auth: ")
    assert not slack.called("users.info")


async def test_a_refused_app_token_is_told(plain: Settings, slack: SlackStandIn) -> None:
    slack.faults.fail_next("apps.connections.open", "not_allowed_token_type")
    [told] = await _wrong(plain)
    assert told.startswith("SLACK_APP_TOKEN: Slack says not_allowed_token_type: ")


async def test_a_slack_that_is_away_is_one_line(plain: Settings, slack: SlackStandIn) -> None:
    await slack.stop()
    [told] = await _wrong(plain)
    assert told.startswith(f"Slack: cannot be reached at {slack.api_url} (")


async def test_tokens_that_do_not_go_together_are_told(plain: Settings) -> None:
    [told] = await _wrong(plain.model_copy(update={"slack_app_token": None}))
    assert told == "SLACK_SIGNING_SECRET: set it for HTTP, or SLACK_APP_TOKEN for Socket Mode"


async def test_channels_that_cannot_be_posted_to_are_told_with_the_way_out(
    plain: Settings, slack: SlackStandIn
) -> None:
    slack.workspace.channels["C000OPS"].is_archived = True
    del slack.workspace.channels["C000MGMT"]
    gone, archived = await _wrong(plain)
    assert "channel C000MGMT of role management: not there, or private without us" in gone
    assert "/invite @Pointsman" in gone
    assert "channel C000OPS of role operations (#ops): archived" in archived


async def test_people_who_cannot_be_told_are_named_with_where_they_stand(plain: Settings, slack: SlackStandIn) -> None:
    users = slack.workspace.users
    users["U000ADA"] = replace(users["U000ADA"], deleted=True)
    users["U000BEN"] = replace(users["U000BEN"], is_bot=True)
    del users["U000CLEO"]
    ada, ben, cleo = await _wrong(plain)
    assert "U000ADA of role operations, rota operations-on-call (ada): deactivated in Slack" in ada
    assert "(ben): a bot" in ben
    assert "U000CLEO of role management: Slack knows nobody" in cleo


async def test_a_user_group_is_asked_for(plain: Settings, folder: Path) -> None:
    _rewrite(folder, "members: [U000CLEO]", "usergroup: S000MGMT")
    [told] = await _wrong(plain)
    assert told == "user group S000MGMT of role management: Slack says no_such_subteam: correct usergroup in team.yml"


async def test_gaps_of_a_rota_are_told_with_their_first_stretch(plain: Settings, folder: Path) -> None:
    _rewrite(folder, "starts: 2026-01-05T09:00", "starts: 2099-01-05T09:00")
    gap, role = await _wrong(plain)
    assert gap.startswith("rota operations-on-call: nobody from ")
    assert "/oncall override" in gap
    assert role == "role operations: reaches nobody now, for rota operations-on-call names nobody"


async def test_the_dead_ends_of_the_policy_are_told_with_their_place(plain: Settings, folder: Path) -> None:
    _rewrite(folder, "{after: 1h, to: accountable}", "{after: 1h, to: on_call}")
    _rewrite(folder, "    members: [U000CLEO]\n", "")
    orders = folder / "workflows/orders.yml"
    orders.write_text(orders.read_text().replace("  other:", "  odd:"))
    told = "\n".join(await _wrong(plain))
    assert ": this step cannot reach anybody new; name a role" in told
    assert ': the role "management" has no people; add members, usergroup or on_call' in told
    assert "policy: workflows/orders.yml:" in told
    assert ": no route for schema_drift, duplicate" in told


async def test_a_gate_that_nobody_can_pass_is_told(plain: Settings, folder: Path) -> None:
    _rewrite(folder, "    members: [U000ADA, U000BEN]\n", "    members: [U000CLEO]\n")
    _rewrite(folder, "people: [U000ADA, U000BEN]", "people: [U000CLEO]")
    orders = folder / "workflows/orders.yml"
    orders.write_text(orders.read_text().replace("risk: medium", "risk: high"))
    told = "\n".join(await _wrong(plain))
    assert "policy: workflows/orders.yml:7:1: no change of this contract can ever be approved" in told


async def test_a_calendar_is_looked_at_once_it_was_fetched(
    plain: Settings, folder: Path, sqlite_database: Database
) -> None:
    address = "https://calendars.acme.test/on-call.ics?key=hunter2"
    _put_at_an_address(folder, address)
    own = plain.model_copy(update={"database_url": f"sqlite:///{sqlite_database.engine.url.database}"})
    rota, role = await _wrong(own)
    assert rota.startswith("rota operations-on-call: its calendar at calendars.acme.test was not fetched yet")
    assert role.startswith("role operations: reaches nobody now")
    _fetch(sqlite_database, address)
    assert await _wrong(own) == []


def _put_at_an_address(folder: Path, address: str) -> None:
    team = (folder / "team.yml").read_text()
    before, _, rest = team.partition("    timezone: Europe/London\n    starts:")
    after = rest[rest.index("\n\n") :]
    (folder / "team.yml").write_text(f'{before}    ical: "{address}"{after}')


def _fetch(database: Database, address: str) -> None:
    """As the running service does it."""
    calendar = (EXAMPLE_COMPANY / "billing-on-call.ics").read_text()
    calendar = calendar.replace("U0FAY", "U000ADA").replace("U0GUS", "U000BEN")
    row = {"address": address, "text": calendar, "fetched_at": MONDAY}
    database.write(lambda session: session.execute(insert(RotaCalendar), [row])).result()


async def test_a_clock_that_is_wrong_is_told_with_how_far(plain: Settings) -> None:
    clock = MovableClock()
    clock.advance(timedelta(minutes=10))
    told = [finding.text for finding in await look(plain, ENVIRONMENT, clock=clock) if not finding.is_well]
    assert len(told) == 1
    assert "s ahead of Slack: set this machine's clock" in told[0]


def test_scopes_that_are_missing_are_named() -> None:
    [finding] = of_headers({"X-OAuth-Scopes": ",".join(set(SCOPES) - {"chat:write", "im:write"})}, MONDAY)
    assert not finding.is_well
    assert finding.text.startswith("Slack scopes: chat:write, im:write missing: ")


def test_headers_that_are_not_there_tell_nothing() -> None:
    assert of_headers({}, MONDAY) == []


def _rewrite(folder: Path, old: str, new: str) -> None:
    team = (folder / "team.yml").read_text()
    assert old in team
    (folder / "team.yml").write_text(team.replace(old, new))


def _touch(url: str) -> None:
    """SQLite's empty database is an empty file."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch()


async def test_a_fallback_that_would_not_work_is_told(plain: Settings, folder: Path) -> None:
    team = folder / "team.yml"
    said = "fallback: {email: ops@acme.test, webhook: 'https://pager.acme.test/', secret: PAGER_SECRET}"
    changed = team.read_text().replace("defaults:\n", f"defaults:\n  {said}\n")
    team.write_text(changed)
    told = await _wrong(plain)
    assert "fallback: SMTP_HOST is not set, so no e-mail goes to ops@acme.test when Slack is away" in told
    assert any(line.startswith("fallback: PAGER_SECRET is not set") for line in told)
    set_up = plain.model_copy(update={"smtp_host": "mail.acme.test"})
    assert not [line for line in await _wrong(set_up, ENVIRONMENT | {"PAGER_SECRET": "x"}) if "fallback" in line]
