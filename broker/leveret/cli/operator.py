"""`leveret users`, `leveret vhosts`, `leveret permissions`: an operator's work, in the manner of rabbitmqctl.

A broker that has the data directory is asked through the control socket in it; where none has it, the work is done on
the directory itself.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from leveret.cli.operator_commands import COMMANDS, GROUPS, VHOST, Command

if TYPE_CHECKING:
    from leveret.config.settings import Settings

SOCKET_NAME = "control"
ANSWER_SECONDS = 60.0

# rabbitmqctl's, after sysexits.h
EXIT_USAGE = 64
EXIT_DATA = 65
EXIT_NO_USER = 67
EXIT_UNAVAILABLE = 69
EXIT_SOFTWARE = 70
EXIT_CONFIGURATION = 78

WRONG_ARGUMENT = "Error (argument validation): "

_STATUSES = {
    "no_such_user": EXIT_NO_USER, "no_such_vhost": EXIT_DATA, "credentials": EXIT_DATA, "exists": EXIT_SOFTWARE,
}  # fmt: skip


class CannotWork(Exception):
    """What goes to stderr, and the exit status."""

    def __init__(self, text: str, status: int = EXIT_UNAVAILABLE, title: str = "Error:\n") -> None:
        super().__init__(f"{title}{text}")
        self.status = status


class _Parser(argparse.ArgumentParser):
    """Ends as rabbitmqctl does where arguments are wrong."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"too many arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{WRONG_ARGUMENT}{message}\n\n{self.format_usage()}")


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    for group, meaning in GROUPS.items():
        parser = commands.add_parser(group, help=meaning, description=f"Change and list {meaning}.")
        actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
        for command in COMMANDS:
            if command.group == group:
                _add_command(actions, command)


def _add_command(actions: argparse._SubParsersAction[Any], command: Command) -> None:
    parser = actions.add_parser(command.name, help=command.meaning, description=command.meaning.capitalize() + ".")
    for argument in command.arguments:
        name, count = (argument[:-1], argument[-1]) if argument[-1] in "?*" else (argument, None)
        parser.add_argument(name, nargs=count)
    if command.has_vhost:
        parser.add_argument("-p", "--vhost", dest=VHOST, default="/", help="virtual host (default %(default)s)")
    if command.may_choose:
        parser.add_argument("chosen", nargs="*", metavar="column", help=f"of {', '.join(command.columns)}")
    command.add_options(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="do not say what is done")
    parser.add_argument("-s", "--silent", action="store_true", help="nor the headers of tables")
    parser.add_argument("--no-table-headers", action="store_true", help="the headers of tables")
    parser.add_argument("--formatter", choices=["table", "json"], default="table", help="(default %(default)s)")
    parser.add_argument("--data-dir", metavar="DIR", help="that of the broker (default: as 'leveret server' has it)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a leveret.toml that names it")
    parser.set_defaults(run=lambda arguments: run(command, arguments))


def run(command: Command, arguments: argparse.Namespace) -> int:
    """Returns the exit status, one of rabbitmqctl's."""
    try:
        return _run(command, arguments)
    except CannotWork as error:
        print(error, file=sys.stderr)
        return error.status


def _run(command: Command, arguments: argparse.Namespace) -> int:
    given = vars(arguments)
    columns = _columns(command, given.get("chosen", []))
    if given.get("username") == "":
        raise CannotWork("Bad argument: user cannot be an empty string", EXIT_DATA, WRONG_ARGUMENT)
    banner = command.banner.format(**{name: _shown(value) for name, value in given.items()})
    if given.get("limit") == "all":
        banner = banner.replace('"all" limit', "all limits")
    if not (arguments.quiet or arguments.silent or arguments.formatter == "json"):
        print(banner, flush=True)
    request = {"operation": command.name, "arguments": _operation_arguments(command, given)}
    result = _result(command, _outcome(request, arguments))
    if isinstance(result, list):
        _print_rows(result, columns, arguments)
    elif result is not None:
        print(json.dumps(result, separators=(",", ":"), ensure_ascii=False))
    if command.done and not (arguments.quiet or arguments.silent):
        print(command.done)
    return 0


def _columns(command: Command, chosen: list[str]) -> list[str]:
    """Those of the listing. Raises CannotWork."""
    if unknown := [name for name in chosen if name not in command.columns]:
        raise CannotWork(f"Info key(s) {', '.join(unknown)} are not supported", EXIT_USAGE, WRONG_ARGUMENT)
    return list(chosen or command.columns[: 1 if command.may_choose else None])


def _operation_arguments(command: Command, given: dict[str, Any]) -> dict[str, Any]:
    """What the operation is given. Raises CannotWork."""
    names = [argument.rstrip("?*") for argument in command.arguments]
    names += ["username", VHOST, "pre_hashed", "description", "tags", "default_queue_type"]  # of options
    values = {name: given[name] for name in names if name in given}
    if command.may_choose:
        values["columns"] = list(given["chosen"] or command.columns[:1])
    if "password" in values and values["password"] is None:
        values["password"] = _password()
    if "exchanges" in values:
        values["exchanges"] = [] if values["exchanges"] is None else [values["exchanges"]]
    if "limits" in values:
        values["limits"] = _limits(values["limits"])
    return values


def _password() -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\r\n")


def _limits(text: str) -> dict[str, Any]:
    try:
        limits = json.loads(text)
    except ValueError:
        limits = None
    if not isinstance(limits, dict):
        raise CannotWork("JSON decoding error. Reason: badarg")
    return limits


def _result(command: Command, outcome: dict[str, Any]) -> Any:
    """Raises CannotWork."""
    if "error" not in outcome:
        return outcome["result"]
    kind, text = outcome["kind"], outcome["error"]
    if kind == "no_such_vhost" and command.looks_first:
        raise CannotWork(text, EXIT_DATA, title="")
    if kind == "no_such_vhost":
        raise CannotWork(f"Virtual host {outcome['name']} does not exist")
    if kind == "no_such_user" and not command.looks_first:
        raise CannotWork(f"User {outcome['name']} does not exist", EXIT_NO_USER)
    raise CannotWork(text, _STATUSES.get(kind, EXIT_UNAVAILABLE))


# -- who does it ----------------------------------------------------------------------------------------------------


def _outcome(request: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Raises CannotWork."""
    from leveret.cli import settings_options
    from leveret.config.load import load
    from leveret.config.report import ConfigurationError

    options = {} if arguments.data_dir is None else {"data_dir": arguments.data_dir}
    try:
        settings = load(options, os.environ, arguments.config).settings
    except ConfigurationError as error:
        raise CannotWork("\n".join(error.problems), EXIT_CONFIGURATION) from error
    data_dir = settings_options.data_dir(settings)
    if data_dir is None:
        raise CannotWork("the broker keeps everything in memory, so that there is nothing to work on")
    if not data_dir.is_dir():
        raise CannotWork(f"there is no data directory {data_dir}: no broker has used it yet")
    outcome = _asked(data_dir / SOCKET_NAME, request)
    return _done_here(settings, data_dir, request) if outcome is None else outcome


def _asked(path: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    """What the running broker answers; None: there is none. Raises CannotWork."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
        connected.settimeout(ANSWER_SECONDS)
        try:
            connected.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise CannotWork(f"the broker cannot be asked through {path}: {error.strerror or error}") from error
        try:
            connected.sendall(json.dumps(request).encode() + b"\n")
            with connected.makefile("rb") as answer:
                outcome: dict[str, Any] = json.loads(answer.readline())
                return outcome
        except (OSError, ValueError) as error:
            raise CannotWork(f"the broker ended before it answered: {error}") from error


def _done_here(settings: Settings, data_dir: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Raises CannotWork."""
    from leveret.broker import carried_out
    from leveret.config.report import ConfigurationError
    from leveret.storage.base import StoreError

    try:
        return carried_out(request, data_dir, settings)
    except (StoreError, ConfigurationError) as error:
        raise CannotWork(str(error)) from error


# -- output ---------------------------------------------------------------------------------------------------------


def _print_rows(rows: list[dict[str, Any]], columns: list[str], arguments: argparse.Namespace) -> None:
    rows = [{name: row[name] for name in columns} for row in rows]
    if arguments.formatter == "json":
        texts = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows]
        print("[", "\n,".join(texts), "]", sep="\n" if texts else "")
        return
    if rows and not (arguments.silent or arguments.no_table_headers):
        print(*columns, sep="\t")
    for row in rows:
        print(*map(_shown, row.values()), sep="\t")


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(str, value))}]"
    return str(value)
