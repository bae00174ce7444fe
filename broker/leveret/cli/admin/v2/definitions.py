"""Definitions, out and in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from leveret.cli.admin.files import write_private
from leveret.cli.admin.http import path_of
from leveret.cli.admin.v2.command import Command, Option, Run, Values
from leveret.cli.admin.v2.failures import Failed, WrongCommandLine
from leveret.cli.admin.v2.session import Session

_STANDARD_STREAM: Final = "-"


def _export(*, is_of_vhost: bool) -> Run:
    def run(session: Session, values: Values) -> None:
        if values["file"] is not None and values["stdout"]:
            raise WrongCommandLine("the argument '--file <file>' cannot be used with '--stdout'")
        text = session.ask("GET", _path(session, is_of_vhost=is_of_vhost)).text
        file = values["file"] or _STANDARD_STREAM
        if file == _STANDARD_STREAM:
            print(text)
            return
        try:
            write_private(Path(file), text.encode())
        except OSError as error:
            raise Failed(f"Ran into an I/O error when loading a file: {error}") from error

    return run


def _import(*, is_of_vhost: bool) -> Run:
    def run(session: Session, values: Values) -> None:
        if (values["file"] is None) == (not values["stdin"]):
            raise WrongCommandLine("the following required arguments were not provided:\n  <--file <file>|--stdin>")
        session.ask("POST", _path(session, is_of_vhost=is_of_vhost), _read(values["file"] or _STANDARD_STREAM))

    return run


def _path(session: Session, *, is_of_vhost: bool) -> str:
    return path_of("definitions", *([session.vhost] if is_of_vhost else []))


def _read(file: str) -> Any:
    """Raises Failed."""
    is_standard_input = file == _STANDARD_STREAM
    try:
        text = sys.stdin.read() if is_standard_input else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = (
            f"could not read from standard input: {error}"
            if is_standard_input
            else f"`{file}` does not exist or is not readable: {error}"
        )
        raise Failed(f"Command execution failed: {what}") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        what = (
            f"could not parse JSON from standard input: {error}"
            if is_standard_input
            else f"`{file}` is not a valid JSON file: {error}"
        )
        raise Failed(f"Command execution failed: {what}") from error


_OUTPUT: Final = (
    Option("--file", "where to write them; -, which is the default: standard output"),
    Option("--stdout", "write them to standard output", default=False, is_flag=True),
)
_INPUT: Final = (
    Option("--file", "where to read them; -: standard input"),
    Option("--stdin", "read them from standard input", default=False, is_flag=True),
)

COMMANDS: Final = (
    Command(("definitions export", "export definitions"), "Export definitions", _export(is_of_vhost=False), _OUTPUT),
    Command(("definitions export_from_vhost",), "Export those of the virtual host", _export(is_of_vhost=True), _OUTPUT),
    Command(("definitions import", "import definitions"), "Import definitions", _import(is_of_vhost=False), _INPUT),
    Command(("definitions import_into_vhost",), "Import some into the virtual host", _import(is_of_vhost=True), _INPUT),
)
