"""A node, and clients that write down what they are sent: the core without sockets and without handlers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from leveret.core.binding import Destination
from leveret.core.channel import Channel
from leveret.core.consumer import Consumer
from leveret.core.exchanges import Exchange
from leveret.core.message import Message, Properties
from leveret.core.node import Node
from leveret.core.queue import Queue
from leveret.core.vhost import VirtualHost
from leveret_protocol.errors import AMQPError
from leveret_protocol.fields import Table, table


class NumberedMessage:
    """A message that is nothing but a number, and what queues look at."""

    __slots__ = ("_expiration_ms", "_priority", "number", "size")

    exchange = routing_key = ""
    body = b""
    body_size_bytes = 0
    is_dead_letter = False
    failed_count = 0
    is_persistent = False
    waiter = None

    def __init__(
        self, number: int, size_bytes: int = 1, *, expiration_ms: int | None = None, priority: int | None = None
    ) -> None:
        self.number = number
        self.size = size_bytes
        self._expiration_ms = expiration_ms
        self._priority = priority

    @property
    def expiration_ms(self) -> int | None:
        return self._expiration_ms

    @property
    def priority(self) -> int | None:
        return self._priority

    def __bytes__(self) -> bytes:
        raise AssertionError("these are not kept")

    def with_headers(self, headers: Table) -> Message:
        return self

    @property
    def size_bytes(self) -> int:
        return self.size

    @property
    def routing_keys(self) -> list[str]:
        return [self.routing_key]

    @property
    def properties(self) -> Properties:
        raise AssertionError("nothing here depends on the properties")

    def dead_lettered(
        self, exchange: str, routing_keys: Sequence[str], properties: Properties, failed_count: int
    ) -> Message:
        raise AssertionError("no queue here has a dead-letter exchange")


class Received(NamedTuple):
    consumer_tag: str
    delivery_tag: int
    redelivered: bool
    number: int


class Client:
    """One channel and its consumers. received: all deliveries in their order; cancelled: the tags the broker ended."""

    def __init__(self, vhost: VirtualHost) -> None:
        self.channel = Channel(vhost)
        self.received: list[Received] = []
        self.cancelled: list[str] = []

    def consume(
        self, queue: Queue, tag: str = "c", *, no_ack: bool = False, priority: int = 0, exclusive: bool = False
    ) -> Consumer:
        def send(delivery_tag: int, redelivered: bool, message: Message) -> bool:
            assert isinstance(message, NumberedMessage)
            self.received.append(Received(tag, delivery_tag, redelivered, message.number))
            return False

        consumer = queue.consumer_class(
            tag, queue, self.channel, no_ack=no_ack, exclusive=exclusive, priority=priority, arguments={},
            send=send, cancelled=lambda: self.cancelled.append(tag),
        )  # fmt: skip
        self.channel.add_consumer(consumer)
        return consumer

    def get(self, queue: Queue, *, no_ack: bool = False) -> Received | None:
        entry = queue.get(no_ack=no_ack)
        if entry is None:
            return None
        delivery_tag = self.channel.take(entry, queue, no_ack=no_ack)
        assert isinstance(entry.message, NumberedMessage)
        return Received("", delivery_tag, entry.redelivered, entry.message.number)

    def get_all(self, queue: Queue) -> list[int]:
        """The numbers of all ready messages, in the order of the queue. They stay unacked."""
        numbers = []
        while (got := self.get(queue)) is not None:
            numbers.append(got.number)
        return numbers

    @property
    def numbers(self) -> list[int]:
        return [received.number for received in self.received]

    def numbers_of(self, tag: str) -> list[int]:
        return [received.number for received in self.received if received.consumer_tag == tag]


def publish(queue: Queue, *numbers: int) -> None:
    for number in numbers:
        queue.publish(NumberedMessage(number))


def finish(node: Node) -> None:
    """Run the node's work to its end."""
    while node.has_work():
        node.run_slice()


def declare_queue(
    vhost: VirtualHost, name: str = "q", *, durable: bool = False, exclusive: bool = False, auto_delete: bool = False,
    arguments: Mapping[str, Any] | None = None, owner: object = None,
) -> Queue:  # fmt: skip
    return vhost.declare_queue(
        name, durable=durable, exclusive=exclusive, auto_delete=auto_delete, arguments=table(arguments or {}),
        owner=owner,
    )  # fmt: skip


def declare_exchange(
    vhost: VirtualHost, name: str = "x", type_name: str = "direct", *, durable: bool = False,
    auto_delete: bool = False, internal: bool = False, arguments: Mapping[str, Any] | None = None,
) -> Exchange:  # fmt: skip
    return vhost.declare_exchange(
        name, type_name, durable=durable, auto_delete=auto_delete, internal=internal, arguments=table(arguments or {})
    )


def told(error: AMQPError) -> tuple[int, str]:
    """What the peer sees of it."""
    return error.reply_code.value, error.explanation


def bind(
    vhost: VirtualHost, source: str, destination: Destination, key: str = "k", arguments: Table | None = None
) -> None:
    vhost.bind(source, destination, key, arguments or {})


def unbind(
    vhost: VirtualHost, source: str, destination: Destination, key: str = "k", arguments: Table | None = None
) -> None:
    binding = vhost.find_binding(source, destination, key, arguments or {})
    assert binding is not None
    vhost.unbind(binding)


def routed(vhost: VirtualHost, exchange: str, key: str = "k") -> list[str]:
    queues = vhost.route(vhost.exchange(exchange), [key], NumberedMessage(1))
    return [queue.name for queue in queues]
