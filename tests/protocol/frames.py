"""Bytes as a client sends them, built by the specification and not with the code under test; a way to feed them."""

import struct
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st

from leveret_protocol import Acks, AMQPError, Field, FrameReader, FramingLost, Oversize, Publish, method_name
from leveret_protocol.methods import Basic

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8

# Property tests are part of the suite, so each run makes the same cases, however busy the machine is.
steady = settings(derandomize=True, deadline=None, max_examples=100, database=None)
steady_for_each_method = settings(steady, max_examples=20)
steady_and_thorough = settings(steady, max_examples=500)


def frame(kind, channel_number, payload, end=b"\xce"):
    return struct.pack(">BHI", kind, channel_number, len(payload)) + payload + end


def shortstr(octets):
    return bytes([len(octets)]) + octets


def longstr(octets):
    return struct.pack(">I", len(octets)) + octets


def method(class_id, method_id, arguments=b"", channel_number=1):
    return frame(METHOD, channel_number, struct.pack(">HH", class_id, method_id) + arguments)


def publish_method(exchange=b"", routing_key=b"bench", bits=0, channel_number=1):
    arguments = b"\0\0" + shortstr(exchange) + shortstr(routing_key) + bytes([bits])
    return method(60, 40, arguments, channel_number)


def deliver_method(channel_number=1):
    return method(60, 60, shortstr(b"tag") + bytes(8) + b"\0" + shortstr(b"") + shortstr(b"q"), channel_number)


def header_payload(body_size, flags=0, properties=b"", class_id=60, weight=0):
    return struct.pack(">HHQH", class_id, weight, body_size, flags) + properties


def header(body_size, channel_number=1, **fields):
    return frame(HEADER, channel_number, header_payload(body_size, **fields))


def body(octets, channel_number=1):
    return frame(BODY, channel_number, octets)


def content(octets, channel_number=1, flags=0, properties=b"", piece_size=131064):
    pieces = [octets[at : at + piece_size] for at in range(0, len(octets), piece_size)]
    start = header(len(octets), channel_number, flags=flags, properties=properties)
    return start + b"".join(body(piece, channel_number) for piece in pieces)


def publish(octets=b"x" * 16, channel_number=1, **fields):
    return publish_method(channel_number=channel_number) + content(octets, channel_number, **fields)


def ack(delivery_tag=1, bits=0, channel_number=1):
    return method(60, 80, struct.pack(">QB", delivery_tag, bits), channel_number)


def tune_ok():
    return method(10, 31, struct.pack(">HIH", 2047, 131072, 60), channel_number=0)


def connection_close(reply_text=b"bye"):
    return method(10, 50, struct.pack(">H", 200) + shortstr(reply_text) + bytes(4), channel_number=0)


heartbeat = frame(HEARTBEAT, 0, b"")


def running_reader(frame_max=131072, message_size_max=16 * 1024 * 1024, **options):
    """A reader as it is after connection.open."""
    reader = FrameReader(frame_max, message_size_max, **options)
    reader.channels_allowed = True
    return reader


def singly(method):
    """An event's method, or the methods that an `Acks` stands for."""
    return [Basic.Ack(tag, False) for tag in method.delivery_tags] if isinstance(method, Acks) else [method]


def told(method):
    """A method as a value that can be compared."""
    if isinstance(method, Publish):
        names = ("exchange", "routing_key", "mandatory", "immediate", "deliver_suffix")
    elif isinstance(method, Oversize):
        return "oversize", told(method.method), method.body_size
    else:
        names = method.__slots__
    return method_name(method), {name: getattr(method, name) for name in names}


@dataclass(frozen=True)
class Refusal:
    """An AMQPError as a value."""

    code: int
    reply_text: str
    class_id: int
    method_id: int
    is_framing_lost: bool = False


def refusal(error):
    return Refusal(
        int(error.reply_code), error.reply_text, error.class_id, error.method_id, isinstance(error, FramingLost)
    )


def outcome(pieces, reader=None):
    """All that comes out of a reader for these pieces: events and Refusals, in order."""
    reader = reader or running_reader()
    found = []
    for piece in pieces:
        while True:
            try:
                for channel_number, method, frames, header_size in reader.feed(piece):
                    found += [(channel_number, told(one), frames, header_size) for one in singly(method)]
                break
            except AMQPError as error:
                found.append(refusal(error))
                piece = b""
    return found


def byte_by_byte(data):
    return [data[at : at + 1] for at in range(len(data))]


def cut(data, places):
    """The data in pieces."""
    places = sorted({place for place in places if place < len(data)})
    return [data[start:stop] for start, stop in zip([0, *places], [*places, len(data)], strict=True)]


any_table = st.deferred(lambda: st.dictionaries(wire_strings, any_field, max_size=4))
wire_strings = st.binary(max_size=12).map(lambda octets: octets.decode("utf-8", "surrogateescape"))


def _fields():
    def integers(tag, low, high):
        return st.integers(low, high).map(lambda value: Field(tag, value))

    finite = {"allow_nan": False, "allow_infinity": False}
    return st.one_of(
        st.booleans().map(lambda value: Field("t", value)),
        integers("b", -(2**7), 2**7 - 1),
        integers("B", 0, 2**8 - 1),
        integers("s", -(2**15), 2**15 - 1),
        integers("u", 0, 2**16 - 1),
        integers("I", -(2**31), 2**31 - 1),
        integers("i", 0, 2**32 - 1),
        integers("l", -(2**63), 2**63 - 1),
        integers("L", -(2**63), 2**63 - 1),
        integers("T", 0, 2**64 - 1),
        st.floats(width=32, **finite).map(lambda value: Field("f", value)),
        st.floats(**finite).map(lambda value: Field("d", value)),
        st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1)).map(lambda value: Field("D", value)),
        wire_strings.map(lambda value: Field("S", value)),
        st.binary(max_size=12).map(lambda value: Field("x", value)),
        any_table.map(lambda value: Field("F", value)),
        st.lists(st.deferred(lambda: any_field), max_size=3).map(lambda value: Field("A", value)),
        st.just(Field("V", None)),
    )


any_field = _fields()
