"""What an alarm does to connections: those that publish hear of it, and are not read from (RabbitMQ: ALM-1, ALM-2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from leveret.handlers.publish import publish
from leveret_protocol import methods
from leveret_protocol.methods import encode_method, make

if TYPE_CHECKING:
    from leveret.handlers.channel import Channel
    from leveret.handlers.connection import Connection
    from leveret_protocol.publish import Publish

TakePublish = Callable[["Channel", "Publish", bytes, int], None]


class Alarmed:
    """One connection under alarms. is_blocked: it has published, or begun to, while one is on."""

    __slots__ = ("_connection", "is_blocked")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.is_blocked = False

    def changed(self, reason: str | None) -> TakePublish:
        """An alarm is on; None: none is any more. Answers what takes a publish from now on."""
        if reason is not None:
            return self._publish
        if self.is_blocked:
            self.is_blocked = False
            self._connection.wake()
            self._tell(make(methods.Connection.Unblocked))
        return publish

    def hold_up(self) -> None:
        """It publishes, or a body has begun: what its peer never ends would be memory, too."""
        if not self.is_blocked:
            self.is_blocked = True
            self._tell(make(methods.Connection.Blocked, reason=self._connection.node.alarms.reason))

    def _publish(self, channel: Channel, method: Publish, frames: bytes, header_size: int) -> None:
        self.hold_up()
        publish(channel, method, frames, header_size)

    def _tell(self, method: methods.Frame) -> None:
        if self._connection.has_capability("connection.blocked"):
            self._connection.send(encode_method(0, method))
