"""The exchange types that are plugins in RabbitMQ: consistent hash, modulus hash, random, recent history."""

from __future__ import annotations

from typing import Any

from interop.probes.probe import Conversation, probe

TYPES = ("x-consistent-hash", "x-modulus-hash", "x-random", "x-recent-history")
KEYS = [f"key-{number}" for number in range(30)]


def _queues(c: Conversation, exchange: str, *binding_keys: str) -> list[str]:
    queues = []
    for number, key in enumerate(binding_keys):
        queues.append(c.declare(f"q{number}"))
        c.bind(queues[-1], exchange, key)
    return queues


def _publish(c: Conversation, exchange: str, keys: list[str], **properties: Any) -> None:
    """Unrecorded."""
    with c.quiet():
        for key in keys:
            c.send_publish(exchange, key, key.encode(), properties=properties)
        c.sync()


def _count(c: Conversation, queues: list[str]) -> list[int]:
    """How many messages each of the queues has. They are gone afterwards."""
    with c.quiet():
        return [c.call("queue.purge", queue=queue)["message_count"] for queue in queues]


# -- all of them ------------------------------------------------------------------------------------------------------


@probe("EX-9", "EX-10", "5.6")
def only_the_alternate_exchange_is_compared_whatever_the_type(c: Conversation) -> None:
    nonsense = {"hash-header": 5, "hash-property": "foo", "x-recent-history-length": -1}
    for kind in TYPES:
        x = c.exchange(kind, kind)
        c.attempt("exchange.declare", exchange=x, type=kind, arguments=nonsense)
        c.attempt("exchange.declare", exchange=x, type=kind, arguments={"alternate-exchange": "ae"})


@probe("B-3", "5.6")
def nothing_bound_is_unroutable_whatever_the_type(c: Conversation) -> None:
    for kind in TYPES:
        x = c.exchange(kind, kind)
        c.send_publish(x, "k", kind.encode(), mandatory=True)
        c.read()


@probe("5.6")
def alternate_exchanges_whatever_the_type(c: Conversation) -> None:
    ae = c.exchange("fanout", "ae")
    (lost,) = _queues(c, ae, "")
    for kind in TYPES:
        x = c.exchange(kind, kind, arguments={"alternate-exchange": ae})
        c.send_publish(x, "k", kind.encode(), mandatory=True)
        c.sync()
    c.drain(lost)


@probe("EX-23", "XT-14", "5.6")
def one_of_the_queues_gets_a_message(c: Conversation) -> None:
    """Also through another exchange, and whatever further keys there are."""
    for kind in TYPES[:-1]:
        x = c.exchange(kind, kind)
        first = c.exchange("fanout", f"{kind}-first")
        c.call("exchange.bind", destination=x, source=first)
        queues = _queues(c, x, "1", "1", "1")
        _publish(c, x, KEYS)
        _publish(c, first, KEYS)
        _publish(c, x, KEYS, headers={"CC": ["a", "b"]})
        c.note(f"{sum(_count(c, queues))} messages in all")


# -- consistent hash --------------------------------------------------------------------------------------------------


@probe("XT-13")
def consistent_hash_weights(c: Conversation) -> None:
    x, q = c.exchange("x-consistent-hash"), c.declare()
    for key in ("1", "01", "+1", "10000", "0", "-1", "", "abc", " 1", "1 ", "1_0", "1.5", "caf\u00e9", 'a"b'):
        c.attempt("queue.bind", queue=q, exchange=x, routing_key=key)


@probe("XT-13")
def consistent_hash_weight_of_10001(c: Conversation) -> None:
    x, q = c.exchange("x-consistent-hash"), c.declare()
    c.attempt("queue.bind", queue=q, exchange=x, routing_key="10001")


@probe("XT-13")
def consistent_hash_weight_of_an_exchange(c: Conversation) -> None:
    x, y = c.exchange("x-consistent-hash"), c.exchange("fanout", "y")
    for key in ("0", "1"):
        c.attempt("exchange.bind", source=x, destination=y, routing_key=key)


@probe("XT-15")
def consistent_hash_arguments(c: Conversation) -> None:
    for number, arguments in enumerate(
        [
            {"hash-header": "h"},
            {"hash-header": ""},
            {"hash-property": "message_id"},
            {"hash-property": "correlation_id"},
            {"hash-property": "timestamp"},
            {"hash-property": "foo"},
            {"hash-property": ""},
            {"hash-header": "h", "hash-property": "message_id"},
            {"hash-header": "h", "hash-property": "foo"},
        ]
    ):
        name = c.name(f"x{number}")
        c.attempt("exchange.declare", exchange=name, type="x-consistent-hash", arguments=arguments)


@probe("XT-15")
def consistent_hash_header_that_is_no_string(c: Conversation) -> None:
    name = c.name("x")
    c.attempt("exchange.declare", exchange=name, type="x-consistent-hash", arguments={"hash-header": 5})


@probe("XT-15")
def consistent_hash_property_that_is_no_string(c: Conversation) -> None:
    name = c.name("x")
    c.attempt("exchange.declare", exchange=name, type="x-consistent-hash", arguments={"hash-property": None})


@probe("XT-14", "XT-15")
def equal_values_go_to_one_queue(c: Conversation) -> None:
    for name, arguments, properties in [
        ("key", {}, {}),
        ("key with CC", {}, {"headers": {"CC": ["other"]}}),
        ("header", {"hash-header": "h"}, {"headers": {"h": "same"}}),
        ("missing header", {"hash-header": "h"}, {}),
        ("message id", {"hash-property": "message_id"}, {"message_id": "same"}),
        ("correlation id", {"hash-property": "correlation_id"}, {"correlation_id": "same"}),
        ("timestamp", {"hash-property": "timestamp"}, {"timestamp": 5}),
        ("missing timestamp", {"hash-property": "timestamp"}, {}),
    ]:
        with c.quiet():
            x = c.exchange("x-consistent-hash", name, arguments=arguments)
            queues = _queues(c, x, "1", "1", "1")
        _publish(c, x, KEYS if arguments else ["same"] * len(KEYS), **properties)
        c.note(f"{name}: {sorted(_count(c, queues))}")


@probe("XT-14")
def further_keys_do_not_change_the_queue_of_a_consistent_hash(c: Conversation) -> None:
    x = c.exchange("x-consistent-hash")
    queues = _queues(c, x, "5", "5", "5")
    for key in KEYS:
        _publish(c, x, ["same"], headers={"CC": [key]})
    c.note(f"{sorted(_count(c, queues))}")


@probe("XT-16")
def a_queue_bound_twice_to_a_consistent_hash(c: Conversation) -> None:
    """Unbinding either takes it out, and binding it again takes it in."""
    x = c.exchange("x-consistent-hash")
    queues = _queues(c, x, "1", "1")
    c.bind(queues[0], x, "5000")
    c.call("queue.unbind", queue=queues[0], exchange=x, routing_key="5000")
    _publish(c, x, KEYS)
    c.note(f"{_count(c, queues)}")
    c.bind(queues[0], x, "5000")
    c.call("queue.unbind", queue=queues[1], exchange=x, routing_key="1")
    _publish(c, x, KEYS)
    c.note(f"{_count(c, queues)}")


# -- recent history ---------------------------------------------------------------------------------------------------


@probe("5.6")
def recent_history_lengths(c: Conversation) -> None:
    lengths = [1, 2**31, 2**63 - 1, ("b", 5), ("s", 5), 0, -1, ("B", 5), ("u", 5), ("i", 5), ("T", 5)]
    for number, length in enumerate([*lengths, "5", b"5", 5.5, True, None, [1], {}, {"a": 1}]):
        name, arguments = c.name(f"x{number}"), {"x-recent-history-length": length}
        c.attempt("exchange.declare", exchange=name, type="x-recent-history", arguments=arguments)


@probe("5.6")
def recent_history_of_new_bindings(c: Conversation) -> None:
    x, q = c.exchange("x-recent-history", arguments={"x-recent-history-length": 3}), c.declare()
    _publish(c, x, KEYS)
    for key in ("", "", "other"):
        c.bind(q, x, key)
        c.drain(q)
    c.call("queue.unbind", queue=q, exchange=x, routing_key="")
    c.bind(q, x)
    c.drain(q)


@probe("5.6")
def recent_history_by_default(c: Conversation) -> None:
    x, q = c.exchange("x-recent-history"), c.declare()
    _publish(c, x, KEYS)
    c.bind(q, x)
    c.drain(q)


@probe("5.6")
def recent_history_through_an_exchange(c: Conversation) -> None:
    x, y, q = c.exchange("x-recent-history"), c.exchange("direct", "y"), c.declare()
    for key in ("k", "cc", "bcc"):
        c.bind(q, y, key)
    c.send_publish(x, "k", b"key")
    c.send_publish(x, "other", b"CC", properties={"headers": {"CC": ["cc"]}})
    c.send_publish(x, "other", b"BCC", properties={"headers": {"BCC": ["bcc"]}})
    c.sync()
    c.call("exchange.bind", destination=y, source=x)
    c.wait_for(q, 3)
    c.drain(q)


@probe("5.6")
def recent_history_that_leads_nowhere_through_an_exchange(c: Conversation) -> None:
    x, y = c.exchange("x-recent-history"), c.exchange("fanout", "y")
    c.send_publish(x, "k", b"x")
    c.call("exchange.bind", destination=y, source=x)


@probe("5.6")
def recent_history_bound_to_itself(c: Conversation) -> None:
    x, q, late = c.exchange("x-recent-history"), c.declare(), c.declare("late")
    c.bind(q, x)
    c.send_publish(x, "k", b"x")
    c.sync()
    c.call("exchange.bind", destination=x, source=x)
    c.drain(q)
    c.bind(late, x)
    c.drain(late)


@probe("5.6")
def recent_history_without_some_messages(c: Conversation) -> None:
    x, q = c.exchange("x-recent-history"), c.declare()
    for value in (True, False, 1, "true", None):
        c.send_publish(x, "", str(value).encode(), properties={"headers": {"x-recent-history-no-store": value}})
    c.sync()
    c.bind(q, x)
    c.drain(q)


@probe("5.6", "TX-3")
def recent_history_of_what_was_rolled_back(c: Conversation) -> None:
    x, q = c.exchange("x-recent-history"), c.declare()
    c.call("tx.select")
    c.send_publish(x, "k", b"rolled back")
    c.call("tx.rollback")
    c.bind(q, x)
    c.drain(q)


@probe("5.6")
def recent_history_of_a_deleted_exchange(c: Conversation) -> None:
    x, q = c.exchange("x-recent-history"), c.declare()
    c.send_publish(x, "k", b"x")
    c.call("exchange.delete", exchange=x)
    c.call("exchange.declare", exchange=x, type="x-recent-history")
    c.bind(q, x)
    c.drain(q)
