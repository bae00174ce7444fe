"""What environment variables say: LEVERET_NAME for each setting, and RabbitMQ's own. One that is empty is not set."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from leveret.config.places import RUNTIME_DIR
from leveret.config.report import Found, Report
from leveret.config.settings import TABLE

CONFIG: Final = "LEVERET_CONFIG"

# RabbitMQ's that change something there, and nothing here. Others may be anybody's: RABBITMQ_URL, RABBITMQ_HOST.
_NOT_SUPPORTED: Final = (
    "RABBITMQ_ADVANCED_CONFIG_FILE", "RABBITMQ_CONF_ENV_FILE", "RABBITMQ_SSL_DEPTH",
)  # fmt: skip

# RabbitMQ's image ends with an error where it finds these, since 3.9. People have them all the same.
_DEPRECATED: Final = ("RABBITMQ_SSL_", "RABBITMQ_VM_MEMORY_HIGH_WATERMARK")

# The parts of RABBITMQ_DEFAULT_PERMISSIONS.
_PERMISSIONS: Final = ("default_permissions.configure", "default_permissions.write", "default_permissions.read")

# An Erlang option, `-rabbit heartbeat 5`: compose files have them.
_ERLANG_OPTION: Final = re.compile(r"-(rabbit\w*)\s+(\w+)\s+(\{[^}]*\}|\[.*?\]|\"[^\"]*\"|\S+)")
_ERLANG_NAMES: Final = {
    "heartbeat": "heartbeat",
    "frame_max": "frame_max",
    "channel_max": "channel_max",
    "vm_memory_high_watermark": "vm_memory_high_watermark.relative",
    "disk_free_limit": "disk_free_limit.absolute",
}
# What stands in braces there: `-rabbit disk_free_limit {mem_relative,1.5}`.
_ERLANG_PAIR: Final = re.compile(r"\{\s*(\w+)\s*,\s*\"?([^\s,}\"]+)\"?\s*\}")
_ERLANG_KINDS: Final = {"absolute": ".absolute", "relative": ".relative", "mem_relative": ".relative"}


def read(variables: Mapping[str, str], report: Report) -> dict[str, Found]:
    """What they say of each setting. One of ours wins over RabbitMQ's for the same setting."""
    layer = _erlang_options(variables, report)
    _log_variables(variables, layer)
    _read_files(variables, layer, report)
    _default_permissions(variables, layer, report)
    for setting in TABLE:
        for variable in (*reversed(setting.variables), setting.variable):
            if value := variables.get(variable):
                layer[setting.name] = Found(value, variable)
                if variable.startswith(_DEPRECATED):
                    report.warn(f"{variable} is no longer taken by RabbitMQ; write {setting.keys[0]} in rabbitmq.conf")
    for variable in _NOT_SUPPORTED:
        if variables.get(variable):
            report.warn(f"{variable} is not supported yet, and has no effect")
    _report_unknown(variables, report)
    return layer


def _log_variables(variables: Mapping[str, str], layer: dict[str, Found]) -> None:
    """RABBITMQ_LOGS is a file, or `-` for the console alone; RABBITMQ_LOG a level, for all or for a category."""
    if logs := variables.get("RABBITMQ_LOGS"):
        layer["log.console"] = Found("true" if logs == "-" else "false", "RABBITMQ_LOGS")
        layer["log.file"] = Found("false" if logs == "-" else logs, "RABBITMQ_LOGS")
    for word in (variables.get("RABBITMQ_LOG") or "").split(","):
        if word and "." not in word and not word.startswith(("+", "-")):
            layer["log.level"] = Found(word, "RABBITMQ_LOG")


def _read_files(variables: Mapping[str, str], layer: dict[str, Found], report: Report) -> None:
    """Docker secrets: the variable names a file that has the value."""
    for variable, name in (
        ("RABBITMQ_DEFAULT_USER_FILE", "default_user"),
        ("RABBITMQ_DEFAULT_PASS_FILE", "default_pass"),
    ):
        if path := variables.get(variable):
            try:
                layer[name] = Found(Path(path).read_text(encoding="utf-8").removesuffix("\n"), variable)
            except (OSError, UnicodeDecodeError) as error:
                report.problems.append(f"{variable}: {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")
            report.warn(f"{variable} is no longer taken by RabbitMQ; write {name} in rabbitmq.conf")


def _default_permissions(variables: Mapping[str, str], layer: dict[str, Found], report: Report) -> None:
    """RabbitMQ has no such variable, and passes over it: but people set it beside those that it has."""
    name = "RABBITMQ_DEFAULT_PERMISSIONS"
    if written := variables.get(name):
        patterns = written.split()
        if len(patterns) == len(_PERMISSIONS):
            layer |= {setting: Found(text, name) for setting, text in zip(_PERMISSIONS, patterns, strict=True)}
        else:
            report.problems.append(f"{name}: three patterns, as in '.* .* .*': configure, write, read; not {written!r}")


def _erlang_options(variables: Mapping[str, str], report: Report) -> dict[str, Found]:
    name = "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"
    layer = {}
    settings = {setting.name for setting in TABLE}
    for application, key, value in _ERLANG_OPTION.findall(variables.get(name) or ""):
        pair = _ERLANG_PAIR.fullmatch(value)
        if application == "rabbit" and key in _ERLANG_NAMES and pair is None:
            layer[_ERLANG_NAMES[key]] = Found(value.strip('"'), name)
        elif application == "rabbit" and pair is not None and key + _ERLANG_KINDS.get(pair[1], "") in settings:
            layer[key + _ERLANG_KINDS[pair[1]]] = Found(pair[2], name)
        else:
            report.warn(f"{name}: -{application} {key} is not supported yet, and has no effect")
    return layer


def _report_unknown(variables: Mapping[str, str], report: Report) -> None:
    known = {CONFIG, RUNTIME_DIR, *(setting.variable for setting in TABLE)}
    for variable in sorted(variables):
        if variable.startswith("LEVERET_") and variable not in known:
            from leveret.config.known_keys import nearest

            if hint := nearest(variable, names=sorted(known)):
                report.warn(f"{variable} is not a variable of Leveret{hint}")
