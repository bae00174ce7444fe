"""Direct reply-to: the pseudo-queue amq.rabbitmq.reply-to."""

from __future__ import annotations

from interop.probes.probe import Conversation, probe

REPLY_TO = "amq.rabbitmq.reply-to"


def _request(c: Conversation) -> tuple[str, str]:
    """A reply consumer on channel 1 and a request in a queue; returns the queue and the name replies go to."""
    c.call("basic.consume", queue=REPLY_TO, consumer_tag="replies", no_ack=True)
    q = c.declare("requests")
    c.send_publish(routing_key=q, body=b"request", properties={"reply_to": REPLY_TO, "correlation_id": "1"})
    return q, c.call("basic.get", queue=q, no_ack=True).properties["reply_to"].decode()


@probe("DRT-1", "B-9")
def a_reply_consumer(c: Conversation) -> None:
    c.call("basic.consume", queue=REPLY_TO, no_ack=True)
    c.attempt(
        "basic.consume", queue=REPLY_TO, consumer_tag="a", no_ack=True, exclusive=True, arguments={"x-priority": "x"}
    )
    c.attempt("basic.consume", queue=REPLY_TO, consumer_tag="a")


@probe("DRT-1")
def a_second_reply_consumer(c: Conversation) -> None:
    c.call("basic.consume", queue=REPLY_TO, consumer_tag="a", no_ack=True)
    c.call("basic.consume", queue=REPLY_TO, consumer_tag="b", no_ack=True)


@probe("DRT-1", "B-10")
def a_second_reply_consumer_of_the_same_tag(c: Conversation) -> None:
    c.call("basic.consume", queue=REPLY_TO, consumer_tag="a", no_ack=True)
    c.send("basic.consume", queue=REPLY_TO, consumer_tag="a", no_ack=True)
    c.read()


@probe("DRT-1", "B-10")
def a_reply_consumer_with_the_tag_of_another(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.send("basic.consume", queue=REPLY_TO, consumer_tag="a", no_ack=True)
    c.read()


@probe("DRT-2", "CT-12")
def the_reply_to_is_rewritten(c: Conversation) -> None:
    c.call("basic.consume", queue=REPLY_TO, consumer_tag="replies", no_ack=True)
    q = c.declare()
    c.bind(q, "amq.direct", q)
    for exchange in ("", "amq.direct"):
        c.send_publish(exchange, q, b"request", properties={"headers": {"z": 1, "a": 2}, "reply_to": REPLY_TO})
        c.call("basic.get", queue=q, no_ack=True)
    c.send_publish("", q, b"request", properties={"reply_to": REPLY_TO + "."})
    c.call("basic.get", queue=q, no_ack=True)


@probe("DRT-2")
def reply_to_without_a_reply_consumer(c: Conversation) -> None:
    c.send_publish("", "nowhere", b"request", properties={"reply_to": REPLY_TO})
    c.read()


@probe("DRT-2", "B-1")
def reply_to_without_a_reply_consumer_and_other_errors(c: Conversation) -> None:
    other = c.another()
    other.send_publish("nosuch", "k", properties={"reply_to": REPLY_TO})
    other.read()
    c.send_publish("", "nowhere", properties={"reply_to": REPLY_TO, "expiration": "x", "user_id": "other"})
    c.read()


@probe("DRT-3")
def a_reply_is_delivered_to_the_requester(c: Conversation) -> None:
    _, reply_to = _request(c)
    other = c.another()
    other.send_publish("", reply_to, b"reply", properties={"correlation_id": "1"})
    c.read()


@probe("DRT-3")
def the_delivery_tags_of_replies(c: Conversation) -> None:
    q, reply_to = _request(c)
    other = c.another()
    for body in (b"one", b"two"):
        other.send_publish("", reply_to, body)
        c.read()
    c.put(q, b"next")
    c.call("basic.get", queue=q)


@probe("DRT-3")
def replies_through_other_exchanges_go_nowhere(c: Conversation) -> None:
    _, reply_to = _request(c)
    c.send_publish("amq.direct", reply_to, b"reply", mandatory=True)
    c.read()


@probe("DRT-4", "VER-24")
def a_mandatory_reply(c: Conversation) -> None:
    _, reply_to = _request(c)
    other = c.another()
    other.send_publish("", reply_to, b"reply", mandatory=True)
    other.sync()
    c.read()


@probe("DRT-4")
def a_reply_is_confirmed(c: Conversation) -> None:
    _, reply_to = _request(c)
    other = c.another()
    other.call("confirm.select")
    other.send_publish("", reply_to, b"reply")
    other.read()
    c.read()


@probe("DRT-4", "DRT-6")
def a_reply_after_cancel_is_dropped(c: Conversation) -> None:
    _, reply_to = _request(c)
    c.call("basic.cancel", consumer_tag="replies")
    other = c.another()
    other.call("confirm.select")
    other.send_publish("", reply_to, b"reply")
    other.read()
    c.sync()


@probe("DRT-6")
def after_cancel_a_new_reply_consumer_may_start(c: Conversation) -> None:
    c.call("basic.consume", queue=REPLY_TO, consumer_tag="a", no_ack=True)
    c.call("basic.cancel", consumer_tag="a")
    c.send_publish("", "nowhere", properties={"reply_to": REPLY_TO})
    c.read()
    with c.quiet():
        c.send("channel.close-ok")
        c.call("channel.open")
    c.call("basic.consume", queue=REPLY_TO, consumer_tag="a", no_ack=True)
    c.call("basic.cancel", consumer_tag="a")
    c.call("basic.consume", queue=REPLY_TO, consumer_tag="a", no_ack=True)


@probe("DRT-5")
def declares_and_deletes_of_the_bare_name(c: Conversation) -> None:
    c.attempt("queue.declare", queue=REPLY_TO)
    c.attempt("queue.declare", queue=REPLY_TO, passive=True)
    c.attempt("queue.declare", queue=REPLY_TO, durable=True, exclusive=True, arguments={"x-max-length": "x"})
    c.attempt("queue.delete", queue=REPLY_TO)
    c.attempt("basic.get", queue=REPLY_TO)
    c.attempt("queue.purge", queue=REPLY_TO)


@probe("DRT-5")
def methods_on_the_full_name(c: Conversation) -> None:
    _, reply_to = _request(c)
    other = c.another()
    for name, arguments in (
        ("queue.declare", {}),
        ("queue.declare", {"passive": True}),
        ("queue.delete", {}),
        ("basic.consume", {}),
        ("queue.purge", {}),
        ("queue.unbind", {"exchange": "amq.direct", "routing_key": "k"}),
    ):
        other.attempt(name, queue=reply_to, **arguments)
    c.call("basic.cancel", consumer_tag="replies")
    other.attempt("queue.declare", queue=reply_to, passive=True)


@probe("DRT-5", "VER-25")
def get_and_bind_on_the_full_name(c: Conversation) -> None:
    _, reply_to = _request(c)
    for name, arguments in (("queue.bind", {"exchange": "amq.direct", "routing_key": "k"}), ("basic.get", {})):
        c.attempt(name, queue=reply_to, **arguments)


@probe("DRT-5")
def methods_on_a_name_that_never_was(c: Conversation) -> None:
    for name in ("queue.declare", "queue.delete", "basic.consume"):
        c.attempt(name, queue=REPLY_TO + ".g1hkAA")
    c.send_publish("", REPLY_TO + ".g1hkAA", b"x", mandatory=True)
    c.sync()
