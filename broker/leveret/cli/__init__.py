"""The command `leveret`. Each subcommand is a module; nothing of the broker is imported before one needs it."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from leveret.cli import config, dev_cert, operator, server
from leveret.version import __version__


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and leaves the usage to --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see '{self.prog} --help')\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["admin"]:  # all that follows is rabbitmqadmin's
        from leveret.cli import admin

        return admin.main(argv[1:])
    parser = Parser(prog="leveret", description="A drop-in RabbitMQ for development machines and CI.")
    parser.add_argument("--version", action="version", version=f"leveret {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    server.add_to(commands)
    config.add_to(commands)
    dev_cert.add_to(commands)
    operator.add_to(commands)
    commands.add_parser("admin", help="rabbitmqadmin, a client of the HTTP API")
    arguments = parser.parse_args(argv)
    run = arguments.run
    return int(run(arguments))
