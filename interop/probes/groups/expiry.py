"""Messages and queues whose time is over: x-message-ttl, the expiration property, x-expires.

Times are short because they pass for real. What must not have expired yet has a minute; what must have is waited for,
or given several times its due.
"""

from __future__ import annotations

from typing import Any

from interop.probes.probe import Conversation, probe

MINUTE_MS = 60000
SHORT_MS = 30
PAST_SHORT_MS = 100
EXPIRES_MS = 70
PAST_EXPIRES_MS = 120


def _expiring(milliseconds: int | str = SHORT_MS) -> dict[str, Any]:
    return {"expiration": str(milliseconds)}


# Time to live of messages


@probe("TTL-1", "TTL-3", "DLX-4")
def the_ttl_of_a_queue_takes_its_messages_in_order(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-message-ttl": SHORT_MS})
    c.put(q, b"one", b"two", b"three")
    c.wait_for(dead, 3)
    c.call("queue.declare", queue=q, passive=True)
    c.call("basic.get", queue=dead, no_ack=True)
    c.drain(dead)


@probe("TTL-1", "DLX-3", "DLX-4")
def the_expiration_of_a_message_is_told_when_it_died(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.put(q, b"one", properties=_expiring() | {"headers": {"k": "v"}, "delivery_mode": 2, "priority": 7})
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("TTL-1")
def the_smaller_of_both_times_counts(c: Conversation) -> None:
    short, dead = c.dead_lettering("short", **{"x-message-ttl": SHORT_MS})
    c.put(short, b"the queue's", properties=_expiring(MINUTE_MS))
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-message-ttl": MINUTE_MS}
    long = c.declare("long", arguments=arguments)
    c.put(long, b"the message's", properties=_expiring())
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("TTL-1")
def a_message_in_time_keeps_its_expiration(c: Conversation) -> None:
    q = c.declare(arguments={"x-message-ttl": MINUTE_MS})
    c.put(q, b"one", properties=_expiring("+60000"))
    c.call("basic.get", queue=q)


@probe("TTL-2")
def only_the_head_expires(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.put(q, b"keep")
    c.put(q, b"expired", b"also expired", properties=_expiring())
    c.put(q, b"keep too")
    c.pause(PAST_SHORT_MS)
    c.call("queue.declare", queue=q, passive=True)
    c.call("queue.declare", queue=dead, passive=True)
    c.call("basic.get", queue=q)
    c.wait_for(dead, 2)
    c.call("queue.declare", queue=q, passive=True)
    c.call("basic.get", queue=q)
    c.drain(dead)


@probe("TTL-2")
def what_expired_behind_the_head_is_never_delivered(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"keep")
    c.put(q, b"expired", properties=_expiring())
    c.put(q, b"keep too")
    c.pause(PAST_SHORT_MS)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read()
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("TTL-2")
def the_head_requeued_covers_what_expired_behind_it(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.put(q, b"keep")
    c.get(q)
    c.put(q, b"expired", properties=_expiring(100))
    c.send("basic.reject", delivery_tag=1, requeue=True)
    c.pause(150)
    c.call("queue.declare", queue=q, passive=True)
    c.call("basic.get", queue=q)
    c.wait_for(dead)
    c.call("queue.declare", queue=q, passive=True)


@probe("TTL-2")
def purging_the_head_lets_nothing_expire(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.put(q, b"keep")
    c.put(q, b"expired", properties=_expiring())
    c.pause(PAST_SHORT_MS)
    c.call("queue.purge", queue=q)
    c.call("queue.declare", queue=dead, passive=True)
    c.put(q, b"next", properties=_expiring())
    c.wait_for(dead)
    c.drain(dead)


@probe("TTL-2", "LEN-2")
def the_length_limit_uncovers_what_expired(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-max-length": 2})
    c.put(q, b"keep")
    c.put(q, b"expired", properties=_expiring())
    c.pause(PAST_SHORT_MS)
    c.put(q, b"last")
    c.wait_for(dead, 2)
    c.call("basic.get", queue=dead, no_ack=True)
    c.call("basic.get", queue=dead, no_ack=True)
    c.drain(q)


@probe("TTL-3")
def unacked_messages_do_not_expire(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-message-ttl": SHORT_MS})
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.put(q, b"one")
    c.read()
    c.pause(PAST_SHORT_MS)
    c.call("queue.declare", queue=dead, passive=True)
    c.send("basic.ack", delivery_tag=1)
    c.sync()
    c.call("queue.declare", queue=dead, passive=True)


@probe("TTL-3")
def requeued_after_its_time_a_message_expires(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.put(q, b"1", b"2", b"3", properties=_expiring())
    c.read(3)
    c.pause(PAST_SHORT_MS)
    c.send("basic.reject", delivery_tag=3, requeue=True)
    c.wait_for(dead)
    c.send("basic.nack", delivery_tag=1, requeue=True)
    c.wait_for(dead, 2)
    c.send("basic.recover", requeue=True)
    c.read()
    c.wait_for(dead, 3)
    c.call("basic.get", queue=dead, no_ack=True)
    c.drain(dead)


@probe("TTL-3")
def requeued_in_time_a_message_keeps_its_deadline(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.put(q, b"one", properties=_expiring(100))
    c.get(q)
    c.send("basic.reject", delivery_tag=1, requeue=True)
    c.call("basic.get", queue=q)
    c.send("basic.reject", delivery_tag=2, requeue=True)
    c.wait_for(dead)
    c.drain(q)


@probe("TTL-3", "B-41")
def a_closed_channel_gives_back_what_then_expires(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-message-ttl": SHORT_MS})
    c.call("channel.open", 2)
    c.call("basic.consume", 2, queue=q, consumer_tag="a")
    c.put(q, b"1", b"2")
    c.read(2)
    c.pause(PAST_SHORT_MS)
    c.call("channel.close", 2, reply_code=200)
    c.wait_for(dead, 2)
    c.drain(q)
    c.drain(dead)


@probe("TTL-4", "B-7", "CFM-2")
def expiration_0(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.call("confirm.select")
    c.send_publish(routing_key=q, body=b"expired", properties=_expiring(0), mandatory=True)
    c.read()
    c.wait_for(dead)
    c.call("basic.get", queue=q)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.send_publish(routing_key=q, body=b"taken directly", properties=_expiring(0))
    c.read(2, in_any_order=True)
    c.send_publish(routing_key=q, body=b"no room", properties=_expiring(0))
    c.read()
    c.wait_for(dead, 2)
    c.send("basic.ack", delivery_tag=1)
    c.sync()
    c.drain(dead)


@probe("TTL-4", "TTL-3")
def ttl_0_requeued(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-message-ttl": 0})
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.put(q, b"one")
    c.read()
    c.send("basic.reject", delivery_tag=1, requeue=True)
    c.wait_for(dead)
    c.call("basic.get", queue=dead, no_ack=True)


@probe("TTL-4", "TTL-2")
def expiration_0_behind_another_message(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.put(q, b"keep")
    c.put(q, b"expired", properties=_expiring(0))
    c.call("queue.declare", queue=q, passive=True)
    c.call("basic.get", queue=q)
    c.wait_for(dead)
    c.call("queue.declare", queue=q, passive=True)


@probe("TTL-3", "DLX-1")
def expired_without_a_dead_letter_exchange(c: Conversation) -> None:
    q, nowhere = c.declare(arguments={"x-message-ttl": SHORT_MS}), c.name("nowhere")
    c.put(q, b"one")
    c.wait_until_empty(q)
    lost = c.declare("lost", arguments={"x-message-ttl": SHORT_MS, "x-dead-letter-exchange": nowhere})
    c.put(lost, b"one")
    c.wait_until_empty(lost)


@probe("TTL-1", "CT-9", "DLX-4")
def expirations_as_they_are_told(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    for text in ("+0", "-0", "00", "+01", "5"):
        c.put(q, b"x", properties=_expiring(text))
        c.wait_for(dead)
        with c.quiet():
            headers = c.call("basic.get", queue=dead, no_ack=True).properties["headers"]
        [death] = next(value for key, _, value in headers if key == b"x-death")
        c.note(f"{text!r}: {[field for field in death[1] if field[0] == b'original-expiration']}")


@probe("TTL-1", "DLX-3")
def the_longest_expiration(c: Conversation) -> None:
    q = c.declare(arguments={"x-message-ttl": 315360000000})
    c.put(q, b"one", properties=_expiring(315360000000))
    c.call("basic.get", queue=q, no_ack=True)


@probe("TTL-1", "DLX-3")
def dead_letters_expire_by_the_ttl_of_their_new_queue_only(c: Conversation) -> None:
    last = c.declare("last")
    middle = c.name("middle")
    c.call(
        "queue.declare",
        queue=middle,
        arguments={"x-message-ttl": SHORT_MS, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": last},
    )
    q = c.declare(arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": middle})
    c.put(q, b"one", properties=_expiring())
    c.wait_for(last)
    c.pause(PAST_SHORT_MS)
    c.call("basic.get", queue=last, no_ack=True)


@probe("TTL-3", "TX-3")
def the_time_begins_at_commit(c: Conversation) -> None:
    q, dead = c.dead_lettering()
    c.call("tx.select")
    c.send_publish(routing_key=q, body=b"one", properties=_expiring(0))
    c.call("queue.declare", queue=dead, passive=True)
    c.call("tx.commit")
    c.wait_for(dead)


# Queues that expire


@probe("EXP-1", "QU-8")
def a_queue_nobody_uses_is_deleted(c: Conversation) -> None:
    x = c.exchange()
    q = c.declare(arguments={"x-expires": EXPIRES_MS})
    c.bind(q, x, "k")
    c.put(q, b"one")
    c.pause(PAST_EXPIRES_MS)
    c.attempt("queue.declare", queue=q, passive=True)
    c.send_publish(x, "k", b"no binding is left", mandatory=True)
    c.read()


@probe("EXP-1")
def declaring_and_getting_is_use(c: Conversation) -> None:
    queues = [c.declare(stem, arguments={"x-expires": 150}) for stem in ("q", "passive", "active", "get", "publish")]
    _, passive, active, get, publish = queues
    for _ in range(2):
        c.pause(100)
        c.attempt("queue.declare", queue=passive, passive=True)
        c.attempt("queue.declare", queue=active, arguments={"x-expires": 150})
        c.attempt("basic.get", queue=get)
        with c.quiet():
            c.send_publish(routing_key=publish, body=b"is no use")
            c.sync()
    for queue in queues:
        c.attempt("basic.consume", queue=queue, consumer_tag="a")


@probe("EXP-1")
def a_queue_with_a_consumer_does_not_expire(c: Conversation) -> None:
    q = c.declare(arguments={"x-expires": EXPIRES_MS})
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.consume", queue=q, consumer_tag="b")
    c.call("basic.cancel", consumer_tag="a")
    c.pause(PAST_EXPIRES_MS)
    c.attempt("queue.purge", queue=q)
    c.call("basic.cancel", consumer_tag="b")
    c.pause(PAST_EXPIRES_MS)
    c.attempt("queue.declare", queue=q, passive=True)


@probe("EXP-1")
def unacked_deliveries_do_not_keep_a_queue(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-expires": EXPIRES_MS})
    c.put(q, b"1", b"2", b"3")
    c.get(q, 3)
    c.pause(PAST_EXPIRES_MS)
    c.attempt("queue.declare", queue=q, passive=True)
    c.send("basic.ack", delivery_tag=1)
    c.send("basic.reject", delivery_tag=2)
    c.send("basic.nack", delivery_tag=3, requeue=True)
    c.sync()
    c.call("queue.declare", queue=dead, passive=True)


@probe("EXP-2")
def messages_of_an_expired_queue_are_no_dead_letters(c: Conversation) -> None:
    q, dead = c.dead_lettering(**{"x-expires": EXPIRES_MS})
    c.put(q, b"one")
    c.pause(PAST_EXPIRES_MS)
    c.attempt("queue.declare", queue=q, passive=True)
    c.call("queue.declare", queue=dead, passive=True)


@probe("EXP-1", "QU-4")
def an_expired_queue_can_be_declared_again(c: Conversation) -> None:
    q = c.declare(arguments={"x-expires": EXPIRES_MS})
    c.put(q, b"one")
    c.pause(PAST_EXPIRES_MS)
    c.attempt("queue.declare", queue=q)


@probe("EXP-1", "CFM-6")
def an_exclusive_queue_expires_too(c: Conversation) -> None:
    q = c.declare(exclusive=True, arguments={"x-expires": EXPIRES_MS})
    c.pause(PAST_EXPIRES_MS)
    c.attempt("queue.declare", queue=q, passive=True)
