"""basic.consume, cancel, get and qos, and the order of deliveries."""

from __future__ import annotations

from interop.probes.probe import Conversation, probe


@probe("B-9")
def server_generated_consumer_tags(c: Conversation) -> None:
    q = c.declare()
    first = c.call("basic.consume", queue=q)["consumer_tag"]
    second = c.call("basic.consume", queue=q)["consumer_tag"]
    c.note(f"different: {first != second}")


@probe("B-10")
def reuse_of_a_consumer_tag(c: Conversation) -> None:
    q = c.declare()
    c.call("channel.open", 2)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.consume", 2, queue=q, consumer_tag="a")
    c.call("basic.cancel", consumer_tag="a")
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.send("basic.consume", queue=q, consumer_tag="a")
    c.read()


@probe("B-10", "B-17")
def what_consume_checks_first(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.consume", queue=q, consumer_tag="a", exclusive=True)
    other = c.another()
    other.call("basic.consume", queue=q, consumer_tag="a", arguments={"x-priority": "x"})
    c.send("basic.consume", queue="nosuch", consumer_tag="a")
    c.read()


@probe("B-10", "B-13")
def a_consumer_tag_is_free_after_a_cancel_by_the_broker(c: Conversation) -> None:
    q, other = c.declare(), c.declare("other")
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.send("queue.delete", queue=q)
    c.read(2)
    c.call("basic.consume", queue=other, consumer_tag="a")


@probe("B-11")
def consume_ok_precedes_the_first_delivery(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two")
    c.send("basic.consume", queue=q, consumer_tag="a")
    c.read(3)


@probe("B-9", "B-11")
def consume_with_nowait_and_no_tag(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one")
    c.send("basic.consume", queue=q, nowait=True)
    c.read()


@probe("B-12")
def cancel_of_an_unknown_tag(c: Conversation) -> None:
    c.call("basic.cancel", consumer_tag="nosuch")
    c.call("basic.cancel", consumer_tag="")


@probe("B-12")
def after_cancel_unacked_messages_stay(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one")
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read()
    c.call("basic.cancel", consumer_tag="a")
    c.put(q, b"two")
    c.call("queue.declare", queue=q, passive=True)
    c.send("basic.ack", delivery_tag=1)
    c.call("basic.get", queue=q, no_ack=True)
    c.call("basic.get", queue=q, no_ack=True)


@probe("B-14")
def exclusive_consumers(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one")
    other = c.another()
    c.call("basic.consume", queue=q, consumer_tag="a", exclusive=True)
    c.read()
    c.attempt("basic.consume", queue=q, consumer_tag="b")
    c.attempt("basic.consume", queue=q, consumer_tag="b", exclusive=True)
    other.attempt("basic.consume", queue=q, consumer_tag="b")
    c.attempt("basic.get", queue=q)
    c.attempt("queue.declare", queue=q, passive=True)
    c.call("basic.cancel", consumer_tag="a")
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.attempt("basic.consume", queue=q, consumer_tag="b", exclusive=True)


@probe("B-14")
def single_active_consumer_queues_refuse_exclusive(c: Conversation) -> None:
    q = c.declare(arguments={"x-single-active-consumer": True})
    c.call("basic.consume", queue=q, consumer_tag="a", exclusive=True)


@probe("2.5")
def a_single_active_consumer_gets_everything(c: Conversation) -> None:
    q = c.declare(arguments={"x-single-active-consumer": True})
    c.call("basic.consume", queue=q, consumer_tag="first", no_ack=True)
    c.call("basic.consume", queue=q, consumer_tag="second", no_ack=True)
    c.call("basic.consume", queue=q, consumer_tag="urgent", no_ack=True, arguments={"x-priority": 5})
    c.put(q, b"one", b"two")
    c.read(2)
    c.call("basic.cancel", consumer_tag="first")
    c.put(q, b"three", b"four")
    c.read(2)
    c.call("basic.cancel", consumer_tag="urgent")
    c.put(q, b"five")
    c.read()
    c.call("basic.get", queue=q)


@probe("B-15")
def no_local_is_ignored(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.consume", queue=q, consumer_tag="a", no_local=True, no_ack=True)
    c.send_publish(routing_key=q, body=b"mine")
    c.read()


@probe("B-16", "B-21")
def no_ack_ignores_prefetch_and_counts_tags(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two", b"three", b"four")
    c.call("basic.get", queue=q)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a", no_ack=True)
    c.read(3)
    c.put(q, b"five")
    c.read()
    c.send("basic.ack", delivery_tag=1)
    c.send("basic.ack", delivery_tag=2)
    c.read()


@probe("B-17", "B-23")
def consume_and_get_of_a_missing_queue(c: Conversation) -> None:
    c.attempt("basic.consume", queue="nosuch")
    c.attempt("basic.get", queue="nosuch")


@probe("B-18")
def consumer_arguments(c: Conversation) -> None:
    q = c.declare()
    for arguments in (
        {"x-priority": 5},
        {"x-priority": -5},
        {"x-priority": ("b", 1)},
        {"x-priority": ("L", 2**40)},
        {"x-priority": "high"},
        {"x-priority": True},
        {"x-priority": 1.0},
        {"x-priority": None},
        {"x-anything": "x"},
        {"x-stream-offset": "first"},
        {"x-stream-offset": 1, "x-priority": "x"},
        {"x-message-ttl": "x"},
        {"x-credit": {"credit": 0, "drain": False}},
    ):
        c.attempt("basic.consume", queue=q, consumer_tag="a", arguments=arguments)


@probe("B-18", "VER-18")
def cancel_on_ha_failover_argument(c: Conversation) -> None:
    q = c.declare()
    c.attempt("basic.consume", queue=q, arguments={"x-cancel-on-ha-failover": True})
    c.attempt("basic.consume", queue=q, arguments={"x-cancel-on-ha-failover": "true"})


@probe("B-19")
def consumer_priorities(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="low", arguments={"x-priority": -1})
    c.call("basic.consume", queue=q, consumer_tag="normal")
    c.call("basic.consume", queue=q, consumer_tag="high", arguments={"x-priority": 10})
    c.put(q, b"one", b"two", b"three", b"four")
    c.read(3)
    c.send("basic.ack", delivery_tag=2)
    c.read()


@probe("B-20")
def round_robin(c: Conversation) -> None:
    q = c.declare()
    for tag in ("a", "b", "c"):
        c.call("basic.consume", queue=q, consumer_tag=tag, no_ack=True)
    c.put(q, b"1", b"2", b"3", b"4", b"5", b"6", b"7")
    c.read(7)


@probe("B-21")
def delivery_tags_are_counted_per_channel(c: Conversation) -> None:
    first, second = c.declare("first"), c.declare("second")
    c.put(first, b"one", b"two")
    c.put(second, b"three")
    c.call("basic.get", queue=first)
    c.call("basic.get", queue=second, no_ack=True)
    c.attempt("basic.get", queue=first)
    c.call("basic.get", queue=first)
    c.put(second, b"four")
    c.call("basic.get", queue=second)


@probe("B-23")
def get_counts_the_ready_messages_left(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two")
    c.call("basic.get", queue=q)
    c.call("basic.get", queue=q)
    c.call("basic.get", queue=q)


@probe("B-24")
def get_is_not_limited_by_prefetch(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two", b"three")
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read()
    c.call("basic.get", queue=q)
    c.send("basic.ack", delivery_tag=2)
    c.sync()
    c.call("queue.declare", queue=q, passive=True)


# basic.qos


@probe("B-27")
def prefetch_size_is_not_implemented(c: Conversation) -> None:
    for arguments in ({"prefetch_size": 1}, {"prefetch_size": 2**32 - 1, "prefetch_count": 1, "global": True}):
        other = c.another()
        other.send("basic.qos", **arguments)
        other.read()
        other.finish()


@probe("B-28")
def qos_holds_for_consumers_started_afterwards(c: Conversation) -> None:
    q, other = c.declare(), c.declare("other")
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="one at a time")
    c.call("basic.qos", prefetch_count=2)
    c.call("basic.consume", queue=other, consumer_tag="two at a time")
    c.put(q, b"1", b"2", b"3")
    c.put(other, b"4", b"5", b"6")
    c.read(3, in_any_order=True)
    c.sync()
    c.attempt("queue.declare", queue=q, passive=True)
    c.attempt("queue.declare", queue=other, passive=True)


@probe("B-28", "B-31")
def prefetch_is_refilled_by_acks(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"1", b"2", b"3", b"4", b"5")
    c.call("basic.qos", prefetch_count=2)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read(2)
    c.send("basic.ack", delivery_tag=1)
    c.read()
    c.send("basic.ack", delivery_tag=3, multiple=True)
    c.read(2)
    c.sync()


@probe("B-31")
def a_full_consumer_is_skipped(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.qos", prefetch_count=3)
    c.call("basic.consume", queue=q, consumer_tag="b")
    c.put(q, b"1", b"2", b"3", b"4", b"5")
    c.read(4)
    c.sync()
    c.attempt("queue.declare", queue=q, passive=True)


@probe("B-29", "VER-7")
def qos_global_is_shared_by_the_channel(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.qos", **{"prefetch_count": 3, "global": True})
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.consume", queue=q, consumer_tag="b")
    c.put(q, b"1", b"2", b"3", b"4", b"5")
    c.read(3)
    c.sync()
    c.attempt("queue.declare", queue=q, passive=True)
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("B-29", "VER-7")
def qos_global_holds_at_once_and_0_lifts_it(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.qos", **{"prefetch_count": 1, "global": True})
    c.put(q, b"1", b"2")
    c.read()
    c.sync()
    c.send("basic.qos", **{"prefetch_count": 0, "global": True})
    c.read(2, in_any_order=True)


@probe("B-29", "VER-7")
def both_prefetch_limits_hold(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.qos", **{"prefetch_count": 2, "global": True})
    for tag in ("a", "b", "c"):
        c.call("basic.consume", queue=q, consumer_tag=tag)
    c.put(q, b"1", b"2", b"3", b"4")
    c.read(2)
    c.sync()
    c.send("basic.ack", delivery_tag=1)
    c.read()
    c.sync()


@probe("B-30")
def qos_per_consumer_removes_the_limit_of_the_channel(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.qos", **{"prefetch_count": 1, "global": True})
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.put(q, b"1", b"2", b"3")
    c.read()
    c.sync()
    c.send("basic.qos", prefetch_count=1)
    c.read(3, in_any_order=True)


@probe("2.5", "B-13")
def cancel_stops_deliveries_while_others_go_on(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.consume", queue=q, consumer_tag="a", no_ack=True)
    c.call("basic.consume", queue=q, consumer_tag="b", no_ack=True)
    c.call("basic.cancel", consumer_tag="a")
    c.put(q, b"1", b"2")
    c.read(2)


# Exclusive consumers, and consumers that the broker cancels


@probe("B-14", "CLS-3")
def exclusive_use_ends_with_channel_and_connection(c: Conversation) -> None:
    q = c.declare()
    c.call("channel.open", 2)
    c.call("basic.consume", 2, queue=q, consumer_tag="a", exclusive=True)
    c.attempt("basic.consume", queue=q, consumer_tag="b")
    c.call("channel.close", 2, reply_code=200)
    other = c.another()
    other.call("basic.consume", queue=q, consumer_tag="c", exclusive=True)
    c.attempt("basic.consume", queue=q, consumer_tag="d")
    with other.quiet():
        other.call("connection.close", 0, reply_code=200)
    c.attempt("basic.consume", queue=q, consumer_tag="e", exclusive=True)


@probe("B-14")
def an_exclusive_consumer_is_refused_beside_others_and_then_not(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.consume", queue=q, consumer_tag="b")
    c.attempt("basic.consume", queue=q, consumer_tag="c", exclusive=True)
    c.call("basic.cancel", consumer_tag="a")
    c.attempt("basic.consume", queue=q, consumer_tag="c", exclusive=True)
    c.call("basic.cancel", consumer_tag="b")
    c.attempt("basic.consume", queue=q, consumer_tag="c", exclusive=True)
    c.attempt("basic.consume", queue=q, consumer_tag="d")


@probe("B-14", "B-39")
def an_exclusive_consumer_with_a_prefetch_and_a_priority(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two")
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a", exclusive=True, arguments={"x-priority": -3})
    c.read()
    c.send("basic.nack", delivery_tag=1, requeue=True)
    c.read()
    c.send("basic.ack", delivery_tag=2)
    c.read()


@probe("B-13", "QU-35")
def what_is_unacked_when_the_broker_cancels(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two", b"three")
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read(3)
    other = c.another()
    other.call("queue.delete", queue=q)
    c.read()
    c.send("basic.ack", delivery_tag=1)
    c.send("basic.reject", delivery_tag=2, requeue=True)
    c.send("basic.nack", delivery_tag=3)
    c.sync()
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("B-13")
def every_consumer_is_told_once(c: Conversation) -> None:
    q, stays = c.declare(), c.declare("stays")
    other = c.another()
    c.call("channel.open", 2)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.consume", 2, queue=q, consumer_tag="b")
    c.call("basic.consume", queue=stays, consumer_tag="c", no_ack=True)
    other.call("queue.delete", queue=q)
    c.read(2, in_any_order=True)
    c.put(stays, b"one")
    c.read()
    c.call("basic.cancel", consumer_tag="a")


@probe("B-13", "CLS-1")
def the_consumers_of_another_connections_exclusive_queue_are_its_own(c: Conversation) -> None:
    """A consumer can only be on the connection that owns the queue, so nobody is left to be told."""
    other = c.another()
    q = other.declare(exclusive=True)
    c.attempt("basic.consume", queue=q, consumer_tag="a")
    other.call("basic.consume", queue=q, consumer_tag="b")
    with other.quiet():
        other.call("connection.close", 0, reply_code=200)
    c.attempt("basic.consume", queue=q, consumer_tag="a")
