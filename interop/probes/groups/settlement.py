"""ack, nack, reject and recover: errors, requeueing and order."""

from __future__ import annotations

from interop.probes.probe import Conversation, probe


def _get(c: Conversation, queue: str, count: int) -> None:
    """Get messages, unrecorded."""
    with c.quiet():
        for _ in range(count):
            c.call("basic.get", queue=queue)
    c.note(f"got {count}")


@probe("B-34")
def unknown_delivery_tags(c: Conversation) -> None:
    for name in ("basic.ack", "basic.nack", "basic.reject"):
        for arguments in ({"delivery_tag": 99}, {"delivery_tag": 0}, {"delivery_tag": 2**64 - 1}):
            other = c.another()
            other.send(name, **arguments)
            other.read()
            other.finish()
    for name in ("basic.ack", "basic.nack"):
        other = c.another()
        other.send(name, delivery_tag=5, multiple=True)
        other.read()
        other.finish()


@probe("B-34")
def acked_twice(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two")
    _get(c, q, 2)
    c.send("basic.ack", delivery_tag=1)
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("B-34")
def ack_of_a_delivery_without_ack(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one")
    c.call("basic.get", queue=q, no_ack=True)
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("B-34")
def ack_on_another_channel(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one")
    c.call("basic.get", queue=q)
    c.call("channel.open", 2)
    c.send("basic.ack", 2, delivery_tag=1)
    c.read()


@probe("B-34")
def ack_multiple_above_the_last_tag(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two")
    _get(c, q, 2)
    c.send("basic.ack", delivery_tag=3, multiple=True)
    c.read()
    c.send("channel.close-ok")
    c.call("channel.open")
    c.wait_for(q, 2)


@probe("B-35")
def ack_multiple(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"1", b"2", b"3", b"4", b"5", b"6")
    _get(c, q, 6)
    c.send("basic.ack", delivery_tag=2)
    c.send("basic.ack", delivery_tag=4, multiple=True)
    c.send("basic.ack", delivery_tag=4, multiple=True)
    c.read()


@probe("B-35")
def ack_multiple_of_a_tag_already_settled_below_others(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"1", b"2", b"3")
    _get(c, q, 3)
    c.send("basic.ack", delivery_tag=2)
    c.send("basic.ack", delivery_tag=2, multiple=True)
    c.read()


@probe("B-36")
def tag_0_with_multiple(c: Conversation) -> None:
    q = c.declare()
    for name in ("basic.ack", "basic.nack"):
        c.send(name, delivery_tag=0, multiple=True)
    c.put(q, b"1", b"2")
    _get(c, q, 2)
    c.send("basic.nack", delivery_tag=0, multiple=True, requeue=True)
    c.call("basic.get", queue=q)
    c.call("basic.get", queue=q)
    c.send("basic.ack", delivery_tag=0, multiple=True)
    c.call("basic.get", queue=q)


@probe("B-38")
def requeueing_restores_the_original_position(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"0", b"1", b"2", b"3", b"4", b"5")
    _get(c, q, 4)
    c.send("basic.nack", delivery_tag=2, requeue=True)
    for _ in range(3):
        c.call("basic.get", queue=q)


@probe("B-38")
def rejecting_in_reverse_order_restores_the_order(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"0", b"1", b"2", b"3")
    _get(c, q, 4)
    for tag in (4, 2, 3, 1):
        c.send("basic.reject", delivery_tag=tag, requeue=True)
    for _ in range(4):
        c.call("basic.get", queue=q)


@probe("B-39")
def a_requeued_message_comes_back_to_the_same_consumer(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one")
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read()
    c.send("basic.reject", delivery_tag=1, requeue=True)
    c.read()
    c.send("basic.nack", delivery_tag=2, requeue=True)
    c.read()
    c.send("basic.ack", delivery_tag=3)
    c.sync()


@probe("B-40")
def rejected_without_requeue(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two", b"three")
    _get(c, q, 3)
    c.send("basic.reject", delivery_tag=1)
    c.send("basic.nack", delivery_tag=3, multiple=True)
    c.call("basic.get", queue=q)


@probe("B-41", "B-38")
def a_closed_channel_gives_its_messages_back_in_order(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"0", b"1", b"2", b"3")
    c.call("channel.open", 2)
    _get(c, q, 2)
    c.call("basic.get", 2, queue=q)
    c.call("channel.close", reply_code=200)
    for _ in range(4):
        c.call("basic.get", 2, queue=q)


@probe("B-42")
def recover_with_requeue(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"1", b"2")
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read(2)
    c.send("basic.recover", requeue=True)
    c.read(3)
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("B-42")
def recover_async_with_requeue(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"1", b"2")
    _get(c, q, 2)
    c.send("basic.recover-async", requeue=True)
    c.sync()
    c.call("basic.get", queue=q)
    c.call("basic.get", queue=q)


@probe("B-42")
def recover_without_requeue(c: Conversation) -> None:
    for name in ("basic.recover", "basic.recover-async"):
        other = c.another()
        other.send(name)
        other.read()
        other.finish()


@probe("B-42")
def recover_with_nothing_outstanding(c: Conversation) -> None:
    c.call("basic.recover", requeue=True)


@probe("B-44")
def redelivered_is_set_on_the_second_delivery(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one")
    c.call("basic.get", queue=q)
    c.send("basic.reject", delivery_tag=1, requeue=True)
    c.call("basic.get", queue=q)
    c.send("basic.nack", delivery_tag=2, requeue=True)
    c.call("basic.get", queue=q)


# Dead-lettering


@probe("DLX-1", "DLX-3", "DLX-4", "DLX-6", "DLX-9", "VER-14")
def a_rejected_message_is_dead_lettered(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    headers = {"zebra": "z", "ant": 1}
    c.put(q, b"one", properties={"headers": headers, "delivery_mode": 2, "message_id": "m", "priority": 3})
    _get(c, q, 1)
    c.send("basic.reject", delivery_tag=1)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-10", "B-40")
def nack_multiple_dead_letters_in_order(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.put(q, b"1", b"2", b"3")
    _get(c, q, 3)
    c.send("basic.nack", delivery_tag=3, multiple=True)
    c.wait_for(dead, 3)
    with c.quiet():
        bodies = [c.call("basic.get", queue=dead, no_ack=True).body for _ in range(3)]
    c.note(f"dead: {bodies}")


@probe("DLX-3", "DLX-4", "TTL-4")
def an_expired_message_is_dead_lettered(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.put(q, b"one", properties={"expiration": "0", "headers": {"CC": ["another"], "BCC": ["third"]}})
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-4", "LEN-2")
def messages_over_the_length_limit_are_dead_lettered(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-length": 1})
    c.put(q, b"1", b"2")
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)
    c.call("basic.get", queue=q, no_ack=True)


@probe("LEN-5", "CFM-5")
def reject_publish_dlx_dead_letters_what_it_refuses(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-length": 0, "x-overflow": "reject-publish-dlx"})
    c.call("confirm.select")
    c.send_publish(routing_key=q, body=b"one")
    c.read()
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-1")
def dead_letters_keep_their_routing_keys_without_one_of_the_queue(c: Conversation) -> None:
    x = c.exchange("fanout")
    dead = c.declare("dead")
    c.bind(dead, x)
    q = c.declare(arguments={"x-dead-letter-exchange": x})
    c.put(q, b"one", properties={"headers": {"CC": ["another"]}})
    _get(c, q, 1)
    c.send("basic.nack", delivery_tag=1)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("DLX-4", "DLX-5", "DLX-7")
def dying_again_and_again(c: Conversation) -> None:
    q, dead = c.name("q"), c.name("dead")
    for name, to in ((q, dead), (dead, q)):
        c.call("queue.declare", queue=name, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": to})
    c.put(q, b"one")
    for name in (q, dead, q, dead):
        c.wait_for(name)
        with c.quiet():
            tag = c.call("basic.get", queue=name)["delivery_tag"]
            c.send("basic.reject", delivery_tag=tag)
        c.note("rejected")
    c.wait_for(q)
    c.call("basic.get", queue=q, no_ack=True)


@probe("DLX-7")
def a_message_expiring_in_a_circle_is_dropped(c: Conversation) -> None:
    q = c.name("q")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": q, "x-message-ttl": 0}
    c.call("queue.declare", queue=q, arguments=arguments)
    c.put(q, b"one")
    c.call("basic.get", queue=q)


@probe("DLX-8", "VER-13")
def a_published_x_death(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    death = {
        "count": ("l", 5),
        "reason": "rejected",
        "queue": q,
        "exchange": "",
        "routing-keys": ["k"],
        "time": ("T", 1),
    }
    c.put(q, b"one", properties={"headers": {"x-death": [death]}})
    _get(c, q, 1)
    c.send("basic.reject", delivery_tag=1)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


# Limits and priorities


@probe("PRI-1")
def a_priority_queue(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 5})
    for number, priority in enumerate((None, 0, 1, 5, 9, 3, 5)):
        c.put(q, b"%d" % number, properties={} if priority is None else {"priority": priority})
    with c.quiet():
        bodies = [c.call("basic.get", queue=q).body for _ in range(7)]
    c.note(f"got: {bodies}")
    c.send("basic.nack", delivery_tag=0, multiple=True, requeue=True)
    with c.quiet():
        bodies = [c.call("basic.get", queue=q).body for _ in range(7)]
    c.note(f"requeued and got: {bodies}")


@probe("LEN-1", "LEN-2")
def drop_head(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-length": 2})
    c.put(q, b"1", b"2", b"3")
    c.call("basic.get", queue=q)
    c.call("basic.get", queue=q)
    c.put(q, b"4", b"5")
    c.send("basic.nack", delivery_tag=0, multiple=True, requeue=True)
    c.call("basic.get", queue=q)
    c.call("basic.get", queue=q)
    c.call("basic.get", queue=q)


@probe("LEN-1", "LEN-2")
def the_length_limit_comes_before_the_consumers(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-length": 2})
    c.call("basic.qos", prefetch_count=2)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.put(q, b"1", b"2", b"3", b"4")
    c.read(2)
    c.send("basic.nack", delivery_tag=2, multiple=True, requeue=True)
    c.read(2)
    c.wait_for(dead, 2)
    c.drain(dead)


@probe("LEN-2")
def the_byte_limit(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-length-bytes": 5})
    c.put(q, b"aa", b"bb", b"cc")
    c.call("queue.declare", queue=q, passive=True)
    c.put(q, b"longer")
    c.call("queue.declare", queue=q, passive=True)


@probe("LEN-2", "PRI-1")
def drop_head_on_a_priority_queue(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-priority": 5, "x-max-length": 2})
    for priority in (5, 4, 1, 0):
        c.put(q, b"%d" % priority, properties={"priority": priority})
    for _ in range(3):
        c.call("basic.get", queue=q)


@probe("LEN-3", "LEN-4")
def length_limit_0(c: Conversation) -> None:
    drop, refuse = c.declare("drop", arguments={"x-max-length": 0}), c.name("refuse")
    c.call("queue.declare", queue=refuse, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    c.call("confirm.select")
    c.call("basic.consume", queue=drop, consumer_tag="a", no_ack=True)
    c.send_publish(routing_key=drop, body=b"taken directly")
    c.read(2, in_any_order=True)
    c.call("basic.cancel", consumer_tag="a")
    c.send_publish(routing_key=drop, body=b"dropped")
    c.read()
    c.call("basic.get", queue=drop)
    c.call("basic.consume", queue=refuse, consumer_tag="b", no_ack=True)
    c.send_publish(routing_key=refuse, body=b"refused")
    c.read()


@probe("TTL-4", "B-7")
def ttl_0(c: Conversation) -> None:
    q = c.declare(arguments={"x-message-ttl": 0})
    c.call("confirm.select")
    c.send_publish(routing_key=q, body=b"expired", mandatory=True)
    c.read()
    c.call("basic.get", queue=q)
    c.call("basic.consume", queue=q, consumer_tag="a", no_ack=True)
    c.send_publish(routing_key=q, body=b"taken directly", mandatory=True)
    c.read(2, in_any_order=True)
