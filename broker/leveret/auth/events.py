"""What is told of users and permissions: the details that RabbitMQ's event exchange has of them (XT-24)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leveret.auth.permissions import Permission, TopicPermission
from leveret.core.event_details import USER, details
from leveret_protocol.fields import Table


def user_changed(name: str, by: str) -> Table:
    """Of user.created, user.deleted, user.password.changed and user.password.cleared."""
    return details({"name": name, USER: by})


def tags_set(name: str, tags: Iterable[str], by: str) -> Table:
    return details({"name": name, "tags": tuple(tags), USER: by})


def limits_set(name: str, limits: Mapping[str, int], by: str) -> Table:
    return details({"name": "limits", USER: by, "username": name, **limits})


def limits_cleared(name: str, by: str) -> Table:
    return details({"name": "limits", USER: by, "username": name})


def permission_created(user: str, vhost: str, permission: Permission, by: str) -> Table:
    patterns = {"configure": permission.configure, "write": permission.write, "read": permission.read}
    return details({"user": user, "vhost": vhost, **patterns, USER: by})


def topic_permission_created(user: str, vhost: str, exchange: str, permission: TopicPermission, by: str) -> Table:
    patterns = {"write": permission.write, "read": permission.read}
    return details({"user": user, "vhost": vhost, "exchange": exchange, **patterns, USER: by})


def permission_deleted(user: str, vhost: str, by: str) -> Table:
    """Of permission.deleted and topic.permission.deleted. Of one exchange alone RabbitMQ tells the former."""
    return details({"user": user, "vhost": vhost, USER: by})
