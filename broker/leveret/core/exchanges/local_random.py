"""The local random exchange: one of the classic queues of this node, so with one node any of those bound to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from leveret.core.binding import Binding
from leveret.core.exchanges.random import RandomExchange
from leveret_protocol.errors import AMQPError, ReplyCode

if TYPE_CHECKING:
    from leveret.core.queue import Queue


class LocalRandomExchange(RandomExchange):
    """RabbitMQ: section 5.6, since 4.0."""

    __slots__ = ()

    type_name = "x-local-random"

    def validate_binding(self, binding: Binding) -> None:
        """Raises: PRECONDITION_FAILED (406): a binding key, a destination that is no classic queue."""
        if binding.routing_key:
            raise _refusal(f"Non empty binding '{binding.routing_key}' key not permitted")
        if binding.destination.is_exchange:
            raise _refusal("Destination not found")
        queue_type = cast("Queue", binding.destination).type_name
        if queue_type != "classic":
            raise _refusal(f"Queue type rabbit_{queue_type}_queue not valid for this exchange type")


def _refusal(explanation: str) -> AMQPError:
    return AMQPError(ReplyCode.PRECONDITION_FAILED, explanation)
