"""The commands of `pointsman`. What only one of them needs is imported there, so that the others start fast."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import sys
from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING

from bot.settings import read_settings
from bot.start import StartFault, check_added_steps, check_slack

if TYPE_CHECKING:
    from sqlmodel import Session


def demo(arguments: argparse.Namespace) -> int:
    """The whole product on this machine, until Ctrl-C."""
    from bot.sandbox.demo import run

    run(arguments.port)
    return 0


def run(_: argparse.Namespace) -> int:
    """The service, until it is told to stop. What can be wrong in its environment is told before the rest is loaded."""
    settings = read_settings(os.environ)
    check_slack(settings)
    check_added_steps()
    from bot.main import run_until_stopped

    asyncio.run(run_until_stopped(settings, environment=os.environ))
    return 0


def init(arguments: argparse.Namespace) -> int:
    """Writes the starter folder, and says what to do next."""
    from bot.starter import write_starter

    folder: Path = arguments.folder
    written = write_starter(folder)
    for path in written:
        print(f"wrote {path}")
    if not written:
        print(f"nothing to write: each file of the starter is in {folder} already")
    print(f"Put your own channels and people in {folder / 'team.yml'}, then:")
    print(f"  pointsman check {shlex.quote(str(folder))}")
    return 0


def check(arguments: argparse.Namespace) -> int:
    """Every fault on standard output; 1 if there is one. Then what can hardly be meant, and after the line that says
    that all is well what is left to the defaults."""
    from runbooks.policy import PolicyFaults, load, read_folder

    check_added_steps()
    try:
        policy = load(read_folder(arguments.folder))
    except PolicyFaults as faults:
        print(faults)
        return 1
    for warning in policy.warnings:
        print(f"warning: {warning}")
    parts = (
        _count(policy.workflows, "workflow"),
        _count(policy.runbooks, "runbook"),
        _count(policy.team.roles, "role"),
        _count(policy.connectors, "connector"),
        _count(policy.sources, "source"),
    )
    print(f"ok: {', '.join(parts)}")
    for note in policy.notes:
        print(f"note: {note}")
    return 0


def contracts_diff(arguments: argparse.Namespace) -> int:
    """What changes from one folder to another; 1 if something breaks whose version is not higher."""
    from bot.comparing import compare, told

    compared = compare(arguments.old, arguments.new)
    if text := told(compared, arguments.format):
        print(text)
    return 1 if compared.without_step else 0


def _count(things: Sized | int, name: str) -> str:
    count = things if isinstance(things, int) else len(things)
    return f"{count} {name}{'' if count == 1 else 's'}"


def migrate(_: argparse.Namespace) -> int:
    """Brings the database to this version."""
    from bot.databases import bring_to_version

    bring_to_version(read_settings(os.environ).database_url)
    print("the database is at this version")
    return 0


def schema(_: argparse.Namespace) -> int:
    """The JSON Schemas of the policy's files."""
    from runbooks.schemas import json_schemas

    print(json.dumps(json_schemas(), indent=2, ensure_ascii=False))
    return 0


def manifest(arguments: argparse.Namespace) -> int:
    """The manifest of the Slack app, as YAML."""
    from ruamel.yaml import YAML

    from bot.slack.manifest import manifest as of

    try:
        document = of(arguments.url)
    except ValueError as fault:
        raise StartFault(f"--url: {fault}") from None
    writer = YAML()
    writer.width = 120
    writer.dump(document, sys.stdout)
    return 0


def doctor(_: argparse.Namespace) -> int:
    """A line for each thing looked at; 1 if one of them needs somebody."""
    from bot.doctor import look

    findings = asyncio.run(look(read_settings(os.environ), os.environ))
    for finding in findings:
        print(finding)
    return 0 if all(finding.is_well for finding in findings) else 1


def drill(arguments: argparse.Namespace) -> int:
    """Plays a failure through the running service: 0 if it was caught, 1 if it was missed, 2 if it could not be."""
    from bot.drilling import drill as play
    from bot.rules.drills import Name

    def say(line: str) -> None:
        print(line, flush=True)

    return play(read_settings(os.environ), Name(arguments.name), arguments.workflow, say=say)


def backup(arguments: argparse.Namespace) -> int:
    """Writes the database to a file."""
    from bot.backups import back_up

    return back_up(read_settings(os.environ), arguments.file, say=print)


def restore(arguments: argparse.Namespace) -> int:
    """Puts a backup in the place of the database."""
    from bot.backups import restore as put_back

    return put_back(read_settings(os.environ), arguments.file, say=print)


def erase(arguments: argparse.Namespace) -> int:
    """Erases what is kept about one subject, and says what that was."""
    from bot.desk.erasing import Subject
    from bot.erasing import erase as carry_out

    subject = Subject(arguments.subject, arguments.workflow)
    return carry_out(read_settings(os.environ), subject, say=print)


def audit_verify(arguments: argparse.Namespace) -> int:
    """What of the audit log does not hold, in itself and beside checkpoints that were kept outside; 1 if there is
    something."""
    from bot import auditing
    from bot.databases import existing
    from store import audit

    settings = read_settings(os.environ)
    chain = audit.chain_of(_case_id(arguments.case)) if arguments.case else None
    keys = auditing.checking_keys(arguments.key, settings) if arguments.checkpoints else []
    proof = auditing.read_file(arguments.checkpoints, keys) if arguments.checkpoints else None
    with existing(settings.database_url) as database:
        if chain and not database.read_now(lambda session: audit.read(session, chain)):
            raise StartFault(f"there is no case {arguments.case}: nothing is recorded of it")
        faults, (entries, chains) = database.read_now(
            lambda session: (auditing.faults_of(session, chain, proof, keys), audit.count(session, chain=chain))
        )
    for each in faults:
        print(each)
    if not faults:
        holds = f"every entry holds ({entries} in {_count(chains, 'chain')})"
        print(f"ok: {holds if entries else 'nothing is recorded yet'}")
    if not faults and proof and proof.last:
        print(f"ok: all is as checkpoint {proof.last.number} has it ({_count(len(proof.heads), 'chain')})")
    return 1 if faults else 0


def audit_export(_: argparse.Namespace) -> int:
    """All that somebody needs to verify the audit log without this program, one JSON object a line."""
    from bot.auditing import exported
    from bot.databases import existing

    def write_lines(session: Session) -> None:
        for line in exported(session):
            sys.stdout.write(line + "\n")

    with existing(read_settings(os.environ).database_url) as database:
        database.read_now(write_lines)
    return 0


def _case_id(ref: str) -> int:
    number = ref.upper().removeprefix("C-")
    if not (number.isascii() and number.isdigit()):
        raise StartFault(f"{ref!r} is not the name of a case; write it as the card does, such as C-17")
    return int(number)
