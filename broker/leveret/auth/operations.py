"""What an operator may have done by name, with arguments and results that are JSON: whoever carries them.

The names are rabbitmqctl's. On a running broker they come through its control socket; else the command line carries
them out on the data directory itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leveret.auth.errors import InvalidCredentials, NoSuchUser, NoSuchVirtualHost, UserExists
from leveret.auth.permissions import Permission, TopicPermission
from leveret.auth.users import User, Users
from leveret.core.metadata import Metadata
from leveret.core.node import Node
from leveret.core.vhost import VirtualHost

BY = "rmq-cli"  # RabbitMQ: who does what rabbitmqctl does


@dataclass(frozen=True, slots=True)
class _Operation:
    """arguments: those it takes, and their types. changes: something may be different afterwards."""

    run: Callable[..., Any]
    arguments: Mapping[str, type]
    changes: bool


OPERATIONS: dict[str, _Operation] = {}


def _operation(**arguments: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        name = run.__name__
        OPERATIONS[name] = _Operation(run, arguments, changes=not name.startswith(("list_", "authenticate_")))
        return run

    return register


def outcome(node: Node, users: Users, request: object) -> dict[str, Any]:
    """Carry a request out: `{"operation": name, "arguments": {...}}`.

    Answers `{"result": ...}`, or `{"error": text, "kind": ...}`, with a name for the kinds `no_such_user` and
    `no_such_vhost`; the others are `exists`, `credentials`, `invalid`, and `usage` for what is no request.
    """
    operation, arguments = _taken_apart(request)
    if operation is None:
        return _error("usage", "there is no such operation, or not with these arguments")
    try:
        return {"result": operation.run(node, users, **arguments)}
    except (NoSuchUser, NoSuchVirtualHost) as error:
        kind = "no_such_user" if isinstance(error, NoSuchUser) else "no_such_vhost"
        return {**_error(kind, str(error)), "name": error.name}
    except UserExists as error:
        return _error("exists", str(error))
    except InvalidCredentials as error:
        return _error("credentials", str(error))
    except ValueError as error:
        return _error("invalid", str(error))


def changes_something(request: object) -> bool:
    operation, _ = _taken_apart(request)
    return operation is not None and operation.changes


def _taken_apart(request: object) -> tuple[_Operation | None, Mapping[str, Any]]:
    match request:
        case {"operation": str(name), "arguments": dict(arguments)} if name in OPERATIONS:
            operation = OPERATIONS[name]
            wanted = operation.arguments
            if not _is_text(arguments):
                return None, {}
            if arguments.keys() == wanted.keys() and all(type(arguments[key]) is wanted[key] for key in wanted):
                return operation, arguments
    return None, {}


def _is_text(arguments: Mapping[str, Any]) -> bool:
    """Is all in it text that has bytes? JSON can have halves of characters, which go nowhere."""
    try:
        json.dumps(arguments, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"error": text, "kind": kind}


# -- users ----------------------------------------------------------------------------------------------------------


@_operation(username=str, password=str, pre_hashed=bool)
def add_user(_node: Node, users: Users, username: str, password: str, pre_hashed: bool) -> None:
    users.add(User.with_hash(username, password) if pre_hashed else User.with_password(username, password), BY)


@_operation(username=str)
def delete_user(_node: Node, users: Users, username: str) -> None:
    users.delete(username, BY)


@_operation(username=str, password=str)
def change_password(_node: Node, users: Users, username: str, password: str) -> None:
    users.change_password(username, password, BY)


@_operation(username=str)
def clear_password(_node: Node, users: Users, username: str) -> None:
    users.clear_password(username, BY)


@_operation(username=str, password=str)
def authenticate_user(_node: Node, users: Users, username: str, password: str) -> None:
    users.check_password(username, password)


@_operation(username=str, tags=list)
def set_user_tags(_node: Node, users: Users, username: str, tags: list[Any]) -> None:
    users.set_tags(username, map(str, tags), BY)


@_operation()
def list_users(_node: Node, users: Users) -> list[dict[str, Any]]:
    return [{"user": user.name, "tags": list(user.tags)} for user in users]


@_operation(username=str, limits=dict)
def set_user_limits(_node: Node, users: Users, username: str, limits: dict[str, Any]) -> None:
    users.set_limits(username, limits, BY)


@_operation(username=str, limit=str)
def clear_user_limits(_node: Node, users: Users, username: str, limit: str) -> None:
    """limit: one, or "all"."""
    users.clear_limit(username, None if limit == "all" else limit, BY)


@_operation(username=str)
def list_user_limits(_node: Node, users: Users, username: str) -> dict[str, int]:
    return dict(users[username].limits)


# -- virtual hosts --------------------------------------------------------------------------------------------------


@_operation(vhost=str, description=str, tags=list, default_queue_type=str)
def add_vhost(
    node: Node, _users: Users, vhost: str, description: str, tags: list[Any], default_queue_type: str
) -> None:
    """default_queue_type: "" for the node's."""
    node.add_vhost(vhost, Metadata(description, tuple(map(str, tags)), default_queue_type or None), BY)


@_operation(vhost=str)
def delete_vhost(node: Node, _users: Users, vhost: str) -> None:
    _vhost(node, vhost)
    node.delete_vhost(vhost, BY)


@_operation()
def list_vhosts(node: Node, _users: Users) -> list[dict[str, Any]]:
    return [
        {
            "name": vhost.name,
            "tracing": vhost.firehose.is_on,
            "description": vhost.metadata.description,
            "tags": list(vhost.metadata.tags),
            "default_queue_type": vhost.metadata.default_queue_type or node.default_queue_type,
        }
        for vhost in node.vhosts.values()
    ]


@_operation(vhost=str, limits=dict)
def set_vhost_limits(node: Node, _users: Users, vhost: str, limits: dict[str, Any]) -> None:
    try:
        _vhost(node, vhost).set_limits(limits, BY)
    except ValueError as error:
        raise ValueError(f"Validation failed\n\n{error}\n") from error


@_operation(vhost=str)
def clear_vhost_limits(node: Node, _users: Users, vhost: str) -> None:
    _vhost(node, vhost).set_limits({}, BY)


@_operation(vhost=str)
def list_vhost_limits(node: Node, _users: Users, vhost: str) -> dict[str, int]:
    return dict(_vhost(node, vhost).limits)


def _vhost(node: Node, name: str) -> VirtualHost:
    """Raises NoSuchVirtualHost."""
    try:
        return node.vhosts[name]
    except KeyError:
        raise NoSuchVirtualHost(name) from None


# -- permissions ----------------------------------------------------------------------------------------------------


@_operation(username=str, vhost=str, configure=str, write=str, read=str)
def set_permissions(
    _node: Node, users: Users, username: str, vhost: str, configure: str, write: str, read: str
) -> None:
    users.permissions.set(username, vhost, Permission(configure, write, read), BY)


@_operation(username=str, vhost=str)
def clear_permissions(_node: Node, users: Users, username: str, vhost: str) -> None:
    users.permissions.clear(username, vhost, BY)


@_operation(vhost=str)
def list_permissions(_node: Node, users: Users, vhost: str) -> list[dict[str, Any]]:
    return [{"user": user, **_patterns(row)} for user, row in users.permissions.of_vhost(vhost)]


@_operation(username=str)
def list_user_permissions(_node: Node, users: Users, username: str) -> list[dict[str, Any]]:
    return [{"vhost": vhost, **_patterns(row)} for vhost, row in users.permissions.of_user(username)]


@_operation(username=str, vhost=str, exchange=str, write=str, read=str)
def set_topic_permissions(
    _node: Node, users: Users, username: str, vhost: str, exchange: str, write: str, read: str
) -> None:
    users.permissions.set_topic(username, vhost, exchange, TopicPermission(write, read), BY)


@_operation(username=str, vhost=str, exchanges=list)
def clear_topic_permissions(_node: Node, users: Users, username: str, vhost: str, exchanges: list[Any]) -> None:
    """exchanges: one, or none for all."""
    users.permissions.clear_topic(username, vhost, str(exchanges[0]) if exchanges else None, BY)


@_operation(vhost=str)
def list_topic_permissions(_node: Node, users: Users, vhost: str) -> list[dict[str, Any]]:
    return [
        {"user": user, "exchange": exchange, "write": row.write, "read": row.read}
        for user, exchange, row in users.permissions.topics_of_vhost(vhost)
    ]


@_operation(username=str)
def list_user_topic_permissions(_node: Node, users: Users, username: str) -> list[dict[str, Any]]:
    return [
        {"vhost": vhost, "exchange": exchange, "write": row.write, "read": row.read}
        for vhost, exchange, row in users.permissions.topics_of_user(username)
    ]


def _patterns(row: Permission) -> dict[str, str]:
    return {"configure": row.configure, "write": row.write, "read": row.read}
