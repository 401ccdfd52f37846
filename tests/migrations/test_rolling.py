"""An upgrade while replicas of the version before go on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from bot.databases import open_migrated
from bot.desk import intake, outbox
from bot.desk.desk import Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.rules.actors import SYSTEM, source
from bot.start import StartFault
from store.migrate import MIGRATIONS

LATER = ("ALTER TABLE cases ADD COLUMN colour VARCHAR", "CREATE TABLE colours (name VARCHAR PRIMARY KEY)")
RELEASED_WITH = 4
"""Up to this one, all of them come with the first version."""


@pytest.mark.parametrize("path", sorted((MIGRATIONS / "versions").glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_a_migration_only_adds(path: Path) -> None:
    source_ = path.read_text()
    if int(path.stem.partition("_")[0]) <= RELEASED_WITH:
        return
    assert not re.search(r"\bop\.(drop_|alter_|rename_)|\bDROP\b|\bRENAME\b", source_)
    for added in re.findall(r"op\.add_column\((.*)\)", source_):
        is_made_before = re.search(r'add_column\("\w+", (\w+)$', f"add_column({added}")
        column = re.search(rf"{is_made_before[1]}\b.*= sa\.Column\((.*)\)", source_) if is_made_before else None
        said = column[1] if column else added
        assert "nullable=True" in said or "server_default=" in said, said


async def test_a_replica_of_the_version_before_goes_on_and_is_not_started_again(desk: Desk, database_url: str) -> None:
    await _report(desk, "Before")
    desk.database.write(_migrate_further).result()
    await _report(desk, "After")
    claimed = await desk.run(outbox.claim_owed, outbox.ClaimOwed(("card",)), actor=SYSTEM)
    assert [message.case_id for message in claimed] == [1, 2]
    for message in claimed:
        place = {"channel": "C0BILLING", "ts": f"{message.id}.1"}
        await desk.run(outbox.sent, outbox.Sent(message, place), actor=SYSTEM)
    with pytest.raises(StartFault, match="a newer version of Pointsman migrated it"):
        open_migrated(database_url)


async def _report(desk: Desk, title: str) -> None:
    report = Report(by=source("monitors"), workflow="refund", title=title)
    await desk.run_joined(intake.report, Submission((report,)))


def _migrate_further(session: Session) -> None:
    for statement in LATER:
        session.execute(text(statement))
    session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
