import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame as pamqp_frame
from pamqp.commands import Basic

from leveret_protocol import (
    AMQPError,
    Publish,
    confirm_frame,
    decode_method,
    deliver_prefix,
    encode_method,
    make,
    method_ids,
    method_name,
    nack_frame,
)
from leveret_protocol.publish import PUBLISHES_MAX, Publishes
from tests.protocol.frames import Refusal, method, publish_method, refusal, shortstr, steady, wire_strings

channel_numbers = st.integers(1, 65535)
delivery_tags = st.integers(0, 2**64 - 1)
pamqp_names = st.text("abcXYZ09-_.:", max_size=127)


def payload_of(frame):
    return frame[7:-1]


@steady
@given(wire_strings, wire_strings, st.booleans(), st.booleans())
def test_a_publish_is_decoded_as_the_general_walk_does(exchange, routing_key, mandatory, immediate):
    fields = {"exchange": exchange, "routing_key": routing_key, "mandatory": mandatory, "immediate": immediate}
    publish = Publish.decode(payload_of(encode_method(1, make(Basic.Publish, **fields))))
    assert {name: getattr(publish, name) for name in fields} == fields


@steady
@given(pamqp_names, pamqp_names, st.booleans(), st.booleans())
def test_a_publish_is_decoded_as_pamqp_does(exchange, routing_key, mandatory, immediate):
    theirs = Basic.Publish(0, exchange, routing_key, mandatory, immediate)
    ours = Publish.decode(payload_of(pamqp_frame.marshal(theirs, 1)))
    assert (ours.exchange, ours.routing_key) == (exchange, routing_key)
    assert (ours.mandatory, ours.immediate) == (mandatory, immediate)


@steady
@given(wire_strings, wire_strings, wire_strings, channel_numbers, delivery_tags, st.booleans())
def test_a_delivery_is_prefix_tag_and_suffix(exchange, routing_key, consumer_tag, channel_number, tag, redelivered):
    suffix = Publish.of(exchange, routing_key).deliver_suffix[redelivered]
    frame = deliver_prefix(channel_number, consumer_tag, len(suffix)) + tag.to_bytes(8, "big") + suffix
    expected = make(
        Basic.Deliver,
        consumer_tag=consumer_tag,
        delivery_tag=tag,
        redelivered=redelivered,
        exchange=exchange,
        routing_key=routing_key,
    )
    assert frame == encode_method(channel_number, expected)


@steady
@given(pamqp_names, pamqp_names, pamqp_names, channel_numbers, st.integers(0, 2**63 - 1), st.booleans())
def test_pamqp_reads_and_writes_the_same_delivery(
    exchange, routing_key, consumer_tag, channel_number, tag, redelivered
):
    suffix = Publish.of(exchange, routing_key).deliver_suffix[redelivered]
    frame = deliver_prefix(channel_number, consumer_tag, len(suffix)) + tag.to_bytes(8, "big") + suffix
    theirs = Basic.Deliver(consumer_tag, tag, redelivered, exchange, routing_key)
    assert pamqp_frame.marshal(theirs, channel_number) == frame
    size, number, read = pamqp_frame.unmarshal(frame)
    assert (size, number, dict(read)) == (len(frame), channel_number, dict(theirs))


@steady
@given(channel_numbers, delivery_tags, st.booleans())
def test_confirms_are_basic_ack_and_nack(channel_number, delivery_tag, multiple):
    ack = make(Basic.Ack, delivery_tag=delivery_tag, multiple=multiple)
    assert confirm_frame(channel_number, delivery_tag, multiple) == encode_method(channel_number, ack)
    nack = make(Basic.Nack, delivery_tag=delivery_tag, multiple=multiple, requeue=True)
    assert nack_frame(channel_number, delivery_tag, multiple) == encode_method(channel_number, nack)


@steady
@given(channel_numbers, st.integers(0, 2**63 - 1), st.booleans())
def test_pamqp_writes_the_same_confirms(channel_number, delivery_tag, multiple):
    ack = Basic.Ack(delivery_tag, multiple)
    assert confirm_frame(channel_number, delivery_tag, multiple) == pamqp_frame.marshal(ack, channel_number)
    nack = Basic.Nack(delivery_tag, multiple, True)
    assert nack_frame(channel_number, delivery_tag, multiple) == pamqp_frame.marshal(nack, channel_number)


@pytest.mark.parametrize(("multiple", "flags"), [(False, b"\2"), (True, b"\3")])
def test_a_nack_has_the_requeue_bit(multiple, flags):
    """CFM-5."""
    assert nack_frame(1, 5, multiple) == method(60, 120, struct.pack(">Q", 5) + flags)


def test_a_publish_of_the_broker_is_not_mandatory():
    publish = Publish.of("ex", "key")
    assert (publish.exchange, publish.routing_key, publish.mandatory, publish.immediate) == ("ex", "key", False, False)


def test_a_publish_begins_without_a_route():
    publish = Publish.of("ex", "key")
    assert (publish.routes, publish.routes_generation) == (None, -1)


@pytest.mark.parametrize(("exchange", "routing_key"), [("x" * 256, ""), ("", "é" * 128)])
def test_a_publish_of_the_broker_has_names_of_255_bytes(exchange, routing_key):
    with pytest.raises(ValueError, match="255"):
        Publish.of(exchange, routing_key)


def test_a_publish_has_a_name_and_ids_like_any_method():
    publish = Publish.of("", "q")
    assert (method_name(publish), method_ids(publish)) == ("basic.publish", (60, 40))


def test_the_bits_without_a_field_are_ignored():
    publish = Publish.decode(payload_of(publish_method(bits=0xFD)))
    assert (publish.mandatory, publish.immediate) == (True, False)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (b"", "<<>>"),
        (b"\0", "<<0>>"),
        (b"\0\0\0\0", "<<0,0,0,0>>"),
        (b"\0\0\0\0\0z", "<<0,0,0,0,0,122>>"),
        (b"\0\0\5ab\0\0", "<<0,0,5,97,98,0,0>>"),
        (b"\0\0\0\5ab\0", "<<0,0,0,5,97,98,0>>"),
        (b"\0\0\1a\0", "<<0,0,1,97,0>>"),
    ],
)
def test_malformed_arguments_are_refused(arguments, shown):
    """FRM-9."""
    with pytest.raises(AMQPError) as caught:
        Publish.decode(b"\0\x3c\0\x28" + arguments)
    assert refusal(caught.value) == Refusal(501, f"FRAME_ERROR - cannot decode {shown}", 60, 40)


@steady
@given(st.binary(max_size=30))
def test_any_arguments_give_what_the_general_walk_gives(arguments):
    """Where that walk ends in an error, so does `Publish.decode`, and the other way round."""
    payload = b"\0\x3c\0\x28" + arguments
    outcomes = []
    for decode in (decode_method, Publish.decode):
        try:
            decoded = decode(payload)
            outcomes.append((decoded.exchange, decoded.routing_key, decoded.mandatory, decoded.immediate))
        except AMQPError as error:
            outcomes.append(refusal(error))
    assert outcomes[0] == outcomes[1]


def test_equal_payloads_share_a_publish():
    publishes = Publishes()
    frame_part = b"\0\1\0\0\0\0" + payload_of(publish_method())
    assert publishes[frame_part] is publishes[bytes(bytearray(frame_part))]
    assert publishes[frame_part] is not publishes[b"\0\2" + frame_part[2:]]


def test_the_known_publishes_do_not_grow_without_bound():
    publishes = Publishes()
    for number in range(3 * PUBLISHES_MAX):
        frame_part = b"\0\1\0\0\0\0" + b"\0\x3c\0\x28\0\0\0" + shortstr(b"%d" % number) + b"\0"
        assert publishes[frame_part].routing_key == str(number)
        assert len(publishes) <= PUBLISHES_MAX


def test_a_malformed_payload_is_not_remembered():
    publishes = Publishes()
    with pytest.raises(AMQPError):
        publishes[b"\0\1\0\0\0\5" + b"\0\x3c\0\x28\0"]
    assert not publishes
