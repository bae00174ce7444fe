"""What is sent and what must arrive: the messages of a load, by their number. Publisher and consumer share it."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from dataclasses import dataclass

from interop.bench import wire

CONSUMER_TAG = "bench"
TOPIC_KEYS = 64 * wire.SEQUENCE_CYCLE  # so many different routing keys go round
HEADER_NAME = "sensor"


@dataclass(frozen=True)
class Stream:
    """A load of messages of equal size through one exchange; `name` in the methods is that of the run.

    `window`: messages on their way (published and not delivered, or not confirmed) at most; None is no limit.
    """

    body_size: int = 16
    window: int | None = None
    confirms: bool = False
    is_durable: bool = False  # a durable queue, and persistent messages
    prefetch: int = 0  # 0: automatic acks
    ack_every: int = 0
    queues: int = 1
    exchange_type: str = ""  # "": the default exchange
    bindings: int = 1  # of each queue; a topic's and headers' messages match one of them, a direct's the first

    def queue(self, name: str, index: int = 0) -> str:
        """The name of one of the queues."""
        return f"{name}-{index}"

    def binding(self, index: int) -> tuple[str, Mapping[str, str]]:
        """Binding key and arguments of a queue's n-th binding."""
        if self.exchange_type == "topic":
            return f"sensor.{index:04}.*.reading", {}
        if self.exchange_type == "headers":
            return "", {"x-match": "all", HEADER_NAME: f"{index:04}", "kind": "reading"}
        return f"key-{index:05}", {}

    def publish(self, name: str, number: int) -> bytes:
        """The n-th publish, counted from 0, whole."""
        exchange, routing_key, properties = self._routing(name, number)
        return wire.publish(routing_key, wire.body(number, self.body_size), exchange, properties)

    def delivery(self, name: str, number: int) -> bytes:
        """The n-th delivery as each consumer gets it, whole."""
        exchange, routing_key, properties = self._routing(name, number)
        body = wire.body(number, self.body_size)
        return wire.delivery(CONSUMER_TAG, number + 1, routing_key, body, exchange, properties)

    def publishes(self, name: str, run_max: int) -> wire.PublishBlock:
        """All publishes, for runs of at most `run_max`."""
        cycle = wire.SEQUENCE_CYCLE if self.exchange_type not in ("topic", "headers") else TOPIC_KEYS
        return wire.PublishBlock([self.publish(name, number) for number in range(cycle)], run_max)

    def set_up(self, client: wire.Client, name: str, index: int = 0) -> str:
        """Declare the exchange and one of the queues, bind it, and return its name."""
        queue = self.queue(name, index)
        client.declare(queue, wire.DURABLE if self.is_durable else wire.EXCLUSIVE)
        if self.exchange_type:
            client.declare_exchange(name, self.exchange_type)
            for binding in range(self.bindings):
                client.bind(queue, name, *self.binding(binding))
        return queue

    def _routing(self, name: str, number: int) -> tuple[str, str, bytes]:
        """(exchange, routing key, encoded properties) of a message."""
        properties = wire.PERSISTENT if self.is_durable else wire.TRANSIENT
        if self.exchange_type == "topic":
            return name, _topic_keys(self.bindings)[number % TOPIC_KEYS], properties
        if self.exchange_type == "headers":
            value = f"{number % TOPIC_KEYS * 7919 % self.bindings:04}"
            return name, "", wire.with_headers({HEADER_NAME: value, "kind": "reading"})
        return (name, self.binding(0)[0], properties) if self.exchange_type else ("", self.queue(name), properties)


@functools.cache
def _topic_keys(bindings: int) -> list[str]:
    """Random keys that one of the bindings matches each, the same in every process."""
    source = random.Random(bindings)
    return [f"sensor.{source.randrange(bindings):04}.{source.randrange(10**6):06}.reading" for _ in range(TOPIC_KEYS)]
