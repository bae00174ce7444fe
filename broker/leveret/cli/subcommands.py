"""The subcommands with options of the usual kind, and the overview of all."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from leveret.cli import config, dev_cert, server, shims
from leveret.version import version_and_build

# Those whose words are looked at elsewhere.
_OTHERS = {
    "ctl": "rabbitmqctl: list, change, stop and start a running broker",
    "diagnostics": "rabbitmq-diagnostics: health checks of a running broker",
    "plugins": "rabbitmq-plugins: which plugins are enabled",
    "users": "the commands of ctl, which work on a data directory too where no broker runs",
    "vhosts": "likewise",
    "permissions": "likewise",
    "admin": "rabbitmqadmin, a client of the HTTP API",
}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and leaves the usage to --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see '{self.prog} --help')\n")


def run(argv: Sequence[str]) -> int:
    parser = Parser(prog="leveret", description="A drop-in RabbitMQ for development machines and CI.")
    parser.add_argument("--version", action="version", version=f"leveret {version_and_build()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    server.add_to(commands)
    config.add_to(commands)
    dev_cert.add_to(commands)
    for name, meaning in _OTHERS.items():
        commands.add_parser(name, help=meaning)
    shims.add_to(commands)
    arguments = parser.parse_args(argv)
    chosen = arguments.run
    return int(chosen(arguments))
