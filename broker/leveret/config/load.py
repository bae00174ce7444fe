"""Puts the configuration together: what each place says, the highest first, and where every value came from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from leveret.config import environment, plugins, rabbitmq_conf, toml_file
from leveret.config.report import ConfigurationError, Found, Note, Report
from leveret.config.settings import TABLE, Setting, Settings
from leveret.config.values import Address, WrongValue

DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Configuration:
    """settings: the values in force; `listeners_tcp` is what is listened on in any case.

    sources: name of a setting -> where its value came from, such as `--port`, `leveret.toml:3`, `default`.
    files: those that were read. notes: of what has no effect.
    """

    settings: Settings
    sources: dict[str, str]
    files: tuple[Path, ...]
    notes: tuple[Note, ...]


def load(
    options: Mapping[str, str], variables: Mapping[str, str], config_file: Path | None = None,
    defaults: Mapping[str, Found] = MappingProxyType({}),
) -> Configuration:  # fmt: skip
    """options: name of a setting -> what was given on the command line. defaults: instead of those of the table.

    config_file: a leveret.toml; None: LEVERET_CONFIG, or the one in the working directory if there is one.
    Raises ConfigurationError.
    """
    report = Report()
    given = {name: Found(text, _options()[name]) for name, text in options.items()}
    files = rabbitmq_conf.files(variables, report)
    of_files = rabbitmq_conf.read(files, variables, report)
    if (enabled := plugins.read(variables, report)) is not None:
        of_files["enabled_plugins"] = enabled
    layers = [dict(defaults), of_files]
    toml = _toml_path(config_file, variables)
    if toml is not None:
        files.append(toml)
        layers.append(toml_file.read(toml, report))
    layers += [environment.read(variables, report), given]

    values: dict[str, Any] = {setting.name: setting.default for setting in TABLE}
    ranks = dict.fromkeys(values, 0)
    sources = dict.fromkeys(values, DEFAULT)
    by_name = {setting.name: setting for setting in TABLE}
    for rank, layer in enumerate(layers, 1):
        for name, found in layer.items():
            parsed = _parsed(by_name[name], found, report)
            values[name], ranks[name], sources[name] = parsed, rank, found.where
    if report.problems:
        raise ConfigurationError(report.problems)
    _settle_listeners(values, ranks, sources)
    _settle_http(values, ranks, sources)
    _settle_plugins(values, ranks, sources, report)
    settings = Settings(**{by_name[name].attribute: value for name, value in values.items()})
    return Configuration(settings, sources, tuple(files), tuple(report.notes))


def _options() -> dict[str, str]:
    return {setting.name: setting.option for setting in TABLE}


def _toml_path(config_file: Path | None, variables: Mapping[str, str]) -> Path | None:
    if config_file is not None:
        return config_file
    if named := variables.get(environment.CONFIG):
        return Path(named)
    usual = Path(toml_file.NAME)
    return usual if os.path.isfile(usual) else None


def _parsed(setting: Setting, found: Found, report: Report) -> Any:
    try:
        return setting.kind.parse(found.written)
    except WrongValue as error:
        text = f"{setting.kind.words}" if setting.is_secret else str(error)
        report.problems.append(f"{found.where}: {setting.name}: {text}")
        return None


def _settle_listeners(values: dict[str, Any], ranks: dict[str, int], sources: dict[str, str]) -> None:
    """Host and port are another way to name one listener: whichever was said in the higher place counts."""
    by_port = max(("host", "port"), key=lambda name: ranks[name])
    if ranks["listeners.tcp"] == 0 or ranks[by_port] > ranks["listeners.tcp"]:
        values["listeners.tcp"] = (Address(values["host"], values["port"]),)
        sources["listeners.tcp"] = sources[by_port]


def _settle_http(values: dict[str, Any], ranks: dict[str, int], sources: dict[str, str]) -> None:
    """RabbitMQ: with TLS for the HTTP API or the metrics, and nothing is said of plain HTTP, there is none."""
    for plain, tls in (("management_port", "management.ssl.port"), ("metrics_port", "metrics.ssl.port")):
        if values[tls] is not None and ranks[plain] == 0:
            values[plain], sources[plain] = None, sources[tls]


def _settle_plugins(values: dict[str, Any], ranks: dict[str, int], sources: dict[str, str], report: Report) -> None:
    """A plugin that is not enabled listens nowhere, whatever rabbitmq.conf says of its port; a higher place may."""
    if values["enabled_plugins"] == plugins.ALL:
        values["enabled_plugins"] = None
    enabled, where = values["enabled_plugins"], sources["enabled_plugins"]
    if enabled is None:
        return
    plugins.report_unserved(enabled, where, report)
    for plugin, port in (
        (plugins.MANAGEMENT, "management_port"), (plugins.MANAGEMENT, "management.ssl.port"),
        (plugins.PROMETHEUS, "metrics_port"), (plugins.PROMETHEUS, "metrics.ssl.port"),
    ):  # fmt: skip
        if plugin not in plugins.started(enabled) and ranks[port] <= ranks["enabled_plugins"]:
            values[port], sources[port] = None, where
