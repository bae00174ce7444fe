"""Words for the scenarios with blocking pika: a consumer that gathers, waiting for an event, emptying a queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pika
from pika.adapters.blocking_connection import BlockingChannel

DEADLINE_SECONDS = 10.0


class Delivery(NamedTuple):
    """One message as pika hands it over."""

    method: Any  # pika.spec.Basic.Deliver
    properties: pika.BasicProperties
    body: bytes


class Consumer:
    """Consumes from a queue and keeps what it got, in order; `on_delivery` sees each delivery as it comes."""

    def __init__(
        self,
        channel: BlockingChannel,
        queue: str,
        on_delivery: Callable[[Delivery], object] | None = None,
        **consume_arguments: Any,
    ) -> None:
        self.channel = channel
        self.queue = queue
        self.deliveries: list[Delivery] = []
        self._on_delivery = on_delivery
        self.tag = channel.basic_consume(queue, self._deliver, **consume_arguments)

    def _deliver(self, _channel: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        delivery = Delivery(method, properties, body)
        self.deliveries.append(delivery)
        if self._on_delivery:
            self._on_delivery(delivery)

    @property
    def bodies(self) -> list[bytes]:
        return [delivery.body for delivery in self.deliveries]

    def wait(self, count: int) -> list[Delivery]:
        """The first `count` deliveries, once they are here."""
        wait_until(self.channel.connection, lambda: len(self.deliveries) >= count)
        return self.deliveries[:count]

    def bodies_so_far(self) -> list[bytes]:
        """All that the broker has sent up to now: a reply on the same channel comes behind earlier deliveries."""
        self.channel.queue_declare(self.queue, passive=True)
        self.channel.connection.process_data_events(0)
        return self.bodies


def acknowledging(channel: BlockingChannel) -> Callable[[Delivery], None]:
    """For `Consumer(on_delivery=...)`: acknowledge each message at once."""
    return lambda delivery: channel.basic_ack(delivery.method.delivery_tag)


def wait_until(connection: pika.BlockingConnection, happened: Callable[[], bool]) -> None:
    """Let pika handle events until `happened()`. Raises: TimeoutError after DEADLINE_SECONDS"""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not happened():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(f"waited {DEADLINE_SECONDS} s in vain")
        connection.process_data_events(remaining)


def publish(channel: BlockingChannel, queue: str, *bodies: bytes) -> None:
    """Publish to a queue by its name."""
    for body in bodies:
        channel.basic_publish("", queue, body)


def drain(channel: BlockingChannel, queue: str) -> list[bytes]:
    """Empty a queue with basic.get and acknowledge everything."""
    bodies = []
    while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
        bodies.append(got[2])
    return bodies


def ready_count(channel: BlockingChannel, queue: str) -> int:
    """Ready messages by a passive declare."""
    return int(channel.queue_declare(queue, passive=True).method.message_count)


def wait_for_ready_count(channel: BlockingChannel, queue: str, count: int) -> None:
    """Ask again and again until the queue holds `count` ready messages: the count of a declare is no barrier."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (found := ready_count(channel, queue)) != count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{found} messages ready, not {count}, after {DEADLINE_SECONDS} s")
