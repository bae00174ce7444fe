"""What a broker begins with when there is nothing yet: one virtual host, and one user who may do everything there."""

from __future__ import annotations

from dataclasses import dataclass, field

from leveret.auth.permissions import Permission
from leveret.auth.users import User, Users
from leveret.core.node import DEFAULT_VHOST, Node


@dataclass(frozen=True, slots=True)
class FirstDefinitions:
    """RabbitMQ's settings default_user, default_pass, default_user_tags, default_vhost and default_permissions."""

    user: str = "guest"
    password: str = field(default="guest", repr=False)
    tags: tuple[str, ...] = ("administrator",)
    vhost: str = DEFAULT_VHOST
    configure: str = ".*"
    write: str = ".*"
    read: str = ".*"


def make_first_definitions(node: Node, users: Users, first: FirstDefinitions) -> None:
    """The user of a node that is new; does nothing for one that has definitions, whatever these are.

    The virtual host is the one the node has made: give it the name (`Node(default_vhost=...)`).
    Raises InvalidPermission.
    """
    if node.is_new:
        users.add(User.with_password(first.user, first.password, first.tags))
        permission = Permission(first.configure, first.write, first.read)
        users.permissions.set(first.user, first.vhost, permission)
