"""Which of RabbitMQ's plugins are enabled: the file `enabled_plugins`, which people mount into containers."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leveret.config.report import Found, Report

if TYPE_CHECKING:
    from leveret.config.settings import Settings

FILE: Final = Path("/etc/rabbitmq/enabled_plugins")

MANAGEMENT: Final = "rabbitmq_management"
PROMETHEUS: Final = "rabbitmq_prometheus"

# What is served here -> what RabbitMQ starts along with it. Only the first two are ever off: the others are part of the
# broker, and cost nothing while nobody uses them.
SERVED: Final[Mapping[str, tuple[str, ...]]] = {
    MANAGEMENT: ("rabbitmq_management_agent", "rabbitmq_web_dispatch"),
    PROMETHEUS: ("rabbitmq_management_agent", "rabbitmq_web_dispatch"),
    "rabbitmq_auth_backend_http": (),
    "rabbitmq_auth_mechanism_ssl": (),
    "rabbitmq_consistent_hash_exchange": (),
    "rabbitmq_delayed_message_exchange": (),
    "rabbitmq_event_exchange": (),
    "rabbitmq_management_agent": ("rabbitmq_web_dispatch",),
    "rabbitmq_random_exchange": (),
    "rabbitmq_recent_history_exchange": (),
    "rabbitmq_sharding": (),  # for its exchange type x-modulus-hash
    "rabbitmq_web_dispatch": (),
}

# What RABBITMQ_ENABLED_PLUGINS may be instead of names.
ALL: Final = ("ALL",)

# Plugins that are not served, and start the one that is (3.10 and 4.x, the applications' own lists).
_WITH_MANAGEMENT: Final = (
    "rabbitmq_federation_management", "rabbitmq_shovel_management", "rabbitmq_stream_management", "rabbitmq_top",
    "rabbitmq_tracing",
)  # fmt: skip
_WITH_PROMETHEUS: Final = ("rabbitmq_federation_prometheus", "rabbitmq_shovel_prometheus")

_COMMENT: Final = re.compile("%.*")
_NAME: Final = re.compile(r"[a-z]\w*")


def started(enabled: Iterable[str] | None) -> tuple[str, ...]:
    """Those served that are enabled, with all that RabbitMQ starts along with them, sorted. None: all there are."""
    if enabled is None:
        return tuple(sorted(SERVED))
    names = set(enabled)
    if names & set(_WITH_MANAGEMENT):
        names.add(MANAGEMENT)
    if names & set(_WITH_PROMETHEUS):
        names.add(PROMETHEUS)
    names &= set(SERVED)
    return tuple(sorted(names.union(*(SERVED[name] for name in names))))


def running(settings: "Settings") -> tuple[str, ...]:
    """Those that are enabled, less those whose port is none."""
    ports = {
        MANAGEMENT: (settings.management_port, settings.management_ssl_port),
        PROMETHEUS: (settings.metrics_port, settings.metrics_ssl_port),
    }  # fmt: skip
    off = {name for name, of_plugin in ports.items() if set(of_plugin) == {None}}
    return tuple(name for name in started(settings.enabled_plugins) if name not in off)


def file(variables: Mapping[str, str]) -> Path:
    """RABBITMQ_ENABLED_PLUGINS_FILE names another one than the usual."""
    return Path(variables.get("RABBITMQ_ENABLED_PLUGINS_FILE") or FILE)


def read(variables: Mapping[str, str], report: Report) -> Found | None:
    """What the file says, which is an Erlang list: `[rabbitmq_management,rabbitmq_prometheus].`

    None: there is no file.
    """
    path = file(variables)
    if not os.path.isfile(path):
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        report.warn(f"{path}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")
        return None
    return Found(_NAME.findall(_COMMENT.sub("", text)), str(path))


def report_unserved(enabled: Iterable[str], where: str, report: Report) -> None:
    """RabbitMQ passes over a plugin that is enabled and not installed."""
    for name in enabled:
        if name not in SERVED:
            report.warn(f"{where}: {name} is not served here, and has no effect")
