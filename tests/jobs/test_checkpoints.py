"""Checkpoints of the audit log: what is cut off, removed, rolled back or forged shows, also to somebody without us."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select, text
from sqlmodel import Session, col

from bot.auditing import checking_keys, exported, signing_key
from bot.cli import main
from bot.clock import MovableClock
from bot.desk import intake, turns
from bot.desk.checkpoints import TURN
from bot.desk.desk import Desk
from bot.desk.intake import Report
from bot.desk.once import Submission
from bot.desk.outbox import Claimed, Undelivered
from bot.desk.policies import Policies
from bot.desk.tx import Tx
from bot.doctor import look
from bot.jobs.checkpoints import Checkpoints
from bot.jobs.outbox import Outbox
from bot.rules.actors import SYSTEM, source
from bot.settings import read_settings
from bot.slack.checkpoints import checkpoint_message
from bot.start import StartFault
from store import leaves
from store.audit import DESK, NewEntry, append, verify
from store.audit_models import AuditLeaf
from store.checkpoint_proof import against, read_proof
from store.checkpoints import last_number, public_text
from store.database import Database
from store.models import Case, Owed
from store.sealing import ToSeal, erase, seal
from store.watch_models import Finding
from tests.conftest import change_in_force
from tests.processes import ROOT

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
HOUR = timedelta(hours=1)
SCRIPT = ROOT / "docs" / "verify_audit.py"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints.jsonl"


@pytest.fixture
def checkpoints(desk: Desk, file: Path) -> Checkpoints:
    return Checkpoints(desk, KEY, file)


async def report(desk: Desk, *titles: str) -> None:
    for title in titles:
        said = Report(by=source("monitors"), workflow="refund", title=title)
        await desk.run_joined(intake.report, Submission((said,)))


async def hour_passes(desk: Desk, clock: MovableClock, *jobs: Checkpoints) -> None:
    clock.advance(HOUR)
    for job in jobs:
        await job.tick()


@pytest.fixture
async def three(desk: Desk, clock: MovableClock, checkpoints: Checkpoints) -> Desk:
    """A desk with cases C-1 to C-3 of two entries each, and with two checkpoints."""
    await report(desk, "One", "Two")
    await checkpoints.tick()
    await report(desk, "One", "Two", "Three", "Three")
    await hour_passes(desk, clock, checkpoints)
    return desk


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def put(path: Path, text: str) -> None:
    path.write_text(text)


def faults(database: Database, file: Path, key: Ed25519PrivateKey = KEY) -> list[str]:
    keys = [key.public_key()]
    proof = read_proof(lines_of(file), keys)
    return database.read_now(lambda session: list(against(session, proof, keys)))


def tamper(database: Database, *statements: str) -> None:
    """What only somebody with the database in their hands can do."""

    def work(session: Session) -> None:
        if session.get_bind().dialect.name == "sqlite":
            names = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            unprotect = [f'DROP TRIGGER "{name}"' for name in names]
        else:
            unprotect = ["ALTER TABLE audit_entries DISABLE TRIGGER USER"]
        for statement in (*unprotect, *statements):
            session.connection().exec_driver_sql(statement)

    database.write(work).result()


async def test_each_hour_what_changed_is_signed_as_one_and_kept_outside(
    three: Desk, clock: MovableClock, checkpoints: Checkpoints, file: Path
) -> None:
    lines = [json.loads(line) for line in lines_of(file)]
    kinds = ["leaf" if "place" in line else "checkpoint" for line in lines]
    assert kinds == ["leaf", "leaf", "checkpoint", "leaf", "leaf", "leaf", "checkpoint"]
    assert [json.loads(line["checkpoint"])["size"] for line in lines if "checkpoint" in line] == [2, 3]
    assert faults(three.database, file) == []
    before = lines_of(file)
    await hour_passes(three, clock, checkpoints, Checkpoints(three, KEY, file))
    assert lines_of(file) == before, "nothing has changed"


CUT = [
    "DELETE FROM audit_entries WHERE chain = 'case:2' AND seq = 2",
    "UPDATE audit_heads SET seq = 1, hash = (SELECT hash FROM audit_entries WHERE chain = 'case:2') "
    "WHERE chain = 'case:2'",
]
REMOVED = [
    *(f"DELETE FROM {table} WHERE case_id = 3" for table in ("timers", "exceptions", "outbox", "state_changes")),
    "DELETE FROM cases WHERE id = 3",
    "DELETE FROM audit_entries WHERE chain = 'case:3'",
    "DELETE FROM audit_heads WHERE chain = 'case:3'",
]


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (CUT, "case:2: its tail was cut: checkpoint 2 has 2 entries of it, and there are 1"),
        (REMOVED, "case:3 was removed: checkpoint 2 has 2 entries of it"),
    ],
)
async def test_a_cut_tail_and_a_removed_case_are_named(
    three: Desk, file: Path, statements: list[str], named: str
) -> None:
    tamper(three.database, *statements)
    assert three.database.read_now(lambda session: list(verify(session))) == []
    assert faults(three.database, file) == [named]
    [seen] = three.database.read_now(lambda session: list(leaves.vanished(session)))
    assert seen.chain in named


async def test_a_removed_case_shows_where_what_was_seen_of_it_is_removed_too(three: Desk, file: Path) -> None:
    tamper(three.database, *REMOVED, "DELETE FROM audit_leaves WHERE chain = 'case:3'")
    assert faults(three.database, file) == ["case:3 was removed: checkpoint 2 has 2 entries of it"]


async def test_a_rewritten_tail_is_named(three: Desk, file: Path) -> None:
    tamper(three.database, *CUT)
    rewritten = NewEntry("case:2", "case.noted", {"kind": "system"}, {"number": 2})
    three.database.write(lambda session: append(session, [rewritten], at=three.clock.now())).result()
    assert three.database.read_now(lambda session: list(verify(session))) == []
    assert faults(three.database, file) == ["case:2 entry 2 was rewritten: checkpoint 2 has another one"]


async def test_a_database_that_was_rolled_back_is_named_and_its_checkpoints_are_kept_nowhere(
    sqlite_desk: Desk, clock: MovableClock, file: Path, tmp_path: Path
) -> None:
    await report(sqlite_desk, "One")
    await Checkpoints(sqlite_desk, KEY, file).tick()
    old = tmp_path / "old.db"
    sqlite_desk.database.write(lambda session: session.connection()).result()
    with closing(sqlite_desk.database.engine.raw_connection()) as connection:
        connection.execute("VACUUM INTO ?", (str(old),))
    await report(sqlite_desk, "Two")
    await hour_passes(sqlite_desk, clock, Checkpoints(sqlite_desk, KEY, file))
    restored = Database(f"sqlite:///{old}")
    try:
        assert faults(restored, file) == [
            "the database was rolled back behind checkpoint 2: its last checkpoint is 1",
            "case:2 was removed: checkpoint 2 has 1 entries of it",
        ]
        before, again = lines_of(file), Desk(restored, clock, Policies())
        await report(again, "Another")
        await hour_passes(again, clock, Checkpoints(again, KEY, file))
        assert restored.read_now(last_number) == 2, "it goes on, with another checkpoint 2"
        assert lines_of(file) == before
        [told] = restored.read_now(lambda session: session.execute(select(col(Finding.about))).scalars().all())
        assert told.endswith("the database does not have its checkpoint 2: it was rolled back, or is another")
        assert "checkpoint 2 of the database is another one than outside" in faults(restored, file)
    finally:
        restored.close()


async def test_a_forged_checkpoint_and_a_changed_file_are_named(three: Desk, file: Path) -> None:
    assert faults(three.database, file, OTHER) == [
        "line 3 of the file: checkpoint 1 is forged: it is not signed with this key",
        "line 7 of the file: checkpoint 2 is forged: it is not signed with this key",
        "the file has no checkpoint that holds: nothing was compared",
    ]
    whole = "\n".join(lines_of(file)) + "\n"
    put(file, whole.replace('"seq":2', '"seq":1'))
    assert "the leaves before it do not give its root: the file was changed" in faults(three.database, file)[0]
    put(file, whole + '{"place":0,"chain":"case:1","se')
    assert faults(three.database, file) == [], "a line that was never finished counts for nothing"
    tamper(three.database, "UPDATE checkpoints SET body = replace(body, '\"size\":3', '\"size\":2') WHERE number = 2")
    assert faults(three.database, file) == ["checkpoint 2 of the database is another one than outside"]


async def test_a_file_that_was_away_has_all_that_it_missed_and_goes_on_behind_a_torn_line(
    three: Desk, clock: MovableClock, checkpoints: Checkpoints, file: Path, tmp_path: Path
) -> None:
    late = tmp_path / "late.jsonl"
    put(late, '{"place":0,"chain":"desk","se')
    await hour_passes(three, clock, checkpoints, Checkpoints(three, None, late))
    assert faults(three.database, late) == []
    assert len(lines_of(late)) == 1 + 3 + 1
    checkpoints = Checkpoints(three, KEY, tmp_path / "no" / "folder")
    await checkpoints.tick()
    (tmp_path / "no").mkdir()
    await checkpoints.tick()
    assert lines_of(tmp_path / "no" / "folder")[-1] == lines_of(file)[-1]


async def test_a_chain_that_does_not_hold_is_found_where_it_grows_and_is_not_signed_further(
    three: Desk, clock: MovableClock, checkpoints: Checkpoints, file: Path
) -> None:
    tamper(three.database, "UPDATE audit_entries SET body = replace(body, 'joined', 'closed') WHERE chain = 'case:2'")
    await report(three, "Two", "Three")
    await hour_passes(three, clock, checkpoints)
    [broken] = three.database.read_now(leaves.broken)
    assert (broken.chain, broken.why) == ("case:2", "it was rewritten: it was another one before")
    lines = [json.loads(line) for line in lines_of(file)]
    assert [line["chain"] for line in lines[7:] if "place" in line] == ["case:3"]


async def test_a_long_chain_is_looked_at_in_parts_and_all_of_it(
    desk: Desk, checkpoints: Checkpoints, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.leaves.MOST_ENTRIES", 5)
    monkeypatch.setattr("store.leaves.MOST_CHAINS", 2)
    monkeypatch.setattr("store.leaves.BLOCK", 2)
    monkeypatch.setattr("store.checkpoint_proof.BLOCK", 2)
    chains = [("case:1", 2), ("case:2", 17), ("case:3", 1), (DESK, 3), ("workflow:refund", 1)]
    entries = [NewEntry(chain, "case.noted", {}, {"n": n}) for chain, count in chains for n in range(count)]
    desk.database.write(lambda session: append(session, entries, at=desk.clock.now())).result()
    await checkpoints.tick()
    seen = select(col(AuditLeaf.chain), col(AuditLeaf.seq)).order_by(col(AuditLeaf.place))
    assert desk.database.read_now(lambda session: [tuple(row) for row in session.execute(seen)]) == chains
    assert faults(desk.database, file) == []


async def test_two_replicas_make_one_checkpoint_and_a_dead_one_is_taken_over(
    desk: Desk, clock: MovableClock, file: Path, tmp_path: Path
) -> None:
    await report(desk, "One")
    other = tmp_path / "other.jsonl"
    await Checkpoints(desk, KEY, file).tick()
    await Checkpoints(desk, KEY, other).tick()
    assert lines_of(file) == lines_of(other)
    await report(desk, "Two")
    clock.advance(HOUR)
    died = await desk.run(turns.claim, TURN, actor=SYSTEM)
    assert died
    await Checkpoints(desk, KEY, file).tick()
    assert desk.database.read_now(last_number) == 1, "it is another one's turn"
    clock.advance(turns.LEASE)
    await Checkpoints(desk, KEY, file).tick()
    assert desk.database.read_now(last_number) == 2
    with pytest.raises(turns.Overtaken):
        await desk.run(turns.renew, died, actor=SYSTEM)


async def test_it_is_told_in_the_channel_that_the_policy_names_and_that_line_is_enough(
    desk: Desk, clock: MovableClock, policy_files: dict[str, str], file: Path
) -> None:
    team = policy_files["team.yml"].replace("defaults:\n", "defaults:\n  checkpoints: {every: 2h, channel: C0OPS}\n")
    change_in_force(desk.database, policy_files | {"team.yml": team}, at=clock.now())
    job = Checkpoints(desk, KEY, None)
    await report(desk, "One")
    await job.tick()
    owed = select(Owed).where(col(Owed.kind) == "checkpoint")
    [message] = await desk.read(lambda session: list(session.execute(owed).scalars()))
    assert (message.channel, message.payload) == ("C0OPS", {"checkpoint": 1})
    said = await desk.read(lambda session: checkpoint_message(session, 1))
    put(file, str(said.blocks[0]["text"]["text"]).split("```")[1])
    assert faults(desk.database, file) == []
    await report(desk, "Two")
    await hour_passes(desk, clock, job)
    assert desk.database.read_now(last_number) == 1, "each two hours"
    tamper(desk.database, "DELETE FROM checkpoints")
    assert faults(desk.database, file) == [
        "the database was rolled back behind checkpoint 1: it has no checkpoint",
    ]


async def test_without_a_key_the_chains_are_looked_at_and_nothing_is_signed(desk: Desk, file: Path) -> None:
    await report(desk, "One")
    assert await Checkpoints(desk, None, file).tick() == 1
    assert desk.database.read_now(last_number) == 0
    assert not list(file.parent.glob(file.name))


def command(database: Database, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("DATABASE_URL", database.engine.url.render_as_string(hide_password=False))
    return main(["audit", *arguments])


async def test_somebody_without_the_product_can_verify_what_is_exported(
    three: Desk, file: Path, tmp_path: Path
) -> None:
    key, export = public_text(KEY.public_key()), tmp_path / "export.jsonl"

    def verified(*more: str) -> tuple[int, str]:
        lines = three.database.read_now(lambda session: list(exported(session)))
        export.write_text("\n".join(lines) + "\n")
        asked = [sys.executable, str(SCRIPT), str(export), key, *more]
        ended = subprocess.run(asked, capture_output=True, text=True, cwd=tmp_path, timeout=60)
        return ended.returncode, ended.stdout + ended.stderr

    good = (0, "ok: 6 entries in 3 signed chains\n")
    assert verified() == verified(str(file)) == good
    sealing = [ToSeal(1, "subject", {"/email": "ada@example.com"})]
    three.database.write(lambda session: seal(session, sealing, at=three.clock.now())).result()
    assert three.database.write(lambda session: erase(session, ["subject"], at=three.clock.now())).result() == 1
    assert verified(str(file)) == good
    tamper(three.database, *CUT)
    told = "case:2 entry 2 was signed, and is not on record\n"
    assert verified() == verified(str(file)) == (1, told)
    assert len(lines_of(SCRIPT)) < 60


async def test_the_command_line_verifies_and_says_what_is_missing(
    three: Desk, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    public = tmp_path / "key.pub"
    public.write_text(public_text(KEY.public_key()))
    asked = ["verify", "--checkpoints", str(file)]
    assert command(three.database, *asked, "--key", str(public), monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.splitlines()[1] == "ok: all is as checkpoint 2 has it (3 chains)"
    assert command(three.database, *asked, monkeypatch=monkeypatch) == 2
    assert "--key: name the public key" in capsys.readouterr().err
    assert command(three.database, *asked, "--key", "hunter2", monkeypatch=monkeypatch) == 2
    told = capsys.readouterr().err
    assert "--key: an Ed25519 key is wanted" in told
    assert "hunter2" not in told
    tamper(three.database, *REMOVED)
    assert command(three.database, *asked, "--key", str(public), monkeypatch=monkeypatch) == 1
    assert "case:3 was removed: checkpoint 2 has 2 entries of it" in capsys.readouterr().out


PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_the_key_is_read_as_pem_or_base64_and_a_bad_one_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(PEM)
    read = signing_key(read_settings({"POINTSMAN_AUDIT_KEY_FILE": str(tmp_path / "key")}))
    assert read
    assert public_text(read.public_key()) == public_text(KEY.public_key())
    assert signing_key(read_settings({"POINTSMAN_AUDIT_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}))
    for bad in ("hunter2", "aGk=", PEM[:60], public_text(KEY.public_key())[:-4]):
        with pytest.raises(StartFault, match=r"^POINTSMAN_AUDIT_KEY: an Ed25519 key is wanted") as raised:
            signing_key(read_settings({"POINTSMAN_AUDIT_KEY": bad}))
        assert len(str(raised.value).splitlines()) == 1
        assert "hunter2" not in str(raised.value)
    assert checking_keys([], read_settings({"POINTSMAN_AUDIT_KEY": PEM}))


async def test_the_doctor_says_how_the_log_is_signed(tmp_path: Path) -> None:
    async def told(**environment: str) -> str:
        findings = await look(read_settings(environment), environment)
        return "\n".join(str(each) for each in findings if "audit" in each.text.lower() or "CHECKPOINTS" in each.text)

    assert "so no checkpoints are made" in await told()
    assert (await told(POINTSMAN_AUDIT_KEY="x")).startswith("!!  POINTSMAN_AUDIT_KEY: ")
    signed = await told(POINTSMAN_AUDIT_KEY=PEM, POINTSMAN_CHECKPOINTS=str(tmp_path / "no" / "c"))
    assert f"checked with --key {public_text(KEY.public_key())}" in signed
    assert "cannot be written" in signed


async def test_one_that_slack_refuses_for_good_is_a_case(desk: Desk, clock: MovableClock) -> None:
    async def refuse(_: Claimed) -> Mapping[str, Any]:
        raise Undelivered("Slack says is_archived", permanent=True)

    await report(desk, "One")
    await Checkpoints(desk, KEY, None).tick()
    owe = partial(Tx.owe, kind="checkpoint", key="checkpoint:1", channel="C0OPS", payload={"checkpoint": 1})
    await desk.run(lambda tx, _: owe(tx), None, actor=SYSTEM)
    await Outbox(desk, clock, {"checkpoint": refuse}).drain()
    dead = select(col(Case.title)).where(col(Case.failure_mode) == "dead_letter")
    titles = await desk.read(lambda session: session.execute(dead).scalars().all())
    assert titles == ["Slack does not take a checkpoint of the audit log to C0OPS: Slack says is_archived"]
