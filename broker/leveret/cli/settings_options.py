"""The options that come from the table of settings, for every command that reads the configuration."""

import argparse
import os
from pathlib import Path

from leveret.config.load import Configuration, load
from leveret.config.report import Found
from leveret.config.settings import TABLE, Setting, Settings
from leveret.config.values import Address, WrongValue

IN_MEMORY = "--in-memory"
NO_MANAGEMENT = "--no-management"
NO_METRICS = "--no-metrics"
AS_RABBITMQ = "--as-rabbitmq"

# What `rabbitmq-server` of the container image begins with; every other place may say something else.
_OF_RABBITMQ = {
    "host": "", "data_dir": "/var/lib/rabbitmq/mnesia", "log.console_stdio": "stdout",
}  # fmt: skip


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting, and those that say where settings are."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read settings from FILE (default: leveret.toml here)"
    )
    group = parser.add_argument_group(
        "settings", "See 'leveret config show' for what is in force, and docs/configuration.md."
    )
    where = group.add_mutually_exclusive_group()
    where.add_argument(IN_MEMORY, action="store_true", help="keep nothing once stopped: --durability memory")
    group.add_argument(NO_MANAGEMENT, action="store_true", help="no HTTP API: --management-port none")
    group.add_argument(NO_METRICS, action="store_true", help="no metrics for Prometheus: --metrics-port none")
    group.add_argument(
        AS_RABBITMQ, action="store_true",
        help="RabbitMQ's defaults: every address, data in /var/lib/rabbitmq/mnesia, log on stdout",
    )  # fmt: skip
    for setting in TABLE:
        (where if setting.name == "data_dir" else group).add_argument(
            setting.option, dest=setting.name, type=_checked(setting), metavar="V",
            help=f"{setting.meaning.replace('`', '')} ({setting.kind.words})".replace("%", "%%"),
        )  # fmt: skip


def read(arguments: argparse.Namespace) -> Configuration:
    """What is in force for these arguments. Raises ConfigurationError."""
    options = {setting.name: text for setting in TABLE if (text := getattr(arguments, setting.name)) is not None}
    if arguments.in_memory:
        options["durability"] = "memory"
    if arguments.no_management:
        options["management_port"] = options["management.ssl.port"] = "none"
    if arguments.no_metrics:
        options["metrics_port"] = options["metrics.ssl.port"] = "none"
    defaults = _OF_RABBITMQ if arguments.as_rabbitmq else {}
    return load(
        options, os.environ, arguments.config, {name: Found(text, AS_RABBITMQ) for name, text in defaults.items()}
    )


def data_dir(settings: Settings) -> Path | None:
    """None: everything is kept in memory."""
    if settings.durability == "memory":
        return None
    if settings.data_dir is not None:
        return settings.data_dir
    from platformdirs import user_data_path

    return user_data_path("leveret", appauthor=False)


def pid_file(settings: Settings, *, as_rabbitmq: bool) -> Path | None:
    """None: there is to be none."""
    directory = data_dir(settings)
    if settings.pid_file is None and as_rabbitmq and directory is not None:
        return directory / f"{settings.node_name}.pid"
    return settings.pid_file


def management(settings: Settings) -> Address | None:
    """Where the HTTP API listens; None: there is none."""
    if settings.management_port is None:
        return None
    return Address(settings.management_host or settings.host, settings.management_port)


def metrics(settings: Settings) -> Address | None:
    """Where the metrics are; None: there are none."""
    if settings.metrics_port is None:
        return None
    return Address(settings.metrics_host or settings.host, settings.metrics_port)


class _checked:
    """Refuses a wrong value as argparse refuses: with the name of the option. The text itself is kept."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def __call__(self, text: str) -> str:
        try:
            self._setting.kind.parse(text)
        except WrongValue as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return text
