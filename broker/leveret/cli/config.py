"""`leveret config`: what is configured, and what could be."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from leveret.cli import settings_options

if TYPE_CHECKING:
    from leveret.config.settings import Setting

EXIT_WRONG = 1


def add_to(commands: "argparse._SubParsersAction[Any]") -> None:
    parser = commands.add_parser("config", help="show the configuration", description="Show the configuration.")
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = actions.add_parser(
        "show", help="the values in force and where each came from",
        description="Show the values that 'leveret server' would run with, given the same options.",
    )  # fmt: skip
    settings_options.add_to(show)
    show.set_defaults(run=_show)
    reference = actions.add_parser("reference", help="all settings as a table in Markdown")
    reference.set_defaults(run=_reference)


def _show(arguments: argparse.Namespace) -> int:
    """Returns the exit code: 0, or 1 where the configuration cannot be used."""
    from leveret.config.report import ConfigurationError
    from leveret.config.settings import TABLE

    try:
        configuration = settings_options.read(arguments)
    except ConfigurationError as error:
        print(*(f"leveret config: {problem}" for problem in error.problems), sep="\n", file=sys.stderr)
        return EXIT_WRONG
    settings, sources = configuration.settings, configuration.sources
    rows = [
        (setting.name, setting.shown(getattr(settings, setting.attribute)), sources[setting.name]) for setting in TABLE
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, value, source in rows:
        print(f"{name:{widths[0]}}  {value:{widths[1]}}  {source}")
    print("files read:", ", ".join(map(str, configuration.files)) or "none")
    for note in configuration.notes:
        print(f"leveret config: {note.text}", file=sys.stderr)
    return 0


def _reference(arguments: argparse.Namespace) -> int:
    from leveret.config.settings import TABLE

    print("| setting | value | default | meaning | rabbitmq.conf | RabbitMQ's variables |")
    print("| --- | --- | --- | --- | --- | --- |")
    for setting in TABLE:
        print(_row(setting))
    return 0


def _row(setting: "Setting") -> str:
    if setting.default is None:
        default = ""
    elif setting.is_secret:
        default = f"`{setting.default}`"
    else:
        default = f"`{setting.shown(setting.default)}`"
    keys = [f"{key}.*" if setting.numbered or setting.flagged else key for key in setting.keys]
    cells = [
        f"`{setting.name}`",
        setting.kind.words,
        default,
        setting.meaning,
        ", ".join(f"`{key}`" for key in keys),
        ", ".join(f"`{variable}`" for variable in setting.variables),
    ]
    return f"| {' | '.join(cells)} |"
