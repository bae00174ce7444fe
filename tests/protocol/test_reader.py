"""What the reader makes of sound input, and what it keeps from one `feed` to the next."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leveret_protocol import AMQPError, FrameReader, FramingLost, Publish
from leveret_protocol.constants import HANDSHAKE_FRAME_MAX, MESSAGE_SIZE_MAX
from tests.protocol import frames
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
    longstr,
    method,
    outcome,
    publish,
    publish_method,
    running_reader,
    shortstr,
    steady,
    tune_ok,
)

CLOSE_OK = method(10, 51, channel_number=0)
PUBLISHED = ("basic.publish", "bench")


def short(found):
    """Events without the details: name, and the routing key of a publish."""
    names = []
    for event in found:
        if isinstance(event, frames.Refusal):
            names.append(event.code)
        elif event[1][0] == "oversize":
            names.append(("oversize", event[1][2]))
        else:
            name, fields = event[1]
            names.append((name, fields["routing_key"]) if name == "basic.publish" else name)
    return names


def published(frames_of_content, channel_number=1, header_size=14, routing_key=b"bench", mandatory=False):
    fields = {
        "exchange": "",
        "routing_key": routing_key.decode("utf-8", "surrogateescape"),
        "mandatory": mandatory,
        "immediate": False,
        "deliver_suffix": tuple(flag + shortstr(b"") + shortstr(routing_key) + b"\xce" for flag in (b"\0", b"\1")),
    }
    return channel_number, ("basic.publish", fields), frames_of_content, header_size


HEADERS = longstr(shortstr(b"k") + b"S" + longstr(b"v"))
SOUND = {
    "one publish": (publish(b"hello"), [published(content(b"hello"))]),
    "a publish with properties": (
        publish_method() + content(b"hello", flags=0x3000, properties=HEADERS + b"\2"),
        [published(content(b"hello", flags=0x3000, properties=HEADERS + b"\2"), header_size=14 + len(HEADERS) + 1)],
    ),
    "a publish with an empty body": (publish(b""), [published(header(0))]),
    "equal publishes": (publish(b"abc") * 5, [published(content(b"abc"))] * 5),
    "publishes that differ in the body": (
        publish(b"abc") + publish(b"xyz"),
        [published(content(b"abc")), published(content(b"xyz"))],
    ),
    "publishes that differ in the size": (
        publish(b"abc") + publish(b"") + publish(b"abcdef"),
        [published(content(b"abc")), published(header(0)), published(content(b"abcdef"))],
    ),
    "publishes of two channels": (
        publish(b"abc") + publish(b"abc", 2) + publish(b"abc"),
        [published(content(b"abc")), published(content(b"abc", 2), 2), published(content(b"abc"))],
    ),
    "publishes to two keys": (
        publish(b"abc") + publish_method(routing_key=b"other") + content(b"abc"),
        [published(content(b"abc")), published(content(b"abc"), routing_key=b"other")],
    ),
    "a mandatory publish": (
        publish(b"abc") + publish_method(bits=1) + content(b"abc"),
        [published(content(b"abc")), published(content(b"abc"), mandatory=True)],
    ),
    "a body in two frames": (
        publish_method() + header(6) + body(b"abc") + body(b"def"),
        [published(content(b"abcdef"))],
    ),
    "empty body frames": (  # FRM-19
        publish_method() + header(6) + body(b"") + body(b"abc") + body(b"") + body(b"") + body(b"def"),
        [published(content(b"abcdef"))],
    ),
    "contents of two channels, mixed": (
        publish_method() + publish_method(channel_number=2) + header(3) + header(3, 2) + body(b"xyz", 2) + body(b"abc"),
        [published(content(b"xyz", 2), 2), published(content(b"abc"))],
    ),
    "a whole publish while another channel's is unfinished": (
        publish_method(channel_number=2) + header(6, 2) + body(b"abc", 2) + publish(b"q") + body(b"def", 2),
        [published(content(b"q")), published(content(b"abcdef", 2), 2)],
    ),
    "acks": (
        ack(1) + ack(2**64 - 1, 1) + ack(3, 0xFE),
        [
            (1, ("basic.ack", {"delivery_tag": 1, "multiple": False}), b"", 0),
            (1, ("basic.ack", {"delivery_tag": 2**64 - 1, "multiple": True}), b"", 0),
            (1, ("basic.ack", {"delivery_tag": 3, "multiple": False}), b"", 0),
        ],
    ),
    "an ack between equal publishes": (
        publish(b"a") + ack(7, 0, 2) + publish(b"a"),
        [
            published(content(b"a")),
            (2, ("basic.ack", {"delivery_tag": 7, "multiple": False}), b"", 0),
            published(content(b"a")),
        ],
    ),
    "an ack on channel 0": (
        ack(channel_number=0),
        [(0, ("basic.ack", {"delivery_tag": 1, "multiple": False}), b"", 0)],
    ),
    "heartbeats": (heartbeat + publish(b"a") + heartbeat, [published(content(b"a"))]),  # CON-14
    "a heartbeat in the middle of a content": (
        publish_method() + header(2) + body(b"a") + heartbeat + body(b"b"),
        [published(content(b"ab"))],
    ),
    "a publish on channel 0 has no content": (
        publish_method(channel_number=0),
        [
            (
                0,
                (
                    "basic.publish",
                    {"ticket": 0, "exchange": "", "routing_key": "bench", "mandatory": False, "immediate": False},
                ),
                b"",
                0,
            )
        ],
    ),
    "a delivery from a client comes with its content": (  # M-5
        deliver_method() + content(b"abc"),
        [
            (
                1,
                (
                    "basic.deliver",
                    {
                        "consumer_tag": "tag",
                        "delivery_tag": 0,
                        "redelivered": False,
                        "exchange": "",
                        "routing_key": "q",
                    },
                ),
                content(b"abc"),
                14,
            )
        ],
    ),
    "other methods": (
        tune_ok() + method(20, 10, b"\0", 5) + method(85, 10, b"\1", 5),
        [
            (0, ("connection.tune-ok", {"channel_max": 2047, "frame_max": 131072, "heartbeat": 60}), b"", 0),
            (5, ("channel.open", {"out_of_band": ""}), b"", 0),
            (5, ("confirm.select", {"nowait": True}), b"", 0),
        ],
    ),
    "a publish with names that are not UTF-8": (  # FRM-11
        publish_method(routing_key=b"\xff") + content(b"a"),
        [published(content(b"a"), routing_key=b"\xff")],
    ),
}


@pytest.mark.parametrize(("data", "events"), SOUND.values(), ids=SOUND)
def test_sound_input_gives_its_events(data, events):
    assert outcome([data]) == events


@pytest.mark.parametrize(("data", "events"), SOUND.values(), ids=SOUND)
def test_sound_input_gives_its_events_byte_by_byte(data, events):
    assert outcome(byte_by_byte(data)) == events


@pytest.mark.parametrize(("data", "events"), SOUND.values(), ids=SOUND)
def test_the_beginning_of_another_frame_changes_nothing(data, events):
    rest = publish(b"later")
    for size in range(len(rest)):
        assert outcome([data + rest[:size]]) == events
        assert outcome([data + rest[:size], rest[size:]]) == [*events, published(content(b"later"))]


@pytest.mark.parametrize(("data", "events"), SOUND.values(), ids=SOUND)
@steady
@given(places=st.lists(st.integers(1, 200), max_size=6))
def test_sound_input_gives_its_events_in_any_pieces(data, events, places):
    assert outcome(cut(data, places)) == events


def test_events_come_as_they_are_completed():
    reader = running_reader()
    data = publish(b"abc")
    assert list(reader.feed(data[:-1])) == []
    ((channel_number, found, octets, header_size),) = reader.feed(data[-1:])
    assert (channel_number, type(found), octets, header_size) == (1, Publish, content(b"abc"), 14)


@pytest.mark.parametrize("second", ["whole", "byte by byte"])
def test_equal_publishes_are_one_object(second):
    reader = running_reader()
    data = publish(b"abc")
    pieces = [data] if second == "whole" else byte_by_byte(data)
    first = [event[1] for event in reader.feed(data + data)]
    later = [event[1] for piece in pieces for event in reader.feed(piece)]
    assert len({id(found) for found in first + later}) == 1


def test_an_equal_publish_on_another_channel_is_another_object():
    one, other = (event[1] for event in running_reader().feed(publish(b"abc") + publish(b"x", 2)))
    assert one is not other


class Sizes(list):
    def add(self, body_size, count):
        self.append((body_size, count))


@pytest.mark.parametrize("is_whole", [True, False])
def test_sizes_are_told_when_they_change_and_when_asked_for(is_whole):
    sizes = Sizes()
    reader = running_reader(sizes=sizes)
    data = publish(b"abc") * 3 + publish(b"") + publish(b"x" * 9000, 2) * 2
    for piece in [data] if is_whole else byte_by_byte(data):
        for event in reader.feed(piece):
            event[1].count += 1
    assert sizes == [(3, 3), (0, 1)]
    reader.tally_sizes()
    reader.tally_sizes()
    assert sizes == [(3, 3), (0, 1), (9000, 2)]


def test_the_size_of_a_publish_that_nobody_took_does_not_count():
    sizes = Sizes()
    reader = running_reader(sizes=sizes)
    for event in reader.feed(publish(b"abc") * 3 + publish(b"x")):
        event[1].count += event[3] > 0 and event[2].endswith(b"abc\xce")
    reader.tally_sizes()
    assert sizes == [(3, 3)]


@pytest.mark.parametrize("sizes", [[131064], [100] * 50, [1, 4087, 5000, 4088], [4089, 3]])
def test_a_body_is_split_anew_at_the_readers_frame_max(sizes):
    """CT-5: the client's split is not kept; CT-3."""
    octets = bytes(range(256)) * 512
    pieces = [octets[:size] for size in sizes]
    data = publish_method() + header(sum(sizes)) + b"".join(body(piece) for piece in pieces)
    reader = running_reader(4096 if max(sizes) <= 4096 else 131072)
    (event,) = outcome([data], reader)
    assert event == published(content(b"".join(pieces), piece_size=reader.frame_max - 8))


def test_a_body_frame_that_uses_the_forgiven_overhead_is_split_too():
    """FRM-2; so no body frame that is handed on is larger than frame_max."""
    data = publish_method() + header(4096) + body(bytes(4096))
    for pieces in ([data], [data[:-1], data[-1:]], [data + data]):
        assert outcome(pieces, running_reader(4096))[0] == published(content(bytes(4096), piece_size=4088))


def test_without_a_frame_max_a_body_is_one_frame():
    data = publish_method() + header(300000) + body(bytes(200000)) + body(bytes(100000))
    assert outcome([data], running_reader(0)) == [published(content(bytes(300000), piece_size=300000))]


def test_a_new_reader_has_the_limits_of_the_handshake():
    """CON-15."""
    reader = FrameReader()
    assert (reader.frame_max, reader.message_size_max) == (HANDSHAKE_FRAME_MAX, MESSAGE_SIZE_MAX)
    assert (reader.channels_allowed, reader.discarding) == (False, False)


# -- bodies over the limit


@pytest.mark.parametrize("pieces", [[11], [10, 1], [5, 0, 6]])
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_body_over_the_limit_is_announced_at_its_end(pieces, is_whole):
    """CT-11."""
    data = publish_method() + header(11) + b"".join(body(bytes(size)) for size in pieces)
    reader = running_reader(message_size_max=10)
    found = outcome([data] if is_whole else byte_by_byte(data), reader)
    assert short(found) == [("oversize", 11)]
    assert found[0][2:] == (b"", 0)
    assert found[0][1][1][1]["routing_key"] == "bench"


def test_a_body_of_exactly_the_limit_is_kept():
    """CT-11."""
    assert outcome([publish(bytes(10))], running_reader(message_size_max=10)) == [published(content(bytes(10)))]


def test_the_channel_goes_on_after_a_body_over_the_limit():
    found = outcome([publish(bytes(11)) + publish(bytes(10))], running_reader(message_size_max=10))
    assert short(found) == [("oversize", 11), PUBLISHED]


def peak_of_feeding(reader, pieces):
    """The most memory taken while the pieces were fed, in bytes."""
    tracemalloc.start()
    try:
        for piece in pieces:
            for _ in reader.feed(piece):
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_body_over_the_limit_is_not_kept():
    piece = body(bytes(65536))
    pieces = [publish_method() + header(65536 * 200), *[piece] * 200]
    assert peak_of_feeding(running_reader(message_size_max=1000), pieces) < 1_000_000


def test_announcing_a_large_body_takes_no_memory():
    pieces = [publish_method(channel_number=number) + header(16_000_000, number) for number in range(1, 50)]
    assert peak_of_feeding(running_reader(), pieces) < 1_000_000


def test_a_large_frame_in_tiny_pieces_takes_linear_time():
    """Joined at each arrival, this would copy 512 GiB."""
    reader = running_reader(frame_max=0)
    data = publish_method() + header(1_000_000) + body(bytes(1_000_000))
    assert short(outcome(byte_by_byte(data), reader)) == [PUBLISHED]


# -- settings changed between two events


def test_discarding_takes_effect_between_two_events_of_one_feed():
    """CLS-2."""
    reader = running_reader()
    found = []
    for event in reader.feed(publish(b"a") * 3 + ack() + b"\x09" + publish(b"a")[1:] + connection_close() + CLOSE_OK):
        found.append(event[1])
        reader.discarding = True
    assert [type(method).__name__ for method in found] == ["Publish", "Close", "CloseOk"]


def test_a_lower_message_limit_takes_effect_between_two_events_of_one_feed():
    reader = running_reader()
    names = []
    for _, found, _, _ in reader.feed(publish(b"abc") * 3):
        names.append(type(found).__name__)
        reader.message_size_max = 2
    assert names == ["Publish", "Oversize", "Oversize"]


def test_a_lower_frame_max_takes_effect_between_two_events_of_one_feed():
    reader = running_reader()
    found = []
    with pytest.raises(FramingLost):
        for event in reader.feed(publish(bytes(300)) * 3):
            found.append(event)
            reader.frame_max = 299
    assert len(found) == 1


def test_a_higher_frame_max_takes_effect_between_two_events_of_one_feed():
    """CON-13: a client may pipeline all of the handshake."""
    reader = FrameReader(frame_max=20)
    names = []
    for _, found, _, _ in reader.feed(tune_ok() + method(20, 10, b"\0") + publish(bytes(300))):
        names.append(type(found).__name__)
        reader.frame_max = 4096
        reader.channels_allowed = True
    assert names == ["TuneOk", "Open", "Publish"]


def test_closed_channels_take_effect_between_two_events_of_one_feed():
    reader = running_reader()
    found = []
    with pytest.raises(AMQPError, match="type 1, all octets"):
        for event in reader.feed(publish(b"a") * 2):
            found.append(event)
            reader.channels_allowed = False
    assert len(found) == 1


# -- discarding


def discarding_reader():
    reader = running_reader()
    reader.discarding = True
    return reader


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(publish(b"a"), id="a publish"),
        pytest.param(ack(), id="an ack"),
        pytest.param(frame(5, 1, b"abc"), id="an unknown type"),
        pytest.param(frame(8, 1, b"abc"), id="a wrong heartbeat"),
        pytest.param(frame(1, 1, b""), id="an empty method frame"),
        pytest.param(method(99, 99), id="an unknown method"),
        pytest.param(method(10, 50, b"", channel_number=0), id="a malformed connection.close"),
        pytest.param(method(10, 51, b"x", channel_number=0), id="a malformed connection.close-ok"),
        pytest.param(frame(1, 1, connection_close()[7:-1]), id="connection.close on a channel"),
        pytest.param(tune_ok(), id="another method of channel 0"),
        pytest.param(body(b"abc"), id="a body frame"),
        pytest.param(body(b"abc", 0), id="a body frame on channel 0"),
    ],
)
def test_after_connection_close_all_else_is_discarded_unchecked(data):
    """CLS-2."""
    for pieces in ([data + connection_close() + CLOSE_OK], byte_by_byte(data + connection_close() + CLOSE_OK)):
        assert short(outcome(pieces, discarding_reader())) == ["connection.close", "connection.close-ok"]


def test_the_frames_are_still_followed_while_discarding():
    """FRM-1: who cannot find the next frame cannot find close-ok."""
    with pytest.raises(FramingLost):
        list(discarding_reader().feed(frame(1, 1, b"abc", end=b"\0")))


def test_an_unfinished_content_is_forgotten_when_discarding_begins():
    reader = running_reader()
    list(reader.feed(publish_method() + header(10)))
    reader.discarding = True
    reader.discarding = False
    assert short(outcome([publish(b"abc")], reader)) == [PUBLISHED]


# -- after an error


def test_after_an_error_the_reader_goes_on_behind_the_frame():
    reader = running_reader()
    with pytest.raises(AMQPError):
        list(reader.feed(method(99, 99) + publish(b"abc") + publish(b"abc")[:20]))
    assert short(outcome([b"", publish(b"abc")[20:]], reader)) == [PUBLISHED, PUBLISHED]


def test_the_rest_is_kept_when_the_caller_stops_in_the_middle():
    reader = running_reader()
    events = reader.feed(publish(b"abc") * 3)
    next(events)
    events.close()
    assert short(outcome([b""], reader)) == [PUBLISHED, PUBLISHED]


def test_the_data_is_kept_when_nobody_asks_for_events():
    reader = running_reader()
    reader.feed(publish(b"abc"))
    assert short(outcome([b""], reader)) == [PUBLISHED]


def test_after_framing_is_lost_all_input_is_ignored():
    """FRM-1, FRM-2."""
    reader = running_reader()
    with pytest.raises(FramingLost):
        list(reader.feed(frame(1, 1, b"abc", end=b"\0") + publish(b"abc")))
    assert list(reader.feed(b"")) == []
    assert list(reader.feed(publish(b"abc"))) == []


@pytest.mark.parametrize("piece_size", [1, 100, 4088, 40_000, 131_064, 131_072])
@pytest.mark.parametrize("read_size", [1000, 65_536, 10**6])
def test_a_large_body_is_kept_in_frames_as_large_as_allowed_however_it_came(piece_size, read_size):
    octets = bytes(range(256)) * (1200 if piece_size > 1 else 10)
    stream = publish_method() + content(octets, piece_size=piece_size)
    reader = running_reader()
    events = [event for at in range(0, len(stream), read_size) for event in reader.feed(stream[at : at + read_size])]
    [(number, _, frames, header_size)] = events
    assert number == 1
    assert frames == content(octets, piece_size=131_064)
    assert header_size == 14
    assert reader.bytes_wanted == (7 if piece_size > 1 else 131_072)  # the start of a frame, or many such publishes
