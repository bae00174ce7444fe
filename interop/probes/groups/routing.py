"""Topic patterns, headers matching, direct and fanout."""

from __future__ import annotations

from typing import Any

from interop.probes import wire
from interop.probes.probe import Conversation, probe

TOPIC_PATTERNS = [
    "#",
    "*",
    "a",
    "a.b",
    "a.*",
    "*.b",
    "a.#",
    "#.b",
    "a.*.b",
    "a.#.b",
    "*.*",
    "#.#",
    "*.#",
    "#.*",
    "",
    ".",
    "a.",
    "*.",
    ".*",
    "a..b",
    "#.a.#",
    "*.*.#",
    "a.#.#.b",
]
TOPIC_KEYS = ["", "a", "b", ".", "a.", ".a", "..", "a.b", "a..b", "a.x.y.b", "a.#", "*", "#", "*.b", "A", "a.b.c"]


def _matches(
    c: Conversation, exchange: str, bindings: list[tuple[str, str, Any]], messages: list[tuple[str, str, Any]]
) -> None:
    """Note which bindings (label, key, arguments) each message (label, key, headers) reaches."""
    queues = []
    with c.quiet():
        for number, (_, routing_key, arguments) in enumerate(bindings):
            q = c.declare(f"q{number}", exclusive=True)
            c.bind(q, exchange, routing_key, arguments=arguments)
            queues.append(q)
        for number, (_, routing_key, headers) in enumerate(messages):
            properties = {} if headers is None else {"headers": headers}
            c.send_publish(exchange, routing_key, b"%d" % number, properties=properties)
        reached: list[list[str]] = [[] for _ in messages]
        for (label, _, _), q in zip(bindings, queues, strict=True):
            while (got := c.call("basic.get", queue=q, no_ack=True)).name == "basic.get-ok":
                reached[int(got.body)].append(label)
    for (label, _, _), labels in zip(messages, reached, strict=True):
        c.note(f"{label} reaches: {'  '.join(labels) or '-'}")


@probe("XT-3", "XT-4", "XT-5")
def topic_patterns(c: Conversation) -> None:
    x = c.exchange("topic")
    bindings: list[tuple[str, str, Any]] = [(f"'{pattern}'", pattern, {}) for pattern in TOPIC_PATTERNS]
    _matches(c, x, bindings, [(f"'{key}'", key, None) for key in TOPIC_KEYS])


@probe("XT-4")
def wildcards_within_words_are_literal(c: Conversation) -> None:
    x = c.exchange("topic")
    patterns = ["a*", "a#", "a*.b", "#a", "**", "##", "*.#.*", "caf\u00e9.*", "*.\U0001f407"]
    keys = ["a", "a*", "ab", "a#", "a*.b", "##", "**", "a.b", "caf\u00e9.\U0001f407"]
    _matches(c, x, [(pattern, pattern, {}) for pattern in patterns], [(key, key, None) for key in keys])


@probe("XT-4")
def topic_bindings_are_removed_one_by_one(c: Conversation) -> None:
    x = c.exchange("topic")
    q = c.declare()
    for key in ("a.#", "a.*", "a.b"):
        c.bind(q, x, key)
    for key in ("a.*", "a.#", "a.b"):
        c.send_publish(x, "a.b", b"x", mandatory=True)
        c.call("basic.get", queue=q, no_ack=True)
        c.call("queue.unbind", queue=q, exchange=x, routing_key=key)
    c.send_publish(x, "a.b", b"x", mandatory=True)
    c.read()


@probe("XT-6", "VER-30")
def topic_keys_with_many_wildcards(c: Conversation) -> None:
    x = c.exchange("topic")
    q = c.declare()
    c.bind(q, x, "#.a.#.b.#.c.#")
    c.send_publish(x, "x.a.b.y.c", b"x", mandatory=True)
    c.call("basic.get", queue=q, no_ack=True)


@probe("XT-1")
def the_default_exchange(c: Conversation) -> None:
    q = c.declare()
    c.send_publish("", q, b"x", mandatory=True)
    c.call("basic.get", queue=q, no_ack=True)
    c.send_publish("", q + ".", b"x", mandatory=True)
    c.read()


@probe("XT-2", "QU-22")
def direct_and_fanout(c: Conversation) -> None:
    direct, fanout = c.exchange("direct", "direct"), c.exchange("fanout", "fanout")
    bindings: list[tuple[str, str, Any]] = [
        ("a", "a", {}),
        ("a with arguments", "a", {"x-match": "nonsense"}),
        ("*", "*", {}),
        ("empty", "", {}),
    ]
    messages: list[tuple[str, str, Any]] = [("a", "a", None), ("A", "A", None), ("*", "*", None), ("empty", "", None)]
    _matches(c, direct, bindings, messages)
    _matches(c, fanout, bindings, messages)


@probe("5", "QU-21")
def one_copy_however_many_bindings(c: Conversation) -> None:
    x = c.exchange("topic")
    q = c.declare()
    for key in ("#", "a.*", "*.b", "a.b"):
        c.bind(q, x, key)
    c.send_publish(x, "a.b", b"x")
    c.call("basic.get", queue=q, no_ack=True)


# Headers


@probe("XT-7")
def x_match_refusals(c: Conversation) -> None:
    q = c.declare()
    values = (
        "bogus",
        "",
        "All",
        ("b", 1),
        True,
        None,
        b"all",
        {"a": 1},
        ["any"],
        1.5,
        ("D", (1, 2)),
        ("T", 5),
        "caf\u00e9",
        'a"b',
    )
    for value in values:
        c.attempt("queue.bind", queue=q, exchange="amq.headers", arguments={"x-match": value})


@probe("XT-7", "QU-24")
def x_match_values(c: Conversation) -> None:
    q = c.declare(exclusive=True)
    for value in ("all", "any", "all-with-x", "any-with-x"):
        c.attempt("queue.bind", queue=q, exchange="amq.match", arguments={"x-match": value, "a": 1})
    c.attempt("queue.unbind", queue=q, exchange="amq.match", arguments={"x-match": "bogus"})
    c.attempt("queue.bind", queue="nosuch", exchange="amq.match", arguments={"x-match": "bogus"})


@probe("XT-7")
def exchange_bind_checks_x_match_as_well(c: Conversation) -> None:
    c.attempt("exchange.bind", destination="amq.fanout", source="amq.headers", arguments={"x-match": "bogus"})


def _headers(c: Conversation, bindings: dict[str, Any], messages: dict[str, Any]) -> None:
    x = c.exchange("headers")
    _matches(
        c,
        x,
        [(label, "", value) for label, value in bindings.items()],
        [(label, "k", value) for label, value in messages.items()],
    )


@probe("XT-7", "XT-8", "XT-11")
def headers_all_and_any(c: Conversation) -> None:
    two = {"a": 1, "b": "x"}
    bindings = {
        "all": {"x-match": "all", **two},
        "any": {"x-match": "any", **two},
        "default": two,
        "all-empty": {"x-match": "all"},
        "any-empty": {"x-match": "any"},
        "no arguments": {},
        "x-only-all": {"x-match": "all", "x-a": 1},
        "x-only-any": {"x-match": "any", "x-a": 1},
        "x-only-all-with-x": {"x-match": "all-with-x", "x-a": 1},
        "x-only-any-with-x": {"x-match": "any-with-x", "x-a": 1},
        "all-with-x": {"x-match": "all-with-x", "a": 1, "x-a": 1},
        "any-with-x": {"x-match": "any-with-x", "a": 1, "x-a": 2},
    }
    messages = {
        "no headers": None,
        "empty headers": {},
        "a": {"a": 1},
        "a b": two,
        "a b c": {**two, "c": None},
        "wrong a": {"a": 2, "b": "x"},
        "x-a": {"x-a": 1},
        "a x-a": {"a": 1, "x-a": 1},
        "A": {"A": 1},
    }
    _headers(c, bindings, messages)


@probe("XT-9")
def headers_and_void(c: Conversation) -> None:
    bindings = {
        "void-all": {"a": None},
        "void-any": {"x-match": "any", "a": None, "b": None},
        "one": {"a": 1},
        "zero": {"a": 0},
    }
    messages = {"a=1": {"a": 1}, "a=void": {"a": None}, "b=x": {"b": "x"}, "a=0": {"a": 0}, "none": {}}
    _headers(c, bindings, messages)


VALUES: dict[str, Any] = {
    "b1": ("b", 1),
    "B1": ("B", 1),
    "s1": ("s", 1),
    "u1": ("u", 1),
    "I1": ("I", 1),
    "i1": ("i", 1),
    "l1": ("l", 1),
    "L1": ("L", 1),
    "T1": ("T", 1),
    "S1": "1",
    "x1": b"1",
    "true": True,
    "true2": ("t", 2),
    "false": False,
    "f1": ("f", 1.5),
    "d1": ("d", 1.5),
    "D1": ("D", (1, 15)),
    "D1b": ("D", (2, 150)),
    "S": "",
    "F": {},
    "A": [],
    "F-I": {"n": ("I", 1)},
    "F-l": {"n": ("l", 1)},
    "F2": {"n": ("I", 1), "m": 2},
    "F2r": {"m": 2, "n": ("I", 1)},
    "A-I": [("I", 1)],
    "A-l": [("l", 1)],
}


@probe("XT-10")
def headers_compare_values(c: Conversation) -> None:
    _headers(
        c,
        {label: {"a": value} for label, value in VALUES.items()},
        {label: {"a": value} for label, value in VALUES.items()},
    )


@probe("XT-10", "VER-17")
def headers_compare_integers_and_doubles(c: Conversation) -> None:
    values = {
        "I1": ("I", 1),
        "d1": ("d", 1.0),
        "f1": ("f", 1.0),
        "l big": ("l", 2**53 + 1),
        "d big": ("d", float(2**53)),
    }
    _headers(
        c,
        {label: {"a": value} for label, value in values.items()},
        {label: {"a": value} for label, value in values.items()},
    )


@probe("XT-12")
def headers_exchange_ignores_the_routing_key(c: Conversation) -> None:
    x = c.exchange("headers")
    bindings: list[tuple[str, str, Any]] = [("key k", "k", {"a": 1}), ("key l", "l", {"a": 1})]
    _matches(c, x, bindings, [("k", "k", {"a": 1}), ("other", "other", {"a": 1})])


@probe("QU-23", "XT-10")
def header_bindings_of_other_wire_types_are_others(c: Conversation) -> None:
    x = c.exchange("headers")
    q = c.declare()
    c.bind(q, x, arguments={"a": ("b", 1)})
    c.bind(q, x, arguments={"a": ("I", 1)})
    c.call("queue.unbind", queue=q, exchange=x, arguments={"a": ("l", 1)})
    c.call("queue.unbind", queue=q, exchange=x, arguments={"a": ("b", 1)})
    c.send_publish(x, "", b"x", properties={"headers": {"a": ("s", 1)}}, mandatory=True)
    c.sync()
    c.call("queue.unbind", queue=q, exchange=x, arguments={"a": ("I", 1)})
    c.send_publish(x, "", b"x", properties={"headers": {"a": ("s", 1)}}, mandatory=True)
    c.read()


@probe("CT-16", "XT-12")
def headers_of_a_message_with_malformed_properties(c: Conversation) -> None:
    x = c.exchange("headers")
    with c.quiet():
        c.send("basic.publish", exchange=x)
    c.send_bytes(wire.header(1, 0, b"\x20\x00\x00\x00\x00\x09\x01a"), "a header table past the end")
    c.read()
