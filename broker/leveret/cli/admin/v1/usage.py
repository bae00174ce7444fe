"""The help texts of rabbitmqadmin's first generation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leveret.cli.admin.v1.objects import CLOSED, DECLARED, DELETED, LISTED, MESSAGES, PURGED, SHOWN, Command

SHORT_USAGE: Final = "rabbitmqadmin [options] subcommand"

MORE_HELP: Final = """
More Help
=========

  rabbitmqadmin help subcommands  # what there is to do
  rabbitmqadmin help config       # the configuration file

The commands of RabbitMQ 4.x's rabbitmqadmin, such as "queues declare --name q", are there, too:

  rabbitmqadmin queues --help     # and likewise: auth_attempts, bindings, channels, close, connections, declare,
                                  # definitions, delete, deprecated_features, exchanges, export, feature_flags, get,
                                  # global_parameters, health_check, import, list, nodes, operator_policies, parameters,
                                  # passwords, permissions, plugins, policies, publish, purge, rebalance, show, streams,
                                  # user_limits, users, vhost_limits, vhosts
"""

_CONFIG: Final = f"""\
Usage
=====
{SHORT_USAGE}

Configuration File
==================

  An ini file with a section for each broker. Options win over it. The file is ~/.rabbitmqadmin.conf or what -c says,
  the section is [default] or what -N says.

Example
=======

  [default]
  hostname = localhost
  port = 15672
  username = guest
  password = guest
  declare_vhost = /
  vhost = /

  [staging]
  hostname = staging.example
  port = 15671
  username = ci
  password = secret
  ssl = True
  ssl_key_file = /path/to/client.key
  ssl_cert_file = /path/to/client.pem

  declare_vhost is for declare and delete, vhost for list, too.

Use
===

  rabbitmqadmin -c brokers.conf -N staging list queues
"""

_NOTES: Final = """
  * publish without payload reads the payload from standard input

  * get with payload_file writes the payload of one message there, and prints the rest;
    without, the payload is in the table
"""


def config_usage() -> str:
    return _CONFIG


def subcommands_usage() -> str:
    return "".join([
        f"Usage\n=====\n  {SHORT_USAGE}\n\n  where subcommand is one of:\n",
        _title("Display"),
        *(f"  list {kind} [<column>...]\n" for kind in LISTED),
        *(f"  show {kind} [<column>...]\n" for kind in SHOWN),
        _title("Object Manipulation"),
        _commands("declare ", DECLARED),
        _commands("delete ", DELETED),
        _commands("close ", CLOSED),
        _commands("purge ", PURGED),
        _title("Broker Definitions"),
        "  export <file>\n  import <file>\n",
        _title("Publishing and Consuming"),
        _commands("", MESSAGES),
        _NOTES,
    ])  # fmt: skip


def _title(name: str) -> str:
    return f"\n{name}\n{'=' * len(name)}\n\n"


def _commands(verb: str, commands: Mapping[str, Command]) -> str:
    return "".join(f"  {verb}{kind} {_arguments(command)}\n" for kind, command in commands.items())


def _arguments(command: Command) -> str:
    names = [name if isinstance(name, str) else "=... OR ".join(name) for name in command.mandatory]
    words = [f"{name}=..." for name in names]
    if command.optional:
        words.append(f"[{' '.join(f'{name}=...' for name in command.optional)}]")
    return " ".join(words)
