"""Usage and help, in rabbitmqctl's form."""

from __future__ import annotations

import sys

from leveret.cli.ctl.commands import GROUPS, commands

TYPE_CHECKING = False  # typing takes its time
if TYPE_CHECKING:
    from collections.abc import Sequence

    from leveret.cli.ctl.command import Command

_GENERAL = """\
General Options

The following options are accepted by most or all commands.

short            | long           | description
-----------------|----------------|--------------------------------
-?               | --help         | displays command help
-n <node>        | --node <node>  | the node, where several run on this machine
                 | --data-dir <d> | the broker that keeps its data there
-t               | --timeout <n>  | for commands that support it, operation timeout in seconds
-q               | --quiet        | suppress informational messages
-s               | --silent       | suppress informational messages and table header row
-p               | --vhost        | for commands that are scoped to a virtual host, virtual host to use
                 | --formatter    | one of table, pretty_table, json, csv, erlang, string
"""
_LIKENESS_MIN = 0.6


def usage(program: str, command: Command) -> str:
    timeout = " [--timeout <timeout>]" if command.has_timeout else ""
    words = f" {command.usage}" if command.usage else ""
    return f"\n{_bold('Usage')}\n\n{program} [--node <node>] [--longnames] [--quiet] {command.name}{words}{timeout}"


def of_command(program: str, command: Command) -> str:
    columns = f"\n<column>\n\tmust be one of {', '.join(sorted(command.columns))}\n" if command.columns else ""
    return f"{usage(program, command)}\n\n{command.meaning}.\n{columns}\n{_GENERAL}"


def overview(program: str) -> str:
    is_of_plugins = program.endswith("plugins")
    groups = ("Help", "Plugins") if is_of_plugins else [name for name in GROUPS if name != "Plugins"]
    known = [command for command in commands() if command.group in groups and not command.is_hidden]
    width = max(len(command.name) for command in known)
    lines = [
        "", _bold("Usage"), "",
        f"{program} [--node <node>] [--timeout <timeout>] [--longnames] [--quiet] <command> [<command options>]", "",
        "Available commands:",
    ]  # fmt: skip
    for group in groups:
        lines += ["", f"{_bold(group)}:", ""]
        lines += [f"   {one.name:<{width}}  {one.meaning}" for one in known if one.group == group]
    return "\n".join([*lines, "", f"Use '{program} help <command>' to learn more about a specific command"])


def not_found(program: str, name: str, others: Sequence[str]) -> str:
    if name == "help":
        return f"Error:\n\nCommand '{others[0]}' not found."
    likely = _likely(name)
    if likely is None:
        return f"\nCommand '{name}' not found. \n{overview(program)}"
    return f"\nCommand '{name}' not found. \nDid you mean '{likely}'? \n"


def given(argv: Sequence[str]) -> str:
    return f"Arguments given:\n\t{' '.join(argv)}"


def _likely(name: str) -> str | None:
    from difflib import get_close_matches

    found = get_close_matches(name, [command.name for command in commands()], 1, _LIKENESS_MIN)
    return found[0] if found else None


def _bold(text: str) -> str:
    """On a terminal alone."""
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text
