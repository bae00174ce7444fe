"""queue.declare without arguments, bind, unbind, purge and delete."""

from __future__ import annotations

from interop.probes.probe import Conversation, probe


@probe("QU-1")
def server_named_queues(c: Conversation) -> None:
    first = c.call("queue.declare", exclusive=True)["queue"]
    second = c.call("queue.declare", exclusive=True)["queue"]
    c.note(f"different: {first != second}")


@probe("QU-3", "QU-9")
def a_server_named_queue_can_only_be_declared_passively(c: Conversation) -> None:
    name = c.call("queue.declare", exclusive=True)["queue"]
    c.attempt("queue.declare", queue=name, passive=True)
    c.attempt("queue.declare", queue=name, exclusive=True)


@probe("QU-3")
def reserved_queue_names(c: Conversation) -> None:
    for name in ("amq.foo", "amq.", "amq.gen-something"):
        c.attempt("queue.declare", queue=name)
        c.attempt("queue.declare", queue=name, passive=True)


@probe("QU-3", "QA-1")
def the_reserved_name_is_checked_before_the_arguments_of_a_queue(c: Conversation) -> None:
    c.call("queue.declare", queue="amq.foo", arguments={"x-max-length": "x"})


@probe("QU-4", "QU-11")
def declaring_a_queue_again_tells_its_counts(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two", b"three")
    c.call("queue.declare", queue=q)
    c.call("basic.consume", queue=q, consumer_tag="a", no_ack=True)
    c.read(3)
    c.call("queue.declare", queue=q)
    c.call("queue.declare", queue=q, passive=True)


@probe("QU-11")
def the_message_count_is_of_ready_messages(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two", b"three")
    c.call("basic.get", queue=q)
    c.call("queue.declare", queue=q, passive=True)


@probe("QU-5")
def queue_properties_that_differ(c: Conversation) -> None:
    q = c.declare()
    c.attempt("queue.declare", queue=q, durable=True)
    c.attempt("queue.declare", queue=q, auto_delete=True)
    c.attempt("queue.declare", queue=q, durable=True, auto_delete=True)
    c.attempt("queue.declare", queue=q, auto_delete=True, arguments={"x-max-length": 1})
    d = c.declare("d", durable=True, auto_delete=True)
    c.attempt("queue.declare", queue=d, auto_delete=True)
    c.attempt("queue.declare", queue=d, durable=True)


@probe("QU-6")
def an_exclusive_flag_that_differs(c: Conversation) -> None:
    q, mine = c.declare(), c.declare("mine", exclusive=True)
    c.attempt("queue.declare", queue=q, exclusive=True)
    c.attempt("queue.declare", queue=mine)
    c.attempt("queue.declare", queue=mine, exclusive=True)
    c.attempt("queue.declare", queue=q, exclusive=True, durable=True)
    c.attempt("queue.declare", queue=q, exclusive=True, arguments={"x-max-length": 1})


@probe("QU-6", "QU-9", "QU-15")
def the_exclusive_queue_of_another_connection(c: Conversation) -> None:
    q = c.declare(exclusive=True)
    c.bind(q, "amq.direct", q)
    other = c.another()
    for name, arguments in (
        ("queue.declare", {"exclusive": True}),
        ("queue.declare", {}),
        ("queue.declare", {"passive": True}),
        ("basic.get", {}),
        ("basic.consume", {}),
        ("queue.bind", {"exchange": "amq.direct", "routing_key": "other"}),
        ("queue.bind", {"exchange": "nosuch"}),
        ("queue.unbind", {"exchange": "amq.direct", "routing_key": q}),
        ("queue.unbind", {"exchange": "amq.direct", "routing_key": "unbound"}),
        ("queue.unbind", {"exchange": "nosuch"}),
        ("queue.purge", {}),
        ("queue.delete", {}),
        ("queue.delete", {"if_unused": True, "if_empty": True}),
    ):
        other.attempt(name, queue=q, **arguments)
    other.send_publish(routing_key=q, mandatory=True, body=b"by name")
    other.send_publish(exchange="amq.direct", routing_key=q, mandatory=True, body=b"by binding")
    other.sync()
    c.call("basic.consume", queue=q, consumer_tag="a", no_ack=True)
    c.read(2)


@probe("QU-15")
def an_exclusive_queue_on_the_channels_of_its_connection(c: Conversation) -> None:
    q = c.declare(exclusive=True)
    c.call("channel.open", 2)
    c.call("queue.declare", 2, queue=q, exclusive=True)
    c.call("basic.get", 2, queue=q)
    c.call("channel.close", reply_code=200)
    c.call("queue.delete", 2, queue=q)


@probe("QU-8", "QU-9")
def passive_queue_declare(c: Conversation) -> None:
    c.attempt("queue.declare", queue="nosuch", passive=True)
    q = c.declare()
    c.attempt("queue.declare", queue=q, passive=True, durable=True, auto_delete=True, arguments={"x-max-length": "bad"})
    c.attempt("queue.declare", queue=q, passive=True, exclusive=True)


@probe("QU-14")
def exclusive_and_durable(c: Conversation) -> None:
    q = c.declare(exclusive=True, durable=True)
    c.attempt("queue.declare", queue=q, exclusive=True)
    c.attempt("queue.declare", queue=q, exclusive=True, durable=True)


@probe("QU-16")
def an_auto_delete_queue_goes_with_its_last_consumer(c: Conversation) -> None:
    q = c.declare(auto_delete=True)
    c.call("basic.get", queue=q)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.call("basic.consume", queue=q, consumer_tag="b")
    c.call("basic.cancel", consumer_tag="a")
    c.attempt("queue.declare", queue=q, passive=True)
    c.call("basic.cancel", consumer_tag="b")
    c.attempt("queue.declare", queue=q, passive=True)


@probe("QU-16")
def an_auto_delete_queue_never_consumed_from_stays(c: Conversation) -> None:
    other = c.another()
    q = other.declare(auto_delete=True)
    other.call("connection.close", 0, reply_code=200)
    c.call("queue.declare", queue=q, passive=True)


# queue.bind, queue.unbind


@probe("QU-18")
def binding_to_the_default_exchange(c: Conversation) -> None:
    q = c.declare()
    for name in ("queue.bind", "queue.unbind"):
        c.attempt(name, queue=q, exchange="", routing_key="k")
        c.attempt(name, queue=q, exchange="", routing_key=q)
        c.attempt(name, queue="nosuch", exchange="", routing_key=q)


@probe("QU-19", "QU-20")
def binding_what_is_missing(c: Conversation) -> None:
    q = c.declare()
    for name in ("queue.bind", "queue.unbind"):
        c.attempt(name, queue="nosuchqueue", exchange="amq.direct", routing_key="k")
        c.attempt(name, queue=q, exchange="nosuchexchange", routing_key="k")
        c.attempt(name, queue="nosuchqueue", exchange="nosuchexchange", routing_key="k")
    c.attempt("queue.unbind", queue=q, exchange="amq.direct", routing_key="never bound")


@probe("QU-21", "QU-22", "QU-23")
def what_makes_a_binding_the_same(c: Conversation) -> None:
    x = c.exchange()
    q = c.declare()
    first, second, third = {"a": ("b", 1), "b": "x"}, {"b": "x", "a": ("b", 1)}, {"a": ("I", 1), "b": "x"}
    c.bind(q, x, "k", arguments=first)
    c.bind(q, x, "k", arguments=second)
    c.bind(q, x, "k", arguments=third)
    c.call("queue.unbind", queue=q, exchange=x, routing_key="k", arguments=second)
    c.send_publish(exchange=x, routing_key="k", mandatory=True, body=b"the third is left")
    c.sync()
    c.call("queue.unbind", queue=q, exchange=x, routing_key="k", arguments=first)
    c.call("queue.unbind", queue=q, exchange=x, routing_key="k")
    c.send_publish(exchange=x, routing_key="k", mandatory=True, body=b"the third is left")
    c.sync()
    c.call("queue.unbind", queue=q, exchange=x, routing_key="k", arguments=third)
    c.send_publish(exchange=x, routing_key="k", mandatory=True, body=b"none is left")
    c.read()
    c.call("queue.purge", queue=q)


@probe("QU-25", "VER-25", "DRT-5")
def binding_a_reply_to_name(c: Conversation) -> None:
    c.attempt("queue.bind", queue="amq.rabbitmq.reply-to.g1hkAA", exchange="amq.direct", routing_key="k")
    c.attempt("queue.bind", queue="amq.rabbitmq.reply-to", exchange="amq.direct", routing_key="k")


# queue.purge, queue.delete


@probe("2.3")
def purge_removes_ready_messages(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two", b"three")
    c.call("basic.get", queue=q)
    c.call("queue.purge", queue=q)
    c.call("queue.purge", queue=q)
    c.send("basic.reject", delivery_tag=1, requeue=True)
    c.call("basic.get", queue=q)
    c.attempt("queue.purge", queue="nosuch")


@probe("QU-26", "QU-31")
def queue_delete_counts_ready_messages(c: Conversation) -> None:
    c.call("queue.delete", queue="nosuch")
    c.call("queue.delete", queue="nosuch", if_unused=True, if_empty=True)
    q = c.declare()
    c.put(q, b"one", b"two", b"three")
    c.call("basic.get", queue=q)
    c.call("queue.delete", queue=q)


@probe("QU-27", "QU-28", "QU-29")
def queue_delete_if_unused_and_if_empty(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one", b"two")
    c.attempt("queue.delete", queue=q, if_empty=True)
    c.call("basic.qos", prefetch_count=1)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read()
    c.attempt("queue.delete", queue=q, if_unused=True)
    c.attempt("queue.delete", queue=q, if_unused=True, if_empty=True)
    c.call("basic.cancel", consumer_tag="a")
    c.attempt("queue.delete", queue=q, if_unused=True)


@probe("QU-30", "QU-35")
def queue_delete_if_empty_with_unacked_messages(c: Conversation) -> None:
    q = c.declare()
    c.put(q, b"one")
    c.call("basic.get", queue=q)
    c.call("queue.delete", queue=q, if_empty=True)
    c.send("basic.ack", delivery_tag=1)
    c.sync()


@probe("QU-32", "B-13")
def consumers_are_cancelled_when_their_queue_is_deleted(c: Conversation) -> None:
    q = c.declare()
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.send("queue.delete", queue=q)
    c.read(2)
    other = c.another()
    q = c.declare("second")
    c.call("basic.consume", queue=q, consumer_tag="b")
    other.call("queue.delete", queue=q)
    c.read()
    c.call("basic.cancel", consumer_tag="b")


@probe("B-13")
def without_the_capability_a_consumer_disappears_silently(c: Conversation) -> None:
    other = c.another(start_ok={"client_properties": {"capabilities": {"consumer_cancel_notify": False}}})
    q = other.declare()
    other.call("basic.consume", queue=q, consumer_tag="a")
    c.call("queue.delete", queue=q)
    other.sync()
    q = other.declare("second")
    other.call("basic.consume", queue=q, consumer_tag="a")
    other.call("queue.delete", queue=q)
    other.sync()


@probe("QU-35")
def a_deleted_queue_leaves_no_binding(c: Conversation) -> None:
    q = c.declare()
    c.bind(q, "amq.direct", q)
    c.call("queue.delete", queue=q)
    c.call("queue.declare", queue=q)
    c.send_publish(exchange="amq.direct", routing_key=q, mandatory=True, body=b"x")
    c.read()


@probe("QU-35", "4.7")
def deleting_and_purging_do_not_dead_letter(c: Conversation) -> None:
    dead = c.declare("dead")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    q = c.declare(arguments=arguments)
    c.put(q, b"one")
    c.call("queue.purge", queue=q)
    c.put(q, b"two")
    c.call("basic.get", queue=q)
    c.put(q, b"three")
    c.call("queue.delete", queue=q)
    c.call("basic.get", queue=dead)
