"""basic.publish and return, publisher confirms, transactions."""

from __future__ import annotations

from interop.probes.probe import Conversation, probe


@probe("B-1")
def publish_to_a_missing_exchange(c: Conversation) -> None:
    c.send_publish(exchange="nosuch", routing_key="k", body=b"x")
    c.read()


@probe("B-1", "B-2")
def immediate_is_not_implemented(c: Conversation) -> None:
    c.send_publish(exchange="nosuch", routing_key="k", body=b"x", immediate=True)
    c.read()
    other = c.another()
    other.send_publish(routing_key="k", immediate=True, mandatory=True)
    other.read()


@probe("B-3", "CT-6")
def a_mandatory_message_is_returned_as_published(c: Conversation) -> None:
    properties = {"content_type": "text/plain", "headers": {"b": ("s", 1), "a": ""}, "delivery_mode": 2, "app_id": ""}
    c.send_publish("amq.direct", "k", b"hello", properties=properties, mandatory=True)
    c.read()
    c.send_publish(routing_key="", body=b"", mandatory=True)
    c.read()
    c.send_publish("amq.topic", "x" * 255, b"y" * 300, mandatory=True)
    c.read()


@probe("B-4")
def unroutable_messages_are_dropped(c: Conversation) -> None:
    c.send_publish("amq.direct", "nowhere", b"x")
    c.sync()


@probe("B-5", "B-4", "CFM-2", "CFM-4")
def returns_come_before_their_confirms(c: Conversation) -> None:
    c.call("confirm.select")
    c.send_publish("amq.direct", "nowhere", b"one", mandatory=True)
    c.read(2)
    c.send_publish("amq.direct", "nowhere", b"two")
    c.read()


@probe("B-6", "CT-13")
def routed_by_cc_only_is_routed(c: Conversation) -> None:
    q = c.declare()
    c.send_publish("amq.direct", "nowhere", b"one", properties={"headers": {"CC": ["nowhere else"]}}, mandatory=True)
    c.read()
    c.send_publish("", "nowhere", b"two", properties={"headers": {"CC": [q]}}, mandatory=True)
    c.call("basic.get", queue=q, no_ack=True)
    c.send_publish("", "nowhere", b"three", properties={"headers": {"BCC": [q]}}, mandatory=True)
    c.call("basic.get", queue=q, no_ack=True)


@probe("B-7", "LEN-4", "CFM-5")
def a_refused_message_is_nacked_and_not_returned(c: Conversation) -> None:
    q = c.declare(arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    c.call("confirm.select")
    for body in (b"kept", b"refused", b"refused as well"):
        c.send_publish(routing_key=q, body=body, mandatory=True)
        c.read()
    c.call("queue.declare", queue=q, passive=True)
    c.send_publish("amq.direct", "nowhere", b"x", mandatory=True)
    c.read(2)


@probe("CFM-5")
def refused_by_one_of_several_queues(c: Conversation) -> None:
    x = c.exchange("fanout")
    full, other = c.name("full"), c.declare("other")
    c.call("queue.declare", queue=full, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    c.bind(full, x)
    c.bind(other, x)
    c.call("confirm.select")
    c.send_publish(x, "", b"one")
    c.read()
    c.call("basic.get", queue=other, no_ack=True)


@probe("CFM-1")
def confirm_select(c: Conversation) -> None:
    c.call("confirm.select")
    c.call("confirm.select")
    c.send_publish("amq.direct", "nowhere")
    c.read()
    c.call("tx.select")


@probe("CFM-1", "TX-1")
def confirm_on_a_transactional_channel(c: Conversation) -> None:
    c.call("tx.select")
    c.call("confirm.select")


@probe("CFM-1", "M-6")
def confirm_on_a_transactional_channel_with_nowait(c: Conversation) -> None:
    c.call("tx.select")
    c.send("confirm.select", nowait=True)
    c.read()


@probe("CFM-2")
def confirms_count_from_the_first_publish_after_select(c: Conversation) -> None:
    q = c.declare()
    c.send_publish(routing_key=q, body=b"before")
    c.call("confirm.select")
    c.send_publish(routing_key=q, body=b"one")
    c.read()
    c.send_publish("amq.direct", "nowhere", b"two")
    c.read()
    c.call("confirm.select")
    c.send_publish(routing_key=q, body=b"three", properties={"delivery_mode": 2})
    c.read()


@probe("CFM-2")
def a_refused_publish_is_never_confirmed(c: Conversation) -> None:
    c.call("confirm.select")
    c.send_publish("nosuch", "k", b"x")
    c.read()
    with c.quiet():
        c.send("channel.close-ok")
        c.call("channel.open")
    c.call("confirm.select")
    c.send_publish("amq.direct", "nowhere", b"x")
    c.read()


@probe("CFM-4")
def persistent_messages_are_confirmed(c: Conversation) -> None:
    q = c.declare(durable=True)
    c.call("confirm.select")
    c.send_publish(routing_key=q, body=b"one", properties={"delivery_mode": 2})
    c.read()
    c.send_publish(routing_key=q, body=b"two", properties={"delivery_mode": 1})
    c.read()


@probe("CFM-3")
def a_burst_is_confirmed_wholly(c: Conversation) -> None:
    q = c.declare()
    c.call("confirm.select")
    for number in range(20):
        with c.quiet():
            c.send_publish(routing_key=q, body=b"%d" % number)
    confirmed: set[int] = set()
    with c.quiet():
        while len(confirmed) < 20:
            ack = c.read_one()
            tag = ack["delivery_tag"]
            confirmed |= set(range(1, tag + 1)) if ack["multiple"] else {tag}
    c.note(f"confirmed: {min(confirmed)} to {max(confirmed)}")
    c.call("queue.purge", queue=q)


@probe("CFM-7")
def confirm_and_delivery_on_one_channel(c: Conversation) -> None:
    q = c.declare()
    c.call("confirm.select")
    c.call("basic.consume", queue=q, consumer_tag="a", no_ack=True)
    c.send_publish(routing_key=q, body=b"one")
    c.read(2, in_any_order=True)


# Transactions


@probe("TX-1")
def tx_select(c: Conversation) -> None:
    c.call("tx.select")
    c.call("tx.select")
    c.call("tx.commit")
    c.call("tx.rollback")
    c.attempt("tx.select")


@probe("TX-1")
def tx_on_a_confirm_channel(c: Conversation) -> None:
    c.call("confirm.select")
    c.call("tx.select")


@probe("TX-2")
def commit_and_rollback_without_select(c: Conversation) -> None:
    c.attempt("tx.commit")
    c.attempt("tx.rollback")


@probe("TX-3", "TX-7", "TX-8")
def publishes_are_held_until_commit(c: Conversation) -> None:
    q = c.declare()
    c.call("tx.select")
    c.send_publish(routing_key=q, body=b"one")
    c.call("basic.get", queue=q, no_ack=True)
    c.call("tx.commit")
    c.call("basic.get", queue=q, no_ack=True)
    c.send_publish(routing_key=q, body=b"two")
    c.call("tx.rollback")
    c.call("basic.get", queue=q, no_ack=True)


@probe("TX-3")
def returns_come_at_commit(c: Conversation) -> None:
    c.call("tx.select")
    c.send_publish("amq.direct", "nowhere", b"one", mandatory=True)
    c.sync()
    c.send("tx.commit")
    c.read(2)


@probe("TX-3")
def a_queue_gone_at_commit(c: Conversation) -> None:
    q = c.declare()
    c.call("tx.select")
    c.send_publish(routing_key=q, body=b"one", mandatory=True)
    c.send_publish(routing_key=q, body=b"two")
    c.call("queue.delete", queue=q)
    c.send("tx.commit")
    c.read(2)


@probe("TX-3")
def routing_happens_at_publish(c: Conversation) -> None:
    q = c.declare()
    c.call("tx.select")
    c.send_publish("amq.direct", q, b"one", mandatory=True)
    c.bind(q, "amq.direct", q)
    c.send("tx.commit")
    c.read(2)
    c.call("basic.get", queue=q)


@probe("TX-3", "XT-1")
def the_default_exchange_finds_the_queue_at_commit(c: Conversation) -> None:
    q = c.name("q")
    c.call("tx.select")
    c.send_publish(routing_key=q, body=b"one", mandatory=True)
    c.call("queue.declare", queue=q)
    c.call("tx.commit")
    c.call("basic.get", queue=q)


@probe("TX-3")
def a_publish_refused_in_a_transaction_fails_at_once(c: Conversation) -> None:
    c.call("tx.select")
    c.send_publish("nosuch", "k", b"one")
    c.read()


@probe("TX-3", "TX-5")
def acks_in_a_transaction(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"1", b"2", b"3")
    c.call("tx.select")
    with c.quiet():
        for _ in range(3):
            c.call("basic.get", queue=q)
    c.send("basic.ack", delivery_tag=1)
    c.send("basic.reject", delivery_tag=2, requeue=True)
    c.call("basic.get", queue=q)
    c.call("tx.rollback")
    c.call("basic.get", queue=q)
    c.send("basic.ack", delivery_tag=1)
    c.send("basic.reject", delivery_tag=2, requeue=True)
    c.call("tx.commit")
    c.call("basic.get", queue=q)


@probe("B-37", "TX-3")
def delivery_tags_are_checked_at_once_in_a_transaction(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"1")
    c.call("tx.select")
    c.call("basic.get", queue=q)
    c.send("basic.ack", delivery_tag=1)
    c.send("basic.ack", delivery_tag=1)
    c.read()


@probe("TX-4", "LEN-4")
def a_queue_that_refuses_at_commit(c: Conversation) -> None:
    q, other = c.name("q"), c.declare("other")
    c.call("queue.declare", queue=q, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    c.call("tx.select")
    c.send_publish(routing_key=q, body=b"one")
    c.send_publish(routing_key=other, body=b"two")
    c.call("tx.commit")
    c.attempt("basic.get", queue=other, no_ack=True)


@probe("TX-6")
def a_channel_closed_without_commit(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"1")
    c.call("channel.open", 2)
    c.call("tx.select")
    c.call("basic.get", queue=q)
    c.send("basic.ack", delivery_tag=1)
    c.send_publish(routing_key=q, body=b"never")
    c.call("channel.close", reply_code=200)
    c.call("basic.get", 2, queue=q)
    c.call("basic.get", 2, queue=q)


@probe("TX-7", "CFM-4")
def commit_of_persistent_messages(c: Conversation) -> None:
    q = c.declare(durable=True)
    c.call("tx.select")
    c.send_publish(routing_key=q, body=b"one", properties={"delivery_mode": 2})
    c.call("tx.commit")
    c.call("basic.get", queue=q, no_ack=True)
