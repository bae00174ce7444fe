import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, header

from leveret_protocol import (
    AMQPError,
    Field,
    Properties,
    decode_properties,
    encode_header,
    encode_table,
    plain,
    replace_reply_to,
    table,
)
from tests.protocol.frames import Refusal, any_table, header_payload, longstr, refusal, shortstr, steady, wire_strings

octets = st.integers(0, 255)
VALUES = {
    "content_type": wire_strings,
    "content_encoding": wire_strings,
    "headers": any_table,
    "delivery_mode": octets,
    "priority": octets,
    "correlation_id": wire_strings,
    "reply_to": wire_strings,
    "expiration": wire_strings,
    "message_id": wire_strings,
    "timestamp": st.integers(0, 2**64 - 1),
    "type": wire_strings,
    "user_id": wire_strings,
    "app_id": wire_strings,
    "cluster_id": wire_strings,
}
body_sizes = st.integers(0, 2**64 - 1)


@st.composite
def any_properties(draw, values=VALUES):
    properties = Properties()
    for name, value in draw(st.fixed_dictionaries({}, optional=values)).items():
        setattr(properties, name, value)
    return properties


def refused(payload):
    with pytest.raises(AMQPError) as caught:
        decode_properties(payload)
    return refusal(caught.value)


INTERNAL_ERROR = Refusal(541, "INTERNAL_ERROR", 0, 0)


@steady
@given(any_properties(), body_sizes)
def test_properties_come_back_as_they_were(properties, body_size):
    payload = encode_header(properties, body_size)
    assert payload[:12] == struct.pack(">HHQ", 60, 0, body_size)
    assert decode_properties(payload) == properties
    assert encode_header(decode_properties(payload), body_size) == payload


@steady
@given(any_properties(), st.text(max_size=60), st.text(max_size=60), st.integers(0, 3))
def test_another_reply_to_is_the_same_as_encoding_it(properties, before, after, ignored_flags):
    properties.reply_to = before
    payload = bytearray(encode_header(properties, 5))
    properties.reply_to = after
    replaced = bytearray(encode_header(properties, 5))
    for it in (payload, replaced):
        it[13] |= ignored_flags
    assert replace_reply_to(bytes(payload), after) == replaced


@steady
@given(any_properties(), st.data())
def test_properties_cut_short_or_with_bytes_left_over_are_an_internal_error(properties, data):
    """FRM-20."""
    payload = encode_header(properties, 0)
    cut = data.draw(st.integers(12, len(payload) - 1))
    assert refused(payload[:cut]) == INTERNAL_ERROR
    assert refused(payload + data.draw(st.binary(min_size=1, max_size=3))) == INTERNAL_ERROR


@steady
@given(st.integers(0, 0xFFFF), st.binary(max_size=40))
def test_any_bytes_give_properties_or_an_internal_error(flags, values):
    try:
        decode_properties(header_payload(0, flags, values))
    except AMQPError as error:
        assert refusal(error) == INTERNAL_ERROR


PAMQP_VALUES = {
    **dict.fromkeys(VALUES, st.text(min_size=1, max_size=20)),
    "headers": st.dictionaries(st.text("abc", min_size=1, max_size=5), st.text(max_size=5), min_size=1, max_size=3),
    "delivery_mode": st.integers(1, 2),
    "priority": octets,
}
del PAMQP_VALUES["cluster_id"]  # pamqp wants it empty
del PAMQP_VALUES["timestamp"]  # pamqp makes it a datetime; see below


@steady
@given(st.fixed_dictionaries({}, optional=PAMQP_VALUES), body_sizes)
def test_pamqp_agrees_on_the_bytes_both_ways(values, body_size):
    named_by_pamqp = {"message_type" if name == "type" else name: value for name, value in values.items()}
    payload = header.ContentHeader(0, body_size, commands.Basic.Properties(**named_by_pamqp)).marshal()
    ours = Properties()
    for name, value in values.items():
        setattr(ours, name, table(dict(sorted(value.items()))) if name == "headers" else value)
    assert encode_header(ours, body_size) == payload
    assert decode_properties(payload) == ours
    theirs = header.ContentHeader()
    theirs.unmarshal(encode_header(ours, body_size))
    assert {name: getattr(theirs.properties, name) for name in named_by_pamqp} == named_by_pamqp


def test_pamqp_reads_our_timestamp():
    properties = Properties()
    properties.timestamp = 1700000000
    theirs = header.ContentHeader()
    theirs.unmarshal(encode_header(properties, 0))
    assert theirs.properties.timestamp.timestamp() == 1700000000


@pytest.mark.parametrize(
    ("flag", "name", "octets", "value"),
    [
        (0x8000, "content_type", shortstr(b"text/plain"), "text/plain"),
        (0x4000, "content_encoding", shortstr(b"gzip"), "gzip"),
        (0x2000, "headers", longstr(shortstr(b"k") + b"V"), {"k": Field("V", None)}),
        (0x1000, "delivery_mode", b"\2", 2),
        (0x0800, "priority", b"\xff", 255),
        (0x0400, "correlation_id", shortstr(b"c"), "c"),
        (0x0200, "reply_to", shortstr(b"r"), "r"),
        (0x0100, "expiration", shortstr(b"1000"), "1000"),
        (0x0080, "message_id", shortstr(b"m"), "m"),
        (0x0040, "timestamp", b"\xff" * 8, 2**64 - 1),
        (0x0020, "type", shortstr(b"t"), "t"),
        (0x0010, "user_id", shortstr(b"guest"), "guest"),
        (0x0008, "app_id", shortstr(b"a"), "a"),
        (0x0004, "cluster_id", shortstr(b""), ""),
    ],
)
def test_each_property_has_its_flag(flag, name, octets, value):
    """Section 3.1."""
    expected = Properties()
    setattr(expected, name, value)
    assert decode_properties(header_payload(0, flag, octets)) == expected
    assert encode_header(expected, 0) == header_payload(0, flag, octets)


def test_present_but_empty_is_not_absent():
    """CT-6."""
    payload = header_payload(0, 0xE000, shortstr(b"") + shortstr(b"") + longstr(b""))
    properties = decode_properties(payload)
    assert (properties.content_type, properties.headers, properties.reply_to) == ("", {}, None)
    assert encode_header(properties, 0) == payload


def test_the_two_lowest_flag_bits_are_ignored():
    """FRM-21."""
    assert decode_properties(header_payload(0, 0x1003, b"\1")).delivery_mode == 1


def test_a_second_flags_word_is_left_over():
    """FRM-20, FRM-21."""
    assert refused(header_payload(0, 0x0001, b"\0\0")) == INTERNAL_ERROR


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(longstr(shortstr(b"k") + b"~"), id="an unknown type"),
        pytest.param(longstr(shortstr(b"k") + b"d" + struct.pack(">d", float("nan"))), id="not a number"),
        pytest.param(longstr(shortstr(b"k") + b"f" + struct.pack(">f", float("inf"))), id="infinity"),
        pytest.param(longstr(shortstr(b"k") + b"I\0"), id="cut short"),
        pytest.param(b"\xff\xff\xff\xff", id="4 GiB"),
        pytest.param(b"\0\0", id="no length"),
    ],
)
def test_malformed_headers_are_an_internal_error(headers):
    """FRM-20."""
    assert refused(header_payload(0, 0x2000, headers)) == INTERNAL_ERROR


def test_headers_nested_too_deep_are_an_internal_error():
    nested = longstr(b"")
    for _ in range(1000):
        nested = longstr(shortstr(b"") + b"F" + nested)
    assert refused(header_payload(0, 0x2000, nested)) == INTERNAL_ERROR


def test_header_values_keep_their_types():
    headers = {"a": Field("B", 1), "b": Field("l", 1), "c": Field("D", (2, 5))}
    properties = decode_properties(header_payload(0, 0x2000, encode_table(headers)))
    assert properties.headers == headers
    assert plain(properties.headers) == {"a": 1, "b": 1, "c": 0.05}


def test_a_string_of_256_bytes_cannot_be_encoded():
    properties = Properties()
    properties.message_id = "x" * 256
    with pytest.raises(ValueError, match="256"):
        encode_header(properties, 0)


def test_the_representation_shows_what_is_present():
    properties = Properties()
    properties.priority = 5
    assert repr(properties) == "Properties(priority=5)"
