"""Frame errors and the content state machine."""

from __future__ import annotations

import struct

from interop.probes import wire
from interop.probes.probe import Conversation, probe

DROP_SECONDS = 8.0
PUBLISH = wire.method_payload("basic.publish", routing_key="nowhere")
DECLARE_IDS = b"\x00\x32\x00\x0a"
QOS_IDS = b"\x00\x3c\x00\x0a"


def _frame(c: Conversation, kind: int, channel: int, payload: bytes, what: str) -> None:
    c.send_bytes(wire.frame(kind, channel, payload), what)


def _each(c: Conversation, *frames: tuple[int, int, bytes, str]) -> None:
    """Each on a connection of its own."""
    for kind, channel, payload, what in frames:
        other = c.another()
        _frame(other, kind, channel, payload, what)
        other.read()
        other.finish()


@probe("FRM-1", slow=True)
def wrong_frame_end(c: Conversation) -> None:
    payload = wire.method_payload("channel.flow", active=True)
    c.send_bytes(wire.frame(wire.METHOD, 1, payload, end=0), "frame end 0")
    c.read()
    c.send("connection.close-ok", 0)
    c.read_until_closed(DROP_SECONDS)


@probe("FRM-1")
def wrong_frame_ends_of_several_payloads(c: Conversation) -> None:
    for payload, end in ((b"", 1), (b"abc", 65), (b"\x00" * 16, 0), (b"\x00" * 17, 0), (b"0123456789abcdefgh", 255)):
        other = c.another()
        other.send_bytes(wire.frame(wire.METHOD, 1, payload, end=end), f"frame end {end}")
        other.read()
        other.hang_up()


@probe("FRM-1")
def wrong_frame_end_of_a_body(c: Conversation) -> None:
    with c.quiet():
        c.send("basic.publish")
        c.transmit(wire.header(1, 3))
    c.send_bytes(wire.frame(wire.BODY, 1, b"abc", end=0), "body with frame end 0")
    c.read()
    c.hang_up()


@probe("FRM-2", slow=True)
def body_frame_of_frame_max_and_one_byte(c: Conversation) -> None:
    with c.quiet():
        c.send("basic.publish")
        c.transmit(wire.header(1, 200000))
    c.send_bytes(struct.pack(">BHI", wire.BODY, 1, 131073), "only the start of a body frame of 131073 bytes")
    c.read()
    c.send("connection.close-ok", 0)
    c.read_until_closed(DROP_SECONDS)


@probe("FRM-2")
def frame_too_large_for_a_small_frame_max(c: Conversation) -> None:
    other = c.another(frame_max=4096)
    other.send_bytes(struct.pack(">BHI", wire.METHOD, 1, 4097), "only the start of a method frame of 4097 bytes")
    other.read()
    other.hang_up()


@probe("FRM-2")
def a_body_frame_of_exactly_frame_max_is_taken(c: Conversation) -> None:
    q = c.declare()
    with c.quiet():
        c.send("basic.publish", routing_key=q)
    body = b"x" * 131072
    c.transmit(wire.header(1, len(body)) + wire.frame(wire.BODY, 1, body))
    c.call("basic.get", queue=q, no_ack=True)


@probe("FRM-3")
def unknown_frame_types(c: Conversation) -> None:
    _each(
        c,
        (5, 1, b"abc", "type 5"),
        (4, 0, b"", "type 4 on channel 0"),
        (0, 7, b"abc", "type 0 on a channel that is not open"),
        (255, 1, b"\x00\x01", "type 255"),
    )


@probe("FRM-4")
def method_frames_too_short_for_their_ids(c: Conversation) -> None:
    _each(
        c,
        (wire.METHOD, 1, b"", "no payload"),
        (wire.METHOD, 1, b"\x00\x00\x00", "three bytes"),
        (wire.METHOD, 0, b"\x00", "one byte on channel 0"),
        (wire.METHOD, 9, b"\x00\x14", "two bytes on a channel that is not open"),
    )


@probe("FRM-5")
def heartbeat_with_a_payload(c: Conversation) -> None:
    _each(c, (wire.HEARTBEAT, 0, b"abc", "a heartbeat with a payload"))


@probe("FRM-6")
def heartbeats_on_other_channels(c: Conversation) -> None:
    _each(
        c,
        (wire.HEARTBEAT, 1, b"", "a heartbeat on channel 1"),
        (wire.HEARTBEAT, 9, b"", "a heartbeat on a channel that is not open"),
        (wire.HEARTBEAT, 1, b"abc", "a heartbeat with a payload on channel 1"),
    )


@probe("FRM-7")
def content_frames_on_channel_0(c: Conversation) -> None:
    _each(
        c,
        (wire.BODY, 0, b"x", "a body"),
        (wire.BODY, 0, b"", "an empty body"),
        (wire.BODY, 0, b"\x00\x01\x02", "a body that is not printable"),
        (wire.BODY, 0, b"tab\tand\nnewline", "a body with a tab and a newline"),
        (wire.BODY, 0, b'quote"back\\slash', "a body with a quote and a backslash"),
        (wire.BODY, 0, "caf\u00e9".encode(), "a body in UTF-8"),
        (wire.BODY, 0, b"\xe9\xe8", "a body in Latin-1"),
        (wire.BODY, 0, b"\x1b\x08\x0c\x0b\x0d", "a body of control characters Erlang prints"),
        (wire.BODY, 0, b"\x7f", "a body of DEL"),
        (wire.BODY, 0, b"\xa0\xff", "a body of the ends of printable Latin-1"),
        (wire.BODY, 0, b"seventeen bytes !", "a body of 17 bytes"),
        (wire.HEADER, 0, wire.header(0, 1)[7:-1], "a header"),
    )


@probe("FRM-8")
def unknown_methods(c: Conversation) -> None:
    for channel, payload, what in (
        (1, b"\x00\x32\x00\x63", "method 50/99 on channel 1"),
        (1, b"\x00\x63\x00\x0a", "method 99/10 on channel 1"),
        (0, b"\x00\x0a\x00\x63", "method 10/99 on channel 0"),
        (0, b"\x00\x32\x00\x63", "method 50/99 on channel 0"),
        (9, b"\x00\x32\x00\x63abc", "method 50/99 on a channel that is not open"),
    ):
        other = c.another()
        _frame(other, wire.METHOD, channel, payload, what)
        other.read()
        other.finish()


@probe("FRM-9")
def arguments_cut_short_or_too_long(c: Conversation) -> None:
    _each(
        c,
        (wire.METHOD, 1, DECLARE_IDS + b"\x00\x00\x05ab", "queue.declare that ends in the name"),
        (wire.METHOD, 1, DECLARE_IDS, "queue.declare without arguments"),
        (wire.METHOD, 1, QOS_IDS + bytes(6), "basic.qos without its bits"),
        (wire.METHOD, 1, QOS_IDS + bytes(8), "basic.qos with a byte too many"),
        (wire.METHOD, 1, b"\x00\x5a\x00\x0aabc", "tx.select with printable arguments"),
        (wire.METHOD, 1, b"\x00\x5a\x00\x0a\x00", "tx.select with one byte"),
        (wire.METHOD, 1, b"\x00\x5a\x00\x0a" + b"a" * 17, "tx.select with 17 printable bytes"),
        (wire.METHOD, 1, b"\x00\x5a\x00\x0a" + bytes(range(100)), "tx.select with 100 bytes"),
        (wire.METHOD, 1, b"\x00\x5a\x00\x0a" + b"a" * 300, "tx.select with 300 printable bytes"),
        (wire.METHOD, 1, b'\x00\x5a\x00\x0aa"\\\n\xe9', "tx.select with bytes to escape"),
        (wire.METHOD, 1, b"\x00\x5a\x00\x0acaf\xc3\xa9", "tx.select with UTF-8"),
        (wire.METHOD, 1, DECLARE_IDS + b"\x00\x00\x00\x00\x00\x00\x00\x09", "queue.declare with a table past the end"),
        (wire.METHOD, 1, DECLARE_IDS + b"\x00\x00\x00\x00\x00\x00\x00\x03\x01aI", "a table whose value is cut"),
        (wire.METHOD, 1, DECLARE_IDS + b"\x00\x00\x00\x00\x00\x00\x00\x02\x05a", "a table whose key is cut"),
        (
            wire.METHOD,
            1,
            DECLARE_IDS + b"\x00\x00\x00\x00\x00\x00\x00\x08\x01aS\x00\x00\x00\x09x",
            "a string past its table",
        ),
        (wire.METHOD, 9, DECLARE_IDS + b"\x00", "queue.declare cut short on a channel that is not open"),
        (wire.METHOD, 1, b"\x00\x3c\x00\x28\x00\x00\x05a", "basic.publish cut short"),
        (wire.METHOD, 1, b"\x00\x3c\x00\x50\x00", "basic.ack cut short"),
        (wire.METHOD, 1, b"\x00\x3c\x00\x50" + bytes(10), "basic.ack with a byte too many"),
    )


@probe("FRM-9")
def connection_methods_cut_short(c: Conversation) -> None:
    _each(
        c,
        (wire.METHOD, 0, b"\x00\x0a\x00\x32\x00", "connection.close cut short"),
        (wire.METHOD, 0, b"\x00\x0a\x00\x46\x00\x00", "connection.update-secret cut short"),
        (wire.METHOD, 0, b"\x00\x3c\x00\x0a\x00", "basic.qos cut short on channel 0"),
        (wire.METHOD, 1, b"\x00\x0a\x00\x32\x00", "connection.close cut short on channel 1"),
    )


@probe("FRM-9")
def unused_bits_of_a_bit_octet_are_ignored(c: Conversation) -> None:
    c.send_bytes(wire.frame(wire.METHOD, 1, QOS_IDS + b"\x00\x00\x00\x00\x00\x00\xfe"), "basic.qos with unknown bits")
    c.read()


@probe("FRM-10")
def unknown_table_value_types(c: Conversation) -> None:
    for tag in (b"z", b"\x00", b"U"):
        other = c.another()
        table = b"\x01a" + tag + b"\x00\x00"
        _frame(other, wire.METHOD, 1, DECLARE_IDS + b"\x00\x00\x00\x00\x00\x00\x00\x05" + table, f"field type {tag!r}")
        other.read()
        other.finish()


@probe("FRM-10")
def unknown_array_value_type(c: Conversation) -> None:
    table = b"\x01aA\x00\x00\x00\x01z"
    _frame(
        c,
        wire.METHOD,
        1,
        DECLARE_IDS + b"\x00\x00\x00\x00\x00" + struct.pack(">I", len(table)) + table,
        "type z in an array",
    )
    c.read()


@probe("FRM-11")
def short_strings_that_are_not_utf_8(c: Conversation) -> None:
    for name in (
        b"\xff\xfe",
        b"caf\xe9",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf0\x9f\x90\xb0",
    ):
        other = c.another()
        other.send("queue.declare", queue=name, passive=True)
        other.read()
        other.finish()


@probe("FRM-11")
def long_strings_and_table_keys_may_be_any_bytes(c: Conversation) -> None:
    q = c.name("q")
    c.call("queue.declare", queue=q, arguments=[(b"\xff", b"x"), (b"key", ("S", b"\xfe\xff"))])


@probe("FRM-11")
def publish_takes_names_that_are_not_utf_8(c: Conversation) -> None:
    c.send_publish(routing_key=b"\xff\xfe", mandatory=True, body=b"x")
    c.read()
    c.send_publish(exchange=b"\xff\xfe", body=b"x")
    c.read()


@probe("FRM-12")
def content_frames_where_a_method_is_due(c: Conversation) -> None:
    _each(
        c,
        (wire.HEADER, 1, wire.header(1, 0)[7:-1], "a header"),
        (wire.BODY, 1, b"abc", "a body"),
        (wire.BODY, 1, b"", "an empty body"),
    )


@probe("FRM-12", "CH-1")
def content_frames_on_a_channel_that_is_not_open(c: Conversation) -> None:
    _each(c, (wire.HEADER, 9, wire.header(9, 0)[7:-1], "a header"), (wire.BODY, 9, b"abc", "a body"))


@probe("FRM-13")
def something_else_where_the_header_is_due(c: Conversation) -> None:
    for data, what in (
        (wire.method("tx.select", 1), "a method"),
        (wire.method("basic.publish", 1), "another publish"),
        (wire.frame(wire.BODY, 1, b"abc"), "a body"),
        (wire.header(1, 0, weight=1), "a header of weight 1"),
    ):
        other = c.another()
        other.send("basic.publish")
        other.send_bytes(data, what)
        other.read()
        other.finish()


@probe("FRM-13")
def a_header_too_short(c: Conversation) -> None:
    for size in (0, 4, 11, 12, 13):
        other = c.another()
        other.send("basic.publish")
        _frame(other, wire.HEADER, 1, wire.header(1, 0)[7 : 7 + size], f"a header of {size} bytes")
        other.read()
        other.finish()


@probe("FRM-14")
def header_of_another_class(c: Conversation) -> None:
    for class_id in (50, 0, 61):
        other = c.another()
        other.send("basic.publish")
        other.send_bytes(wire.header(1, 0, class_id=class_id), f"a header of class {class_id}")
        other.read()
        other.finish()


@probe("FRM-15")
def something_else_where_the_body_is_due(c: Conversation) -> None:
    for data, what in (
        (wire.method("tx.select", 1), "a method"),
        (wire.header(1, 3), "another header"),
        (wire.frame(wire.HEARTBEAT, 1, b""), "a heartbeat on the channel"),
        (wire.method("channel.close", 1, reply_code=200), "channel.close"),
    ):
        other = c.another()
        other.send("basic.publish")
        other.send_bytes(wire.header(1, 3) + wire.frame(wire.BODY, 1, b"ab"), "a header of size 3, a body of 2 bytes")
        other.send_bytes(data, what)
        other.read()
        other.finish()


@probe("FRM-15")
def other_channels_and_heartbeats_may_come_between_content(c: Conversation) -> None:
    q = c.declare()
    c.call("channel.open", 2)
    c.send("basic.publish", routing_key=q)
    c.call("basic.qos", 2)
    c.send_bytes(wire.header(1, 3), "a header of size 3")
    c.call("basic.qos", 2)
    c.send_bytes(wire.frame(wire.HEARTBEAT, 0, b""), "a heartbeat on channel 0")
    c.send_bytes(wire.frame(wire.BODY, 1, b"abc"), "the body")
    c.call("basic.get", queue=q, no_ack=True)


@probe("FRM-16")
def a_body_after_size_0(c: Conversation) -> None:
    c.send("basic.publish")
    c.send_bytes(wire.header(1, 0) + wire.frame(wire.BODY, 1, b""), "a header of size 0, an empty body")
    c.read()


@probe("FRM-17", "VER-21")
def a_body_larger_than_announced(c: Conversation) -> None:
    c.send("basic.publish")
    c.send_bytes(wire.header(1, 3) + wire.frame(wire.BODY, 1, b"abcd"), "a header of size 3, a body of 4 bytes")
    c.listen(0.3)


@probe("FRM-17", "VER-21")
def a_second_body_frame_larger_than_what_is_due(c: Conversation) -> None:
    c.send("basic.publish")
    bodies = wire.frame(wire.BODY, 1, b"ab") + wire.frame(wire.BODY, 1, b"cd")
    c.send_bytes(wire.header(1, 3) + bodies, "a header of size 3, two bodies of 2 bytes")
    c.listen(0.3)


@probe("FRM-18", "VER-22")
def a_size_above_512_mib(c: Conversation) -> None:
    c.send("basic.publish")
    c.send_bytes(wire.header(1, 536870913), "a header of size 536870913")
    c.listen(0.3)


@probe("FRM-18")
def a_size_of_512_mib_is_waited_for(c: Conversation) -> None:
    c.send("basic.publish")
    c.send_bytes(wire.header(1, 536870912), "a header of size 536870912")
    c.listen(0.3)


@probe("FRM-19", "CT-5")
def empty_body_frames_between_the_others(c: Conversation) -> None:
    q = c.declare()
    c.send("basic.publish", routing_key=q)
    bodies = b"".join(wire.frame(wire.BODY, 1, piece) for piece in (b"", b"he", b"", b"", b"llo"))
    c.send_bytes(wire.header(1, 5) + bodies, "a body in pieces, some of them empty")
    c.call("basic.get", queue=q, no_ack=True)


def _property_bytes(c: Conversation, *cases: tuple[bytes, str]) -> None:
    for properties, what in cases:
        other = c.another()
        other.send_publish(routing_key="nowhere", properties=properties)
        other.note(what)
        other.read()
        other.finish()


@probe("FRM-20")
def malformed_properties(c: Conversation) -> None:
    _property_bytes(
        c,
        (b"\x00\x00x", "a byte after no properties"),
        (b"\x80\x00\x02abx", "a byte after the content type"),
        (b"\x80\x00\x05ab", "a content type cut short"),
        (b"\x80\x00", "a content type missing"),
        (b"\x80\x01\x02ab\x00\x00", "a second flags word"),
        (b"\x20\x00\x00\x00\x00\x05\x01aI\x00\x00", "a header value cut short"),
        (b"\x20\x00\x00\x00\x00\x09\x01a", "a header table past the end"),
        (b"\x20\x00\x00\x00\x00\x03\x01az", "a header of an unknown type"),
        (b"\x20\x00\x00\x00\x00\x0b\x01ad\x7f\xf8\x00\x00\x00\x00\x00\x00", "a header that is not a number"),
        (b"\x20\x00\x00\x00\x00\x07\x01af\x7f\x80\x00\x00", "a header that is infinite"),
        (b"\x00\x40\x00\x00", "a timestamp cut short"),
    )


@probe("FRM-21")
def the_two_lowest_flag_bits_are_passed_on(c: Conversation) -> None:
    q = c.declare()
    for flags in (b"\x00\x01", b"\x00\x02", b"\x00\x03"):
        c.send_publish(routing_key=q, properties=flags)
        c.call("basic.get", queue=q, no_ack=True)
