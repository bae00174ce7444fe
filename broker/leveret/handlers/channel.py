"""A channel of a connection, and the channel class of methods."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from leveret.core.channel import Channel as CoreChannel
from leveret.core.channel import Origin
from leveret_protocol import methods
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.methods import Frame, encode_method, make

if TYPE_CHECKING:
    from leveret.auth.access import VirtualHostAccess
    from leveret.core.vhost import VirtualHost
    from leveret.handlers.connection import Connection


class ChannelState(enum.Enum):
    OPEN = "open"
    CLOSING = "closing"  # the server sent channel.close; everything but close and close-ok is thrown away


class Channel:
    """number: the channel number; core: what it holds; last_queue: the name an empty queue name stands for (M-12).

    access: what its user may do. name_by_server: the name of a queue without one that is being declared, else "".
    """

    __slots__ = (
        "access",
        "connection",
        "core",
        "has_confirms_to_tell",
        "last_queue",
        "name_by_server",
        "number",
        "state",
    )

    def __init__(self, connection: Connection, number: int, vhost: VirtualHost, access: VirtualHostAccess) -> None:
        self.connection = connection
        self.access = access
        self.number = number
        origin = Origin(connection.name, connection.pid, number, connection.user_name)
        self.core = CoreChannel(vhost, origin, self._timed_out)
        self.state = ChannelState.OPEN
        self.last_queue: str | None = None
        self.name_by_server = ""
        self.has_confirms_to_tell = False

    @property
    def user(self) -> str:
        """The name of the user whose channel it is."""
        return self.core.origin.user_name

    def send(self, method: Frame) -> None:
        self.connection.send(encode_method(self.number, method))

    def _timed_out(self, timeout_ms: int) -> None:
        """A delivery was not acknowledged in time: PRECONDITION_FAILED (406) (RabbitMQ: ALM-9)."""
        text = (
            f"delivery acknowledgement on channel {self.number} timed out. Timeout value used: {timeout_ms} ms. "
            "This timeout value can be configured, see consumers doc guide to learn more"
        )
        self.connection.close_channel(self, AMQPError(ReplyCode.PRECONDITION_FAILED, text, 0, 0))

    def queue_name(self, name: str) -> str:
        """An empty name is the queue last declared on this channel. Raises NOT_FOUND (404) if there is none."""
        if name:
            return name
        if self.last_queue is None:
            raise AMQPError(ReplyCode.NOT_FOUND, "no previously declared queue")
        return self.last_queue


def flow(_channel: Channel, method: methods.Channel.Flow) -> Frame:
    """RabbitMQ: CF-1. Raises NOT_IMPLEMENTED (540): clients cannot stop deliveries this way."""
    if not method.active:
        raise AMQPError(ReplyCode.NOT_IMPLEMENTED, "active=false")
    return make(methods.Channel.FlowOk, active=True)


def request_access(_channel: Channel, _method: Frame) -> Frame:
    """access.request of AMQP 0-8: always granted (RabbitMQ: M-7)."""
    return make(methods.Access.RequestOk, ticket=1)
