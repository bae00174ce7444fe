"""Connections are closed: CONNECTION_FORCED (320) with the operator's reason."""

from __future__ import annotations

from collections.abc import Iterable

from leveret.handlers.connection import Connection
from leveret.handlers.connection_state import State
from leveret.operations.registry import Host, operation
from leveret.shell.turns import InTurns, Steps


@operation(pid=str, reason=str)
def close_connection(host: Host, pid: str, reason: str) -> InTurns[int]:
    """By the pid that list_connections shows, or its name. RabbitMQ: one that is not there is no error."""
    return _close((one for one in _all(host) if pid in (one.pid, one.name)), reason)


@operation(vhost=str, per_vhost=bool, limit=int, reason=str)
def close_all_connections(host: Host, vhost: str, per_vhost: bool, limit: int, reason: str) -> InTurns[int]:
    """limit: so many at most; 0 for all. Answers how many there were."""
    found = [one for one in _all(host) if not per_vhost or one.vhost_name == vhost]
    return _close(found[:limit] if limit else found, reason)


@operation(username=str, reason=str)
def close_all_user_connections(host: Host, username: str, reason: str) -> InTurns[int]:
    return _close((one for one in _all(host) if one.user_name == username), reason)


def _all(host: Host) -> list[Connection]:
    """Without those that are closing already."""
    return [one for one in host.node.connections if isinstance(one, Connection) and one.state is State.RUNNING]


def _close(connections: Iterable[Connection], reason: str) -> InTurns[int]:
    return InTurns(_closing(list(connections), reason))


def _closing(connections: list[Connection], reason: str) -> Steps[int]:
    for connection in connections:
        connection.force_close(reason)
        yield
    return len(connections)
