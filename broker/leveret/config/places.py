"""Where running brokers are found, and by what name. Imported by commands that have no time to read a configuration."""

import os
import socket

RUNTIME_DIR = "LEVERET_RUNTIME_DIR"


def node_name(name: str) -> str:
    """`rabbit` is `rabbit@<machine>`; of that name RabbitMQ takes what is before the first dot (3.10)."""
    return name if "@" in name else f"{name}@{socket.gethostname().partition('.')[0]}"


def rabbitmq_data_dir() -> str:
    """That of RabbitMQ's packages and images, and of `rabbitmq-server` here."""
    named = os.environ.get("RABBITMQ_MNESIA_DIR") or os.environ.get("RABBITMQ_MNESIA_BASE")
    return named or "/var/lib/rabbitmq/mnesia"


def runtime_dir() -> str:
    """A directory of this user alone: `<node name>.<process id>` in it is the control socket of a broker.

    LEVERET_RUNTIME_DIR, or else `leveret` in XDG_RUNTIME_DIR, or else /tmp/leveret-<user id>.
    """
    if named := os.environ.get(RUNTIME_DIR):
        return named
    if usual := os.environ.get("XDG_RUNTIME_DIR"):
        return os.path.join(usual, "leveret")
    return f"/tmp/leveret-{os.getuid()}"
