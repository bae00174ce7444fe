"""Bytes of bodies against plain adding up, over random histories of a queue that is partly in the store."""

from __future__ import annotations

from random import Random

import pytest

from leveret.core import keeping
from leveret.core.body_bytes import body_bytes, has_many_unknown, held_of, look_ahead
from leveret.handlers.content import PublishedMessage
from leveret_protocol.methods import Basic, make
from tests.harness import BrokerHarness

KINDS = [{}, {"x-queue-type": "quorum"}, {"x-max-priority": 2}]


class History:
    """ready: bodies by the size of each; held: delivery tag -> size."""

    def __init__(self, random, arguments, durable):
        self.random, self.arguments, self.durable = random, arguments, durable
        self.harness = BrokerHarness.durable()
        self.client = self.harness.connect()
        self.client.declare("q", durable=durable, arguments=arguments)
        self.ready, self.held = [], {}

    @property
    def queue(self):
        return self.harness.node.vhosts["/"].queues["q"]

    def publish(self):
        for _ in range(self.random.choice([1, 3, 20])):
            body, mode = b"%d." % len(self.ready) + b"x" * self.random.randrange(50), self.random.choice([1, 2])
            is_kept = self.durable and (mode == 2 or self.queue.type_name == "quorum")
            self.ready.append((body, is_kept))
            self.client.publish("", "q", body, delivery_mode=mode, priority=self.random.randrange(3))

    def get(self):
        for _ in range(self.random.choice([1, 5, 15])):
            if not self.ready:
                return
            got = self.client.get("q", no_ack=False)
            found = next(one for one in self.ready if one[0] == got.body)
            self.ready.remove(found)
            self.held[got.delivery_tag] = found

    def settle(self):
        for tag in self.random.sample([*self.held], len(self.held) // 2):
            found = self.held.pop(tag)
            if self.random.random() < 0.4:
                self.ready.append(found)
                self.client.nack(tag, requeue=True)
            else:
                self.client.ack(tag)
        self.client.assert_silent()

    def purge(self):
        if self.random.random() < 0.2:
            self.queue.purge()
            self.harness.run_work()
            self.ready.clear()

    def commit(self):
        self.harness.commit()

    def restart(self):
        if not self.durable or self.random.random() < 0.7:
            return
        self.harness = self.harness.stopped()
        self.client = self.harness.connect()
        self.ready = [one for one in (*self.ready, *self.held.values()) if one[1]]
        self.held.clear()
        self.publish()
        body_bytes(self.queue, {})
        self.harness.run_work()

    def look_ahead(self):
        look_ahead(self.queue, lambda: None)
        self.harness.run_work()

    def check(self):
        sums = body_bytes(self.queue, held_of(self.queue.vhost))
        everything = [*self.ready, *self.held.values()]
        assert sums.ready.count + sums.away.count == len(self.ready) == self.queue.message_count
        assert sums.ready.size_bytes + sums.away.size_bytes == sum(len(body) for body, _ in self.ready)
        assert sums.held.size_bytes == sum(len(body) for body, _ in self.held.values())
        assert sums.all.kept_count == sum(is_kept for _, is_kept in everything)
        assert sums.all.kept_bytes == sum(len(body) for body, is_kept in everything if is_kept)


@pytest.mark.parametrize("arguments", KINDS, ids=["classic", "quorum", "priority"])
@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_bytes_are_those_of_plain_adding_up(monkeypatch, arguments, durable, seed):
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 4)
    monkeypatch.setattr(keeping, "HEAD_MESSAGES_MAX", 16)
    monkeypatch.setattr("leveret.core.body_bytes.BLOCK_BITS", 3)
    monkeypatch.setattr("leveret.core.body_bytes.SLICE_ENTRIES", 2)
    monkeypatch.setattr("leveret.core.body_bytes.UNKNOWN_MAX", 5)
    if arguments.get("x-queue-type") == "quorum":
        durable = True
        arguments = arguments | {"x-delivery-limit": 1000}
    random = Random(seed)
    history = History(random, arguments, durable)
    steps = [history.publish, history.publish, history.get, history.settle, history.purge, history.commit,
             history.restart, history.look_ahead]  # fmt: skip
    for _ in range(60):
        random.choice(steps)()
        if random.random() < 0.6:
            history.check()
    history.check()


def test_only_what_has_come_since_is_looked_at_again(harness, monkeypatch):
    client = harness.connect()
    client.declare("q")
    block = client.published("", "q", b"body") * 500
    for _ in range(20):
        client.send_bytes(block)
    queue = harness.node.vhosts["/"].queues["q"]
    assert body_bytes(queue, {}).ready.size_bytes == 40_000
    client.publish("", "q", b"more")
    client.get("q")
    looked_at = []
    monkeypatch.setattr(
        PublishedMessage, "body_size_bytes", property(lambda message: looked_at.append(message) or len(message.body))
    )
    assert body_bytes(queue, {}).ready.size_bytes == 40_000
    assert 1 < len(looked_at) <= 1 + 1024


def test_much_is_looked_at_in_slices(harness, monkeypatch):
    monkeypatch.setattr("leveret.core.body_bytes.SLICE_ENTRIES", 100)
    monkeypatch.setattr("leveret.core.body_bytes.UNKNOWN_MAX", 200)
    client = harness.connect()
    client.declare("q")
    for _ in range(1000):
        client.publish("", "q", b"body")
    queue = harness.node.vhosts["/"].queues["q"]
    done = []
    assert has_many_unknown(queue)
    look_ahead(queue, lambda: done.append(True))
    assert (harness.run_work(), done) == (9, [True])
    assert not has_many_unknown(queue)
    client.get("q")
    assert body_bytes(queue, {}).ready.size_bytes == 3996


def test_what_came_back_from_the_store_is_counted_in_the_background(monkeypatch):
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 8)
    harness = BrokerHarness.durable()
    client = harness.connect()
    client.declare("q", durable=True)
    for _ in range(100):
        client.publish("", "q", b"0123456789", delivery_mode=2)
    harness = harness.stopped()
    queue = harness.node.vhosts["/"].queues["q"]
    assert body_bytes(queue, {}).all.size_bytes < 1000
    harness.connect().get("q")
    body_bytes(queue, {})
    assert harness.run_work() >= 10
    assert body_bytes(queue, {}).all.size_bytes == 990


@pytest.mark.parametrize("body_size", [10, 1000, 100_000])
def test_what_is_read_for_it_at_once_is_bounded(monkeypatch, body_size):
    """Of large messages a page would be much: they are in the store because memory is short."""
    monkeypatch.setattr(keeping, "PAGE_MESSAGES", 64)
    monkeypatch.setattr(keeping, "PAGE_BYTES", 10_000)
    harness = BrokerHarness.durable()
    client = harness.connect()
    client.declare("q", durable=True)
    for _ in range(200):
        client.publish("", "q", bytes(body_size), delivery_mode=2)
    harness = harness.stopped()
    queue = harness.node.vhosts["/"].queues["q"]
    (fifo,) = queue.fifos()
    read = []
    real = fifo.line.read
    monkeypatch.setattr(type(fifo.line), "read", lambda line, *wanted: read.append(real(*wanted)) or read[-1])
    body_bytes(queue, {})
    assert len(read) == 0
    harness.run_work()
    assert body_bytes(queue, {}).all.size_bytes == 200 * body_size
    assert max(map(len, read)) == {10: 64, 1000: 10, 100_000: 1}[body_size]


def test_the_timestamp_of_the_head_is_told(harness):
    client = harness.connect()
    client.declare("q")
    queue = harness.node.vhosts["/"].queues["q"]
    assert queue.head_timestamp is None
    client.publish("", "q", timestamp=17)
    client.publish("", "q")
    assert queue.head_timestamp == 17
    client.send(make(Basic.Get, queue="q", no_ack=True))
    assert queue.head_timestamp is None
