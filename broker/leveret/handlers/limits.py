"""May a user open this virtual host, may there be one more channel: what is asked when either is opened.

A user's limits are looked up each time, so that new ones hold for connections that are there already.
"""

from __future__ import annotations

from leveret.auth.access import Authority
from leveret.auth.users import User, Users
from leveret.core.limits import limit_in_force
from leveret.core.node import Node
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError, ReplyCode


def vhost_to_open(name: str, user: User, authority: Authority, users: Users, node: Node) -> VirtualHost:
    """The virtual host of this name, for one more connection of the user.

    Raises NOT_ALLOWED (530), in this order: there is none, it has too many connections, the user has, the user has no
    permission for it (RabbitMQ: section 1.5 of the wire behaviour). Raises Unanswered.
    """
    vhost = node.vhost(name)
    limit = limit_in_force(vhost.limits, "max-connections")
    if limit is not None and len(node.connections.of_vhost(name)) >= limit:
        refusal = f"access to vhost '{name}' refused for user '{user.name}'"
        raise AMQPError(ReplyCode.NOT_ALLOWED, f"{refusal}: connection limit ({limit}) is reached")
    limit = limit_in_force(users.limits(user.name), "max-connections")
    if limit is not None and len(node.connections.of_user(user.name)) >= limit:
        refusal = f"connection refused for user '{user.name}'"
        raise AMQPError(ReplyCode.NOT_ALLOWED, f"{refusal}: user connection limit ({limit}) is reached")
    if not authority.may_open(user.name, name):
        raise AMQPError(ReplyCode.NOT_ALLOWED, f"access to vhost '{name}' refused for user '{user.name}'")
    return vhost


def check_channel_max(channel_count: int, channel_max: int) -> None:
    """One more channel. Raises NOT_ALLOWED (530): the connection has as many as were negotiated (RabbitMQ: CH-3)."""
    if channel_count >= channel_max:
        reached = f"has reached the negotiated channel_max ({channel_max})"
        raise AMQPError(ReplyCode.NOT_ALLOWED, f"number of channels opened ({channel_count}) {reached}", 0, 0)


def check_channel_limit(user: User, users: Users, node: Node) -> None:
    """One more channel. Raises NOT_ALLOWED (530): the user has too many (RabbitMQ: CH-4, 4.x's text)."""
    limit = limit_in_force(users.limits(user.name), "max-channels")
    if limit is None:
        return
    channel_count = sum(connection.channel_count for connection in node.connections.of_user(user.name))
    if channel_count >= limit:
        reached = f"has reached the maximum allowed user limit of {limit}"
        raise AMQPError(ReplyCode.NOT_ALLOWED, f"number of channels opened for user '{user.name}' {reached}", 0, 0)
