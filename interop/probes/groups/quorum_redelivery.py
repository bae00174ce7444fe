"""Quorum queues on one node: how they count deliveries, in which order messages come back, and when they die."""

from __future__ import annotations

from typing import Any

from interop.probes.groups.quorum import QUORUM, quorum_queue
from interop.probes.probe import Conversation, probe


def _dead_lettering(c: Conversation, **arguments: Any) -> tuple[str, str]:
    dead = c.declare("dead")
    q = quorum_queue(c, **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, **arguments})
    return q, dead


def _return(c: Conversation, queue: str, method: str = "basic.reject") -> None:
    """Get the first message and give it back, unrecorded."""
    [tag] = c.get(queue)
    c.send(method, delivery_tag=tag, requeue=True)
    c.wait_for(queue)


# Redelivery


@probe("B-26", "QQ-2", "VER-40")
def delivery_counts_of_get(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"one", properties={"headers": {"k": "v"}})
    for tag, method in enumerate(("basic.reject", "basic.nack", "basic.nack"), start=1):
        c.call("basic.get", queue=q)
        c.send(method, delivery_tag=tag, requeue=True)
        c.wait_for(q)
    c.call("basic.get", queue=q, no_ack=True)


@probe("B-26", "QQ-2")
def delivery_counts_of_consumers(c: Conversation) -> None:
    q = quorum_queue(c)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.put(q, b"one")
    c.read()
    for tag, method in enumerate(("basic.reject", "basic.nack"), start=1):
        c.send(method, delivery_tag=tag, requeue=True)
        c.read()
    c.send("basic.recover", requeue=True)
    c.read(2)


@probe("B-26", "QQ-2", "B-41")
def delivery_counts_of_lost_consumers(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"one")
    first, second = c.another(), c.another()
    first.call("basic.consume", queue=q, consumer_tag="a")
    first.read()
    first.call("channel.close", reply_code=200)
    c.wait_for(q)
    second.call("basic.consume", queue=q, consumer_tag="b")
    second.read()
    second.call("basic.cancel", consumer_tag="b")
    second.hang_up()
    c.wait_for(q)
    c.call("basic.get", queue=q)


@probe("QQ-2", "B-26")
def a_published_delivery_count(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"one", properties={"headers": {"x-delivery-count": 7, "a": 1, "z": 2}})
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read()
    c.send("basic.nack", delivery_tag=1, requeue=True)
    c.read()


@probe("B-43", "B-38", "VER-11")
def returned_messages_without_a_delivery_limit(c: Conversation) -> None:
    q = quorum_queue(c)
    c.put(q, b"1", b"2", b"3", b"4", b"5")
    c.get(q, 3)
    for tag in (2, 1, 3):
        c.send("basic.reject", delivery_tag=tag, requeue=True)
    c.wait_for(q, 5)
    c.drain(q)


@probe("B-43", "QQ-1")
def returned_messages_with_a_delivery_limit(c: Conversation) -> None:
    q = quorum_queue(c, **{"x-delivery-limit": 5})
    c.put(q, b"1", b"2", b"3", b"4", b"5")
    c.get(q, 3)
    for tag in (2, 1, 3):
        c.send("basic.reject", delivery_tag=tag, requeue=True)
    c.wait_for(q, 5)
    c.drain(q)


@probe("B-43", "B-41")
def messages_of_a_closed_channel_with_a_delivery_limit(c: Conversation) -> None:
    q = quorum_queue(c, **{"x-delivery-limit": 5})
    c.put(q, b"1", b"2", b"3", b"4", b"5")
    c.call("channel.open", 2)
    c.call("basic.qos", 2, prefetch_count=3)
    c.call("basic.consume", 2, queue=q, consumer_tag="a")
    c.read(3)
    c.call("channel.close", 2, reply_code=200)
    c.wait_for(q, 5)
    c.drain(q)


@probe("QQ-1", "DLX-4", "VER-14")
def the_delivery_limit_dead_letters(c: Conversation) -> None:
    q, dead = _dead_lettering(c, **{"x-delivery-limit": 2})
    c.put(q, b"poison", b"fine")
    for tag in (1, 2):
        c.call("basic.get", queue=q)
        c.send("basic.reject", delivery_tag=tag, requeue=True)
        c.wait_for(q, 2)
    c.call("basic.get", queue=q)
    c.send("basic.reject", delivery_tag=3, requeue=True)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)
    c.drain(q)


@probe("QQ-1")
def the_delivery_limit_without_a_dead_letter_exchange(c: Conversation) -> None:
    q = quorum_queue(c, **{"x-delivery-limit": 1})
    c.put(q, b"poison")
    _return(c, q)
    c.get(q)
    c.send("basic.nack", delivery_tag=2, requeue=True)
    c.sync()
    c.pause(20)
    c.drain(q)


@probe("QQ-1")
def a_delivery_limit_of_0(c: Conversation) -> None:
    q, dead = _dead_lettering(c, **{"x-delivery-limit": 0})
    c.put(q, b"one", b"two")
    c.get(q, 2)
    c.send("basic.ack", delivery_tag=1)
    c.send("basic.reject", delivery_tag=2, requeue=True)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("QQ-1", "VER-9")
def without_a_delivery_limit_a_message_comes_back_often(c: Conversation) -> None:
    """RabbitMQ has a limit of 20 from 4.0."""
    q, dead = _dead_lettering(c)
    c.put(q, b"one")
    with c.quiet():
        for _ in range(21):
            tag = c.call("basic.get", queue=q)["delivery_tag"]
            c.send("basic.reject", delivery_tag=tag, requeue=True)
            c.sync()
    c.note("returned 21 times")
    c.pause(20)
    c.drain(q)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("QQ-1", "VER-9")
def a_negative_delivery_limit(c: Conversation) -> None:
    """None at all from 4.0; before, one that every message is over."""
    q, dead = _dead_lettering(c, **{"x-delivery-limit": -1})
    c.put(q, b"one")
    [tag] = c.get(q)
    c.send("basic.reject", delivery_tag=tag, requeue=True)
    c.sync()
    c.pause(20)
    c.drain(q)
    c.drain(dead)


@probe("QQ-1", "B-41")
def the_delivery_limit_counts_lost_channels(c: Conversation) -> None:
    q, dead = _dead_lettering(c, **{"x-delivery-limit": 1})
    c.put(q, b"one")
    for channel in (2, 3):
        c.call("channel.open", channel)
        c.call("basic.consume", channel, queue=q, consumer_tag="a")
        c.read()
        c.call("channel.close", channel, reply_code=200)
        if channel == 2:
            c.wait_for(q)
    c.wait_for(dead)
    c.drain(q)


@probe("DLX-4", "QQ-2")
def a_rejected_message_of_a_quorum_queue(c: Conversation) -> None:
    """Returned once before: does the dead letter tell?"""
    q, dead = _dead_lettering(c)
    c.put(q, b"one", properties={"headers": {"k": "v"}, "delivery_mode": 1, "expiration": "60000"})
    _return(c, q)
    c.call("basic.get", queue=q)
    c.send("basic.reject", delivery_tag=2)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-4", "DLX-7", "QQ-2")
def dying_between_two_quorum_queues(c: Conversation) -> None:
    q, dead = c.name("q"), c.name("dead")
    for name, to in ((q, dead), (dead, q)):
        arguments = QUORUM | {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": to, "x-delivery-limit": 0}
        c.call("queue.declare", queue=name, durable=True, arguments=arguments)
    c.put(q, b"one")
    for name in (q, dead, q):
        c.wait_for(name)
        [tag] = c.get(name)
        c.send("basic.reject", delivery_tag=tag)
    c.wait_for(dead)
    c.call("basic.get", queue=dead)
    c.send("basic.reject", delivery_tag=4, requeue=True)
    c.wait_for(q)
    c.call("basic.get", queue=q)


# Length and time


@probe("LEN-2", "DLX-4")
def drop_head_of_a_quorum_queue(c: Conversation) -> None:
    q, dead = _dead_lettering(c, **{"x-max-length": 2})
    c.put(q, b"1", b"2", b"3", b"4")
    c.wait_for(dead, 2)
    c.call("basic.get", queue=dead, no_ack=True)
    c.drain(dead)
    c.drain(q)


@probe("LEN-2")
def the_byte_limit_of_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c, **{"x-max-length-bytes": 5})
    c.put(q, b"aa", b"bb", b"cc")
    c.sync()
    c.drain(q)


@probe("LEN-1", "LEN-2", "B-43")
def requeueing_into_a_full_quorum_queue(c: Conversation) -> None:
    q, dead = _dead_lettering(c, **{"x-max-length": 2, "x-delivery-limit": 5})
    c.put(q, b"1", b"2")
    c.get(q, 2)
    c.put(q, b"3", b"4")
    c.send("basic.nack", delivery_tag=2, multiple=True, requeue=True)
    c.wait_for(dead, 2)
    c.drain(dead)
    c.drain(q)


@probe("LEN-4", "LEN-6", "CFM-5")
def reject_publish_of_a_quorum_queue(c: Conversation) -> None:
    q = quorum_queue(c, **{"x-max-length": 2, "x-overflow": "reject-publish"})
    c.call("confirm.select")
    with c.quiet():
        answers = []
        for number in range(6):
            c.send_publish(routing_key=q, body=b"%d" % number)
            answers += [unit.name for unit in c.read()]
            c.sync()
    c.note(f"the first three: {answers[:3]}; the last: {answers[-1]}")


@probe("LEN-5")
def reject_publish_dlx_of_a_quorum_queue(c: Conversation) -> None:
    q, dead = _dead_lettering(c, **{"x-max-length": 1, "x-overflow": "reject-publish-dlx"})
    c.call("confirm.select")
    for body in (b"1", b"2"):
        c.send_publish(routing_key=q, body=body)
        c.read()
    c.wait_for(dead)
    c.drain(dead)
    c.drain(q)


@probe("TTL-1", "TTL-6", "DLX-4")
def the_ttl_of_a_quorum_queue(c: Conversation) -> None:
    q, dead = _dead_lettering(c, **{"x-message-ttl": 30})
    c.put(q, b"1", b"2")
    c.wait_for(dead, 2)
    c.call("basic.get", queue=dead, no_ack=True)
    c.drain(dead)
    c.drain(q)


@probe("TTL-2", "TTL-6")
def only_the_head_of_a_quorum_queue_expires(c: Conversation) -> None:
    q, dead = _dead_lettering(c)
    c.put(q, b"keep")
    c.put(q, b"expired", properties={"expiration": "30"})
    c.pause(100)
    c.call("queue.declare", queue=q, passive=True)
    c.call("basic.get", queue=q)
    c.wait_for(dead)
    c.call("basic.get", queue=q)


@probe("TTL-4", "TTL-6")
def ttl_0_of_a_quorum_queue(c: Conversation) -> None:
    q, dead = _dead_lettering(c)
    c.put(q, b"expired", properties={"expiration": "0"})
    c.wait_for(dead)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.put(q, b"taken directly", properties={"expiration": "0"})
    c.listen(0.1)
    c.drain(dead)


@probe("TTL-3", "TTL-6")
def requeued_into_a_quorum_queue_after_its_time(c: Conversation) -> None:
    q, dead = _dead_lettering(c)
    c.put(q, b"one", properties={"expiration": "60"})
    c.get(q)
    c.pause(120)
    c.call("queue.declare", queue=dead, passive=True)
    c.send("basic.reject", delivery_tag=1, requeue=True)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)
