"""Channels: opening, closing, numbers, and the rules that hold for all methods on them."""

from __future__ import annotations

from interop.probes import wire
from interop.probes.probe import Conversation, probe


@probe("CH-1")
def other_methods_on_a_channel_that_is_not_open(c: Conversation) -> None:
    for name, arguments in (
        ("queue.declare", {"queue": "q"}),
        ("channel.close", {"reply_code": 200}),
        ("channel.close-ok", {}),
        ("channel.flow", {"active": True}),
        ("basic.ack", {"delivery_tag": 1}),
        ("connection.tune", {}),
    ):
        other = c.another()
        other.send(name, 2, **arguments)
        other.read()


@probe("CH-1")
def publish_on_a_channel_that_is_not_open(c: Conversation) -> None:
    c.send_publish(routing_key="q", body=b"x", channel=2)
    c.read()


@probe("CH-1")
def publish_without_content_on_a_channel_that_is_not_open(c: Conversation) -> None:
    c.send("basic.publish", 2, routing_key="q")
    c.listen(0.3)
    c.send_bytes(wire.header(2, 0), "an empty header")
    c.read()


@probe("CH-2")
def channel_open_twice(c: Conversation) -> None:
    c.send("channel.open")
    c.read()


@probe("CH-3")
def channel_numbers_above_channel_max(c: Conversation) -> None:
    other = c.another(channel_max=3)
    other.call("channel.open", 7)
    other.call("channel.open", 65535)
    other.call("channel.close", 7, reply_code=200)
    other.call("channel.open", 8)


@probe("CH-3")
def more_channels_than_channel_max(c: Conversation) -> None:
    other = c.another(channel_max=2)
    other.call("channel.open", 2)
    other.send("channel.open", 3)
    other.read()


@probe("CH-3")
def other_first_method_with_all_channels_in_use(c: Conversation) -> None:
    other = c.another(channel_max=1)
    other.send("basic.qos", 2)
    other.read()


@probe("CH-5")
def channel_open_ignores_its_argument(c: Conversation) -> None:
    c.call("channel.open", 2, out_of_band="something")


@probe("M-1")
def after_a_channel_error_everything_is_discarded_until_close_ok(c: Conversation) -> None:
    q = c.name("q")
    c.send("queue.declare", queue=q, passive=True)
    c.send("queue.declare", queue=q)
    c.send_publish(routing_key=q, body=b"x")
    c.read()
    c.send("queue.declare", queue=q)
    c.send_publish("nosuch", q, b"x")
    c.send("basic.ack", delivery_tag=1)
    c.send("channel.close-ok")
    c.call("channel.open")
    c.call("queue.declare", queue=q, passive=True)


@probe("M-1", "CH-2")
def channel_open_instead_of_close_ok(c: Conversation) -> None:
    c.call("queue.declare", queue="nosuch", passive=True)
    c.send("channel.open")
    c.listen(0.3)


@probe("M-1")
def a_channel_error_leaves_other_channels_alone(c: Conversation) -> None:
    q = c.declare()
    c.call("channel.open", 2)
    c.call("queue.declare", queue="nosuch", passive=True)
    c.call("queue.declare", 2, queue=q, passive=True)


@probe("M-1", "FRM-3")
def frame_errors_on_a_channel_in_error(c: Conversation) -> None:
    c.call("queue.declare", queue="nosuch", passive=True)
    c.send_bytes(wire.frame(5, 1, b"abc"), "unknown frame type")
    c.read()


@probe("M-1", "FRM-12")
def content_frames_are_still_checked_on_a_channel_in_error(c: Conversation) -> None:
    for data, what in (
        (wire.frame(wire.BODY, 1, b"abc"), "a stray body"),
        (wire.method("basic.publish", 1) + wire.method("tx.select", 1), "a publish without a header"),
        (wire.method("tx.select-ok", 1), "a method only brokers send"),
        (wire.frame(wire.METHOD, 1, b"\x00\x32\x00\x63"), "an unknown method"),
    ):
        other = c.another()
        other.call("queue.declare", queue="nosuch", passive=True)
        other.send_bytes(data, what)
        other.listen(0.2)
        other.finish()


@probe("M-1", "FRM-9")
def undecodable_methods_on_a_channel_in_error(c: Conversation) -> None:
    c.call("queue.declare", queue="nosuch", passive=True)
    c.send_bytes(wire.frame(wire.METHOD, 1, b"\x00\x32\x00\x0a\x00"), "queue.declare cut short")
    c.listen(0.3)


@probe("M-2")
def the_clients_close_crossing_the_brokers(c: Conversation) -> None:
    c.send("queue.declare", queue="nosuch", passive=True)
    c.send("channel.close", reply_code=200)
    c.read(2)
    c.send("channel.close-ok")
    c.call("channel.open")


@probe("M-2")
def channel_open_while_close_ok_is_due(c: Conversation) -> None:
    c.send("queue.declare", queue="nosuch", passive=True)
    c.send("channel.close", reply_code=200)
    c.read(2)
    c.send("channel.open")
    c.read()


@probe("M-3")
def closing_a_channel_requeues_and_removes_consumers(c: Conversation) -> None:
    q = c.declare()
    auto_delete = c.declare("auto_delete", auto_delete=True)
    c.put(q, b"one")
    c.call("channel.open", 2)
    c.call("basic.consume", queue=q, consumer_tag="a")
    c.read()
    c.call("basic.consume", queue=auto_delete, consumer_tag="b")
    c.call("channel.close", reply_code=200)
    c.call("queue.declare", 2, queue=q, passive=True)
    c.call("queue.declare", 2, queue=auto_delete, passive=True)


@probe("M-3")
def the_number_of_a_closed_channel_is_free(c: Conversation) -> None:
    for _ in range(3):
        c.call("channel.close", reply_code=200, reply_text="again")
        c.call("channel.open")


@probe("M-3")
def channel_close_with_any_code_and_text(c: Conversation) -> None:
    c.call("channel.close", reply_code=0, reply_text="x" * 255, class_id=99, method_id=99)


@probe("M-4")
def channel_close_ok_without_a_close(c: Conversation) -> None:
    c.send("channel.close-ok")
    c.read()


@probe("M-5", "VER-32")
def methods_only_brokers_send(c: Conversation) -> None:
    for name in (
        "channel.open-ok",
        "channel.flow-ok",
        "access.request-ok",
        "exchange.declare-ok",
        "exchange.delete-ok",
        "exchange.bind-ok",
        "exchange.unbind-ok",
        "queue.declare-ok",
        "queue.bind-ok",
        "queue.purge-ok",
        "queue.delete-ok",
        "queue.unbind-ok",
        "basic.qos-ok",
        "basic.consume-ok",
        "basic.get-empty",
        "basic.recover-ok",
        "confirm.select-ok",
        "tx.select-ok",
        "tx.commit-ok",
        "tx.rollback-ok",
    ):
        other = c.another()
        other.send(name)
        other.read()
        other.finish()


@probe("M-5", "VER-32")
def cancel_ok_from_a_client(c: Conversation) -> None:
    c.send("basic.cancel-ok", consumer_tag="a")
    c.listen(0.3)


@probe("M-5")
def content_methods_only_brokers_send(c: Conversation) -> None:
    for name in ("basic.deliver", "basic.return", "basic.get-ok"):
        other = c.another()
        other.send(name)
        other.send_bytes(wire.content(1, b"x"), "header and body")
        other.read()
        other.finish()


@probe("M-6")
def nowait_suppresses_the_positive_replies(c: Conversation) -> None:
    q, x, y = c.name("q"), c.name("x"), c.name("y")
    c.send("queue.declare", queue=q, nowait=True)
    c.send("exchange.declare", exchange=x, type="fanout", nowait=True)
    c.send("exchange.declare", exchange=y, type="fanout", nowait=True)
    c.send("queue.bind", queue=q, exchange=x, nowait=True)
    c.send("exchange.bind", destination=y, source=x, nowait=True)
    c.send("exchange.unbind", destination=y, source=x, nowait=True)
    c.send("basic.consume", queue=q, consumer_tag="a", nowait=True)
    c.send("basic.cancel", consumer_tag="a", nowait=True)
    c.send("queue.purge", queue=q, nowait=True)
    c.send("confirm.select", nowait=True)
    c.send("exchange.delete", exchange=y, nowait=True)
    c.sync()
    c.call("queue.declare", queue=q, passive=True)
    c.send("queue.delete", queue=q, nowait=True)
    c.sync()
    c.call("queue.declare", queue=q, passive=True)


@probe("M-6")
def nowait_does_not_suppress_errors(c: Conversation) -> None:
    q = c.declare()
    for name, arguments in (
        ("queue.declare", {"queue": q, "durable": True}),
        ("exchange.declare", {"exchange": "amq.new", "type": "fanout"}),
        ("queue.bind", {"queue": q, "exchange": "nosuch"}),
        ("exchange.bind", {"source": "nosuch", "destination": "amq.fanout"}),
        ("basic.consume", {"queue": "nosuch"}),
        ("queue.purge", {"queue": "nosuch"}),
        ("exchange.delete", {"exchange": "amq.fanout"}),
    ):
        c.attempt(name, nowait=True, **arguments)


@probe("M-7")
def access_request(c: Conversation) -> None:
    c.call("access.request", realm="/data", active=True, write=True)
    c.call("queue.declare", queue=c.name("q"), ticket=101)


@probe("M-9")
def pipelined_requests_are_answered_in_order(c: Conversation) -> None:
    q = c.name("q")
    c.send("queue.declare", queue=q)
    c.send("queue.bind", queue=q, exchange="amq.direct", routing_key=q)
    c.send("queue.purge", queue=q)
    c.send("basic.qos", prefetch_count=1)
    c.send("basic.get", queue=q)
    c.send("confirm.select")
    c.send("queue.delete", queue=q)
    c.read(7)


@probe("M-10")
def line_breaks_in_names_are_removed(c: Conversation) -> None:
    q, x = c.name("a-b"), c.name("x-y")
    broken_q, broken_x = q.replace("a-b", "a-\r\nb"), "\n" + x + "\r"
    c.call("queue.declare", queue=broken_q)
    c.call("exchange.declare", exchange=broken_x, type="direct")
    c.call("exchange.declare", exchange=x, passive=True)
    c.call("queue.bind", queue=broken_q, exchange=broken_x, routing_key="k")
    c.call("exchange.bind", destination=broken_x, source="\namq.direct", routing_key="k")
    c.call("exchange.unbind", destination=broken_x, source="\namq.direct", routing_key="k")
    c.call("queue.unbind", queue=broken_q, exchange=broken_x, routing_key="k")
    c.attempt("basic.get", queue=broken_q)
    c.attempt("basic.consume", queue=broken_q)
    c.attempt("queue.purge", queue=broken_q)
    c.send_publish(exchange=broken_x, routing_key="k")
    c.read()
    with c.quiet():
        c.send("channel.close-ok")
        c.call("channel.open")
    c.call("exchange.delete", exchange=broken_x)
    c.call("queue.delete", queue=broken_q)
    c.call("queue.declare", queue=q, passive=True)


@probe("M-11")
def all_sorts_of_names(c: Conversation) -> None:
    for stem in ("AMQ.foo", "with space", "a/b=c~d?e&f", "caf\u00e9 \U0001f407", "'quote'", "tab\t", "nul\0", "amq"):
        q = c.declare(stem)
        c.call("queue.delete", queue=q)
        x = c.exchange(stem=stem)
        c.call("exchange.delete", exchange=x)


@probe("M-11", "GEN-3")
def names_of_255_bytes(c: Conversation) -> None:
    q = c.name("q")
    q += "x" * (255 - len(q))
    c.call("queue.declare", queue=q, exclusive=True)
    c.attempt("queue.declare", queue=q, exclusive=True, durable=True, arguments={"x-max-length": 1})
    c.attempt("basic.consume", queue=q[:-1] + "y")
    c.attempt("exchange.declare", exchange=q, passive=True)


@probe("GEN-3")
def a_reply_text_cut_inside_a_character(c: Conversation) -> None:
    for ascii_letters in range(4):
        name = "a" * ascii_letters + "\U0001f407" * 60
        c.attempt("queue.declare", queue=name, passive=True)


@probe("M-12", "M-14")
def the_last_declared_queue(c: Conversation) -> None:
    q = c.name("q")
    for name in ("basic.get", "basic.consume", "queue.purge", "queue.delete", "queue.bind", "queue.unbind"):
        c.attempt(name)
    c.call("queue.declare", queue=q)
    c.call("queue.bind", exchange="amq.direct", routing_key="k")
    c.call("basic.get")
    c.call("basic.consume", consumer_tag="a")
    c.call("basic.cancel", consumer_tag="a")
    c.call("queue.purge")
    c.call("queue.unbind", exchange="amq.direct", routing_key="k")
    c.call("queue.delete")
    c.call("queue.purge")


@probe("M-12")
def the_last_declared_queue_is_kept_per_channel(c: Conversation) -> None:
    c.declare()
    c.call("channel.open", 2)
    c.call("basic.get", 2)


@probe("M-12")
def which_declares_set_the_last_declared_queue(c: Conversation) -> None:
    first, second = c.declare("first"), c.declare("second")
    c.call("queue.delete", if_unused=True)
    c.call("queue.declare", queue=first, passive=True)
    c.call("queue.purge")
    c.send("queue.declare", queue=second, nowait=True)
    c.call("queue.purge")
    c.call("queue.delete", queue=first)
    c.call("queue.declare", queue="", exclusive=True)
    c.call("queue.purge")
    c.call("basic.consume", consumer_tag="a")


@probe("M-12")
def a_refused_declare_leaves_the_last_declared_queue(c: Conversation) -> None:
    c.declare()
    c.call("queue.declare", queue="nosuch", passive=True)
    c.send("channel.close-ok")
    c.call("channel.open")
    c.call("basic.get")


@probe("M-13")
def an_empty_queue_and_routing_key_in_bind(c: Conversation) -> None:
    q = c.declare()
    x = c.exchange()
    c.call("queue.bind", exchange=x)
    c.send_publish(exchange=x, routing_key=q, mandatory=True, body=b"to its name")
    c.send_publish(exchange=x, routing_key="", mandatory=True, body=b"to the empty key")
    c.read()
    c.call("queue.bind", queue=q, exchange=x)
    c.send_publish(exchange=x, routing_key="", mandatory=True, body=b"to the empty key")
    c.call("queue.unbind", exchange=x)
    c.send_publish(exchange=x, routing_key=q, mandatory=True, body=b"to its name")
    c.read()
    c.call("queue.purge")


@probe("M-15")
def passive_declare_of_the_empty_name(c: Conversation) -> None:
    c.declare()
    c.call("queue.declare", queue="", passive=True)


@probe("CF-1")
def channel_flow(c: Conversation) -> None:
    c.call("channel.flow", active=True)
    c.send("channel.flow", active=False)
    c.read()
