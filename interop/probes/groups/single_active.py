"""Queues with x-single-active-consumer: who gets the messages, and who is next."""

from __future__ import annotations

from interop.probes.probe import Conversation, probe

SINGLE = {"x-single-active-consumer": True}


@probe("2.5")
def the_next_is_who_has_waited_longest(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    for tag in ("a", "b", "c"):
        c.call("basic.consume", queue=q, consumer_tag=tag, no_ack=True)
    for tag in ("a", "b"):
        c.put(q, b"one", b"two")
        c.read(2)
        c.call("basic.cancel", consumer_tag=tag)
    c.call("basic.consume", queue=q, consumer_tag="a", no_ack=True)
    c.put(q, b"three")
    c.read()


@probe("2.5", "B-19")
def the_next_is_who_has_the_highest_priority(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    for tag, priority in (("first", 1), ("low", -1), ("high", 5), ("also high", 5), ("none", None)):
        arguments = {} if priority is None else {"x-priority": priority}
        c.call("basic.consume", queue=q, consumer_tag=tag, no_ack=True, arguments=arguments)
    for tag in ("first", "high", "also high", "none"):
        c.put(q, b"one")
        c.read()
        c.call("basic.cancel", consumer_tag=tag)
    c.put(q, b"one")
    c.read()


@probe("2.5", "B-28")
def a_full_active_consumer_holds_up_the_queue(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="active")
    c.call("basic.consume", queue=q, consumer_tag="waiting")
    c.put(q, b"one", b"two")
    c.read()
    c.sync()
    c.call("queue.declare", queue=q, passive=True)
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("2.5", "B-12")
def the_next_takes_what_waits(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="active")
    c.call("basic.consume", queue=q, consumer_tag="waiting")
    c.put(q, b"1", b"2", b"3")
    c.read()
    c.call("basic.cancel", consumer_tag="active")
    c.pause(20)
    c.sync()
    c.note("the first is acked")
    c.send("basic.ack", delivery_tag=1)
    c.sync()


@probe("2.5", "B-12")
def cancelled_with_unacked_messages(c: Conversation) -> None:
    """They stay with the channel until they are settled or given back: then they go to the next consumer."""
    q = c.declare(arguments=SINGLE)
    other = c.another()
    other.call("basic.consume", queue=q, consumer_tag="active")
    c.call("basic.consume", queue=q, consumer_tag="waiting")
    c.put(q, b"1", b"2")
    other.read(2)
    other.call("basic.cancel", consumer_tag="active")
    c.put(q, b"3")
    c.read()
    other.send("basic.ack", delivery_tag=1)
    other.send("basic.nack", delivery_tag=2, requeue=True)
    c.read()


@probe("2.5", "M-3")
def a_closed_channel_hands_over_its_unacked_messages(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    other = c.another()
    other.call("basic.consume", queue=q, consumer_tag="active")
    c.call("basic.consume", queue=q, consumer_tag="waiting")
    c.put(q, b"one", b"two")
    other.read(2)
    other.call("channel.close", reply_code=200)
    c.read(2)


@probe("2.5", "CLS-3")
def a_lost_connection_hands_over(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    other = c.another()
    other.call("basic.consume", queue=q, consumer_tag="active")
    c.call("basic.consume", queue=q, consumer_tag="waiting")
    c.put(q, b"one")
    other.read()
    other.hang_up()
    c.read()


@probe("2.5", "B-39")
def what_the_active_consumer_requeues_comes_back_to_it(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    c.call("basic.consume", queue=q, consumer_tag="active")
    c.call("basic.consume", queue=q, consumer_tag="waiting")
    c.put(q, b"one")
    c.read()
    c.send("basic.nack", delivery_tag=1, requeue=True)
    c.read()
    c.send("basic.recover", requeue=True)
    c.read(2)


@probe("2.5", "B-23")
def get_beside_an_active_consumer(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="active")
    c.put(q, b"one", b"two")
    c.read()
    c.call("basic.get", queue=q)
    c.send("basic.reject", delivery_tag=2, requeue=True)
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("B-14")
def exclusive_consumers_of_a_single_active_queue(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    c.attempt("basic.consume", queue=q, consumer_tag="a", exclusive=True)
    c.call("basic.consume", queue=q, consumer_tag="b")
    c.attempt("basic.consume", queue=q, consumer_tag="c", exclusive=True)
    c.attempt("queue.declare", queue=q, arguments=SINGLE)


@probe("2.5", "B-12")
def cancelling_who_waits_changes_nothing(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    for tag in ("active", "waiting", "last"):
        c.call("basic.consume", queue=q, consumer_tag=tag, no_ack=True)
    c.call("basic.cancel", consumer_tag="waiting")
    c.put(q, b"one")
    c.read()
    c.call("basic.cancel", consumer_tag="active")
    c.put(q, b"two")
    c.read()


@probe("2.5", "B-13")
def all_consumers_of_a_deleted_single_active_queue_are_told(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE)
    other = c.another()
    other.call("basic.consume", queue=q, consumer_tag="active")
    other.call("basic.consume", queue=q, consumer_tag="waiting")
    c.call("queue.delete", queue=q)
    other.read(2, in_any_order=True)


@probe("2.5", "QU-16")
def an_auto_delete_single_active_queue_goes_with_the_last(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE, auto_delete=True)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.consume", queue=q, consumer_tag="b")
    c.call("basic.cancel", consumer_tag="a")
    c.attempt("queue.declare", queue=q, passive=True)
    c.call("basic.cancel", consumer_tag="b")
    c.attempt("queue.declare", queue=q, passive=True)


@probe("2.5", "PRI-1")
def a_single_active_consumer_of_a_priority_queue(c: Conversation) -> None:
    q = c.declare(arguments=SINGLE | {"x-max-priority": 5})
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="active")
    c.call("basic.consume", queue=q, consumer_tag="waiting")
    for priority in (1, 2, 5):
        c.put(q, b"%d" % priority, properties={"priority": priority})
    c.read()
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("2.5", "QU-12")
def false_is_an_ordinary_queue(c: Conversation) -> None:
    q = c.declare(arguments={"x-single-active-consumer": False})
    for tag in ("a", "b"):
        c.call("basic.consume", queue=q, consumer_tag=tag, no_ack=True)
    c.put(q, b"1", b"2")
    c.read(2)
    c.attempt("queue.declare", queue=q, arguments=SINGLE)
    c.attempt("queue.declare", queue=q)
