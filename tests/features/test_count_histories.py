"""Counts against plain counting, over random histories: what a client sent and was sent, one by one.

The broker derives most counts from a few numbers, at moments of its own choosing. Here nothing is derived: each publish
is routed anew and each frame that comes is looked at.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from leveret.core.channel import ChannelMode
from leveret.core.counts import SIZE_BOUNDS, MessageCounts
from leveret.handlers.content import make_message
from leveret_protocol.fields import table
from leveret_protocol.methods import Basic, Channel, Confirm, Exchange, Queue, Tx, make
from tests.harness import BrokerHarness

HISTORIES = int(os.environ.get("LEVERET_COUNT_HISTORIES", "24"))
STEPS = 150
CHANNELS = (1, 2)
QUEUES: dict[str, dict[str, Any]] = {
    "classic": {},
    "kept": {"durable": True, "arguments": {"x-dead-letter-exchange": "fan", "x-max-length": 4}},
    "full": {"arguments": {"x-max-length": 2, "x-overflow": "reject-publish"}},
    "quorum": {"durable": True, "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 2}},
}
EXCHANGES = {"fan": "fanout", "keys": "direct", "heads": "headers", "on": "topic"}
KEYS = (*QUEUES, "nowhere")


class History:
    """A broker, two clients, and what should have been counted.

    counts: (whose, name) -> how many. whose: the object itself, "vhost", a type of queue, or a pair (channel, other).
    outstanding, open: of each channel, what may be acked, and the publishes that may be confirmed.
    """

    def __init__(self, random: Random, *, is_durable: bool) -> None:
        self.random = random
        self.harness = BrokerHarness.durable() if is_durable else BrokerHarness()
        self.vhost = self.harness.node.vhosts["/"]
        self.clients = [self.harness.connect(channels=CHANNELS) for _ in range(2)]
        self.counts: Counter[Any] = Counter()
        self.outstanding: dict[Any, dict[int, Any]] = {}
        self.open: dict[Any, set[int]] = {}
        self.numbers: Counter[Any] = Counter()
        self.held: dict[Any, list[Any]] = {}
        self.consumers: dict[str, Any] = {}
        self.got: Any = None
        self.sizes: Counter[int] = Counter()
        self.tags = 0
        self.places: dict[Any, tuple[str, str, bool]] = {}
        for name in QUEUES:
            self.declare_queue(name)
        for name in EXCHANGES:
            self.declare_exchange(name)

    # -- doing ------------------------------------------------------------------------------------------------------

    def channel(self) -> tuple[Any, int, Any]:
        """Client, number, and the broker's channel, which stands for it in all that is counted."""
        client, number = self.random.choice(self.clients), self.random.choice(CHANNELS)
        (channel,) = (one for one in client.connection.channels if one.number == number)
        self.outstanding.setdefault(channel, {})
        self.held.setdefault(channel, [])
        self.open.setdefault(channel, set())
        return client, number, channel

    def do(self, client: Any, number: int, *methods: Any) -> None:
        client.send(*methods, channel=number)
        self.settle()

    def settle(self) -> None:
        """Until nothing more comes."""
        is_over = False
        while not is_over:
            is_over = True
            if self.harness.store is not None:
                self.harness.commit()
            is_over &= self.harness.run_work() == 0
            for client in self.clients:
                for received in client.received():
                    is_over = False
                    self.look_at(client, received)

    def declare_queue(self, name: str) -> None:
        options = QUEUES[name]
        method = make(Queue.Declare, queue=name, durable=options.get("durable", False),
                      arguments=table(options.get("arguments", {})))  # fmt: skip
        self.do(self.clients[0], 1, method)

    def declare_exchange(self, name: str) -> None:
        self.do(self.clients[0], 1, make(Exchange.Declare, exchange=name, exchange_type=EXCHANGES[name]))

    def redeclare(self) -> None:
        name = self.random.choice([*QUEUES, *EXCHANGES])
        if name in QUEUES:
            self.do(self.clients[1], 2, make(Queue.Delete, queue=name))
            self.declare_queue(name)
        else:
            self.do(self.clients[1], 2, make(Exchange.Delete, exchange=name))
            self.declare_exchange(name)

    def bind(self) -> None:
        source, queue = self.random.choice(list(EXCHANGES)), self.random.choice(list(QUEUES))
        cls = self.random.choice([Queue.Bind, Queue.Bind, Queue.Unbind])
        self.do(self.clients[0], 1, make(cls, queue=queue, exchange=source, routing_key=queue))
        if self.random.random() < 0.2:
            self.do(self.clients[0], 1, make(Exchange.Bind, source=source, destination="fan", routing_key="classic"))

    def publish(self) -> None:
        client, number, channel = self.channel()
        if self.random.random() < 0.5:  # else where it was published to before, which may lead elsewhere now
            mandatory = self.random.random() < 0.3
            self.places[channel] = (self.random.choice(["", "", *EXCHANGES]), self.random.choice(KEYS), mandatory)
        exchange, key, mandatory = self.places.get(channel, ("keys", "classic", False))
        size = self.random.choice([0, 1, 100, 101, 1000, 20_000])
        options: dict[str, Any] = {"mandatory": mandatory}
        headers: dict[str, Any] = {}
        kind = self.random.random()
        if kind < 0.2:
            options["delivery_mode"] = 2
        elif kind < 0.3:
            headers = {"CC": [self.random.choice(KEYS)]}
            options["headers"] = headers
        for _ in range(self.random.choice([1, 1, 3])):
            keys = [key, *headers.get("CC", [])]
            message = make_message(exchange, key, table(headers))
            queues = list(self.vhost.route(self.vhost.exchanges[exchange], keys, message))
            self.counts["received"] += 1
            self.sizes[size] += 1
            is_confirming = channel.core.mode is ChannelMode.CONFIRM
            if is_confirming:
                self.counts["received_confirm"] += 1
                self.numbers[channel] += 1
                self.open[channel].add(self.numbers[channel])
            if channel.core.mode is ChannelMode.TX:
                names = keys if exchange == "" else [queue.name for queue in queues]
                self.held[channel].append(("publish", exchange, names, mandatory))
            else:
                self.count_publish(channel, exchange, queues, mandatory)
            client.publish(exchange, key, b"x" * size, channel=number, **options)
            self.settle()

    def consume(self) -> None:
        client, number, _ = self.channel()
        queue, no_ack = self.vhost.queues[self.random.choice(list(QUEUES))], self.random.random() < 0.4
        self.tags += 1
        tag = f"c{self.tags}"
        self.consumers[tag] = (queue, no_ack)
        prefetch = make(Basic.Qos, prefetch_count=self.random.choice([0, 1, 2]))
        self.do(client, number, prefetch, make(Basic.Consume, queue=queue.name, consumer_tag=tag, no_ack=no_ack))

    def cancel(self) -> None:
        client, number, channel = self.channel()
        if channel.core.consumers:
            tag = self.random.choice(list(channel.core.consumers))
            self.do(client, number, make(Basic.Cancel, consumer_tag=tag))

    def get(self) -> None:
        client, number, _ = self.channel()
        queue, no_ack = self.vhost.queues[self.random.choice(list(QUEUES))], self.random.random() < 0.4
        self.got = (queue, no_ack)
        self.do(client, number, make(Basic.Get, queue=queue.name, no_ack=no_ack))

    def settle_deliveries(self) -> None:
        client, number, channel = self.channel()
        outstanding = self.outstanding[channel]
        if not outstanding:
            return
        tag, multiple = self.random.choice(list(outstanding)), self.random.random() < 0.3
        tags = [one for one in outstanding if one == tag or (multiple and one < tag)]
        settled = [(one, outstanding.pop(one)) for one in sorted(tags)]
        is_ack = self.random.random() < 0.6
        if channel.core.mode is ChannelMode.TX:
            self.held[channel].append(("settle", settled, is_ack))
        elif is_ack:
            self.count_acks(channel, settled)
        if is_ack:
            method: Any = make(Basic.Ack, delivery_tag=tag, multiple=multiple)
        else:
            method = make(Basic.Nack, delivery_tag=tag, multiple=multiple, requeue=self.random.random() < 0.6)
        self.do(client, number, method)

    def ack_in_a_row(self) -> None:
        """Which comes to the broker as one event."""
        client, number, channel = self.channel()
        tags = sorted(self.outstanding[channel])[: self.random.choice([2, 5])]
        settled = [(tag, self.outstanding[channel].pop(tag)) for tag in tags]
        if channel.core.mode is ChannelMode.TX:
            self.held[channel].append(("settle", settled, True))
        else:
            self.count_acks(channel, settled)
        self.do(client, number, *(make(Basic.Ack, delivery_tag=tag) for tag in tags))

    def recover(self) -> None:
        client, number, channel = self.channel()
        self.outstanding[channel].clear()
        self.do(client, number, make(Basic.Recover, requeue=True))

    def commit(self) -> None:
        client, number, channel = self.channel()
        if channel.core.mode is not ChannelMode.TX:
            return
        held, self.held[channel] = self.held[channel], []
        if self.random.random() < 0.3:
            for kind, *what in held:
                if kind == "settle":
                    self.outstanding[channel] |= dict(what[0])
            self.do(client, number, make(Tx.Rollback))
            return
        for kind, *what in held:
            if kind == "publish":
                exchange, names, mandatory = what
                queues = [self.vhost.queues[name] for name in dict.fromkeys(names) if name in self.vhost.queues]
                self.count_publish(channel, exchange, queues, mandatory)
            elif what[1]:
                self.count_acks(channel, what[0])
        self.do(client, number, make(Tx.Commit))

    def select(self) -> None:
        client, number, channel = self.channel()
        if channel.core.mode is ChannelMode.PLAIN:
            self.do(client, number, make(self.random.choice([Confirm.Select, Tx.Select])))

    def reopen(self) -> None:
        client, number, _ = self.channel()
        client.send(make(Channel.Close, reply_code=200, reply_text="", class_id=0, method_id=0), channel=number)
        self.settle()
        self.do(client, number, make(Channel.Open))

    def reconnect(self) -> None:
        client = self.random.choice(self.clients)
        client.lose()
        self.settle()
        self.clients[self.clients.index(client)] = self.harness.connect(channels=CHANNELS)
        self.settle()

    def tally(self) -> None:
        self.harness.node.tally()

    # -- counting ---------------------------------------------------------------------------------------------------

    def count(self, name: str, *everybody: Any, times: int = 1) -> None:
        for whose in everybody:
            self.counts[whose, name] += times

    def count_publish(self, channel: Any, exchange: str, queues: list[Any], mandatory: bool) -> None:
        several = (channel, "vhost", (channel, exchange))
        self.count("publish", *several)
        self.count("publish_in", self.vhost.exchanges[exchange])
        self.count("publish_out", self.vhost.exchanges[exchange], times=len(queues))
        self.counts["routed"] += len(queues)
        for queue in queues:
            self.count("publish", queue, queue.type_name)
            self.count("incoming", (queue, exchange))
        if not queues:
            self.count("return_unroutable" if mandatory else "drop_unroutable", *several)
            self.counts["unroutable_returned" if mandatory else "unroutable_dropped"] += 1

    def count_acks(self, channel: Any, settled: list[Any]) -> None:
        for _, queue in settled:
            self.count("ack", *self.of_queue(channel, queue))

    def of_queue(self, channel: Any, queue: Any) -> tuple[Any, ...]:
        return channel, queue, "vhost", queue.type_name, (channel, queue)

    def look_at(self, client: Any, received: Any) -> None:
        method = received.method
        channel = next((one for one in client.connection.channels if one.number == received.channel), None)
        match method:
            case Basic.Deliver():
                queue, no_ack = self.consumers[method.consumer_tag]
                self.took(channel, method, queue, "deliver_no_ack" if no_ack else "deliver", no_ack)
            case Basic.GetOk():
                queue, no_ack = self.got
                self.took(channel, method, queue, "get_no_ack" if no_ack else "get", no_ack)
            case Basic.GetEmpty():
                self.count("get_empty", *self.of_queue(channel, self.got[0]))
            case Basic.Ack() | Basic.Nack():
                numbers = {one for one in self.open[channel] if one == method.delivery_tag
                           or (method.multiple and one < method.delivery_tag)}  # fmt: skip
                self.open[channel] -= numbers
                if isinstance(method, Basic.Ack):
                    self.count("confirm", channel, "vhost", times=len(numbers))
                    self.counts["confirmed"] += len(numbers)
            case Channel.Close():
                assert method.reply_text.endswith("partial tx completion"), method
                client.send(make(Channel.CloseOk), make(Channel.Open), channel=received.channel)

    def took(self, channel: Any, method: Any, queue: Any, name: str, no_ack: bool) -> None:
        everybody = self.of_queue(channel, queue)
        self.count(name, *everybody)
        if method.redelivered:
            self.count("redeliver", *everybody)
        if not no_ack:
            self.outstanding.setdefault(channel, {})[method.delivery_tag] = queue

    # -- comparing --------------------------------------------------------------------------------------------------

    def check(self) -> None:
        node = self.harness.node
        node.tally()
        self.same(self.vhost.counts, "vhost")
        for queue_type, counts in node.counts.by_queue_type.items():
            self.same(counts, queue_type)
        for name in (
            "received",
            "received_confirm",
            "routed",
            "confirmed",
            "unroutable_dropped",
            "unroutable_returned",
        ):
            assert getattr(node.counts, name) == self.counts[name], name
        for queue in self.vhost.queues.values():
            self.same(queue.counts, queue)
            assert queue.counts.incoming == {
                name: self.counts[(queue, name), "incoming"]
                for name in ("", *EXCHANGES)
                if self.counts[(queue, name), "incoming"]
            }
        for exchange in self.vhost.exchanges.values():
            found = exchange.counts.publish_in, exchange.counts.publish_out
            assert found == (self.counts[exchange, "publish_in"], self.counts[exchange, "publish_out"]), exchange
        for client in self.clients:
            for channel in client.connection.channels:
                counts = channel.core.counts
                self.same(counts, channel)
                for name, with_exchange in counts.by_exchange.items():
                    self.same(with_exchange, (channel, name))
                for queue, with_queue in counts.by_queue.items():
                    self.same(with_queue, (channel, queue))
                assert sum(one.publish for one in counts.by_exchange.values()) == counts.publish
                assert sum(one.deliver_get for one in counts.by_queue.values()) == counts.deliver_get
        bounds = (*SIZE_BOUNDS, 10**12)
        buckets = [0] * len(bounds)
        for size, count in self.sizes.items():
            buckets[next(index for index, bound in enumerate(bounds) if size <= bound)] += count
        assert node.counts.message_sizes.counts == buckets
        assert node.counts.message_sizes.sum_bytes == sum(size * count for size, count in self.sizes.items())

    def same(self, counts: MessageCounts, whose: Any) -> None:
        for name in MessageCounts.__slots__:
            assert getattr(counts, name) == self.counts[whose, name], (whose, name)


OPERATIONS: list[Callable[[History], None]] = [
    *[History.publish] * 8, *[History.consume] * 3, *[History.settle_deliveries] * 6, *[History.get] * 2,
    History.ack_in_a_row, History.bind, History.bind, History.cancel, History.recover, History.redeclare,
    History.select, History.select, History.commit, History.commit, History.reopen, History.reconnect, History.tally,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_counts_are_those_of_plain_counting(seed):
    random = Random(seed)
    history = History(random, is_durable=seed % 2 == 1)
    for number in range(STEPS):
        random.choice(OPERATIONS)(history)
        if number % 20 == 0:
            history.check()
    history.check()
