"""The reader's quick way gives what its frame-by-frame way gives. Fed byte by byte, the latter does all of the work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leveret_protocol import Acks, AMQPError
from leveret_protocol.methods import Basic
from tests.protocol.frames import (
    ack,
    body,
    byte_by_byte,
    connection_close,
    content,
    cut,
    deliver_method,
    frame,
    header,
    heartbeat,
    method,
    outcome,
    publish,
    publish_method,
    running_reader,
    singly,
    steady,
    steady_and_thorough,
)

channel_numbers = st.sampled_from([0, 1, 1, 1, 2, 65535])
bodies = st.sampled_from([b"", b"x", b"abc", b"abc", b"xyz", b"\xce\1\0\1" * 5])
ends = st.sampled_from([b"\xce"] * 15 + [b"\0"])
properties = st.sampled_from([(0, b""), (0, b""), (0x1000, b"\2"), (0x0001, b""), (0x8000, b"")])
methods = st.builds(
    publish_method,
    exchange=st.sampled_from([b"", b"ex"]),
    routing_key=st.sampled_from([b"bench", b"bench", b"other", b"\xff"]),
    bits=st.sampled_from([0, 0, 1, 3, 0xFF]),
    channel_number=channel_numbers,
)


@st.composite
def whole_publishes(draw):
    channel_number = draw(channel_numbers)
    flags, values = draw(properties)
    piece_size = draw(st.sampled_from([131064, 131064, 2]))
    octets = draw(bodies)
    return publish_method(channel_number=channel_number) + content(octets, channel_number, flags, values, piece_size)


# Sound frames, and frames that are wrong or in the wrong place, so that each check of the quick way has its turn.
frames = st.one_of(
    whole_publishes(),
    whole_publishes(),
    st.builds(publish, bodies),
    methods,
    st.builds(
        header,
        st.sampled_from([0, 1, 3, 536870913, 2**64 - 1]),
        channel_numbers,
        class_id=st.sampled_from([60, 60, 60, 50]),
        weight=st.sampled_from([0, 0, 0, 1]),
    ),
    st.builds(body, bodies, channel_numbers),
    st.builds(ack, st.sampled_from([0, 1, 2**64 - 1]), st.integers(0, 255), channel_numbers),
    st.builds(method, st.just(60), st.sampled_from([40, 80, 90]), st.binary(max_size=12), channel_numbers),
    st.builds(frame, st.integers(0, 9), channel_numbers, st.binary(max_size=14), ends),
    st.just(heartbeat),
    st.just(deliver_method()),
    st.just(connection_close()),
)
streams = st.lists(st.tuples(frames, st.integers(1, 4)), max_size=8).map(
    lambda counted: b"".join(octets * count for octets, count in counted)
)
places = st.lists(st.integers(1, 300), max_size=5)
readers = st.sampled_from(
    [
        {},
        {"message_size_max": 2},
        {"message_size_max": 60},
        {"frame_max": 19},
        {"frame_max": 64},
        {"frame_max": 80},
        {"frame_max": 0},
    ]
)


@steady_and_thorough
@given(streams, places, readers)
def test_whole_in_pieces_and_byte_by_byte_are_the_same(stream, places, limits):
    expected = outcome(byte_by_byte(stream), running_reader(**limits))
    assert outcome([stream], running_reader(**limits)) == expected
    assert outcome(cut(stream, places), running_reader(**limits)) == expected


@steady_and_thorough
@given(streams, st.data())
def test_a_changed_byte_is_seen_the_same_way(stream, data):
    """What is special about a run is what it takes for granted: change any byte of it."""
    stream = bytearray(publish(b"abc") * 2 + stream + publish(b"abc") * 2)
    for _ in range(data.draw(st.integers(1, 3))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    stream = bytes(stream)
    assert outcome([stream]) == outcome(byte_by_byte(stream))


@pytest.mark.parametrize("at", range(len(publish(b"abc"))))
def test_no_byte_of_a_repeated_publish_is_taken_for_granted(at):
    """Each byte of the second of three equal publishes, changed in each bit."""
    first = publish(b"abc")
    for bit in range(8):
        second = bytearray(first)
        second[at] ^= 1 << bit
        stream = first + bytes(second) + first
        expected = outcome(byte_by_byte(stream))
        assert outcome([stream]) == expected
        assert outcome([bytes(second) + first]) == outcome(byte_by_byte(bytes(second) + first))


@steady
@given(st.lists(st.binary(max_size=60), max_size=4), st.booleans(), st.booleans())
def test_any_bytes_give_events_or_one_error(pieces, channels_allowed, discarding):
    """Anything but an AMQPError out of `feed` is a bug of the reader."""
    reader = running_reader()
    reader.channels_allowed = channels_allowed
    reader.discarding = discarding
    for piece in pieces:
        try:
            for channel_number, _, octets, header_size in reader.feed(piece):
                assert 0 <= channel_number <= 65535
                assert header_size < len(octets) or octets == b""
        except AMQPError as error:
            assert error.reply_code in (501, 503, 505, 541)


@steady_and_thorough
@given(streams, st.lists(st.sampled_from(["discarding", "channels_allowed", "message_size_max", "frame_max"])))
def test_settings_changed_between_events_count_the_same_way(stream, changes):
    """The changes are made one after each event but acks, of which several come at once, in both readers."""
    values = {"discarding": True, "channels_allowed": False, "message_size_max": 2, "frame_max": 64}

    def run(pieces):
        reader = running_reader()
        left = list(changes)
        found = []
        for piece in pieces:
            try:
                for event in reader.feed(piece):
                    acks = singly(event[1])
                    found += [event[2:]] * len(acks)
                    if left and not isinstance(acks[0], Basic.Ack):
                        name = left.pop()
                        setattr(reader, name, values[name])
            except AMQPError as error:
                found.append(error.reply_text)
                return found
        return found

    assert run([stream]) == run(byte_by_byte(stream))


def test_acks_in_a_row_come_as_one_event_up_to_one_that_is_unlike_them():
    stream = b"".join(ack(tag) for tag in range(1, 6)) + ack(7, bits=1) + ack(8) + ack(9, channel_number=2) + ack(10)
    events = [(number, method) for number, method, _, _ in running_reader().feed(stream)]
    assert [number for number, _ in events] == [1, 1, 1, 2, 1]
    assert events[0][1] == Acks([1, 2, 3, 4, 5])
    assert [(method.delivery_tag, method.multiple) for _, method in events[1:]] == [
        (7, True), (8, False), (9, False), (10, False),
    ]  # fmt: skip
