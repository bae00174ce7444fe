"""The rules FRM-1 to FRM-21 of RabbitMQ for frames, with the words of its replies."""

import pytest

from leveret_protocol import FrameReader, FramingLost
from tests.protocol.frames import (
    Refusal,
    ack,
    body,
    byte_by_byte,
    content,
    deliver_method,
    frame,
    header,
    header_payload,
    longstr,
    method,
    outcome,
    publish,
    publish_method,
    running_reader,
    shortstr,
)

FLOW = method(20, 20, b"\1")


def frame_error(text, class_id=0, method_id=0):
    return Refusal(501, f"FRAME_ERROR - {text}", class_id, method_id)


def lost(text):
    return Refusal(501, f"FRAME_ERROR - {text}", 0, 0, is_framing_lost=True)


def unexpected(text, class_id=0, method_id=0):
    return Refusal(505, f"UNEXPECTED_FRAME - {text}", class_id, method_id)


METHOD_EXPECTED = unexpected("expected method frame, got non method frame instead")
HEADER_EXPECTED = unexpected("expected content header for class 60, got non content header frame instead", 60, 40)
BODY_EXPECTED = unexpected("expected content body, got non content body frame instead", 60, 40)
BODY_OVERRUN = frame_error("content body frame exceeds remaining content size", 60, 40)
ALL_ZERO_HEADER = "<<0,60,0,0,0,0,0,0,0,0,0,0,0,0>>"

RULES = {
    "FRM-1 frame end 0": (
        FLOW[:-1] + b"\0",
        lost("type 1, all octets = <<0,20,0,20,1>>: {invalid_frame_end_marker,0}"),
    ),
    "FRM-1 frame end of a publish": (
        publish_method()[:-1] + b"A" + content(b"abc"),
        lost("type 1, all octets = <<0,60,0,40,0,0,0,5,98,101,110,99,104,0>>: {invalid_frame_end_marker,65}"),
    ),
    "FRM-1 frame end of a header": (
        publish_method() + header(3)[:-1] + b"\xcd" + body(b"abc"),
        lost("type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,3,0,0>>: {invalid_frame_end_marker,205}"),
    ),
    "FRM-1 frame end of an empty content": (
        publish(b"")[:-1] + b"\0",
        lost(f"type 2, all octets = {ALL_ZERO_HEADER}: {{invalid_frame_end_marker,0}}"),
    ),
    "FRM-1 frame end of a body": (
        publish(b"abc")[:-1] + b"\0",
        lost('type 3, all octets = <<"abc">>: {invalid_frame_end_marker,0}'),
    ),
    "FRM-1 frame end of a long body": (
        publish(b"0123456789abcdefg")[:-1] + b"A",
        lost('type 3, first 16 octets = <<"0123456789abcdef">>: {invalid_frame_end_marker,65}'),
    ),
    "FRM-1 frame end of an ack": (
        ack()[:-1] + b"\0",
        lost("type 1, all octets = <<0,60,0,80,0,0,0,0,0,0,0,1,0>>: {invalid_frame_end_marker,0}"),
    ),
    "FRM-2 too large a body frame": (
        publish_method() + header(200000) + b"\3\0\1\0\2\0\1",
        lost("type 3, all octets = <<>>: {frame_too_large,131073,131064}"),
    ),
    "FRM-2 4 GiB": (b"\3\0\1\xff\xff\xff\xff", lost("type 3, all octets = <<>>: {frame_too_large,4294967295,131064}")),
    "FRM-2 too large a frame of an unknown type": (
        b"\7\0\1\0\2\0\1",
        lost("type 7, all octets = <<>>: {frame_too_large,131073,131064}"),
    ),
    "FRM-3 unknown type on channel 0": (
        frame(5, 0, b"abc"),
        frame_error('type 5, all octets = <<"abc">>: unknown_frame'),
    ),
    "FRM-3 unknown type on an unused channel": (
        frame(0, 77, b""),
        frame_error("type 0, all octets = <<>>: unknown_frame"),
    ),
    "FRM-3 header frame too short": (
        frame(2, 1, b"\0\x3c"),
        frame_error("type 2, all octets = <<0,60>>: unknown_frame"),
    ),
    "FRM-3 header frame too short on channel 0": (
        frame(2, 0, b"x"),
        frame_error('type 2, all octets = <<"x">>: unknown_frame'),
    ),
    "FRM-3 header frame too short where one is due": (
        publish_method() + frame(2, 1, header_payload(0)[:11]),
        frame_error("type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0>>: unknown_frame"),
    ),
    "FRM-3 header frame one byte short, and a body as large as its frame end": (
        publish_method() + frame(2, 1, header_payload(0)[:11]) + body(bytes(0xCE)),
        frame_error("type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0>>: unknown_frame"),
    ),
    "FRM-4 method frame too short": (
        frame(1, 1, b"\0\0\0"),
        frame_error("type 1, all octets = <<0,0,0>>: unknown_frame"),
    ),
    "FRM-4 empty method frame": (frame(1, 0, b""), frame_error("type 1, all octets = <<>>: unknown_frame")),
    "FRM-4 empty method frame where a header is due": (
        publish_method() + frame(1, 1, b""),
        frame_error("type 1, all octets = <<>>: unknown_frame"),
    ),
    "FRM-5 heartbeat with a payload": (
        frame(8, 0, b"abc"),
        frame_error('type 8, all octets = <<"abc">>: unknown_frame'),
    ),
    "FRM-5 heartbeat with a payload on a channel": (
        frame(8, 1, b"x"),
        frame_error('type 8, all octets = <<"x">>: unknown_frame'),
    ),
    "FRM-6 heartbeat on a channel": (frame(8, 1, b""), unexpected("type 8, all octets = <<>>")),
    "FRM-7 body on channel 0": (frame(3, 0, b"x"), unexpected('type 3, all octets = <<"x">>')),
    "FRM-7 header on channel 0": (header(0, 0), unexpected(f"type 2, all octets = {ALL_ZERO_HEADER}")),
    "FRM-7 header after a publish on channel 0": (
        publish(b"", channel_number=0),
        unexpected(f"type 2, all octets = {ALL_ZERO_HEADER}"),
    ),
    "FRM-8 unknown method": (method(60, 41), Refusal(503, "COMMAND_INVALID - unimplemented method", 60, 41)),
    "FRM-8 unknown class on channel 0": (
        method(99, 10, channel_number=0),
        Refusal(503, "COMMAND_INVALID - unimplemented method", 99, 10),
    ),
    "FRM-8 unknown method where a header is due": (
        publish_method() + method(99, 10),
        Refusal(503, "COMMAND_INVALID - unimplemented method", 99, 10),
    ),
    "FRM-9 truncated arguments": (method(50, 10, b"\0\0\5ab"), frame_error("cannot decode <<0,0,5,97,98>>", 50, 10)),
    "FRM-9 a truncated publish": (method(60, 40, b"\0"), frame_error("cannot decode <<0>>", 60, 40)),
    "FRM-9 a malformed publish whose content is there": (
        method(60, 40, b"\0\0\0\0\0z") + content(b"abc"),
        frame_error("cannot decode <<0,0,0,0,0,122>>", 60, 40),
    ),
    "FRM-9 a truncated ack": (method(60, 80, b"\0"), frame_error("cannot decode <<0>>", 60, 80)),
    "FRM-9 bytes after an ack": (
        method(60, 80, bytes(10)),
        frame_error("cannot decode <<0,0,0,0,0,0,0,0,0,0>>", 60, 80),
    ),
    "FRM-9 on channel 0": (method(10, 50, b"\0", channel_number=0), Refusal(541, "INTERNAL_ERROR", 0, 0)),
    "FRM-9 a publish on channel 0": (method(60, 40, b"\0", channel_number=0), Refusal(541, "INTERNAL_ERROR", 0, 0)),
    "FRM-9 connection.close on a channel": (method(10, 50, b"\0"), frame_error("cannot decode <<0>>", 10, 50)),
    "FRM-10 unknown type in a table": (
        method(50, 10, b"\0\0\1q\2" + longstr(b"\1a~")),
        frame_error("cannot decode <<0,0,1,113,2,0,0,0,3,1,97,126>>", 50, 10),
    ),
    "FRM-11 not UTF-8": (
        method(50, 10, b"\0\0\1\xff\2" + longstr(b"")),
        frame_error("Malformed UTF-8 in shortstr"),
    ),
    "FRM-12 a body frame out of the blue": (body(b"x"), METHOD_EXPECTED),
    "FRM-12 a header frame out of the blue": (header(3), METHOD_EXPECTED),
    "FRM-12 a second header": (publish(b"") + header(0), METHOD_EXPECTED),
    "FRM-13 a method instead of the header": (publish_method() + ack(), HEADER_EXPECTED),
    "FRM-13 a publish instead of the header": (publish_method() + publish(b"abc"), HEADER_EXPECTED),
    "FRM-13 a body instead of the header": (publish_method() + body(b"x"), HEADER_EXPECTED),
    "FRM-13 weight not 0": (publish_method() + header(3, weight=1), HEADER_EXPECTED),
    "FRM-13 weight not 0 and another class": (publish_method() + header(3, weight=1, class_id=50), HEADER_EXPECTED),
    "FRM-13 after basic.deliver": (
        deliver_method() + ack(),
        unexpected("expected content header for class 60, got non content header frame instead", 60, 60),
    ),
    "FRM-14 another class": (
        publish_method() + header(3, class_id=50),
        unexpected("expected content header for class 60, got one for class 50 instead", 60, 40),
    ),
    "FRM-15 a method in the body": (publish_method() + header(3) + body(b"ab") + ack(), BODY_EXPECTED),
    "FRM-15 a method before the body": (publish_method() + header(3) + ack(), BODY_EXPECTED),
    "FRM-15 a publish before the body": (publish_method() + header(3) + publish(b"abc"), BODY_EXPECTED),
    "FRM-15 a header before the body": (publish_method() + header(3) + header(3), BODY_EXPECTED),
    "FRM-16 a body after size 0": (publish(b"") + body(b"x"), METHOD_EXPECTED),
    "FRM-16 an empty body after size 0": (publish(b"") + body(b""), METHOD_EXPECTED),
    "FRM-17 more body than announced": (publish_method() + header(3) + body(b"abcd"), BODY_OVERRUN),
    "FRM-17 more body than announced, later": (publish_method() + header(3) + body(b"ab") + body(b"cd"), BODY_OVERRUN),
    "FRM-18 more than 512 MiB announced": (
        publish_method() + header(536870913),
        frame_error("content body size 536870913 exceeds maximum allowed size 536870912", 60, 40),
    ),
    "FRM-18 all that 64 bits can announce": (
        publish_method() + header(2**64 - 1),
        frame_error("content body size 18446744073709551615 exceeds maximum allowed size 536870912", 60, 40),
    ),
}


def is_refusal(event):
    return isinstance(event, Refusal)


@pytest.mark.parametrize(("data", "refusal"), RULES.values(), ids=RULES)
def test_wrong_frames_are_refused_in_rabbitmqs_words(data, refusal):
    assert next(filter(is_refusal, outcome([data]))) == refusal


@pytest.mark.parametrize("data", [data for data, _ in RULES.values()], ids=RULES)
def test_the_refusal_is_the_same_however_the_bytes_arrive(data):
    prefix = publish(b"abc") * 2
    expected = outcome([data])
    for data_before, count in ((b"", 0), (prefix, 2)):
        for pieces in ([data_before + data], byte_by_byte(data_before + data), [data_before, data]):
            found = outcome(pieces)
            assert found[count:] == expected
            assert not any(map(is_refusal, found[:count]))


@pytest.mark.parametrize("data", [data for data, _ in RULES.values()], ids=RULES)
def test_bytes_behind_the_wrong_frame_do_not_change_the_refusal(data):
    expected = outcome([data])
    for trailing in (b"\1", publish(b"abc")[:30], publish(b"abc"), bytes(40)):
        for pieces in ([data + trailing], [data, trailing], byte_by_byte(data + trailing)):
            assert outcome(pieces)[: len(expected)] == expected


def test_frame_max_itself_is_accepted_as_a_payload():
    """FRM-2: the 8 bytes of overhead are forgiven."""
    (event,) = outcome([publish_method() + header(131072) + body(bytes(131072))])
    assert not is_refusal(event)


def test_a_frame_too_large_is_refused_at_its_seventh_byte():
    """FRM-2: before anything of it is buffered."""
    reader = running_reader()
    assert list(reader.feed(b"\1\0\1\xff\xff\xff")) == []
    with pytest.raises(FramingLost):
        list(reader.feed(b"\xff"))


def test_too_large_a_frame_behind_another_error_is_refused_at_its_seventh_byte():
    expected = [
        Refusal(503, "COMMAND_INVALID - unimplemented method", 99, 1),
        lost("type 1, all octets = <<>>: {frame_too_large,4294967295,131064}"),
    ]
    assert outcome([method(99, 1) + b"\1\0\1\xff\xff\xff\xff"]) == expected


def test_without_a_frame_max_any_size_is_waited_for():
    assert outcome([b"\1\0\1\xff\xff\xff\xff"], running_reader(frame_max=0)) == []


@pytest.mark.parametrize(
    ("payload", "octets"),
    [(b"\xed\xa0\x80", "\udced\udca0\udc80"), (b"\xc3\xa9", "é")],
)
def test_surrogates_and_other_utf8_pass(payload, octets):
    """FRM-11."""
    (event,) = outcome([method(50, 10, b"\0\0" + shortstr(payload) + b"\2" + longstr(b""))])
    assert event[1][1]["queue"] == octets


@pytest.mark.parametrize("flags", [1, 2, 3])
@pytest.mark.parametrize("is_whole", [True, False])
def test_the_two_lowest_flag_bits_are_passed_on(flags, is_whole):
    """FRM-21."""
    data = publish_method() + content(b"abc", flags=flags)
    (event,) = outcome([data] if is_whole else byte_by_byte(data))
    assert event[2] == content(b"abc", flags=flags)


def test_malformed_properties_are_not_the_readers_concern():
    """FRM-20: RabbitMQ finds them when the message is handled."""
    data = publish_method() + content(b"abc", flags=0xFFFC, properties=b"\xff")
    for pieces in ([data], byte_by_byte(data)):
        (event,) = outcome(pieces)
        assert event[2] == content(b"abc", flags=0xFFFC, properties=b"\xff")


def test_a_header_without_flags_is_not_the_readers_concern():
    """FRM-20; the shortest header frame there is."""
    data = publish_method() + frame(2, 1, header_payload(0)[:12])
    for pieces in ([data], byte_by_byte(data), [data + bytes(100)]):
        assert outcome(pieces)[0][2:] == (frame(2, 1, header_payload(0)[:12]), 12)


@pytest.mark.parametrize(
    ("data", "octets"),
    [
        (method(20, 10, b"0"), "type 1, all octets = <<0,20,0,10,48>>"),
        (method(20, 10, b"\x010"), "type 1, all octets = <<0,20,0,10,1,48>>"),
        (frame(5, 1, b"abc"), 'type 5, all octets = <<"abc">>'),
        (frame(8, 1, b"abc"), 'type 8, all octets = <<"abc">>'),
        (ack(), "type 1, all octets = <<0,60,0,80,0,0,0,0,0,0,0,1,0>>"),
        (publish(b"abc"), "type 1, all octets = <<0,60,0,40,0,0,0,5,98,101,110,99,104,0>>"),
    ],
)
def test_before_connection_open_a_frame_on_a_channel_is_unexpected(data, octets):
    """Section 1.6 of RabbitMQ's behaviour; the type is not looked at yet."""
    for pieces in ([data], byte_by_byte(data)):
        assert outcome(pieces, FrameReader())[0] == unexpected(octets)


def test_before_connection_open_channel_0_works():
    ((channel_number, found, _, _),) = outcome(
        [method(10, 40, shortstr(b"/") + b"\0\0", channel_number=0)], FrameReader()
    )
    assert (channel_number, found[0]) == (0, "connection.open")
