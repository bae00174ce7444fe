"""Counts, as the broker keeps them; see `leveret.core.counts`. How RabbitMQ shows them is in tests/management."""

from __future__ import annotations

import pytest

from leveret.core.counts import MessageCounts
from leveret.core.tally import REMEMBERED_MAX
from leveret_protocol.methods import Basic, Exchange, Queue, make


def counted(counts: MessageCounts) -> dict[str, int]:
    """Those that are not 0."""
    names = MessageCounts.__slots__
    return {name: getattr(counts, name) for name in names if getattr(counts, name)}


def test_publishes_count_for_all_that_they_touch(harness):
    client = harness.connect(channels=(1, 2))
    client.declare("q")
    client.declare_exchange("x", "fanout")
    client.bind("q", "x")
    for _ in range(3):
        client.publish("", "q", b"body")
    client.publish("x", "any", b"body", channel=2)
    client.publish("", "missing", b"body", channel=2)
    client.publish("", "missing", b"body", channel=2, mandatory=True)
    harness.node.tally()
    vhost = harness.node.vhosts["/"]
    assert counted(vhost.counts) == {"publish": 6, "drop_unroutable": 1, "return_unroutable": 1}
    assert counted(vhost.queues["q"].counts) == {"publish": 4}
    assert vhost.queues["q"].counts.incoming == {"": 3, "x": 1}
    assert (vhost.exchanges[""].counts.publish_in, vhost.exchanges[""].counts.publish_out) == (5, 3)
    one, two = client.connection.channels
    assert counted(one.core.counts) == {"publish": 3}
    assert counted(two.core.counts.by_exchange["x"]) == {"publish": 1}
    assert counted(two.core.counts.by_exchange[""]) == {"publish": 2, "drop_unroutable": 1, "return_unroutable": 1}


def test_deliveries_and_acks_count_for_all_that_they_touch(harness):
    publisher, client = harness.connect(), harness.connect(channels=(1, 2))
    publisher.declare("q")
    for _ in range(6):
        publisher.publish("", "q")
    client.consume("q", "first")
    client.consume("q", "second", no_ack=True, channel=2)
    client.ack(1)
    client.reject(2, requeue=True)  # the first one's turn
    client.reject(3, requeue=False)
    publisher.publish("", "q")  # the second one's
    harness.node.tally()
    one, two = client.connection.channels
    queue = harness.node.vhosts["/"].queues["q"]
    expected = {"deliver": 7, "redeliver": 1, "ack": 1}
    assert counted(one.core.counts) == counted(one.core.counts.by_queue[queue]) == expected
    assert counted(two.core.counts) == {"deliver_no_ack": 1}
    total = {"publish": 7, "deliver": 7, "deliver_no_ack": 1, "redeliver": 1, "ack": 1}
    assert counted(queue.counts) == total
    client.received()
    client.close()
    harness.node.tally()
    assert counted(harness.node.vhosts["/"].counts) == total
    assert counted(harness.node.counts.by_queue_type["classic"]) == total


def test_what_the_node_counted_outlives_queue_and_connection(harness):
    client = harness.connect()
    client.declare("q", arguments={"x-queue-type": "quorum"}, durable=True)
    client.publish("", "q", b"body")
    client.get("q")
    client.send(make(Basic.Get, queue="q", no_ack=True))
    client.send(make(Queue.Delete, queue="q"))
    client.received()
    client.close()
    counts = harness.node.counts
    assert (counts.received, counts.routed, counts.message_sizes.sum_bytes) == (1, 1, 4)
    assert counted(counts.by_queue_type["quorum"]) == {"publish": 1, "get_no_ack": 1, "get_empty": 1}
    events = harness.node.events.counts
    assert [events[f"{name}.closed"] for name in ("channel", "connection")] == [1, 1]
    assert (events["queue.created"], counts.queue_declared, events["queue.deleted"]) == (1, 1, 1)


def test_more_places_than_are_remembered_lose_no_count(harness):
    client = harness.connect()
    client.declare("q")
    count = REMEMBERED_MAX * 2 + 100
    for number in range(count):
        client.publish("", f"missing-{number}")
    client.publish("", "q")
    harness.node.tally()
    assert counted(harness.node.vhosts["/"].counts) == {"publish": count + 1, "drop_unroutable": count}


def test_consumers_that_are_gone_are_not_kept(harness):
    client = harness.connect()
    client.declare("q")
    client.consume("q", "stays")
    client.publish("", "q")
    client.received()
    for number in range(REMEMBERED_MAX + 100):
        client.consume("q", f"goes-{number}")
        client.publish("", "q")
        client.received()
        client.cancel(f"goes-{number}")
    client.ack(0, multiple=True)
    harness.node.tally()
    counts = harness.node.vhosts["/"].queues["q"].counts
    assert counts.deliver == counts.ack == counts.publish == REMEMBERED_MAX + 101


def test_counts_with_queues_and_exchanges_that_are_gone_are_not_kept(harness):
    client = harness.connect()
    client.declare("stays")
    for number in range(500):
        name = f"goes-{number}"
        client.declare(name)
        client.declare_exchange(name)
        client.bind("stays", name, "k")
        client.publish(name, "k")
        client.publish("", name)
        client.get(name)
        client.call(make(Queue.Delete, queue=name), Queue.DeleteOk)
        client.call(make(Exchange.Delete, exchange=name), Exchange.DeleteOk)
    harness.node.tally()
    (channel,) = client.connection.channels
    counts = channel.core.counts
    assert (counts.publish, counts.get_no_ack) == (1000, 500)
    incoming = harness.node.vhosts["/"].queues["stays"].counts.incoming
    assert max(len(counts.by_queue), len(counts.by_exchange), len(incoming)) < 100


@pytest.mark.parametrize("arguments", [{}, {"x-queue-type": "quorum"}])
@pytest.mark.parametrize("strategy", ["disabled", "at_most_once", "at_least_once"])
def test_dead_letters_count_by_type_strategy_and_reason(harness, arguments, strategy):
    queue_type = arguments.get("x-queue-type", "classic")
    if strategy == "at_least_once" and queue_type == "classic":
        strategy = "at_most_once"
    if strategy != "at_least_once":
        arguments = arguments | {"x-max-length": 1}
    if strategy != "disabled":
        arguments = arguments | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    if strategy == "at_least_once":
        arguments |= {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    client = harness.connect()
    client.declare("dead")
    client.declare("q", durable=True, arguments=arguments)
    for _ in range(2):
        client.publish("", "q")
    got = client.get("q", no_ack=False)
    client.reject(got.delivery_tag, requeue=False)
    client.drain("q")
    client.publish("", "q", expiration="1")
    harness.advance(1)
    harness.run_work()
    expected = {(queue_type, strategy, "rejected"): 1, (queue_type, strategy, "expired"): 1}
    if strategy != "at_least_once":
        expected[queue_type, strategy, "maxlen"] = 1
    counts = harness.node.counts
    assert counts.dead_lettered == expected
    assert counts.dead_letters_confirmed[queue_type] == (2 if strategy == "at_least_once" else 0)


def test_octets_are_summed_once(harness):
    client, other = harness.connect(), harness.connect()
    for connection in (client.connection, other.connection):
        connection.traffic.received_bytes += 100
        connection.traffic.sent_bytes += 10
    for _ in range(2):
        harness.node.tally()
    client.close()
    other.connection.traffic.received_bytes += 1
    harness.node.tally()
    vhost = harness.node.vhosts["/"]
    for traffic in (harness.node.counts.traffic, vhost.traffic):
        assert (traffic.received_bytes, traffic.sent_bytes) == (201, 20)
