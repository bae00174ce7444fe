"""What the settings make of the parts of a broker."""

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leveret.auth.access_control import AccessControl, Backend, InternalBackend
from leveret.auth.first_definitions import FirstDefinitions, make_first_definitions
from leveret.auth.http_backend import HttpBackend, HttpPaths
from leveret.auth.permissions import InvalidPermission
from leveret.auth.users import Users
from leveret.config import plugins
from leveret.config.report import ConfigurationError
from leveret.config.settings import TABLE, Settings
from leveret.config.values import Address
from leveret.core.node import Node
from leveret.handlers.tuning import Tuning
from leveret.shell.commits import DISK_FREE_BYTES_MIN
from leveret.shell.memory_alarm import memory_limit_bytes, total_memory_bytes, used_memory_bytes
from leveret.shell.watermarks import Watermarks

if TYPE_CHECKING:
    from types import ModuleType

    from leveret.management.gate import Gate
    from leveret.management.managed import Managed
    from leveret.metrics.measured import Measured
    from leveret.shell.http_backend import HttpQuestions
    from leveret.shell.tls import TLSOptions


def make_first(node: Node, users: Users, settings: Settings) -> None:
    """Definitions that are to be loaded, or else the default user. Raises ConfigurationError."""
    if settings.load_definitions is not None:
        from leveret.management.boot import UnusableDefinitions, import_definitions

        try:
            import_definitions(node, users, settings.load_definitions)
        except UnusableDefinitions as error:
            raise ConfigurationError([f"load_definitions: {error}"]) from error
        return
    try:
        make_first_definitions(
            node, users,
            FirstDefinitions(
                settings.default_user, settings.default_pass, settings.default_user_tags, settings.default_vhost,
                settings.default_permissions_configure, settings.default_permissions_write,
                settings.default_permissions_read,
            ),
        )  # fmt: skip
    except InvalidPermission as error:
        raise ConfigurationError([f"default_permissions: {error.pattern!r} is no valid pattern"]) from error


def access_control(node: Node, users: Users, settings: Settings, questions: "HttpQuestions | None") -> AccessControl:
    backends: dict[str, Backend] = {"internal": InternalBackend(users)}
    if questions is not None:
        backends["http"] = HttpBackend(questions.ask)
    return AccessControl(
        node, users, backends=[backends[name] for name in settings.auth_backends],
        loopback_users=settings.loopback_users, mechanisms=settings.auth_mechanisms,
        certificate_name=settings.ssl_cert_login_from,
        alternative_name=(settings.ssl_cert_login_san_type, settings.ssl_cert_login_san_index),
    )  # fmt: skip


def http_questions(settings: Settings) -> "HttpQuestions | None":
    if "http" not in settings.auth_backends:
        return None
    from leveret.shell.http_backend import HttpQuestions  # takes a while, and few need it

    return HttpQuestions(
        HttpPaths(
            settings.auth_http_user_path, settings.auth_http_vhost_path, settings.auth_http_resource_path,
            settings.auth_http_topic_path, settings.auth_http_method,
        )
    )  # fmt: skip


def tuning(settings: Settings) -> Tuning:
    return Tuning(settings.heartbeat, settings.frame_max, settings.channel_max, settings.max_message_size)


def management_tls_options(settings: Settings) -> "TLSOptions":
    return _http_tls_options(settings, "management_ssl")


def metrics_tls_options(settings: Settings) -> "TLSOptions":
    return _http_tls_options(settings, "metrics_ssl")


def _http_tls_options(settings: Settings, prefix: str) -> "TLSOptions":
    """Where it has no certificate of its own, all is as for AMQP."""
    has_own = getattr(settings, f"{prefix}_certfile") is not None
    return tls_options(settings, prefix if has_own else "ssl_options")


def management_tls_address(settings: Settings) -> Address | None:
    """None: there is no HTTP API over TLS."""
    if settings.management_ssl_port is None:
        return None
    host = settings.management_ssl_ip or settings.management_host or settings.host
    return Address(host, settings.management_ssl_port)


def metrics_tls_address(settings: Settings) -> Address | None:
    """None: there are no metrics over TLS."""
    if settings.metrics_ssl_port is None:
        return None
    return Address(settings.metrics_ssl_ip or settings.metrics_host or settings.host, settings.metrics_ssl_port)


def tls_options(settings: Settings, prefix: str = "ssl_options") -> "TLSOptions":
    """prefix: of the settings that they are in."""
    from leveret.shell.tls import TLSOptions  # not before there is TLS

    def value(name: str) -> Any:
        return getattr(settings, f"{prefix}_{name}")

    return TLSOptions(
        certfile=value("certfile"),
        keyfile=value("keyfile"),
        cacertfile=value("cacertfile"),
        password=value("password"),
        verify=value("verify") == "verify_peer",
        fail_if_no_peer_cert=value("fail_if_no_peer_cert"),
        versions=settings.ssl_options_versions,
    )


def memory_bytes_max(settings: Settings) -> int:
    """The watermark: with more in use publishers wait."""
    return memory_limit_bytes(
        _total_memory_bytes(settings), settings.vm_memory_high_watermark_relative,
        settings.vm_memory_high_watermark_absolute,
    )  # fmt: skip


def disk_free_bytes_min(settings: Settings) -> int:
    """The watermark: with less free publishers wait."""
    if settings.disk_free_limit_absolute is not None:
        return settings.disk_free_limit_absolute
    if settings.disk_free_limit_relative is not None:
        return int(settings.disk_free_limit_relative * _total_memory_bytes(settings))
    return DISK_FREE_BYTES_MIN


def watermarks(node: Node, settings: Settings, data_dir: Path | None) -> Watermarks:
    """What the settings say; they can be moved later."""
    absolute = settings.vm_memory_high_watermark_absolute
    relative = settings.vm_memory_high_watermark_relative
    return Watermarks(
        node.alarms, memory_bytes_max(settings), {"relative": relative} if absolute is None else {"absolute": absolute},
        disk_free_bytes_min(settings), _used_memory_bytes, lambda: shutil.disk_usage(data_dir or "/").free,
    )  # fmt: skip


def _used_memory_bytes() -> int | None:
    try:
        return used_memory_bytes()
    except OSError:
        return None


def _total_memory_bytes(settings: Settings) -> int:
    given = settings.total_memory_available_override_value
    return total_memory_bytes() if given is None else given


def load_operations() -> "ModuleType":
    """The module of what an operator may have done; few brokers are asked."""
    from leveret import operations

    return operations


def load_management() -> "ModuleType":
    """The module that serves the HTTP API. It takes a quarter of a second, and may be loaded in any thread."""
    from leveret.management import serving

    return serving


def load_metrics() -> "ModuleType":
    """The module that serves the metrics. May be loaded in any thread, as that of the HTTP API."""
    from leveret.metrics import serving

    return serving


def measured(node: Node, watermarks: Watermarks, control: AccessControl, started_seconds: float) -> "Measured":
    from leveret.metrics.measured import Measured

    return Measured(node, watermarks, control.attempts, started_seconds)


def metrics_gate(settings: Settings, node: Node, control: AccessControl, flush: Callable[[], None]) -> "Gate | None":
    """None: anybody may see the metrics."""
    if not settings.metrics_authentication:
        return None
    from leveret.management.gate import Gate

    return Gate(control, node.timers, flush)


def managed(
    node: Node, users: Users, control: AccessControl, listening: Iterable[tuple[str, str, int]],
    flush: Callable[[], None], data_dir: Path | None, settings: Settings, watermarks: Watermarks,
    config_files: Sequence[Path],
) -> "Managed":  # fmt: skip
    """listening: protocol, host and port of each listener."""
    from leveret.management.managed import ApiOptions, Listening, Managed
    from leveret.management.statistics import Statistics

    certificates = {}
    if settings.listeners_ssl and settings.ssl_options_certfile is not None:
        certificates["amqp/ssl"] = settings.ssl_options_certfile
    of_api = settings.management_ssl_certfile or settings.ssl_options_certfile
    if settings.management_ssl_port is not None and of_api is not None:
        certificates["https"] = of_api
    of_metrics = settings.metrics_ssl_certfile or settings.ssl_options_certfile
    if settings.metrics_ssl_port is not None and of_metrics is not None:
        certificates["https/prometheus"] = of_metrics
    options = ApiOptions(
        settings.management_path_prefix, settings.management_cors_allow_origins, settings.management_cors_max_age,
        settings.management_http_max_body_size, settings.management_login_session_timeout,
        settings.management_enable_queue_totals,
    )  # fmt: skip
    return Managed(
        node, users, control, [Listening(*where) for where in listening], flush, data_dir, watermarks, time.time(),
        certificates, options, None if settings.management_disable_stats else Statistics(node, data_dir),
        {setting.name: setting.shown(getattr(settings, setting.attribute)) for setting in TABLE},
        plugins.running(settings), settings.log_places, config_files,
    )  # fmt: skip
