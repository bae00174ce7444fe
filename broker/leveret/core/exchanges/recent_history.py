"""The recent history exchange: a fanout that gives every new binding what passed last (RabbitMQ: section 5.6)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from leveret.core.binding import Binding, Destination
from leveret.core.exchanges.base import Exchange, Passed
from leveret.core.exchanges.header_fields import printed
from leveret.core.message import Message
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Field, Table

if TYPE_CHECKING:
    from leveret.core.vhost import VirtualHost

LENGTH_ARGUMENT: Final = "x-recent-history-length"
LENGTH_DEFAULT: Final = 20
LENGTH_TAGS: Final = frozenset("bsIlL")  # RabbitMQ: signed integers only; it reads `L` as `l`
NO_STORE_HEADER: Final = "x-recent-history-no-store"


class RecentHistoryExchange(Exchange):
    """Keys and binding arguments play no part. A message whose header x-recent-history-no-store is true is not kept.

    Messages are kept as they pass, whether anything is bound or not, and also those of a transaction that is rolled
    back later: in RabbitMQ, too, it is the routing that keeps them.
    """

    __slots__ = ("_history",)

    type_name = "x-recent-history"

    def __init__(
        self, vhost: VirtualHost, name: str, *, durable: bool, auto_delete: bool, internal: bool, arguments: Table
    ) -> None:
        super().__init__(vhost, name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=arguments)
        self._history: deque[Passed] = deque(maxlen=_length(arguments.get(LENGTH_ARGUMENT)))

    def route(self, routing_keys: Sequence[str], message: Message) -> Iterable[Destination]:
        no_store = (message.properties.headers or {}).get(NO_STORE_HEADER)
        if no_store != Field("t", True):
            self._history.append((routing_keys, message))
        return self.destinations()

    def history(self) -> Sequence[Passed]:
        return tuple(self._history)

    def _added(self, binding: Binding) -> None:
        """Nothing to keep: `destinations` is the route."""

    def _removed(self, binding: Binding) -> None:
        """Nothing to keep."""


def _length(argument: Field | None) -> int:
    if argument is None:
        return LENGTH_DEFAULT
    if argument.tag not in LENGTH_TAGS or not isinstance(argument.value, int) or argument.value <= 0:
        raise AMQPError(
            ReplyCode.PRECONDITION_FAILED,
            f"Invalid argument {printed(argument)}, '{LENGTH_ARGUMENT}' must be a positive integer",
        )
    return argument.value
