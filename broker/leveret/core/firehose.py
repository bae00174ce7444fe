"""Tracing of a virtual host: while it is on, every publish and every delivery is copied to amq.rabbitmq.trace.

RabbitMQ: XT-23. While it is off it costs nothing: no message is asked whether it is traced. Switching it on voids
remembered routes, so that publishes come by here, and puts a tap before the door of each consumer; switching it off
takes the taps away.

Copies are published a little later, as work of the node. A delivery is made in the midst of a queue's work, and that
queue may be among those that get the copy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from leveret.core.routing import hand_out
from leveret_protocol.fields import Field, FieldValue, Table

if TYPE_CHECKING:
    from leveret.core.channel import Origin
    from leveret.core.consumer import Consumer, Send
    from leveret.core.message import Message
    from leveret.core.reply import ReplyConsumer
    from leveret.core.vhost import VirtualHost

TRACE_EXCHANGE: Final = "amq.rabbitmq.trace"
ROUTING_KEY_BYTES_MAX: Final = 255

# The properties as RabbitMQ lists them: last one first.
_PROPERTIES: Final = (
    "cluster_id", "app_id", "user_id", "type", "timestamp", "message_id", "expiration", "reply_to", "correlation_id",
    "priority", "delivery_mode", "headers", "content_encoding", "content_type",
)  # fmt: skip


class Firehose:
    """Of one virtual host. What is published to amq.rabbitmq.trace itself is not traced, and neither is what the
    broker publishes of its own accord: dead letters and events.
    """

    __slots__ = ("_vhost", "_waiting", "is_on")

    def __init__(self, vhost: VirtualHost) -> None:
        self.is_on = False
        self._vhost = vhost
        self._waiting: deque[Message] = deque()

    # -- on and off -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """`rabbitmqctl trace_on`. Twice is once."""
        if self.is_on:
            return
        self.is_on = True
        self._vhost.generation += 1
        for queue_name, consumer in self._consumers():
            self.tap(consumer, queue_name)

    def stop(self) -> None:
        """`rabbitmqctl trace_off`. What has been traced is still published."""
        if not self.is_on:
            return
        self.is_on = False
        self._vhost.generation += 1
        for _, consumer in self._consumers():
            if isinstance(consumer.send, _Tap):
                consumer.send = consumer.send.door

    def tap(self, consumer: Consumer | ReplyConsumer, queue_name: str) -> None:
        """A new consumer: what it is given is traced as well, if tracing is on."""
        if self.is_on:
            consumer.send = _Tap(consumer.send, self, queue_name, consumer.channel.origin)

    def _consumers(self) -> Iterator[tuple[str, Consumer | ReplyConsumer]]:
        for queue in self._vhost.queues.values():
            for consumer in queue.consumers:
                yield queue.name, consumer
        yield from self._vhost.reply_consumers.items()

    # -- what is traced ---------------------------------------------------------------------------------------------

    def published(
        self, message: Message, routing_keys: Iterable[str], queue_names: Iterable[str], origin: Origin
    ) -> None:
        """A client's publish was routed, even if to no queue, and whatever becomes of it then."""
        self._copy(
            f"publish.{message.exchange}",
            message,
            routing_keys,
            {**self._where(origin), "routed_queues": _array(queue_names)},
        )

    def delivered(self, message: Message, queue_name: str, redelivered: bool, origin: Origin) -> None:
        """A message was sent to a consumer, or taken with basic.get."""
        self._copy(
            f"deliver.{queue_name}",
            message,
            message.routing_keys,
            {"redelivered": Field("I", int(redelivered)), **self._where(origin)},
        )

    def _where(self, origin: Origin) -> Table:
        return {
            "vhost": Field("S", self._vhost.name),
            "connection": Field("S", origin.connection_name),
            "channel": Field("I", origin.channel_number),
            "user": Field("S", origin.user_name),
        }

    def _copy(self, key: str, message: Message, routing_keys: Iterable[str], more: Table) -> None:
        if message.exchange == TRACE_EXCHANGE:
            return
        node = self._vhost.node
        headers: Table = {
            "exchange_name": Field("S", message.exchange),
            "routing_keys": _array(routing_keys),
            "properties": Field("F", dict(_properties(message))),
            "node": Field("S", node.name),
            **more,
        }
        self._waiting.append(node.make_message(TRACE_EXCHANGE, _shortened(key), headers, message.body))
        node.add_work(self._publish)

    def _publish(self) -> None:
        """All that waited when this began: a slice of a fixed size would fall behind those who publish."""
        exchange = self._vhost.exchanges.get(TRACE_EXCHANGE)
        if exchange is None:  # the virtual host has been deleted
            self._waiting.clear()
            return
        for _ in range(len(self._waiting)):
            copy = self._waiting.popleft()
            hand_out(copy, self._vhost.route(exchange, (copy.routing_key,), copy))


class _Tap:
    """What stands before the door of a consumer while tracing is on. It is told of a delivery once that is sent."""

    __slots__ = ("_firehose", "_origin", "_queue_name", "door")

    def __init__(self, door: Send, firehose: Firehose, queue_name: str, origin: Origin) -> None:
        self.door = door
        self._firehose = firehose
        self._queue_name = queue_name
        self._origin = origin

    def __call__(self, delivery_tag: int, redelivered: bool, message: Message) -> bool:
        is_full = self.door(delivery_tag, redelivered, message)
        self._firehose.delivered(message, self._queue_name, redelivered, self._origin)
        return is_full


def _array(texts: Iterable[str]) -> Field:
    return Field("A", [Field("S", text) for text in texts])


def _properties(message: Message) -> Iterator[tuple[str, Field]]:
    for name in _PROPERTIES:
        value: FieldValue = getattr(message.properties, name)
        match value:
            case None:
                continue
            case int():
                yield name, Field("I", (value + 2**31) % 2**32 - 2**31)  # RabbitMQ: the low 32 bits of a timestamp
            case dict():
                yield name, Field("F", value)
            case _:
                yield name, Field("S", value)


def _shortened(key: str) -> str:
    """RabbitMQ routes by a longer key, but cannot deliver with it."""
    octets = key.encode("utf-8", "surrogateescape")
    return key if len(octets) <= ROUTING_KEY_BYTES_MAX else octets[:ROUTING_KEY_BYTES_MAX].decode("utf-8", "ignore")
