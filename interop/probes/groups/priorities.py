"""Queues with x-max-priority."""

from __future__ import annotations

from typing import Any

from interop.probes.probe import Conversation, probe


def _put(c: Conversation, queue: str, *priorities: int | None, **more: Any) -> None:
    """Put messages into the queue whose bodies tell number and priority."""
    for number, priority in enumerate(priorities):
        properties = more if priority is None else more | {"priority": priority}
        c.put(queue, f"{number}:{priority}".encode(), properties=properties)


@probe("PRI-1")
def first_in_first_out_within_a_priority(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 3})
    _put(c, q, 1, 3, 1, None, 3, 0, 2, 1, 255)
    c.drain(q)


@probe("PRI-1")
def priorities_above_the_highest_are_kept_as_published(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 2})
    _put(c, q, 9, 2, 255)
    for _ in range(3):
        c.call("basic.get", queue=q)


@probe("PRI-1", "QA-2")
def the_smallest_and_the_highest_max_priority(c: Conversation) -> None:
    for highest in (0, 1, 255):
        q = c.declare(f"q{highest}", arguments={"x-max-priority": highest})
        _put(c, q, None, 0, 1, 2, 254, 255)
        c.drain(q)


@probe("PRI-1")
def without_the_argument_priorities_mean_nothing(c: Conversation) -> None:
    q = c.declare()
    _put(c, q, 1, 9, None)
    c.drain(q)


@probe("PRI-1", "B-38")
def requeued_messages_take_their_place_within_their_priority(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 5})
    _put(c, q, 1, 5, 1, 5, 1, 5)
    c.get(q, 5)
    c.send("basic.reject", delivery_tag=5, requeue=True)  # 2:1
    c.send("basic.reject", delivery_tag=2, requeue=True)  # 3:5
    c.send("basic.reject", delivery_tag=4, requeue=True)  # 0:1
    c.call("basic.get", queue=q)
    for _ in range(3):
        c.call("basic.get", queue=q, no_ack=True)


@probe("PRI-1", "B-41", "B-42")
def recovered_and_abandoned_messages_keep_their_priority(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 5})
    _put(c, q, 0, 5, 3)
    c.call("channel.open", 2)
    c.call("basic.get", queue=q)
    c.call("basic.get", 2, queue=q)
    c.put(q, b"new", properties={"priority": 4})
    c.send("basic.recover", 1, requeue=True)
    c.read()
    c.call("channel.close", 2, reply_code=200)
    c.drain(q)


@probe("PRI-2")
def a_consumer_gets_the_highest_as_it_gets_room(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 5})
    _put(c, q, 1, 2)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read()
    _put(c, q, 0, 5, 3)
    for tag in (1, 2, 3, 4):
        c.send("basic.ack", delivery_tag=tag)
        c.read()


@probe("PRI-2", "B-38")
def a_requeued_message_yields_to_a_higher_one(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 5})
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a")
    _put(c, q, 1, 5)
    c.read()
    c.send("basic.nack", delivery_tag=1, requeue=True)
    c.read()
    c.send("basic.ack", delivery_tag=2)
    c.read()


@probe("PRI-1", "B-23")
def counts_and_purge_of_a_priority_queue(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 5})
    _put(c, q, 1, 5, None, 3)
    c.call("queue.declare", queue=q, arguments={"x-max-priority": 5})
    c.call("basic.get", queue=q)
    c.call("queue.purge", queue=q)
    c.call("queue.delete", queue=q, if_empty=True)


@probe("LEN-2", "DLX-10", "PRI-1")
def the_length_limit_of_a_priority_queue_dead_letters_the_highest(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-priority": 5, "x-max-length": 3})
    _put(c, q, 1, 5, 3, 5, 0)
    c.wait_for(dead, 2)
    c.drain(dead)
    c.drain(q)


@probe("LEN-2", "PRI-1")
def the_byte_limit_of_a_priority_queue(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 5, "x-max-length-bytes": 9})
    _put(c, q, 1, 5, 3)
    c.call("queue.declare", queue=q, passive=True)
    c.put(q, b"seven..", properties={"priority": 2})
    c.drain(q)


@probe("LEN-1", "LEN-2", "PRI-1")
def requeueing_into_a_full_priority_queue(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-priority": 5, "x-max-length": 2})
    _put(c, q, 5, 1)
    c.get(q, 2)
    c.put(q, b"new 0", b"new 0 again")
    c.send("basic.nack", delivery_tag=2, multiple=True, requeue=True)
    c.wait_for(dead, 2)
    c.drain(dead)
    c.drain(q)


@probe("LEN-4", "LEN-5", "PRI-1")
def a_full_priority_queue_that_refuses(c: Conversation) -> None:
    for overflow in ("reject-publish", "reject-publish-dlx"):
        other = c.another()
        q, dead = other.dead_lettering(
            f"q-{overflow}", **{"x-max-priority": 5, "x-max-length": 1, "x-overflow": overflow}
        )
        other.call("confirm.select")
        for priority in (1, 5):
            other.send_publish(routing_key=q, body=b"%d" % priority, properties={"priority": priority})
            [unit] = _quietly(other)
            other.note(unit.name)
        if overflow == "reject-publish-dlx":
            other.wait_for(dead)
        other.drain(dead)
        other.drain(q)


def _quietly(c: Conversation) -> list[Any]:
    with c.quiet():
        return c.read()


@probe("TTL-6", "PRI-1")
def an_expired_message_waits_below_a_live_higher_one(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-priority": 5})
    _put(c, q, 5)
    _put(c, q, 1, 0, expiration="30")
    c.pause(100)
    c.call("queue.declare", queue=q, passive=True)
    c.call("queue.declare", queue=dead, passive=True)
    c.call("basic.get", queue=q)
    c.wait_for(dead, 2)
    c.call("queue.declare", queue=q, passive=True)
    c.drain(dead)


@probe("TTL-6", "PRI-1")
def an_expired_message_above_a_live_lower_one(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-priority": 5})
    _put(c, q, 0)
    _put(c, q, 5, expiration="30")
    c.pause(100)
    c.call("queue.declare", queue=q, passive=True)
    c.drain(q)
    c.drain(dead)


@probe("TTL-3", "PRI-1")
def the_ttl_of_a_priority_queue(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-priority": 5, "x-message-ttl": 30})
    _put(c, q, 1, 5, 3)
    c.wait_for(dead, 3)
    c.drain(q)


@probe("TTL-4", "PRI-1")
def ttl_0_of_a_priority_queue(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-priority": 5, "x-message-ttl": 0})
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a")
    _put(c, q, 1, 5)
    c.read()
    c.wait_for(dead)
    c.drain(dead)


@probe("DLX-3", "PRI-1")
def dead_letters_keep_their_priority(c: Conversation) -> None:
    dead = c.declare("dead", arguments={"x-max-priority": 5})
    q = c.declare(arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
    _put(c, q, 1, 5, None)
    tags = c.get(q, 3)
    for tag in tags:
        c.send("basic.reject", delivery_tag=tag)
    c.wait_for(dead, 3)
    c.drain(dead)


@probe("PRI-1", "B-19")
def priorities_of_messages_and_of_consumers(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 5})
    _put(c, q, 1, 5, 3)
    c.call("basic.qos", prefetch_count=1)
    c.call("channel.open", 2)
    c.call("basic.qos", 2, prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="low")
    c.read()
    c.call("basic.consume", 2, queue=q, consumer_tag="high", arguments={"x-priority": 9})
    c.read()
    c.send("basic.ack", 2, delivery_tag=1)
    c.read()
