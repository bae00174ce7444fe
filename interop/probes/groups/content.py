"""Content: property bytes, checks of properties, CC and BCC, body frames."""

from __future__ import annotations

import struct
from typing import Any

from interop.probes import wire
from interop.probes.probe import Conversation, probe

TEN_YEARS_MS = 315360000000


def _through(c: Conversation, *contents: bytes | dict[str, Any]) -> None:
    """Publish each set of properties to a queue and get it back."""
    q = c.declare()
    for properties in contents:
        c.send_publish(routing_key=q, properties=properties, body=b"x")
        c.call("basic.get", queue=q, no_ack=True)


def _refused(c: Conversation, *contents: dict[str, Any]) -> None:
    """Publish each set of properties on a connection of its own to a key that leads nowhere."""
    for properties in contents:
        other = c.another()
        other.send_publish("amq.direct", "nowhere", b"x", properties=properties)
        other.sync()
        other.finish()


@probe("CT-6")
def all_properties_come_through(c: Conversation) -> None:
    _through(
        c,
        {
            "content_type": "text/plain",
            "content_encoding": "gzip",
            "headers": {"a": "b"},
            "delivery_mode": 2,
            "priority": 255,
            "correlation_id": "c",
            "reply_to": "r",
            "expiration": "60000",
            "message_id": "m",
            "timestamp": 2**64 - 1,
            "type": "t",
            "user_id": "guest",
            "app_id": "a",
            "cluster_id": "cl",
        },
        {},
    )


@probe("CT-6")
def empty_strings_and_tables_come_through(c: Conversation) -> None:
    _through(
        c,
        {
            "content_type": "",
            "headers": {},
            "correlation_id": "",
            "reply_to": "",
            "message_id": "",
            "type": "",
            "app_id": "",
        },
    )


@probe("CT-6", "3.3")
def every_field_type_comes_through(c: Conversation) -> None:
    headers: list[tuple[str, Any]] = [
        ("t", ("t", 1)),
        ("t2", ("t", 7)),
        ("b", ("b", -1)),
        ("B", ("B", 255)),
        ("s", ("s", -2)),
        ("u", ("u", 65535)),
        ("I", ("I", -3)),
        ("i", ("i", 2**32 - 1)),
        ("l", ("l", -(2**63))),
        ("L", ("L", 2**63 - 1)),
        ("f", ("f", 1.5)),
        ("d", ("d", 1.1)),
        ("D", ("D", (2, 12345))),
        ("S", ("S", b"\xff\x00")),
        ("x", ("x", b"\xff\x00")),
        ("T", ("T", 2**64 - 1)),
        ("V", ("V", None)),
        ("F", ("F", {"b": 1, "a": ("F", {})})),
        ("A", ("A", [("b", 1), "two", ("A", []), None])),
    ]
    _through(c, {"headers": headers})


@probe("CT-6", "VER-15")
def header_order_comes_through(c: Conversation) -> None:
    _through(c, {"headers": [("z", 1), ("a", 2), ("m", 3)]})


@probe("CT-6", "VER-15")
def duplicate_header_keys(c: Conversation) -> None:
    _through(c, {"headers": [("z", 1), ("a", 2), ("z", 3)]})


@probe("CT-6")
def property_strings_that_are_not_utf_8(c: Conversation) -> None:
    _through(c, {"content_type": b"\xff\xfe", "headers": [(b"\xff", ("S", b"\xfe"))], "message_id": b"\xc3"})


@probe("CT-6")
def deeply_nested_headers_come_through(c: Conversation) -> None:
    value: Any = {"leaf": 1}
    for _ in range(20):
        value = {"n": value}
    _through(c, {"headers": value})


@probe("CT-8", "VER-16")
def unknown_delivery_modes(c: Conversation) -> None:
    _refused(c, {"delivery_mode": 0}, {"delivery_mode": 3}, {"delivery_mode": 255})


@probe("CT-9")
def expirations_refused(c: Conversation) -> None:
    texts = (
        "abc",
        "",
        "-1",
        "1.5",
        "10 ",
        " 10",
        str(TEN_YEARS_MS + 1),
        "9" * 20,
        "1e3",
        "0x10",
        "1a",
        "++1",
        "+",
        "-",
        "1\n",
    )
    _refused(c, *({"expiration": text} for text in texts))


@probe("CT-9")
def expirations_refused_that_are_not_utf_8(c: Conversation) -> None:
    _refused(c, {"expiration": b"\xff"}, {"expiration": "5\u00e9"})


@probe("CT-9")
def expirations_accepted(c: Conversation) -> None:
    for text in ("0", "1", "+60000", str(TEN_YEARS_MS), "000000000001"):
        c.send_publish("amq.direct", "nowhere", b"x", properties={"expiration": text}, mandatory=True)
        c.read()


@probe("CT-10")
def user_ids(c: Conversation) -> None:
    _refused(c, {"user_id": "other"}, {"user_id": ""}, {"user_id": "Guest"}, {"user_id": b"\xff"})
    c.send_publish("amq.direct", "nowhere", b"x", properties={"user_id": "guest"}, mandatory=True)
    c.read()


@probe("CT-8", "CT-9", "CT-10", "CT-14")
def the_order_of_several_wrong_properties(c: Conversation) -> None:
    _refused(
        c,
        {"expiration": "x", "user_id": "other"},
        {"headers": {"CC": 1}, "expiration": "x"},
        {"headers": {"CC": 1, "BCC": 1}},
        {"headers": {"BCC": 1, "CC": 1}},
        {"headers": {"CC": 1}, "user_id": "other"},
    )


@probe("CT-10", "B-1", "2.4")
def the_exchange_is_checked_before_the_properties(c: Conversation) -> None:
    c.send_publish("nosuch", "k", properties={"expiration": "x", "user_id": "other"})
    c.read()
    other = c.another()
    other.send_publish("nosuch", "k", properties=b"\x80\x00\x05ab")
    other.read()


@probe("CT-11")
def a_message_of_1_mib(c: Conversation) -> None:
    q = c.declare()
    c.send_publish(routing_key=q, body=b"m" * 1048576)
    c.call("basic.get", queue=q, no_ack=True)


@probe("CT-12")
def properties_nobody_interprets(c: Conversation) -> None:
    _through(c, {"reply_to": "amq.rabbitmq.reply-to.nonsense"}, {"reply_to": "nowhere"}, {"content_encoding": "bogus"})


# CC and BCC


@probe("CT-13", "CT-15")
def cc_and_bcc(c: Conversation) -> None:
    first, second, third = c.declare("first"), c.declare("second"), c.declare("third")
    headers = {"CC": [second, first, 5, None], "BCC": [third, ("x", b"bytes")], "other": "kept"}
    c.send_publish("", first, b"x", properties={"headers": headers})
    for q in (first, second, third):
        c.call("basic.get", queue=q, no_ack=True)
        c.call("basic.get", queue=q, no_ack=True)


@probe("CT-13")
def empty_cc_and_bcc(c: Conversation) -> None:
    _through(c, {"headers": {"CC": []}}, {"headers": {"BCC": []}}, {"headers": {"cc": "lower case"}})


@probe("CT-14")
def cc_and_bcc_of_wrong_types(c: Conversation) -> None:
    _refused(
        c,
        {"headers": {"CC": "key"}},
        {"headers": {"BCC": "key"}},
        {"headers": {"CC": None}},
        {"headers": {"CC": {"a": 1}}},
        {"headers": {"CC": 1}},
        {"headers": {"BCC": True}},
        {"headers": {"BCC": ("d", 1.0)}},
    )


@probe("CT-13", "CT-16")
def cc_by_exchange_type(c: Conversation) -> None:
    for kind in ("direct", "topic", "fanout", "headers"):
        x = c.exchange(kind, kind)
        q = c.declare("of-" + kind)
        c.bind(q, x, "k")
        c.send_publish(x, "nowhere", b"x", properties={"headers": {"CC": ["k"]}}, mandatory=True)
        c.sync()
        c.call("basic.get", queue=q, no_ack=True)


# Frames


@probe("CT-1", "CT-3")
def bodies_are_split_at_frame_max(c: Conversation) -> None:
    other = c.another(frame_max=4096)
    q = other.declare()
    for size in (0, 4088, 4089, 8176, 10000):
        c.send_publish(routing_key=q, body=b"x" * size)
        c.sync()
        other.call("basic.get", queue=q, no_ack=True)


@probe("CT-4")
def headers_are_never_split(c: Conversation) -> None:
    other = c.another(frame_max=4096)
    q = other.declare()
    c.send_publish(routing_key=q, properties={"headers": {"long": "x" * 6000}})
    c.sync()
    other.call("basic.get", queue=q, no_ack=True)


@probe("CT-5")
def the_publishers_split_is_not_kept(c: Conversation) -> None:
    q = c.declare()
    with c.quiet():
        c.send("basic.publish", routing_key=q)
    pieces = b"".join(wire.frame(wire.BODY, 1, b"x" * size) for size in (1, 100, 1899))
    c.send_bytes(wire.header(1, 2000) + pieces, "a header of size 2000, three bodies")
    c.call("basic.get", queue=q, no_ack=True)


@probe("3.3", "FRM-20")
def a_header_table_of_broken_utf_8_and_zero_bytes(c: Conversation) -> None:
    table = b"\x00S\x00\x00\x00\x00" + b"\x01\x00V"
    _through(c, b"\x20\x00" + struct.pack(">I", len(table)) + table)
