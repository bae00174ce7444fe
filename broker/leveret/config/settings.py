"""The table of settings: everything that can be configured, what it is, and what it is called in each place.

A field of `Settings` is one setting. Its names follow from the table: in leveret.toml it is `name`, in rabbitmq.conf
`keys`, as an option `--name` and as a variable LEVERET_NAME with dots and underscores changed to what is usual there.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from leveret.config import places
from leveret.config.values import (
    ADDRESSES,
    BOOLEAN,
    FRACTION,
    NAME,
    NAMES,
    PATH,
    PORT_MAX,
    SIZE,
    TEXT,
    URL_PATH,
    Address,
    Kind,
    choice,
    optional,
    several,
    size,
    whole,
)

MILLISECONDS_MAX: Final = 2**32 - 1  # what an Erlang timer takes

# RabbitMQ has more levels than Python's logging; each counts as the next that there is.
LEVEL: Final = choice(
    "debug", "info", "warning", "error", "critical", "none",
    also=[("notice", "info"), ("alert", "critical"), ("emergency", "critical")],
)  # fmt: skip

_MILLISECONDS: Final = whole("a number of milliseconds", 1, MILLISECONDS_MAX)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row. attribute: of Settings. keys: in rabbitmq.conf. variables: RabbitMQ's.

    numbered: rabbitmq.conf has a key for each element, `listeners.tcp.1`.
    flagged: it has one for each that is chosen, `default_user_tags.monitoring = true`.
    is_secret: its value is shown to nobody.
    """

    attribute: str
    name: str
    kind: Kind
    default: Any
    meaning: str
    keys: tuple[str, ...]
    variables: tuple[str, ...]
    numbered: bool
    flagged: bool
    is_secret: bool

    @property
    def option(self) -> str:
        return "--" + self.name.replace(".", "-").replace("_", "-")

    @property
    def variable(self) -> str:
        return "LEVERET_" + self.name.replace(".", "_").upper()

    def shown(self, value: Any) -> str:
        """As it could be written; nothing of a secret."""
        if self.is_secret:
            return "(not shown)"
        return "(not set)" if value is None and self.default is None else self.kind.show(value)


def _setting(
    default: Any, kind: Kind, meaning: str, *, name: str = "", keys: tuple[str, ...] | None = None,
    variables: tuple[str, ...] = (), numbered: bool = False, flagged: bool = False, is_secret: bool = False,
) -> Any:  # fmt: skip
    """name: where it is not that of the attribute. keys: where they are not just the name."""
    row = (name, kind, meaning, keys, variables, numbered, flagged, is_secret)
    return field(default=default, metadata={"row": row})


# Of a listener with TLS: default, kind and meaning of each setting but the certificate, which has its own words.
_TLS: Final[dict[str, tuple[Any, Kind, str]]] = {
    "certfile": (None, PATH, ""),
    "keyfile": (None, PATH, "Its key, PEM; where it is not in the file of the certificate."),
    "password": (None, TEXT, "That of the key."),
    "cacertfile": (None, PATH, "The authorities that certificates of clients come from, PEM."),
    "verify": ("verify_none", choice("verify_peer", "verify_none"), "Are clients asked for a certificate?"),
    "fail_if_no_peer_cert": (False, BOOLEAN, "Must they have one?"),
}


def _tls_of(name: str, *keys: str, variables: str = "") -> Callable[..., Any]:
    """Makes the settings of one such listener. Each argument begins the names there: name that of the setting, keys
    those in rabbitmq.conf, variables those of RabbitMQ, which has none for the password."""

    def setting(last: str, meaning: str = "") -> Any:
        default, kind, usual = _TLS[last]
        is_secret = last == "password"
        return _setting(
            default, kind, meaning or usual, name=f"{name}.{last}", keys=tuple(f"{key}.{last}" for key in keys),
            variables=(f"{variables}{last.upper()}",) if variables and not is_secret else (), is_secret=is_secret,
        )  # fmt: skip

    return setting


_amqp_tls = _tls_of("ssl_options", "ssl_options", variables="RABBITMQ_SSL_")
_management_tls = _tls_of(
    "management.ssl", "management.ssl", "management.listener.ssl_opts", variables="RABBITMQ_MANAGEMENT_SSL_"
)
_metrics_tls = _tls_of("metrics.ssl", "prometheus.ssl")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The values in force. Times end in their unit in `meaning`; sizes are bytes."""

    # -- listening

    host: str = _setting(
        "127.0.0.1", TEXT, "Name or address to listen on; `0.0.0.0` is every IPv4 address, `::` every address.",
        keys=(), variables=("RABBITMQ_NODE_IP_ADDRESS",),
    )  # fmt: skip
    port: int = _setting(
        5672, whole("a port", 0, PORT_MAX), "Port for AMQP; `0` takes a free one.",
        keys=(), variables=("RABBITMQ_NODE_PORT",),
    )  # fmt: skip
    listeners_tcp: tuple[Address, ...] | None = _setting(
        None, ADDRESSES,
        "All addresses to listen on for AMQP, instead of host and port. A port alone is on every address.",
        name="listeners.tcp", numbered=True,
    )  # fmt: skip
    listeners_ssl: tuple[Address, ...] = _setting(
        (), ADDRESSES, "Addresses to listen on for AMQP over TLS, usually `5671`.",
        name="listeners.ssl", numbered=True,
    )  # fmt: skip
    management_port: int | None = _setting(
        15672, optional(whole("a port", 0, PORT_MAX), "none"), "Port of the HTTP API; `0` takes a free one.",
        keys=("management.tcp.port", "management.listener.port"),
    )  # fmt: skip
    management_host: str | None = _setting(
        None, NAME, "Name or address it listens on. Default: `host`.",
        keys=("management.tcp.ip", "management.listener.ip"),
    )  # fmt: skip
    management_ssl_port: int | None = _setting(
        None, optional(whole("a port", 0, PORT_MAX), "none"),
        "Port of the HTTP API over TLS, usually `15671`. Without a port for plain HTTP: that one only.",
        name="management.ssl.port",
    )  # fmt: skip
    management_ssl_ip: str | None = _setting(
        None, NAME, "Name or address it listens on. Default: `management_host`, or `host`.", name="management.ssl.ip"
    )
    management_ssl_certfile: Path | None = _management_tls(
        "certfile", "Its certificate, PEM. Default: everything of `ssl_options`."
    )
    management_ssl_keyfile: Path | None = _management_tls("keyfile")
    management_ssl_password: str | None = _management_tls("password")
    management_ssl_cacertfile: Path | None = _management_tls("cacertfile")
    management_ssl_verify: str = _management_tls("verify")
    management_ssl_fail_if_no_peer_cert: bool = _management_tls("fail_if_no_peer_cert")
    management_path_prefix: str = _setting(
        "", URL_PATH, "In front of every path of the HTTP API, such as `/rabbit`.", name="management.path_prefix"
    )
    management_cors_allow_origins: tuple[str, ...] = _setting(
        (), NAMES, "Sites whose pages may use the HTTP API, such as `https://example.com`; `*` is every site.",
        name="management.cors.allow_origins", numbered=True,
    )  # fmt: skip
    management_cors_max_age: int = _setting(
        1800, whole("a number of seconds", 0, MILLISECONDS_MAX), "Browsers need not ask again for so long.",
        name="management.cors.max_age",
    )  # fmt: skip
    management_http_max_body_size: int = _setting(
        20_000_000, size(1, 2**31), "Largest body of a request.", name="management.http.max_body_size"
    )
    management_login_session_timeout: int | None = _setting(
        None, optional(whole("a number of minutes", 1, MILLISECONDS_MAX), "none"),
        "Pages are told to log out after so long; the HTTP API itself has no sessions.",
        name="management.login_session_timeout",
    )  # fmt: skip
    management_disable_stats: bool = _setting(
        False, BOOLEAN, "The HTTP API tells of no statistics, and takes no samples.", name="management.disable_stats"
    )
    management_enable_queue_totals: bool = _setting(
        False, BOOLEAN, "The lengths of queues are told all the same.", name="management.enable_queue_totals"
    )
    metrics_port: int | None = _setting(
        15692, optional(whole("a port", 0, PORT_MAX), "none"),
        "Port of the metrics for Prometheus; `0` takes a free one.",
        keys=("prometheus.tcp.port", "prometheus.tcp.listener"),  # RabbitMQ 4 knows the latter for `none`
    )  # fmt: skip
    metrics_host: str | None = _setting(
        None, NAME, "Name or address they are at. Default: `host`.", keys=("prometheus.tcp.ip",),
    )  # fmt: skip
    metrics_ssl_port: int | None = _setting(
        None, optional(whole("a port", 0, PORT_MAX), "none"),
        "Port of the metrics over TLS, usually `15691`. Without a port for plain HTTP: that one only.",
        name="metrics.ssl.port", keys=("prometheus.ssl.port",),
    )  # fmt: skip
    metrics_ssl_ip: str | None = _setting(
        None, NAME, "Name or address they are at then. Default: `metrics_host`, or `host`.",
        name="metrics.ssl.ip", keys=("prometheus.ssl.ip",),
    )  # fmt: skip
    metrics_ssl_certfile: Path | None = _metrics_tls(
        "certfile", "The certificate, PEM. Default: everything of `ssl_options`."
    )
    metrics_ssl_keyfile: Path | None = _metrics_tls("keyfile")
    metrics_ssl_password: str | None = _metrics_tls("password")
    metrics_ssl_cacertfile: Path | None = _metrics_tls("cacertfile")
    metrics_ssl_verify: str = _metrics_tls("verify")
    metrics_ssl_fail_if_no_peer_cert: bool = _metrics_tls("fail_if_no_peer_cert")
    metrics_authentication: bool = _setting(
        False, BOOLEAN, "Are the metrics only for users with the tag `monitoring` or `administrator`?",
        keys=("prometheus.authentication.enabled",),
    )  # fmt: skip
    metrics_path: str = _setting("/metrics", URL_PATH, "Their path.", keys=("prometheus.path",))
    metrics_per_object: bool = _setting(
        False, BOOLEAN, "Has `/metrics` every queue, connection and channel, instead of their sums?",
        keys=("prometheus.return_per_object_metrics",),
    )  # fmt: skip
    enabled_plugins: tuple[str, ...] | None = _setting(
        None, NAMES,
        "RabbitMQ's plugins that are enabled: without `rabbitmq_management` there is no HTTP API, without "
        "`rabbitmq_prometheus` no metrics. `ALL`, and the default: all there are.",
        keys=(), variables=("RABBITMQ_ENABLED_PLUGINS",),
    )  # fmt: skip
    handshake_timeout: int = _setting(
        10_000, _MILLISECONDS, "The AMQP handshake, from accept to `connection.open-ok`, takes no longer."
    )
    ssl_handshake_timeout: int = _setting(5000, _MILLISECONDS, "The TLS handshake before it takes no longer.")

    # -- TLS

    ssl_options_certfile: Path | None = _amqp_tls(
        "certfile", "The certificate, PEM, with those between it and the authority behind it."
    )
    ssl_options_keyfile: Path | None = _amqp_tls("keyfile")
    ssl_options_password: str | None = _amqp_tls("password")
    ssl_options_cacertfile: Path | None = _amqp_tls("cacertfile")
    ssl_options_verify: str = _amqp_tls("verify")
    ssl_options_fail_if_no_peer_cert: bool = _amqp_tls("fail_if_no_peer_cert")
    ssl_options_versions: tuple[str, ...] = _setting(
        ("tlsv1.2", "tlsv1.3"), NAMES, "Those offered, of `tlsv1.2` and `tlsv1.3`.",
        name="ssl_options.versions", numbered=True,
    )  # fmt: skip

    # -- connections

    heartbeat: int = _setting(
        60, whole("a number of seconds", 0, 65535), "Proposed to clients, who decide; `0` proposes none."
    )
    frame_max: int = _setting(131_072, size(4096, 2**27), "Largest frame that clients may agree on.")
    channel_max: int = _setting(
        2047, whole("a number of channels", 1, 65535, words=[("0", 65535)]),
        "Channels that a connection may have; `0` is as many as the protocol has numbers.",
        keys=("channel_max", "max_channels_per_connection"),
    )  # fmt: skip
    max_message_size: int = _setting(16_777_216, size(1, 536_870_912), "Largest body of a message.")

    # -- queues

    consumer_timeout: int | None = _setting(
        1_800_000,
        optional(_MILLISECONDS, "undefined"),
        "A delivery is acknowledged within this time; `undefined`: it need not be.",
    )
    default_queue_type: str = _setting(
        "classic",
        choice("classic", "quorum"),
        "Of queues declared without `x-queue-type`, in virtual hosts without one of their own.",
    )

    # -- users

    load_definitions: Path | None = _setting(
        None, PATH,
        "A file of definitions, as RabbitMQ exports them, or a folder of such, imported at each start. Then no user is "
        "made besides those in there.",
        keys=("load_definitions", "management.load_definitions"),
    )  # fmt: skip
    default_user: str = _setting(
        "guest", NAME, "Made when there are no definitions yet, instead of guest.", variables=("RABBITMQ_DEFAULT_USER",)
    )
    default_pass: str = _setting("guest", TEXT, "Its password.", variables=("RABBITMQ_DEFAULT_PASS",), is_secret=True)
    default_vhost: str = _setting(
        "/", NAME, "The virtual host that is made with it.", variables=("RABBITMQ_DEFAULT_VHOST",)
    )
    default_user_tags: tuple[str, ...] = _setting(("administrator",), NAMES, "The tags it has.", flagged=True)
    default_permissions_configure: str = _setting(
        ".*", TEXT, "What it may declare and delete there: a pattern of names.", name="default_permissions.configure"
    )
    default_permissions_write: str = _setting(
        ".*", TEXT, "What it may publish to, and bind.", name="default_permissions.write"
    )
    default_permissions_read: str = _setting(
        ".*", TEXT, "What it may consume, and bind to.", name="default_permissions.read"
    )
    loopback_users: tuple[str, ...] = _setting(
        ("guest",), NAMES, "Users who may log in from this machine only.", flagged=True
    )
    auth_mechanisms: tuple[str, ...] = _setting(
        ("PLAIN", "AMQPLAIN"), several("PLAIN", "AMQPLAIN", "EXTERNAL"),
        "Of SASL, those offered; `EXTERNAL` with TLS only.",
        numbered=True,
    )  # fmt: skip
    ssl_cert_login_from: str = _setting(
        "distinguished_name",
        choice("distinguished_name", "common_name", "subject_alternative_name",
               also=[("subject_alt_name", "subject_alternative_name")]),
        "What `EXTERNAL` takes for the name of the user.",
    )  # fmt: skip
    ssl_cert_login_san_type: str = _setting(
        "dns", choice("dns", "ip", "email", "uri"), "The kind of alternative name it takes."
    )
    ssl_cert_login_san_index: int = _setting(0, whole("a number", 0, 1000), "Which of them; `0` is the first.")

    # -- names

    nodename: str = _setting(
        "rabbit", NAME, "The name of the node; the name of the machine is added where it has no `@`.",
        variables=("RABBITMQ_NODENAME",),
    )  # fmt: skip
    cluster_name: str | None = _setting(None, NAME, "Told to clients. Default: the name of the node.")

    # -- where data is kept

    data_dir: Path | None = _setting(
        None, PATH, "Keep what is durable here; made if need be. Default: in the user's data folder.",
        keys=(), variables=("RABBITMQ_MNESIA_DIR", "RABBITMQ_MNESIA_BASE"),
    )  # fmt: skip
    pid_file: Path | None = _setting(
        None, PATH, "The number of the process is written here, for `rabbitmqctl wait`. Default: no file; with "
        "`--as-rabbitmq` that of the node in the data directory.",
        keys=(), variables=("RABBITMQ_PID_FILE",),
    )  # fmt: skip
    durability: str = _setting(
        "fsync", choice("memory", "os", "fsync"),
        "What a confirmed message has survived: the loss of power (`fsync`), the end of the process (`os`), "
        "nothing (`memory`).",
        keys=(),
    )  # fmt: skip

    # -- alarms

    vm_memory_high_watermark_relative: float = _setting(
        0.6, FRACTION, "Publishers wait while the broker has more than this part of the memory there is.",
        name="vm_memory_high_watermark.relative", variables=("RABBITMQ_VM_MEMORY_HIGH_WATERMARK",),
    )  # fmt: skip
    vm_memory_high_watermark_absolute: int | None = _setting(
        None, SIZE, "The same in bytes; counts instead where both are there.",
        name="vm_memory_high_watermark.absolute",
    )  # fmt: skip
    total_memory_available_override_value: int | None = _setting(
        None, SIZE, "The memory there is. Default: the limit of the control group, or the machine's.",
    )  # fmt: skip
    disk_free_limit_absolute: int | None = _setting(
        None, SIZE, "Publishers wait while less of the disk is free than this; `50MB` if there is no relative limit.",
        name="disk_free_limit.absolute",
    )  # fmt: skip
    disk_free_limit_relative: float | None = _setting(
        None, FRACTION, "The same as a part of the memory there is; the absolute limit counts where both are there.",
        name="disk_free_limit.relative",
    )  # fmt: skip

    # -- log

    log_level: str = _setting(
        "info", LEVEL, "What is logged at least.", name="log.level", keys=("log.default.level",),
    )  # fmt: skip
    log_console: bool = _setting(True, BOOLEAN, "Log to the console.", name="log.console")
    log_console_stdio: str = _setting(
        "stderr", choice("stdout", "stderr"), "Which console.",
        name="log.console_stdio", keys=("log.console.stdio",),
    )  # fmt: skip
    log_console_level: str | None = _setting(
        None, LEVEL, "The level for the console, where it is another.",
        name="log.console_level", keys=("log.console.level",),
    )  # fmt: skip
    log_file: Path | None = _setting(
        None, optional(PATH, "false"), "Log to this file as well. It may be moved away by logrotate.", name="log.file",
    )  # fmt: skip
    log_file_level: str | None = _setting(
        None, LEVEL, "The level for the file, where it is another.", name="log.file_level", keys=("log.file.level",),
    )  # fmt: skip
    log_dir: Path | None = _setting(
        None, PATH, "Folder of a log file that is named without one.", name="log.dir", variables=("RABBITMQ_LOG_BASE",),
    )  # fmt: skip

    # -- who is asked about users

    auth_backends: tuple[str, ...] = _setting(
        ("internal",),
        several("internal", "http", also=[
            ("rabbit_auth_backend_internal", "internal"), ("rabbit_auth_backend_http", "http"),
        ]),
        "Who knows the users, asked in this order: the broker itself, or a service over HTTP.", numbered=True,
    )  # fmt: skip
    auth_http_method: str = _setting(
        "get", choice("get", "post"), "How the service is asked.", name="auth_http.http_method"
    )
    auth_http_user_path: str = _setting(
        "http://localhost:8000/auth/user", TEXT, "The URL that is asked about a user.", name="auth_http.user_path"
    )
    auth_http_vhost_path: str = _setting(
        "http://localhost:8000/auth/vhost", TEXT, "The URL that is asked about a virtual host.",
        name="auth_http.vhost_path",
    )  # fmt: skip
    auth_http_resource_path: str = _setting(
        "http://localhost:8000/auth/resource", TEXT, "The URL that is asked about a queue or an exchange.",
        name="auth_http.resource_path",
    )  # fmt: skip
    auth_http_topic_path: str = _setting(
        "http://localhost:8000/auth/topic", TEXT, "The URL that is asked about a topic.", name="auth_http.topic_path"
    )

    @property
    def node_name(self) -> str:
        """`nodename` with the name of the machine where it has none."""
        return places.node_name(self.nodename)

    @property
    def log_path(self) -> Path | None:
        """Of the log file, if there is to be one."""
        return None if self.log_file is None else ((self.log_dir or Path()) / self.log_file).absolute()

    @property
    def log_places(self) -> list[str]:
        """Where the log goes, as RabbitMQ names it."""
        console = [f"<{self.log_console_stdio}>"] if self.log_console else []
        return console if self.log_path is None else [str(self.log_path), *console]


def _row(attribute: "dataclasses.Field[Any]") -> Setting:
    name, kind, meaning, keys, variables, numbered, flagged, is_secret = attribute.metadata["row"]
    name = name or attribute.name
    keys = (name,) if keys is None else keys
    return Setting(
        attribute.name, name, kind, attribute.default, meaning, keys, variables, numbered, flagged, is_secret
    )


TABLE: Final = tuple(_row(attribute) for attribute in dataclasses.fields(Settings))
