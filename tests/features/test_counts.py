"""Counts, as the broker keeps them; see `leveret.core.counts`. How RabbitMQ shows them is in tests/management."""

from __future__ import annotations

from leveret.core.counts import MessageCounts
from leveret_protocol.methods import Basic, Queue, make


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
