"""exchange.declare, delete, bind, unbind; alternate exchanges."""

from __future__ import annotations

from typing import Any

from interop.probes.probe import Conversation, probe

TYPES = ("direct", "fanout", "topic", "headers")


@probe("2.2")
def the_predeclared_exchanges(c: Conversation) -> None:
    for name, kind in (
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ):
        c.attempt("exchange.declare", exchange=name, type=kind, durable=True)
        c.attempt("exchange.declare", exchange=name, type=kind)
    c.attempt("exchange.declare", exchange="amq.rabbitmq.trace", type="topic", durable=True, internal=True)


@probe("2.2")
def declare_and_delete_of_every_type(c: Conversation) -> None:
    for kind in TYPES:
        x = c.exchange(kind, kind)
        c.call("exchange.declare", exchange=x, type=kind)
        c.call("exchange.declare", exchange=x, passive=True)
        c.call("exchange.delete", exchange=x)
        c.attempt("exchange.declare", exchange=x, passive=True)


@probe("EX-1", "VER-1")
def unknown_exchange_type(c: Conversation) -> None:
    c.call("exchange.declare", exchange=c.name("x"), type="nosuchtype")


@probe("EX-1", "VER-1")
def unknown_exchange_type_for_an_existing_exchange(c: Conversation) -> None:
    c.call("exchange.declare", exchange="amq.direct", type="nosuchtype", durable=True)


@probe("EX-1", "XT-22")
def delayed_message_exchange_without_the_plugin(c: Conversation) -> None:
    c.call("exchange.declare", exchange=c.name("x"), type="x-delayed-message", arguments={"x-delayed-type": "direct"})


@probe("EX-2")
def empty_exchange_type(c: Conversation) -> None:
    c.call("exchange.declare", exchange=c.name("x"), type="")


@probe("EX-2")
def exchange_types_are_case_sensitive(c: Conversation) -> None:
    c.call("exchange.declare", exchange=c.name("x"), type="diRect")


@probe("EX-1", "EX-3")
def the_type_is_checked_before_the_name(c: Conversation) -> None:
    c.call("exchange.declare", exchange="", type="nosuchtype")


@probe("EX-3")
def declare_of_the_default_exchange(c: Conversation) -> None:
    c.attempt("exchange.declare", exchange="", type="direct", durable=True)
    c.attempt("exchange.declare", exchange="", type="direct", passive=True)
    c.attempt("exchange.declare", exchange="", passive=True)


@probe("EX-4", "EX-5", "EX-6")
def reserved_exchange_names(c: Conversation) -> None:
    c.attempt("exchange.declare", exchange="amq.new", type="direct")
    c.attempt("exchange.declare", exchange="amq.", type="direct")
    c.attempt("exchange.declare", exchange="amq.new", type="direct", passive=True)
    c.attempt("exchange.declare", exchange="amq.direct", type="direct", durable=True)


@probe("EX-6", "EX-7")
def passive_exchange_declare(c: Conversation) -> None:
    c.attempt("exchange.declare", exchange="nosuch", passive=True)
    c.attempt("exchange.declare", exchange="nosuch", type="nosuchtype", passive=True)
    x = c.exchange("fanout")
    c.attempt(
        "exchange.declare", exchange=x, type="direct", durable=True, passive=True, arguments={"alternate-exchange": 1}
    )
    c.attempt("exchange.declare", exchange=x, type="nosuchtype", passive=True)


@probe("EX-8")
def exchange_properties_that_differ(c: Conversation) -> None:
    x = c.exchange("direct")
    for differing in (
        {"type": "fanout"},
        {"type": "direct", "durable": True},
        {"type": "direct", "auto_delete": True},
        {"type": "direct", "internal": True},
        {"type": "topic", "durable": True, "auto_delete": True, "internal": True},
        {"type": "direct", "durable": True, "auto_delete": True, "internal": True},
        {"type": "direct", "auto_delete": True, "internal": True},
        {"type": "direct", "internal": True, "arguments": {"alternate-exchange": "ae"}},
    ):
        c.attempt("exchange.declare", exchange=x, **differing)
    y = c.exchange("fanout", "y", durable=True, auto_delete=True, internal=True)
    c.attempt("exchange.declare", exchange=y, type="fanout", auto_delete=True, internal=True)
    c.attempt("exchange.declare", exchange=y, type="fanout", durable=True, internal=True)
    c.attempt("exchange.declare", exchange=y, type="fanout", durable=True, auto_delete=True)
    c.attempt("exchange.declare", exchange=y, type="fanout", durable=True, auto_delete=True, internal=True)


@probe("EX-9")
def other_exchange_arguments_are_not_compared(c: Conversation) -> None:
    x = c.exchange("direct", arguments={"x-anything": 1, "x-message-ttl": "nonsense"})
    c.attempt("exchange.declare", exchange=x, type="direct")
    c.attempt("exchange.declare", exchange=x, type="direct", arguments={"x-anything": 2})


@probe("EX-10")
def alternate_exchanges_that_differ(c: Conversation) -> None:
    plain = c.exchange(stem="plain")
    alternate = c.exchange(stem="with", arguments={"alternate-exchange": "nosuchae"})
    c.attempt("exchange.declare", exchange=plain, type="direct", arguments={"alternate-exchange": "ae"})
    c.attempt("exchange.declare", exchange=alternate, type="direct")
    c.attempt("exchange.declare", exchange=alternate, type="direct", arguments={"alternate-exchange": "other"})
    c.attempt("exchange.declare", exchange=alternate, type="direct", arguments={"alternate-exchange": "nosuchae"})
    c.attempt("exchange.declare", exchange=alternate, type="direct", arguments={"alternate-exchange": 1})
    c.attempt("exchange.declare", exchange=plain, type="direct", arguments={"alternate-exchange": 1})


@probe("EX-11")
def alternate_exchange_of_a_wrong_type(c: Conversation) -> None:
    x = c.name("x")
    values: list[tuple[str, Any]] = [("b", 1), ("B", 1), ("s", 1), ("I", 1), ("l", 1), ("t", 1), ("d", 1.0)]
    values += [("V", None), ("x", b"ae"), ("F", {}), ("A", [])]
    for value in values:
        c.attempt("exchange.declare", exchange=x, type="direct", arguments={"alternate-exchange": value})
    c.attempt("exchange.declare", exchange=x, type="direct", arguments={"alternate-exchange": ""})


@probe("EX-4", "EX-11")
def the_reserved_name_is_checked_before_the_arguments(c: Conversation) -> None:
    c.call("exchange.declare", exchange="amq.new", type="direct", arguments={"alternate-exchange": 1})


@probe("EX-13", "EX-14", "EX-15")
def exchange_delete_refusals(c: Conversation) -> None:
    c.attempt("exchange.delete", exchange="nosuch")
    c.attempt("exchange.delete", exchange="nosuch", if_unused=True)
    c.attempt("exchange.delete", exchange="")
    c.attempt("exchange.delete", exchange="amq.direct")
    c.attempt("exchange.delete", exchange="amq.nosuch")


@probe("EX-16")
def exchange_delete_if_unused(c: Conversation) -> None:
    x, y = c.exchange(), c.exchange(stem="y")
    q = c.declare()
    c.bind(q, x, "k")
    c.attempt("exchange.delete", exchange=x, if_unused=True)
    c.call("queue.unbind", queue=q, exchange=x, routing_key="k")
    c.call("exchange.bind", destination=x, source=y)
    c.attempt("exchange.delete", exchange=y, if_unused=True)
    c.attempt("exchange.delete", exchange=x, if_unused=True)
    c.attempt("exchange.delete", exchange=y, if_unused=True)


@probe("EX-17")
def a_deleted_exchange_takes_its_bindings_along(c: Conversation) -> None:
    x, y = c.exchange("fanout"), c.exchange("fanout", "y")
    q = c.declare()
    c.call("exchange.bind", destination=y, source=x)
    c.bind(q, y)
    c.call("exchange.delete", exchange=y)
    c.exchange("fanout", "y")
    c.send_publish(exchange=x, mandatory=True, body=b"x")
    c.send_publish(exchange=y, mandatory=True, body=b"y")
    c.read(2)


@probe("EX-18")
def an_auto_delete_exchange_goes_with_its_last_binding(c: Conversation) -> None:
    x = c.exchange("fanout", auto_delete=True)
    c.call("exchange.declare", exchange=x, passive=True)
    one, two = c.declare("one"), c.declare("two")
    c.bind(one, x)
    c.bind(two, x)
    c.call("queue.unbind", queue=one, exchange=x)
    c.attempt("exchange.declare", exchange=x, passive=True)
    c.call("queue.delete", queue=two)
    c.attempt("exchange.declare", exchange=x, passive=True)


@probe("EX-18")
def auto_delete_exchanges_cascade(c: Conversation) -> None:
    a, b = c.exchange("fanout", "a", auto_delete=True), c.exchange("fanout", "b", auto_delete=True)
    q = c.declare()
    c.call("exchange.bind", destination=b, source=a)
    c.bind(q, b)
    c.call("queue.delete", queue=q)
    c.attempt("exchange.declare", exchange=b, passive=True)
    c.attempt("exchange.declare", exchange=a, passive=True)


@probe("EX-18")
def being_unbound_as_a_destination_does_not_delete(c: Conversation) -> None:
    a, b = c.exchange("fanout", "a"), c.exchange("fanout", "b", auto_delete=True)
    c.call("exchange.bind", destination=b, source=a)
    c.call("exchange.unbind", destination=b, source=a)
    c.attempt("exchange.declare", exchange=b, passive=True)


@probe("EX-19", "XT-25")
def publish_to_an_internal_exchange(c: Conversation) -> None:
    x = c.exchange("fanout", internal=True)
    c.send_publish(exchange=x)
    c.read()
    other = c.another()
    other.send_publish(exchange="amq.rabbitmq.trace")
    other.read()


@probe("EX-19")
def an_internal_exchange_routes_what_comes_from_others(c: Conversation) -> None:
    x, inner = c.exchange("fanout"), c.exchange("fanout", "inner", internal=True)
    q = c.declare()
    c.call("exchange.bind", destination=inner, source=x)
    c.bind(q, inner)
    c.send_publish(exchange=x, routing_key="k", body=b"x")
    c.call("basic.get", queue=q, no_ack=True)


@probe("EX-20", "EX-21")
def exchange_bind_refusals(c: Conversation) -> None:
    x = c.exchange()
    for name in ("exchange.bind", "exchange.unbind"):
        for destination, source in (
            ("", x),
            (x, ""),
            ("", ""),
            ("", "nosuch"),
            ("nosuch", ""),
            ("nosuch", x),
            (x, "nosuch"),
            ("no", "such"),
        ):
            c.attempt(name, destination=destination, source=source)


@probe("EX-22")
def exchange_bindings_are_a_set(c: Conversation) -> None:
    x, y = c.exchange(), c.exchange("fanout", "y")
    q = c.declare()
    c.bind(q, y)
    c.call("exchange.unbind", destination=y, source=x, routing_key="k")
    c.call("exchange.bind", destination=y, source=x, routing_key="k")
    c.call("exchange.bind", destination=y, source=x, routing_key="k")
    c.call("exchange.bind", destination=x, source=x, routing_key="k")
    c.send_publish(exchange=x, routing_key="k", body=b"once")
    c.call("basic.get", queue=q, no_ack=True)
    c.call("exchange.unbind", destination=y, source=x, routing_key="k")
    c.send_publish(exchange=x, routing_key="k", mandatory=True, body=b"only to itself")
    c.read()


@probe("EX-23")
def exchange_bindings_in_a_cycle(c: Conversation) -> None:
    x, y, z = c.exchange("fanout"), c.exchange("fanout", "y"), c.exchange("fanout", "z")
    q = c.declare()
    for source, destination in ((x, y), (y, z), (z, x)):
        c.call("exchange.bind", destination=destination, source=source)
    for exchange in (x, y, z):
        c.bind(q, exchange)
    c.send_publish(exchange=y, routing_key="k", body=b"once")
    c.call("basic.get", queue=q, no_ack=True)


@probe("EX-20")
def exchange_bindings_filter_by_the_source_type(c: Conversation) -> None:
    x, y = c.exchange("topic"), c.exchange("direct", "y")
    q = c.declare()
    c.call("exchange.bind", destination=y, source=x, routing_key="a.*")
    c.bind(q, y, "a.b")
    c.send_publish(exchange=x, routing_key="a.b", mandatory=True, body=b"through both")
    c.send_publish(exchange=x, routing_key="a.c", mandatory=True, body=b"through one")
    c.read()
    c.call("basic.get", queue=q, no_ack=True)


# Alternate exchanges


@probe("5", "B-6")
def an_alternate_exchange_takes_what_is_unroutable(c: Conversation) -> None:
    alternate = c.exchange("fanout", "alternate")
    x = c.exchange("direct", arguments={"alternate-exchange": alternate})
    q, rest = c.declare(), c.declare("rest")
    c.bind(q, x, "k")
    c.bind(rest, alternate)
    c.send_publish(exchange=x, routing_key="k", mandatory=True, body=b"bound")
    c.send_publish(exchange=x, routing_key="other", mandatory=True, body=b"not bound")
    c.call("basic.get", queue=q, no_ack=True)
    c.call("basic.get", queue=rest, no_ack=True)
    c.call("basic.get", queue=rest, no_ack=True)


@probe("5")
def a_missing_alternate_exchange(c: Conversation) -> None:
    x = c.exchange("direct", arguments={"alternate-exchange": "nosuchae"})
    c.send_publish(exchange=x, routing_key="k", mandatory=True, body=b"x")
    c.read()


@probe("5")
def alternate_exchanges_chain(c: Conversation) -> None:
    third = c.exchange("fanout", "third")
    second = c.exchange("direct", "second", arguments={"alternate-exchange": third})
    first = c.exchange("direct", "first", arguments={"alternate-exchange": second})
    q = c.declare()
    c.bind(q, third)
    c.send_publish(exchange=first, routing_key="k", mandatory=True, body=b"x")
    c.call("basic.get", queue=q, no_ack=True)


@probe("5")
def alternate_exchanges_in_a_circle(c: Conversation) -> None:
    a, b = c.name("a"), c.name("b")
    c.call("exchange.declare", exchange=a, type="direct", arguments={"alternate-exchange": b})
    c.call("exchange.declare", exchange=b, type="direct", arguments={"alternate-exchange": a})
    c.send_publish(exchange=a, routing_key="k", mandatory=True, body=b"x")
    c.read()


@probe("5")
def a_binding_to_an_exchange_that_leads_nowhere_is_a_destination(c: Conversation) -> None:
    alternate = c.exchange("fanout", "alternate")
    x = c.exchange("direct", arguments={"alternate-exchange": alternate})
    y = c.exchange("direct", "y")
    q = c.declare()
    c.bind(q, alternate)
    c.call("exchange.bind", destination=y, source=x, routing_key="k")
    c.send_publish(exchange=x, routing_key="k", mandatory=True, body=b"x")
    c.read()


@probe("5")
def the_default_exchange_as_an_alternate(c: Conversation) -> None:
    q = c.declare()
    x = c.exchange("direct", arguments={"alternate-exchange": ""})
    c.send_publish(exchange=x, routing_key=q, mandatory=True, body=b"x")
    c.call("basic.get", queue=q, no_ack=True)
