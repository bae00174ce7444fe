"""What RabbitMQ logs while it starts, for scripts and test containers that wait for one of the lines."""

import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from leveret.config.load import Configuration
from leveret.version import EMULATED_RABBITMQ_VERSION, version_and_build

log = logging.getLogger(__name__)

_NAME_WIDTH: Final = 15

# Protocol -> what is said of a listener, with its port or its address.
_OF_PLUGINS: Final = {
    "http": "Management plugin: HTTP (non-TLS) listener started on port %d",
    "https": "Management plugin: HTTPS listener started on port %d",
    "http/prometheus": "Prometheus metrics: HTTP (non-TLS) listener started on port %d",
    "https/prometheus": "Prometheus metrics: HTTPS listener started on port %d",
}
_LISTENERS: Final = {"amqp": "started TCP listener on %s", "amqp/ssl": "started TLS (SSL) listener on %s"}


def log_configuration(configuration: Configuration, data_dir: Path | None) -> None:
    """What is started, and from which files."""
    settings = configuration.settings
    python = ".".join(map(str, sys.version_info[:3]))
    build = version_and_build()
    log.info("Starting Leveret %s on Python %s, in place of RabbitMQ %s", build, python, EMULATED_RABBITMQ_VERSION)
    _log_all("node", [settings.node_name])
    _log_all("config file(s)", [str(path) for path in configuration.files] or ["(none)"])
    _log_all("log(s)", settings.log_places)
    _log_all("data dir", ["(in memory)" if data_dir is None else str(data_dir)])


def _log_all(name: str, values: Iterable[str]) -> None:
    for value in values:
        log.info(" %-*s: %s", _NAME_WIDTH, name, value)
        name = ""


def log_completed(listening: Sequence[tuple[str, str, int]], plugins_started: Sequence[str]) -> None:
    """Clients can connect. listening: protocol, address and port of each listener."""
    for protocol, _, port in listening:
        if protocol in _OF_PLUGINS:
            log.info(_OF_PLUGINS[protocol], port)
    log.info("Ready to start client connection listeners")
    for protocol, host, port in listening:
        if protocol in _LISTENERS:
            log.info(_LISTENERS[protocol], f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    log.info("Server startup complete; %d plugins started.", len(plugins_started))
    for name in plugins_started:
        log.info(" * %s", name)
