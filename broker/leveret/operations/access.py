"""Users, virtual hosts and permissions: rabbitmqctl's commands for them, on a running broker or a data directory."""

from __future__ import annotations

from typing import Any

from leveret.auth.permissions import Permission, TopicPermission
from leveret.auth.users import User
from leveret.core.metadata import Metadata
from leveret.operations.registry import BY, Host, Refused, operation
from leveret.shell.turns import InTurns

# -- users ----------------------------------------------------------------------------------------------------------


@operation(username=str, password=str, pre_hashed=bool)
def add_user(host: Host, username: str, password: str, pre_hashed: bool) -> None:
    host.users.add(User.with_hash(username, password) if pre_hashed else User.with_password(username, password), BY)


@operation(username=str)
def delete_user(host: Host, username: str) -> None:
    host.users.delete(username, BY)


@operation(username=str, password=str)
def change_password(host: Host, username: str, password: str) -> None:
    host.users.change_password(username, password, BY)


@operation(username=str)
def clear_password(host: Host, username: str) -> None:
    host.users.clear_password(username, BY)


@operation(username=str, password=str)
def authenticate_user(host: Host, username: str, password: str) -> None:
    host.users.check_password(username, password)


@operation(username=str, tags=list)
def set_user_tags(host: Host, username: str, tags: list[str]) -> None:
    host.users.set_tags(username, tags, BY)


@operation()
def list_users(host: Host) -> list[dict[str, Any]]:
    return [{"user": user.name, "tags": list(user.tags)} for user in host.users]


@operation(username=str, limits=dict)
def set_user_limits(host: Host, username: str, limits: dict[str, Any]) -> None:
    host.users.set_limits(username, limits, BY)


@operation(username=str, limit=str)
def clear_user_limits(host: Host, username: str, limit: str) -> None:
    """limit: one, or "all"."""
    host.users.clear_limit(username, None if limit == "all" else limit, BY)


@operation(username=str)
def list_user_limits(host: Host, username: str) -> dict[str, int]:
    return dict(host.users[username].limits)


@operation()
def list_all_user_limits(host: Host) -> list[dict[str, Any]]:
    return [{"user": user.name, "limits": dict(user.limits)} for user in host.users if user.limits]


# -- virtual hosts --------------------------------------------------------------------------------------------------


@operation(vhost=str, description=str, tags=list, default_queue_type=str)
def add_vhost(host: Host, vhost: str, description: str, tags: list[str], default_queue_type: str) -> None:
    """default_queue_type: "" for the node's."""
    host.node.add_vhost(vhost, Metadata(description, tuple(tags), default_queue_type or None), BY)


@operation(vhost=str)
def delete_vhost(host: Host, vhost: str) -> InTurns[None]:
    host.vhost(vhost)
    return InTurns(host.node.until_done(host.node.delete_vhost(vhost, BY)))


@operation(vhost=str, limits=dict)
def set_vhost_limits(host: Host, vhost: str, limits: dict[str, Any]) -> None:
    try:
        host.vhost(vhost).set_limits(limits, BY)
    except ValueError as error:
        raise ValueError(f"Validation failed\n\n{error}\n") from error


@operation(vhost=str)
def clear_vhost_limits(host: Host, vhost: str) -> None:
    found = host.vhost(vhost)
    if not found.limits:
        raise Refused("Parameter does not exist")
    found.set_limits({}, BY)


@operation(vhost=str)
def list_vhost_limits(host: Host, vhost: str) -> dict[str, int]:
    return dict(host.vhost(vhost).limits)


@operation()
def list_all_vhost_limits(host: Host) -> list[dict[str, Any]]:
    return [{"vhost": vhost.name, "limits": dict(vhost.limits)} for vhost in host.node.vhosts.values() if vhost.limits]


# -- permissions ----------------------------------------------------------------------------------------------------


@operation(username=str, vhost=str, configure=str, write=str, read=str)
def set_permissions(host: Host, username: str, vhost: str, configure: str, write: str, read: str) -> None:
    host.users.permissions.set(username, vhost, Permission(configure, write, read), BY)


@operation(username=str, vhost=str)
def clear_permissions(host: Host, username: str, vhost: str) -> None:
    host.users.permissions.clear(username, vhost, BY)


@operation(vhost=str)
def list_permissions(host: Host, vhost: str) -> list[dict[str, Any]]:
    return [{"user": user, **_patterns(row)} for user, row in host.users.permissions.of_vhost(vhost)]


@operation(username=str)
def list_user_permissions(host: Host, username: str) -> list[dict[str, Any]]:
    return [{"vhost": vhost, **_patterns(row)} for vhost, row in host.users.permissions.of_user(username)]


@operation(username=str, vhost=str, exchange=str, write=str, read=str)
def set_topic_permissions(host: Host, username: str, vhost: str, exchange: str, write: str, read: str) -> None:
    host.users.permissions.set_topic(username, vhost, exchange, TopicPermission(write, read), BY)


@operation(username=str, vhost=str, exchanges=list)
def clear_topic_permissions(host: Host, username: str, vhost: str, exchanges: list[str]) -> None:
    """exchanges: one, or none for all."""
    host.users.permissions.clear_topic(username, vhost, exchanges[0] if exchanges else None, BY)


@operation(vhost=str)
def list_topic_permissions(host: Host, vhost: str) -> list[dict[str, Any]]:
    return [
        {"user": user, "exchange": exchange, "write": row.write, "read": row.read}
        for user, exchange, row in host.users.permissions.topics_of_vhost(vhost)
    ]


@operation(username=str)
def list_user_topic_permissions(host: Host, username: str) -> list[dict[str, Any]]:
    return [
        {"vhost": vhost, "exchange": exchange, "write": row.write, "read": row.read}
        for vhost, exchange, row in host.users.permissions.topics_of_user(username)
    ]


def _patterns(row: Permission) -> dict[str, str]:
    return {"configure": row.configure, "write": row.write, "read": row.read}
