"""The event exchange: what happens in the broker, as messages. In RabbitMQ a plugin, rabbitmq_event_exchange."""

from __future__ import annotations

from typing import Final

from leveret.core.binding import Binding
from leveret.core.events import Event
from leveret.core.exchanges.topic import TopicExchange
from leveret.core.routing import hand_out
from leveret_protocol.fields import Field

EVENT_EXCHANGE: Final = "amq.rabbitmq.event"
PERSISTENT: Final = 2


class EventExchange(TopicExchange):
    """RabbitMQ: XT-24. It observes the node while it has bindings, so that nothing is built for nobody.

    Names of events are routing keys, details are headers; there is no body. RabbitMQ's headers come the other way
    round than the details are told.
    """

    __slots__ = ()

    def _added(self, binding: Binding) -> None:
        super()._added(binding)
        if len(self.bindings) == 1:
            self.vhost.node.events.add_observer(self._publish)

    def _removed(self, binding: Binding) -> None:
        super()._removed(binding)
        if not self.bindings:
            self.vhost.node.events.remove_observer(self._publish)

    def _publish(self, event: Event) -> None:
        headers = dict(reversed(event.details.items()))
        headers["timestamp_in_ms"] = Field("l", event.timestamp_ms)
        message = self.vhost.node.make_message(
            self.name, event.name, headers, delivery_mode=PERSISTENT, timestamp=event.timestamp_ms // 1000
        )
        hand_out(message, self.vhost.route(self, (event.name,), message))
