"""What a person types: `pointsman …`, also `python -m bot …`.

A command answers 0 when all is well, 1 when it found something wrong, 2 when it could not be carried out; then the
one line on standard error says what to do."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from bot import commands
from bot.settings import SettingsFault
from bot.start import StartFault
from runbooks.suggestions import nearest

DRILLS = ("schema-drift", "lost-callback", "timeout", "duplicate", "silence")
"""As `bot.rules.drills.Name` has them; not imported, for a command line is to be read fast."""
Command = Callable[[argparse.Namespace], int]
_NO_CHOICE = re.compile(r"invalid choice: '([^']*)'")


def main(argv: Sequence[str] | None = None) -> int:
    """Carries out a command line; returns its exit code."""
    arguments = _parser().parse_args(argv)
    if "act" not in arguments:
        arguments.shown.print_help(sys.stderr)
        return 2
    try:
        code: int = arguments.act(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return _nobody_reads()
    except (SettingsFault, StartFault) as fault:
        print(f"pointsman: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _nobody_reads() -> int:
    """Whoever read our output has had enough, such as `head`. Nothing more is written, at the interpreter's end either
    (Python's manual, note on SIGPIPE); the code is what a shell gives for that signal."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


class _Parser(argparse.ArgumentParser):
    """A parser that names the command which a mistyped word is most like."""

    commands: Iterable[str] = ()

    def error(self, message: str) -> NoReturn:
        """Prints the usage and the message, and exits with 2."""
        word = _NO_CHOICE.search(message)
        near = nearest(word[1], self.commands) if word else None
        super().error(f"{message}; did you mean {near!r}?" if near else message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="pointsman",
        description="Catches what your automations drop: every exception gets an owner, a deadline and a button.",
        epilog="New here? Type: pointsman demo",
    )
    parser.set_defaults(shown=parser)
    of = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.commands = of.choices
    _service(of)
    _folder(of)
    _contracts(of)
    _upkeep(of)
    _drill(of)
    _audit(of)
    return parser


Of: TypeAlias = "argparse._SubParsersAction[_Parser]"


def _add(of: Of, name: str, act: Command, help_: str, more: str = "") -> argparse.ArgumentParser:
    added = of.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}. {more}".strip())
    added.set_defaults(act=act)
    return added


def _service(of: Of) -> None:
    demo = _add(
        of,
        "demo",
        commands.demo,
        "the whole product on this machine, in your browser, with an example company",
        "Needs no account and no set-up. Prints the address to open; Ctrl-C leaves nothing running.",
    )
    demo.add_argument("--port", type=_port, default=8080, help="where to listen on 127.0.0.1 (default: 8080)")
    _add(
        of,
        "run",
        commands.run,
        "runs the service",
        "It is told what to do by the environment: SLACK_BOT_TOKEN with SLACK_APP_TOKEN (Socket Mode) or "
        "SLACK_SIGNING_SECRET (HTTP), DATABASE_URL, POINTSMAN_POLICY (the policy folder), HOST, PORT, LOG_LEVEL, "
        "LOG_FORMAT. A secret is also read from the file that NAME_FILE names. Stops on SIGTERM, reads the policy "
        "folder again on SIGHUP.",
    )


def _folder(of: Of) -> None:
    init = _add(of, "init", commands.init, "writes a starter policy folder", "It changes no file that is there.")
    init.add_argument("folder", type=Path, metavar="DIR")
    check = _add(
        of,
        "check",
        commands.check,
        "checks a policy folder",
        "Prints every fault as file:line:column and exits with 1 if there is one. Needs no environment.",
    )
    check.add_argument("folder", type=Path, metavar="DIR")
    _add(
        of,
        "schema",
        commands.schema,
        "prints the JSON Schemas of the policy files, for editors",
        "One object: the schema of each kind of file by its name.",
    )
    manifest = _add(
        of,
        "manifest",
        commands.manifest,
        "prints the Slack app manifest",
        "Paste it where Slack asks for one: api.slack.com/apps, Create New App, From a manifest.",
    )
    manifest.add_argument(
        "--url", help="the public https address of this service, for HTTP; without it the manifest is for Socket Mode"
    )


def _contracts(of: Of) -> None:
    contracts = of.add_parser("contracts", help="policy folders side by side", description="Compares policy folders.")
    contracts.set_defaults(shown=contracts)
    under = contracts.add_subparsers(title="commands", metavar="COMMAND")
    contracts.commands = under.choices
    diff = _add(
        under,
        "diff",
        commands.contracts_diff,
        "says what changes from one policy folder to another, and what breaks",
        "Exits with 1 where a contract breaks something and its version is not higher, with 2 where a folder cannot "
        "be read. Needs no environment.",
    )
    diff.add_argument("old", type=Path, metavar="OLD")
    diff.add_argument("new", type=Path, metavar="NEW")
    diff.add_argument(
        "--format",
        choices=("text", "json", "github"),
        default="text",
        help="text for people (default), json for machines, or annotations for GitHub Actions",
    )


def _upkeep(of: Of) -> None:
    _add(
        of,
        "migrate",
        commands.migrate,
        "brings the database to this version",
        "`run` does it by itself; with several replicas do it once, before they start.",
    )
    backup = _add(
        of,
        "backup",
        commands.backup,
        "writes the SQLite database to a file, while the service runs",
        "The file is whole and checked, or it is not there. For PostgreSQL use pg_dump.",
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    restore = _add(
        of,
        "restore",
        commands.restore,
        "puts a backup in the place of the SQLite database",
        "Stop the service first. What was there is kept beside it.",
    )
    restore.add_argument("file", type=Path, metavar="FILE")
    erase = _add(
        of,
        "erase",
        commands.erase,
        "erases what is kept about one subject",
        "Drops its keys, strikes what its events carried and the words of its cases, and records who did it. It cannot "
        "be taken back. The record still verifies.",
    )
    erase.add_argument("--subject", required=True, help="as the contracts' trigger.subject or a report has it")
    erase.add_argument("--workflow", help="only of this workflow (default: of all)")
    _add(of, "doctor", commands.doctor, "looks at everything the service needs and says what to do")


def _drill(of: Of) -> None:
    drill = _add(
        of,
        "drill",
        commands.drill,
        "plays a failure through the running service and says whether it was caught",
        "Nothing of it leaves for other systems and it counts in no figure; somebody is told, marked as a drill. The "
        "service is found by DATABASE_URL. Exits with 0 if it was caught, 1 if missed, 2 if it could not be played.",
    )
    drill.add_argument("name", choices=DRILLS, help=f"what goes wrong: {', '.join(DRILLS)}", metavar="NAME")
    drill.add_argument("--workflow", help="with which workflow (default: the first with which it can be played)")


def _audit(of: Of) -> None:
    audit = of.add_parser("audit", help="the audit log", description="Checks and exports the audit log.")
    audit.set_defaults(shown=audit)
    under = audit.add_subparsers(title="commands", metavar="COMMAND")
    audit.commands = under.choices
    verify = _add(
        under,
        "verify",
        commands.audit_verify,
        "checks that nothing in the audit log was changed",
        "Exits with 1 and names the first entry of each chain that does not hold.",
    )
    verify.add_argument("--case", metavar="REF", help="only this case, such as C-17")
    verify.add_argument(
        "--checkpoints",
        type=Path,
        metavar="FILE",
        help="checkpoints that were kept outside of the database (POINTSMAN_CHECKPOINTS, or lines copied from Slack): "
        "also finds a cut tail, a removed case, a database that was rolled back and a forged checkpoint",
    )
    verify.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="PUBLICKEY",
        help="the public key of the checkpoints, as text or as a file (default: that of POINTSMAN_AUDIT_KEY)",
    )
    _add(
        under,
        "export",
        commands.audit_export,
        "prints all that is needed to verify the audit log without this program",
        "One JSON object a line: entries as they are stored, heads, leaves and checkpoints (docs/audit.md).",
    )


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use a number up to 65535, 0 for a free one")
    return int(text)
