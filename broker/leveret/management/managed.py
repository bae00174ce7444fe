"""What the HTTP API works on: a running broker, as whoever started it knows it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leveret.auth.access_control import AccessControl
from leveret.auth.users import Users
from leveret.core.node import Node
from leveret.management.statistics import Statistics
from leveret.shell.watermarks import Watermarks


@dataclass(frozen=True, slots=True)
class Listening:
    """protocol: RabbitMQ's name, `amqp`, `amqp/ssl`, `http`. host: an address or a name."""

    protocol: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """path_prefix: in front of every path. cors_origins: sites whose pages may use the API; "*" is every site.

    session_minutes: after which pages are to log out, or None. has_queue_totals: lengths of queues are told even where
    statistics are not (RabbitMQ's management.enable_queue_totals).
    """

    path_prefix: str = ""
    cors_origins: Collection[str] = ()
    cors_max_age_seconds: int = 1800
    body_bytes_max: int = 20_000_000
    session_minutes: int | None = None
    has_queue_totals: bool = False


@dataclass(frozen=True, slots=True)
class Managed:
    """listening: everything the broker listens on, this API too. flush: ends a turn: sends what it brought about.

    data_dir: None for a broker in memory. certificates: by the protocol of the listeners.
    watermarks: None for a broker that keeps none. statistics: None: there are to be none.
    configuration: by the name of each setting its value, as it could be written, but for secrets.
    plugins: RabbitMQ's names of those that run. log_places: files and streams that the log goes to.
    config_files: those that the settings are from.
    """

    node: Node
    users: Users
    control: AccessControl
    listening: Sequence[Listening]
    flush: Callable[[], None]
    data_dir: Path | None = None
    watermarks: Watermarks | None = None
    started_seconds: float = 0.0
    certificates: Mapping[str, Path] = field(default_factory=dict)
    options: ApiOptions = ApiOptions()
    statistics: Statistics | None = None
    configuration: Mapping[str, str] = field(default_factory=dict)
    plugins: Sequence[str] = ("rabbitmq_management",)
    log_places: Sequence[str] = ()
    config_files: Sequence[Path] = ()

    @property
    def memory_bytes_max(self) -> int:
        return 0 if self.watermarks is None else self.watermarks.memory_bytes_max

    @property
    def disk_free_bytes_min(self) -> int:
        return 0 if self.watermarks is None else self.watermarks.disk_free_bytes_min
