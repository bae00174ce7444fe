"""What a broker begins with when there is nothing yet: one virtual host, and one user who may do everything there."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from leveret.auth.permissions import Permission
from leveret.auth.users import User, Users
from leveret.core.node import DEFAULT_VHOST, Node

log = logging.getLogger(__name__)


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
    if not node.is_new:
        return
    log.info("Adding vhost '%s' (description: 'Default virtual host', tags: [])", first.vhost)
    users.add(User.with_password(first.user, first.password, first.tags))
    log.info("Created user '%s'", first.user)
    log.info("Successfully set user tags for user '%s' to [%s]", first.user, ",".join(first.tags))
    users.permissions.set(first.user, first.vhost, Permission(first.configure, first.write, first.read))
    log.info(
        "Successfully set permissions for user '%s' in virtual host '%s' to '%s', '%s', '%s'",
        first.user, first.vhost, first.configure, first.write, first.read,
    )  # fmt: skip
