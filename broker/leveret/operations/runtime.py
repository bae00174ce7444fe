"""What the node is and does: status, listeners, alarms, memory, log, and what of it can be changed while it runs."""

from __future__ import annotations

import logging
import os
import platform
import re
import resource
import ssl
import sys
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from leveret.config import plugins
from leveret.config.settings import TABLE, Settings
from leveret.management.features import FEATURE_FLAGS, deprecated_features, feature_flags
from leveret.management.machine import memory_shape, open_files_count
from leveret.operations import connections
from leveret.operations.registry import Host, Refused, chosen, operation
from leveret.shell.certificate_dates import validity_problem
from leveret.shell.memory_alarm import memory_limit_bytes, total_memory_bytes
from leveret.shell.turns import InTurns, Steps
from leveret.version import EMULATED_RABBITMQ_VERSION, __version__

Shape = dict[str, Any]

PURPOSES: Final = {
    "amqp": "AMQP 0-9-1 and AMQP 1.0", "amqp/ssl": "AMQP 0-9-1 and AMQP 1.0 over TLS", "http": "HTTP API",
    "https": "HTTP API over TLS (HTTPS)", "http/prometheus": "Prometheus exporter API over HTTP",
    "https/prometheus": "Prometheus exporter API over TLS (HTTPS)",
}  # fmt: skip
LEVELS: Final = ("debug", "info", "warning", "error", "critical", "none")
LOG_END_BYTES: Final = 1 << 20  # no more of the log is looked at: it may have any size, and others wait meanwhile
_OFF: Final = logging.CRITICAL + 1


@operation()
def tell_status(host: Host) -> Shape:
    running, node = host.process, host.node
    settings, marks = running.settings, running.watermarks
    files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return {
        "active_plugins": list(plugins.running(settings)), "alarms": _alarms(host),
        "config_files": [str(path) for path in running.config_files], "crypto_lib_version": ssl.OPENSSL_VERSION,
        "data_directory": str(running.data_dir or ""),
        "disk_free": marks.disk_free_bytes(), "disk_free_limit": marks.disk_free_bytes_min,
        "enabled_plugin_file": str(plugins.file(os.environ)), "erlang_version": _runtime(),
        "file_descriptors": {
            "sockets_limit": files_max, "sockets_used": len(node.connections), "total_limit": files_max,
            "total_used": open_files_count(),
        },
        "is_under_maintenance": node.is_under_maintenance, "listeners": _listeners(host),
        "log_files": settings.log_places, "memory": memory_shape(), "net_ticktime": 60, "os": platform.system(),
        "pid": os.getpid(), "processes": {"limit": files_max, "used": 1 + len(node.connections)},
        "product_name": "Leveret", "product_version": __version__, "rabbitmq_version": EMULATED_RABBITMQ_VERSION,
        "raft_data_directory": "", "release_series_support_status": "supported", "run_queue": 0,
        "totals": {
            "virtual_host_count": len(node.vhosts), "connection_count": len(node.connections),
            "queue_count": sum(len(vhost.queues) for vhost in node.vhosts.values()),
        },
        "uptime": int(time.time() - running.started_seconds), "vm_memory_calculation_strategy": "rss",
        "vm_memory_high_watermark_limit": marks.memory_bytes_max,
        "vm_memory_high_watermark_setting": marks.memory_setting,
    }  # fmt: skip


@operation()
def tell_cluster(host: Host) -> Shape:
    """Of one node."""
    node = host.node
    status = "marked for" if node.is_under_maintenance else "not under"
    versions = {
        "erlang_version": platform.python_version(), "rabbitmq_name": "RabbitMQ",
        "rabbitmq_version": EMULATED_RABBITMQ_VERSION,
    }  # fmt: skip
    return {
        "alarms": _alarms(host), "cluster_name": node.cluster_name, "disk_nodes": [node.name],
        "feature_flags": feature_flags(), "listeners": {node.name: _listeners(host)},
        "maintenance_status": {node.name: f"{status} maintenance"},
        "partitions": {}, "ram_nodes": [],
        "running_nodes": [node.name], "versions": {node.name: versions},
    }  # fmt: skip


@operation()
def tell_listeners(host: Host) -> list[Shape]:
    return _listeners(host)


def _listeners(host: Host) -> list[Shape]:
    return [
        {
            "node": host.node.name, "protocol": protocol, "interface": f"[{address}]" if ":" in address else address,
            "port": port, "purpose": PURPOSES.get(protocol, protocol),
        }
        for protocol, address, port in host.process.listening
    ]  # fmt: skip


@operation()
def tell_alarms(host: Host) -> list[Shape]:
    return _alarms(host)


def _alarms(host: Host) -> list[Shape]:
    return [{"node": host.node.name, "resource": name} for name in host.node.alarms.resources]


@operation()
def tell_memory(_host: Host) -> Shape:
    return memory_shape()


@operation()
def tell_versions(_host: Host) -> Shape:
    details = " ".join(sys.version.split())
    return {"rabbitmq": EMULATED_RABBITMQ_VERSION, "runtime": _runtime(), "runtime_details": details}


def _runtime() -> str:
    return f"{platform.python_implementation()} {platform.python_version()}"


@operation()
def tell_environment(host: Host) -> Shape:
    """The settings in force, by their names; secrets are left out."""
    settings = host.process.settings
    return {
        setting.name: _plain(getattr(settings, setting.attribute)) for setting in TABLE if not setting.is_secret
    }  # fmt: skip


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case tuple() | list():
            return [_plain(item) for item in value]
    return str(value)


# -- features -------------------------------------------------------------------------------------------------------


@operation(columns=list)
def list_feature_flags(_host: Host, columns: list[str]) -> InTurns[bytes]:
    return chosen(feature_flags(), columns)


@operation(name=str)
def enable_feature_flag(host: Host, name: str) -> None:
    """All there are, are on."""
    if name not in ("all", *FEATURE_FLAGS):
        raise Refused(f"This feature flag is not supported by node {host.node.name}", "unsupported")


@operation(columns=list, used=bool)
def list_deprecated_features(host: Host, columns: list[str], used: bool) -> InTurns[bytes]:
    return chosen(deprecated_features(host.node, used=used), columns)


@operation()
def tell_plugins(host: Host) -> list[str]:
    """Those that run."""
    return list(plugins.running(host.process.settings))


# -- logins ---------------------------------------------------------------------------------------------------------


@operation()
def tell_auth_attempts(host: Host) -> list[Shape]:
    return [
        {
            "protocol": protocol, "auth_attempts": count.succeeded + count.failed,
            "auth_attempts_failed": count.failed, "auth_attempts_succeeded": count.succeeded,
        }
        for protocol, count in sorted(host.process.control.attempts.items())
    ]  # fmt: skip


@operation(days=int)
def check_certificates(host: Host, days: int) -> list[Shape]:
    """Those of TLS listeners that are no longer valid in so many days."""
    settings = host.process.settings
    certificate = settings.ssl_options_certfile
    if certificate is None or not settings.listeners_ssl:
        return []
    try:
        problem = validity_problem(certificate, datetime.now(UTC) + timedelta(days=days))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    secured = [one for one in _listeners(host) if one["protocol"] == "amqp/ssl"]
    return [] if problem is None else [{**one, "reason": f"the certificate {problem}"} for one in secured]


# -- watermarks -----------------------------------------------------------------------------------------------------


@operation(relative=float)
def set_memory_watermark(host: Host, relative: float) -> None:
    total = _total_memory_bytes(host.process.settings)
    limit = memory_limit_bytes(total, relative, None)
    host.process.watermarks.set_memory(limit, {"relative": relative})


@operation(absolute_bytes=int)
def set_absolute_memory_watermark(host: Host, absolute_bytes: int) -> None:
    limit = memory_limit_bytes(_total_memory_bytes(host.process.settings), 0.0, absolute_bytes)
    host.process.watermarks.set_memory(limit, {"absolute": absolute_bytes})


@operation(absolute_bytes=int)
def set_disk_free_limit(host: Host, absolute_bytes: int) -> None:
    host.process.watermarks.set_disk(absolute_bytes)


@operation(relative=float)
def set_relative_disk_free_limit(host: Host, relative: float) -> None:
    """Of the memory."""
    host.process.watermarks.set_disk(int(relative * _total_memory_bytes(host.process.settings)))


def _total_memory_bytes(settings: Settings) -> int:
    given = settings.total_memory_available_override_value
    return total_memory_bytes() if given is None else given


# -- log ------------------------------------------------------------------------------------------------------------


@operation(level=str)
def set_log_level(_host: Host, level: str) -> None:
    """Of all that is logged, wherever it goes."""
    if level not in LEVELS:
        raise Refused(f"level {level} is not supported. Try one of {', '.join(LEVELS)}")
    number = _OFF if level == "none" else logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.setLevel(number)
    for handler in root.handlers:
        handler.setLevel(number)


@operation()
def tell_log_location(host: Host) -> list[str]:
    return host.process.settings.log_places


@operation(lines=int)
def tell_log_end(host: Host, lines: int) -> list[str]:
    path = host.process.settings.log_path
    if path is None:
        raise Refused("the log goes to the console alone: there is no file to read the end of")
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - LOG_END_BYTES)
            file.seek(start)
            *found, last = file.read(LOG_END_BYTES).decode(errors="replace").split("\n")
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    whole = found[1:] if start else found  # the first one may have begun before
    return list(deque([*whole, last] if last else whole, max(0, lines)))


# -- what suites evaluate in Erlang ---------------------------------------------------------------------------------

_SET: Final = re.compile(r"application:set_env\(rabbit,\s*(\w+),\s*(\w+)\)")
_CLOSE_ALL: Final = re.compile(r".*rabbit_networking:close_connection\b.*rabbit_networking:connections\(\).*")


@operation(expression=str)
def evaluate(host: Host, expression: str) -> str | InTurns[str]:
    """The few expressions that test suites use; nothing else is run. Answers what Erlang prints."""
    text = " ".join(expression.split()).removesuffix(".").rstrip()
    if text in ("rabbit:is_booted()", "rabbit:is_running()"):
        return "true"
    if found := _SET.fullmatch(text):
        return _set_variable(host, found[1], found[2])
    if _CLOSE_ALL.fullmatch(text):
        return InTurns(_closing_all(host))
    raise Refused("there is no Erlang here: see docs/command-line.md for the expressions that are understood")


def _closing_all(host: Host) -> Steps[str]:
    yield from connections.close_all_connections(host, "", False, 0, "closed by an operator").steps
    return "ok"


def _set_variable(host: Host, name: str, value: str) -> str:
    if name != "consumer_timeout" or not (value.isdecimal() or value == "undefined"):
        raise Refused(f"the variable {name} cannot be set to {value} while the broker runs")
    host.node.consumer_timeout_ms = int(value) if value.isdecimal() else None
    return "ok"
