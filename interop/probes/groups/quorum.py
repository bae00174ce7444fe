"""Quorum queues on one node: what they refuse and compare, and how they are consumed from.

RabbitMQ's quorum queues answer in their own time: where a reply is no barrier, a probe waits for what must come.
"""

from __future__ import annotations

from typing import Any

from interop.probes.probe import Conversation, probe

QUORUM = {"x-queue-type": "quorum"}


def quorum_queue(c: Conversation, stem: str = "q", **arguments: Any) -> str:
    """Declare one; returns its name."""
    return c.declare(stem, durable=True, arguments=QUORUM | arguments)


# Declaring and deleting


@probe("QU-13", "QU-12", "VER-37")
def a_quorum_queue_declared_again(c: Conversation) -> None:
    q = quorum_queue(c)
    c.attempt("queue.declare", queue=q, durable=True, arguments=QUORUM)
    c.attempt("queue.declare", queue=q, passive=True)
    c.attempt("queue.declare", queue=q, durable=True)
    c.attempt("queue.declare", queue=q, durable=True, arguments={"x-queue-type": "classic"})
    c.attempt("queue.declare", queue=q, arguments=QUORUM)
    c.attempt("queue.declare", queue=q, durable=True, auto_delete=True, arguments=QUORUM)
    c.attempt("queue.declare", queue=q, durable=True, exclusive=True, arguments=QUORUM)


@probe("QU-12", "QA-2")
def arguments_a_quorum_queue_compares(c: Conversation) -> None:
    limits = {"x-delivery-limit": 2, "x-max-length": 5, "x-single-active-consumer": True, "x-max-in-memory-length": 7}
    q = quorum_queue(c, **limits)
    c.attempt("queue.declare", queue=q, durable=True, arguments=QUORUM | limits)
    for argument, value in (
        ("x-delivery-limit", 3),
        ("x-max-length", 6),
        ("x-single-active-consumer", False),
        ("x-max-in-memory-length", 8),
        ("x-max-priority", 5),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-anything", 1),
    ):
        c.attempt("queue.declare", queue=q, durable=True, arguments=QUORUM | limits | {argument: value})
    c.attempt("queue.declare", queue=q, durable=True, arguments=QUORUM)


@probe("QA-1", "QA-2")
def arguments_a_quorum_queue_takes(c: Conversation) -> None:
    for number, arguments in enumerate(
        (
            {"x-delivery-limit": 0},
            {"x-delivery-limit": -1},
            {"x-delivery-limit": "x"},
            {"x-dead-letter-exchange": "", "x-dead-letter-strategy": "at-most-once"},
            {"x-dead-letter-exchange": "", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"},
            {"x-overflow": "reject-publish-dlx"},
            {"x-queue-leader-locator": "client-local"},
            {"x-quorum-initial-group-size": 1},
            {"x-max-in-memory-length": 0, "x-max-in-memory-bytes": 0},
            {"x-anything": "x"},
        )
    ):
        quorum_queue(c, f"q{number}", **arguments)


@probe("QU-33", "QU-31")
def deleting_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"one", b"two")
    c.get(q)
    for flags in ({"if_unused": True}, {"if_empty": True}, {"if_unused": True, "if_empty": True}):
        other = c.another()
        other.send("queue.delete", queue=q, **flags)
        other.read()
        other.finish()
    c.call("queue.delete", queue=q)
    c.send("basic.ack", delivery_tag=1)
    c.sync()
    c.attempt("queue.declare", queue=q, passive=True)
    other = c.another()
    other.call("queue.delete", queue=q, if_unused=True)


@probe("QU-26")
def purging_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"one", b"two", b"three")
    c.get(q)
    c.call("queue.purge", queue=q)
    c.send("basic.reject", delivery_tag=1, requeue=True)
    c.wait_for(q)
    c.drain(q)


# Consuming


@probe("B-32")
def a_limit_of_the_channel_and_quorum_queues(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"one")
    c.call("basic.qos", **{"prefetch_count": 1, "global": True})
    c.call("basic.get", queue=q)
    c.send("basic.consume", queue=q, consumer_tag="a")
    c.read()


@probe("B-32", "B-30")
def a_limit_of_the_channel_lifted_before_consuming(c: Conversation) -> None:
    q = quorum_queue(c)
    c.call("basic.qos", **{"prefetch_count": 1, "global": True})
    c.call("basic.qos", **{"prefetch_count": 0, "global": True})
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.qos", **{"prefetch_count": 1, "global": True})
    c.put(q, b"one")
    c.read()


@probe("B-14")
def exclusive_consumers_of_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    c.call("basic.consume", queue=q, consumer_tag="a", exclusive=True)
    c.call("basic.consume", queue=q, consumer_tag="b")
    c.call("basic.consume", queue=q, consumer_tag="c", exclusive=True)


@probe("B-28", "B-31")
def prefetch_of_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"1", b"2", b"3", b"4")
    c.call("basic.qos", prefetch_count=2)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read(2)
    c.send("basic.ack", delivery_tag=2)
    c.read()
    c.send("basic.ack", delivery_tag=3, multiple=True)
    c.read()


@probe("B-16", "B-23")
def no_ack_on_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"1", b"2", b"3")
    c.call("basic.get", queue=q, no_ack=True)
    c.call("basic.consume", queue=q, consumer_tag="a", no_ack=True)
    c.read(2)
    c.call("basic.cancel", consumer_tag="a")
    c.call("basic.get", queue=q)


@probe("B-18", "B-19")
def consumer_arguments_of_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    for arguments in ({"x-priority": 5}, {"x-priority": "x"}, {"x-stream-offset": 1}, {"x-anything": 1}):
        c.attempt("basic.consume", queue=q, consumer_tag="a", arguments=arguments)


@probe("B-19")
def priorities_of_consumers_of_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="low")
    c.call("basic.consume", queue=q, consumer_tag="high", arguments={"x-priority": 5})
    c.put(q, b"1")
    c.read()
    c.put(q, b"2")
    c.read()
    c.send("basic.ack", delivery_tag=1)
    c.put(q, b"3")
    c.read()


@probe("B-20")
def round_robin_of_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    for tag in ("a", "b", "c"):
        c.call("basic.consume", queue=q, consumer_tag=tag, no_ack=True)
    for number in range(4):
        c.put(q, b"%d" % number)
        c.read()


@probe("B-13")
def consumers_of_a_deleted_quorum_queue_are_told(c: Conversation) -> None:
    q = quorum_queue(c)
    other = c.another()
    other.call("basic.consume", queue=q, consumer_tag="a")
    c.put(q, b"one")
    other.read()
    c.call("queue.delete", queue=q)
    other.read()
    other.send("basic.ack", delivery_tag=1)
    other.sync()


@probe("2.5")
def a_single_active_consumer_of_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c, **{"x-single-active-consumer": True})
    for tag in ("first", "second", "third"):
        c.call("basic.consume", queue=q, consumer_tag=tag)
    c.put(q, b"one")
    c.read()
    c.call("basic.cancel", consumer_tag="first")
    c.put(q, b"two")
    c.read()
    c.send("basic.nack", delivery_tag=1, requeue=True)
    c.read()


@probe("2.5")
def getting_from_a_quorum_queue_with_a_single_active_consumer(c: Conversation) -> None:
    q = quorum_queue(c, **{"x-single-active-consumer": True})
    c.put(q, b"one")
    c.attempt("basic.get", queue=q)
    c.attempt("basic.get", queue=q, no_ack=True)
    c.attempt("basic.consume", queue=q, consumer_tag="a", exclusive=True)


@probe("2.5", "B-19")
def a_single_active_consumer_of_a_quorum_queue_and_a_higher_priority(c: Conversation) -> None:
    q = quorum_queue(c, **{"x-single-active-consumer": True})
    c.call("basic.consume", queue=q, consumer_tag="first")
    c.put(q, b"one")
    c.read()
    c.call("basic.consume", queue=q, consumer_tag="urgent", arguments={"x-priority": 5})
    c.put(q, b"two")
    c.read()
    c.send("basic.ack", delivery_tag=1)
    c.read()
    c.pause(20)
    c.put(q, b"three")
    c.read()


# Priorities, confirms, transactions


@probe("PRI-3", "VER-12")
def priorities_in_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    for number, priority in enumerate((None, 0, 4, 5, 9, 255)):
        c.put(q, b"%d" % number, properties={} if priority is None else {"priority": priority})
    c.drain(q)


@probe("CFM-4", "DUR-1")
def confirms_and_delivery_modes_of_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    c.call("confirm.select")
    for mode in (None, 1, 2):
        c.send_publish(routing_key=q, body=b"one", properties={} if mode is None else {"delivery_mode": mode})
        c.read()
        c.call("basic.get", queue=q, no_ack=True)


@probe("TX-3", "TX-4")
def a_transaction_on_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    c.call("tx.select")
    c.send_publish(routing_key=q, body=b"one")
    c.call("basic.get", queue=q)
    c.call("tx.commit")
    c.call("basic.get", queue=q)
    c.send("basic.ack", delivery_tag=1)
    c.call("tx.commit")
    c.call("basic.get", queue=q)


@probe("B-38", "B-34")
def settling_on_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"1", b"2", b"3", b"4")
    c.get(q, 4)
    c.send("basic.ack", delivery_tag=2, multiple=True)
    c.send("basic.nack", delivery_tag=0, multiple=True, requeue=True)
    c.wait_for(q, 2)
    c.drain(q)
    c.send("basic.ack", delivery_tag=1)
    c.read()
