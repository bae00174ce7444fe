"""What the user of a connection may do in the virtual host it has opened; the texts of refusals (RabbitMQ: PERM-2)."""

from __future__ import annotations

from typing import Protocol

from leveret_protocol.errors import AMQPError, ReplyCode

DEFAULT_EXCHANGE = "amq.default"  # what the default exchange goes by in permissions (RabbitMQ: PERM-1)


class Authority(Protocol):
    """Who knows what a user may do; Grants is the one of the broker's own users."""

    def may_open(self, user: str, vhost: str) -> bool: ...

    def may_use(self, user: str, vhost: str, kind: str, name: str, right: str) -> bool:
        """kind: "queue" or "exchange"; right: "configure", "write" or "read"."""

    def may_use_topic(self, user: str, vhost: str, exchange: str, routing_key: str, right: str) -> bool:
        """right: "write", to publish with this key; "read", to bind with it."""


class VirtualHostAccess:
    """Every method answers nothing, or raises ACCESS_REFUSED (403). See leveret.core.access.

    Nothing is remembered here: publishes remember their routes until the generation of the virtual host moves on, which
    it does with every change of permissions, and others pay a search of a pattern that is compiled.
    """

    __slots__ = ("_authority", "_user", "_vhost")

    def __init__(self, authority: Authority, user_name: str, vhost_name: str) -> None:
        self._authority = authority
        self._user = user_name
        self._vhost = vhost_name

    def require_queue(self, right: str, name: str) -> None:
        self._require("queue", right, name)

    def require_exchange(self, right: str, name: str) -> None:
        self._require("exchange", right, name or DEFAULT_EXCHANGE)

    def require_topic(self, right: str, exchange: str, routing_key: str) -> None:
        """exchange: one of type topic."""
        if not self._authority.may_use_topic(self._user, self._vhost, exchange, routing_key, right):
            topic = f"topic '{routing_key}' in exchange '{exchange}' in vhost '{self._vhost}'"
            raise AMQPError(ReplyCode.ACCESS_REFUSED, f"{right} access to {topic} refused for user '{self._user}'")

    def _require(self, kind: str, right: str, name: str) -> None:
        if not self._authority.may_use(self._user, self._vhost, kind, name, right):
            used = f"{kind} '{name}' in vhost '{self._vhost}'"
            raise AMQPError(ReplyCode.ACCESS_REFUSED, f"{right} access to {used} refused for user '{self._user}'")
