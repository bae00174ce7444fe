"""The command line as a whole."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from leveret.cli.admin.http import WrongAnswer
from leveret.cli.admin.v2 import bulk, definitions, listings, messages, monitoring, objects, policies, settings
from leveret.cli.admin.v2.command import PROGRAM, Command, Parser, parse
from leveret.cli.admin.v2.failures import EXIT_DATA, EXIT_WRONG_COMMAND_LINE, Failed, WrongCommandLine
from leveret.cli.admin.v2.session import Session

COMMANDS: Final = (
    *objects.COMMANDS, *policies.COMMANDS, *listings.COMMANDS, *messages.COMMANDS, *definitions.COMMANDS,
    *monitoring.COMMANDS, *bulk.COMMANDS,
)  # fmt: skip

_BY_NAME: Final = {name: command for command in COMMANDS for name in command.names}


def main(argv: Sequence[str]) -> int:
    """Run a command; returns the exit status."""
    try:
        return _run(argv)
    except WrongCommandLine as error:
        print(f"error: {error}\n\nFor more information, try '--help'.", file=sys.stderr)
        return EXIT_WRONG_COMMAND_LINE
    except WrongAnswer as error:
        print(f"Response is incompatible with the target data type: {error}", file=sys.stderr)
        return EXIT_DATA
    except Failed as error:
        print(error, file=sys.stderr)
        return error.status
    except SystemExit as ended:  # --help
        return int(ended.code or 0)


def _run(argv: Sequence[str]) -> int:
    parser = Parser(
        prog=PROGRAM, usage=f"{PROGRAM} [OPTIONS] <COMMAND>", allow_abbrev=False,
        argument_default=argparse.SUPPRESS, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n" + "".join(f"  {group}\n" for group in _groups()),
    )  # fmt: skip
    settings.add_to(parser)
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = vars(parser.parse_args(list(argv)))
    words = given.pop("command", [])
    if not words:
        parser.print_help(sys.stderr)
        return EXIT_WRONG_COMMAND_LINE
    group, *rest = words
    if group not in _groups():
        raise WrongCommandLine(f"unrecognized subcommand '{group}'\n\nUsage: {parser.usage}")
    if not rest or rest[0] in ("-h", "--help", "help"):
        print(_group_help(group), end="", file=sys.stdout if rest else sys.stderr)
        return 0 if rest else EXIT_WRONG_COMMAND_LINE
    name = f"{group} {rest[0]}"
    command = _BY_NAME.get(name)
    if command is None:
        raise WrongCommandLine(f"unrecognized subcommand '{rest[0]}'\n\nUsage: {PROGRAM} {group} [OPTIONS] <COMMAND>")
    values, general = parse(name, command, rest[1:])
    return command.run(Session(settings.resolve(given | general, os.environ)), values) or 0


def _groups() -> list[str]:
    return sorted({name.partition(" ")[0] for name in _BY_NAME})


def _group_help(group: str) -> str:
    rows: list[tuple[str, Command]] = [
        (name.partition(" ")[2], command) for name, command in sorted(_BY_NAME.items()) if name.startswith(f"{group} ")
    ]
    width = max(len(name) for name, _ in rows)
    return f"Usage: {PROGRAM} {group} [OPTIONS] <COMMAND>\n\ncommands:\n" + "".join(
        f"  {name:{width}}  {command.meaning}\n" for name, command in rows
    )
