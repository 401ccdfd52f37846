"""The auditor: what should have happened and has not is one case of the desk's own role, and no heartbeat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import event, select, text
from sqlmodel import Session, col

from bot.clock import MovableClock
from bot.context import Context
from bot.desk import intake, outages, turns
from bot.desk.checkpoints import TURN
from bot.desk.desk import Desk
from bot.desk.findings import late_lately
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.overdue import overdue
from bot.desk.timers import next_due
from bot.jobs import timers
from bot.jobs.auditor import Auditor
from bot.jobs.checkpoints import Checkpoints
from bot.rules.actors import SYSTEM, source
from bot.settings import Settings, SettingsFault, read_settings
from runbooks.calls import Caller
from store import leaves, rechecking
from store.audit import NewEntry, append
from store.audit_models import AuditLeaf
from store.database import Database
from store.models import Case, Owed
from store.watch_models import Finding
from tests.jobs.test_checkpoints import tamper
from tests.store.seeds import AT

MINUTE = timedelta(minutes=1)


@dataclass
class Watch:
    """An outside watch that counts the heartbeats."""

    url: str = ""
    beats: int = 0

    async def beat(self, _: web.Request) -> web.Response:
        self.beats += 1
        return web.Response(text="OK")


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    made = Watch()
    app = web.Application()
    app.router.add_get("/ping/of-this-company", made.beat)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ping/of-this-company"
    yield made
    await runner.cleanup()


@dataclass
class Audited:
    """A desk with an auditor, and nobody else at work."""

    desk: Desk
    clock: MovableClock
    auditor: Auditor
    others: list[Auditor] = field(default_factory=list)

    async def minute_passes(self, minutes: int = 1) -> int:
        """The auditor looks each minute; what the last look found."""
        found = 0
        for _ in range(minutes):
            self.clock.advance(MINUTE)
            found = await self.auditor.tick()
        return found

    async def reported(self) -> int:
        """A P1 case that is to be acknowledged within minutes."""
        said = Report(by=source("monitors"), workflow="refund", failure_mode="outcome_missing", title="No callback")
        [answer] = await self.desk.run_joined(intake.report, Submission((said,)))  # type: ignore[misc]
        return int(answer.case.removeprefix("C-"))

    async def own_cases(self) -> list[Case]:
        mine = select(Case).where(col(Case.workflow) == "pointsman").order_by(col(Case.id))
        return await self.desk.read(lambda session: list(session.execute(mine).scalars()))

    async def found(self) -> list[str]:
        mine = select(col(Finding.about)).order_by(col(Finding.id))
        return await self.desk.read(lambda session: list(session.execute(mine).scalars()))

    def late(self) -> int:
        return self.desk.database.read_now(lambda session: late_lately(session, self.clock.now()))

    async def timers_fire(self) -> None:
        await timers.tick(Context(self.desk, self.clock, self.desk.policies, Settings()))

    async def on_time(self, times: int) -> datetime:
        """So many timers are fired at their times; when the next one is due."""
        for left in range(times, -1, -1):
            due_at = await self.desk.read(next_due)
            assert due_at
            if not left:
                return due_at
            self.clock.advance(due_at - self.clock.now())
            await self.timers_fire()
            await self.all_is_sent()
        raise AssertionError

    async def all_is_sent(self) -> None:
        """Whatever was owed has left."""
        self.write("UPDATE outbox SET state = 'sent' WHERE state IN ('owed', 'sending')")

    def write(self, *statements: str) -> None:
        def work(session: Session) -> None:
            for statement in statements:
                session.execute(text(statement))

        self.desk.database.write(work).result()


@pytest.fixture
async def audited(desk: Desk, clock: MovableClock, watch: Watch) -> AsyncIterator[Audited]:
    caller = Caller()
    yield Audited(desk, clock, Auditor(desk, caller, watch.url))
    await caller.close()


async def test_where_all_is_well_the_outside_watch_hears_it_each_minute(audited: Audited, watch: Watch) -> None:
    await audited.auditor.tick()
    assert watch.beats == 0, "in its first minute it waits for what became due while nothing ran"
    for _ in range(3):
        assert await audited.minute_passes() == 0
        await audited.auditor.tick()
    assert watch.beats == 3
    assert (audited.late(), await audited.own_cases()) == (0, [])


async def test_a_late_escalation_is_one_case_of_the_governance_role_and_stops_the_heartbeat(
    audited: Audited, watch: Watch
) -> None:
    case_id = await audited.reported()
    await audited.all_is_sent()
    due_at = await audited.on_time(3)
    audited.clock.advance(due_at - audited.clock.now() + MINUTE)
    assert await audited.auditor.tick() == 0, "a minute is no delay"
    beats = watch.beats
    assert await audited.minute_passes() == 1
    [own] = await audited.own_cases()
    governance = audited.desk.database.read_now(audited.desk.policies.in_force).team.defaults.governance
    assert (own.owner, own.priority, own.occurrences) == (governance, "P2", 1)
    assert own.title == "What should have happened has not: 1 late"
    assert f"C-{case_id}: its response timer was due at " in own.detail
    paged = select(col(Owed.channel)).where(col(Owed.case_id) == own.id, col(Owed.kind) == "page")
    assert await audited.desk.read(lambda session: session.execute(paged).scalars().all())
    await audited.minute_passes()
    assert [case.occurrences for case in await audited.own_cases()] == [1], "it is told once"
    assert (watch.beats, audited.late()) == (beats, 1)
    await audited.timers_fire()
    await audited.all_is_sent()
    assert await audited.minute_passes() == 0
    assert (watch.beats, audited.late()) == (beats + 1, 1)
    audited.clock.advance(timedelta(days=7))
    assert audited.late() == 0


async def test_what_was_late_while_nothing_ran_is_counted_and_told(audited: Audited) -> None:
    case_id = await audited.reported()
    audited.clock.advance(timedelta(hours=1))
    await audited.timers_fire()
    await audited.all_is_sent()
    assert audited.late() >= 1
    assert await audited.minute_passes() == 0, "in the first minute after a pause it waits for what became due in it"
    await audited.minute_passes()
    [own] = await audited.own_cases()
    assert f"C-{case_id}: its response timer" in own.detail


async def test_a_timer_that_cannot_be_fired_is_found_although_it_is_put_off_again_and_again(audited: Audited) -> None:
    await audited.reported()
    await audited.all_is_sent()
    audited.write("UPDATE timers SET attempts = 3 WHERE kind = 'response'")
    assert await audited.minute_passes() == 0
    audited.write("UPDATE timers SET attempts = 4 WHERE kind = 'response'")
    assert await audited.minute_passes() == 1
    assert await audited.found() == ["C-1: its response timer cannot be fired: it was tried 4 times, see the log"]


async def test_a_chain_whose_mark_was_taken_away_is_looked_at_after_all(audited: Audited, watch: Watch) -> None:
    await Checkpoints(audited.desk, None, None).tick()
    for chain in ("case:1", "case:2"):
        entry = NewEntry(chain, "case.noted", {}, {})
        audited.desk.database.write(lambda session, of=entry: append(session, [of], at=AT)).result()  # type: ignore[misc]
        if chain == "case:1":
            audited.clock.advance(timedelta(hours=1))
            await Checkpoints(audited.desk, None, None).tick()
    audited.desk.database.write(
        lambda session: append(session, [NewEntry("case:1", "case.noted", {}, {})], at=AT)
    ).result()
    audited.write("UPDATE audit_heads SET is_changed = false")
    await audited.minute_passes(2)
    audited.clock.advance(timedelta(hours=1))
    await Checkpoints(audited.desk, None, None).tick()
    seen = select(col(AuditLeaf.chain), col(AuditLeaf.seq)).where(col(AuditLeaf.chain) != "desk")
    seen = seen.order_by(col(AuditLeaf.chain))
    assert await audited.desk.read(lambda session: [tuple(row) for row in session.execute(seen)]) == [
        ("case:1", 2),
        ("case:2", 1),
    ]


async def test_a_message_that_could_leave_and_does_not_is_found_unless_slack_is_away(audited: Audited) -> None:
    await audited.reported()
    audited.write("UPDATE timers SET due_at = NULL")
    assert await audited.minute_passes(59) == 0
    await audited.desk.run(lambda tx, _: outages.begin(tx, outages.SLACK, "no answer"), None, actor=SYSTEM)
    assert await audited.minute_passes(10) == 0
    await audited.desk.run(lambda tx, _: outages.over(tx, outages.SLACK), None, actor=SYSTEM)
    assert await audited.minute_passes(30) == 0, "it has its time from when Slack was back"
    assert await audited.minute_passes(31) == 1
    [found] = await audited.found()
    assert "C-1: a message (card) to " in found


async def test_work_that_somebody_claimed_and_left_is_found(audited: Audited) -> None:
    await audited.reported()
    audited.write("UPDATE timers SET due_at = NULL")
    await audited.all_is_sent()
    stamp = audited.clock.now().isoformat(timespec="microseconds")
    audited.write(f"UPDATE outbox SET state = 'sending', lease_until = '{stamp}' WHERE id = 1")
    await audited.desk.run(turns.claim, TURN, actor=SYSTEM)
    assert await audited.minute_passes(2) == 0
    assert await audited.minute_passes(4) == 2
    assert [about.split(":")[0] for about in await audited.found()] == ["message 1", "turn checkpoints"]


async def test_a_chain_that_does_not_hold_is_found_by_the_slow_pass_and_forgotten_when_it_holds_again(
    audited: Audited, watch: Watch
) -> None:
    await audited.reported()
    audited.write("UPDATE timers SET due_at = NULL")
    await Checkpoints(audited.desk, None, None).tick()
    await audited.all_is_sent()
    edit = "UPDATE audit_entries SET body = replace(body, '{}', '{}') WHERE chain = 'case:1'"
    tamper(audited.desk.database, edit.format("No callback", "No worries!"), edit.format("No worries!", "No callback"))
    assert await audited.minute_passes() == 0
    audited.write(edit.format('"priority"', '"severity"'))
    assert await audited.minute_passes() == 1
    assert await audited.minute_passes() == 1
    [own] = await audited.own_cases()
    assert own.title == "What should have happened has not: 1 broken in the audit log"
    assert own.detail == "audit log, case:1 entry 1: it was edited: its content does not fit its hash"
    assert watch.beats == 1
    audited.write(edit.format('"severity"', '"priority"'), "UPDATE timers SET due_at = NULL")
    await audited.all_is_sent()
    await audited.minute_passes()
    await audited.minute_passes()
    assert watch.beats == 2


async def test_the_slow_pass_comes_around_in_slices_however_long_a_chain_is(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rechecking, "MOST_CHAINS", 2)
    monkeypatch.setattr(rechecking, "MOST_ENTRIES", 4)
    counts = {"case:1": 1, "case:2": 11, "case:3": 4, "desk": 3, "workflow:refund": 9}
    entries = [NewEntry(chain, "case.noted", {}, {"n": n}) for chain, count in counts.items() for n in range(count)]
    audited.desk.database.write(lambda session: append(session, entries, at=audited.clock.now())).result()
    await Checkpoints(audited.desk, None, None).tick()
    for chain, count in counts.items():
        for seq in (1, count):
            edited = f"UPDATE audit_entries SET hash = '0' || hash WHERE chain = '{chain}' AND seq = {seq}"
            tamper(audited.desk.database, edited)
            assert chain in _whole_pass(audited)
            tamper(audited.desk.database, edited.replace("'0' || hash", "substr(hash, 2)"))
    assert _whole_pass(audited) == []
    tamper(audited.desk.database, "DELETE FROM audit_entries WHERE chain = 'case:3'")
    assert _whole_pass(audited) == ["case:3"]


def _whole_pass(audited: Audited) -> list[str]:
    broken, cursor = [], ""
    for _ in range(40):
        slice_ = audited.desk.database.read_now(lambda session, at=cursor: rechecking.recheck(session, at))  # type: ignore[misc]
        broken += [each.chain for _, each in slice_.broken]
        cursor = slice_.cursor
        if not cursor:
            return broken
    raise AssertionError("it does not come around")


def test_a_look_reads_indexes_however_many_cases_there_are(sqlite_database: Database) -> None:
    def plans(session: Session) -> list[str]:
        connection, asked = session.connection(), list[tuple[str, Any]]()

        def before(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
            asked.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", before)
        overdue(session, AT)
        leaves.look(session, "")
        session.execute(leaves._entries(["case:1"]))
        leaves.stale_blocks(session, 1)
        rechecking.recheck(session, "")
        event.remove(connection, "before_cursor_execute", before)
        explained = (connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", given) for said, given in asked)
        return [str(row[3]) for plan in explained for row in plan]

    walked = sqlite_database.read_now(plans)
    assert len(walked) > 10
    whole = {step for step in walked if step.startswith("SCAN") and "USING" not in step}
    assert whole == {"SCAN turns", "SCAN audit_heads"}, "all heads are read once in a whole pass"


async def test_of_two_replicas_one_looks(audited: Audited, watch: Watch) -> None:
    caller = Caller()
    other = Auditor(audited.desk, caller, watch.url)
    for _ in range(2):
        audited.clock.advance(MINUTE)
        await audited.auditor.tick()
        await other.tick()
    await caller.close()
    assert watch.beats == 2


def test_an_address_that_is_none_is_told_without_it() -> None:
    assert read_settings({"POINTSMAN_HEARTBEAT": "https://watch.test/secret"}).heartbeat
    with pytest.raises(SettingsFault, match=r"^POINTSMAN_HEARTBEAT: an address such as") as raised:
        read_settings({"POINTSMAN_HEARTBEAT": "watch.test/secret"})
    assert "secret" not in str(raised.value)
