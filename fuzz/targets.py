"""What any bytes of a peer must come to: valid events or one AMQP error, and never another exception.

Each target takes the bytes that a fuzzer or a test made up, yields after each step (`fuzz.run` times them), and raises
whatever the code under it raises, AssertionError where it answers nonsense. Nothing here knows a fuzzer.

    for _ in TARGETS["tables"](data):
        pass
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

from leveret.auth.access_control import AccessControl
from leveret.auth.first_definitions import FirstDefinitions, make_first_definitions
from leveret.auth.users import Users
from leveret.core.keeping import Keeper, tell_safe
from leveret.core.node import Node
from leveret.handlers.connection import Connection
from leveret.handlers.content import make_message
from leveret.handlers.stored import loaded
from leveret.storage.memory import MemoryStore
from leveret_protocol import constants, methods
from leveret_protocol.content import content_frames, decode_properties, encode_header, frames_body, frames_fit, reframe
from leveret_protocol.errors import AMQPError, FramingLost
from leveret_protocol.fields import plain
from leveret_protocol.methods import Frame, encode_method, make
from leveret_protocol.reader import Acks, FrameReader
from leveret_protocol.tables import MalformedTable, canonical, decode_table, encode_table

Steps = Iterator[None]

SMALL_FRAME_MAX = 4096
SMALL_MESSAGE_SIZE_MAX = 1000


def frames(data: bytes) -> Steps:
    """The first byte chooses the reader's settings, the second where the rest is cut: the cut must not matter."""
    chosen, cut = data[:1] or b"\0", (data[1:2] or b"\0")[0] + 1
    rest = data[2:]
    whole = list(_events(chosen[0], [rest]))
    yield
    pieces = list(_events(chosen[0], [rest[at : at + cut] for at in range(0, len(rest), cut)]))
    assert pieces == whole, (pieces, whole)
    yield


def _events(settings: int, pieces: list[bytes]) -> Iterator[tuple[object, ...]]:
    """What a reader makes of them; runs of basic.ack one by one, for they are only put together within a piece."""
    reader = FrameReader(SMALL_FRAME_MAX, SMALL_MESSAGE_SIZE_MAX)
    reader.channels_allowed = not settings & 1
    reader.discarding = bool(settings & 2)
    for piece in pieces:
        events = reader.feed(piece)
        while True:
            try:
                for number, method, content, header_size in events:
                    if isinstance(method, Acks):
                        yield from ((number, "basic.ack", (tag, False)) for tag in method.delivery_tags)
                    elif isinstance(method, methods.Basic.Ack):
                        yield number, "basic.ack", (method.delivery_tag, method.multiple)
                    else:
                        yield number, _told(method), content, header_size
                break
            except FramingLost as error:
                yield "lost", int(error.reply_code), str(error)
                break
            except AMQPError as error:
                yield "error", int(error.reply_code), str(error)
                events = reader.feed(b"")  # the frame that was wrong is passed over


def _told(method: object) -> object:
    """Something that equals itself: methods are compared by what they are on the wire."""
    if isinstance(method, Frame):
        return encode_method(1, method)
    return getattr(method, "deliver_suffix", None) or str(method)


def tables(data: bytes) -> Steps:
    """The length is put before the bytes, for a fuzzer finds it hard to keep right."""
    sized = len(data).to_bytes(4, "big") + data
    try:
        table, end = decode_table(sized, 0, len(sized))
    except MalformedTable:
        yield
        return
    yield
    assert end == len(sized)
    plain(table)
    encoded = encode_table(table)
    assert decode_table(encoded, 0, len(encoded)) == (table, len(encoded))
    in_order = canonical(table)
    assert canonical(decode_table(in_order, 0, len(in_order))[0]) == in_order
    yield


def headers(data: bytes) -> Steps:
    """Property flags and values; the body is the same bytes, in frames of a size that the first byte chooses."""
    frame_max = constants.FRAME_OVERHEAD + 1 + (data[:1] or b"\0")[0]
    payload = b"\x00\x3c\x00\x00" + len(data).to_bytes(8, "big") + data[1:]
    if len(payload) < 14:  # RabbitMQ takes 12 bytes for a header, without flags: malformed properties
        payload = payload[:12]
    try:
        properties = decode_properties(payload)
    except AMQPError:
        yield
    else:
        yield
        encoded = encode_header(properties, len(data))
        assert decode_properties(encoded) == properties
    content = content_frames(1, payload, data, frame_max)
    assert frames_body(content, len(payload)) == data
    assert frames_fit(content, len(payload), frame_max)
    assert reframe(reframe(content, len(payload), 7, 0), len(payload), 1, frame_max) == content
    yield


_STEPS = (
    constants.PROTOCOL_HEADER,
    encode_method(
        0,
        make(
            methods.Connection.StartOk, client_properties={}, mechanism="PLAIN", response="\0guest\0guest",
            locale="en_US",
        ),
    ),
    encode_method(
        0, make(methods.Connection.TuneOk, channel_max=2047, frame_max=constants.FRAME_MAX, heartbeat=60)
    ),
    encode_method(0, make(methods.Connection.Open, virtual_host="/")),
    encode_method(1, make(methods.Channel.Open)),
)  # fmt: skip
FRAMED, KEPT, STEPS = 0x80, 0x40, 0x07

_MINE = encode_method(1, make(methods.Queue.Declare, queue="mine", exclusive=True))
_CONSUME_MINE = encode_method(1, make(methods.Basic.Consume, queue="mine", no_ack=True))
_MINE_IS_THERE = b"\x00\x32\x00\x0b\x04mine"  # of its declare-ok


class _Broker:
    """A whole broker in memory, with the users and virtual hosts of a new one, on a store if there is one."""

    def __init__(self, store: MemoryStore | None) -> None:
        self.store = store
        keeper = None if store is None else Keeper(store, loaded)
        self.node = Node("leveret@fuzz", now=lambda: 1_700_000_000.0, make_message=make_message, keeper=keeper)
        users = Users(self.node)
        if self.node.is_new:
            make_first_definitions(self.node, users, FirstDefinitions())
        self._control = AccessControl(self.node, users)

    def connect(self) -> Connection:
        return Connection(self.node, self._control, "127.0.0.1:50000", "127.0.0.1:5672", lambda connection: None)

    def turn(self, peer: Connection, data: bytes) -> bytes:
        """What the peer is answered; safe in the store, where there is one."""
        peer.receive(data)
        while peer.has_put_off:
            peer.go_on()
        peer.tell_confirms()
        while self.store is not None and (batch := self.store.begin_commit()) is not None:
            self.store.commit(batch)
            tell_safe(self.store.end_commit(batch))
        peer.tell_confirms()
        answers = b"".join(peer.output)
        peer.output.clear()
        return answers

    def work(self) -> Steps:
        while self.node.has_work():
            self.node.run_slice()
            yield


def connection(data: bytes) -> Steps:
    """A hostile peer of a broker that has another client, with a queue of its own.

    The first byte chooses how much of the handshake is done (STEPS), whether the broker has a store (KEPT), on which
    another one is started at the end, and whether the rest are bytes as they come on a socket, or (FRAMED) records of
    frame type, channel number and payload size, one byte each, and payload. These are framed here, a turn for each.
    """
    first = (data[:1] or b"\0")[0]
    broker = _Broker(MemoryStore() if first & KEPT else None)
    client, peer = broker.connect(), broker.connect()
    assert _MINE_IS_THERE in broker.turn(client, b"".join(_STEPS) + _MINE + _CONSUME_MINE)
    sent = b""
    turns = _records(data[1:]) if first & FRAMED else _thirds(data[1:])
    for turn in (*_STEPS[: first & STEPS], *turns):
        sent += broker.turn(peer, turn)
        yield
        if peer.drop_after_seconds == 0:
            break
    yield from broker.work()
    _check_answers(sent)
    peer.lost()
    yield from broker.work()
    assert list(broker.node.connections) == [client]
    assert _MINE_IS_THERE in broker.turn(client, _MINE), "another client has lost its queue"
    yield
    if broker.store is not None:
        broker.node.finish()
        broker.node.note_redelivered()
        broker.turn(client, b"")
        broker.store.close()
        yield from _Broker(MemoryStore(broker.store.contents)).work()


def _thirds(data: bytes) -> list[bytes]:
    ends = (0, len(data) // 3, 2 * len(data) // 3, len(data))
    return [data[start:end] for start, end in pairwise(ends)]


def _records(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 3 <= len(data):
        kind, number, size = data[at : at + 3]
        payload = data[at + 3 : at + 3 + size]
        at += 3 + size
        start = bytes((kind, 0, number)) + len(payload).to_bytes(4, "big")
        yield start + payload + bytes((constants.FRAME_END,))


def _check_answers(sent: bytes) -> None:
    """Whole frames, and one connection.close at most, which is the last word but for a close-ok."""
    if sent.startswith(constants.PROTOCOL_HEADER):
        assert sent == constants.PROTOCOL_HEADER
        return
    closes = at = 0
    while at < len(sent):
        size = int.from_bytes(sent[at + 3 : at + 7], "big")
        payload = sent[at + 7 : at + 7 + size]
        assert sent[at + 7 + size] == constants.FRAME_END
        if sent[at] == constants.FRAME_METHOD:
            is_close = payload[:4] == methods.Connection.Close.index.to_bytes(4, "big")
            is_close_ok = payload[:4] == methods.Connection.CloseOk.index.to_bytes(4, "big")
            assert not closes or is_close_ok, "something is said after connection.close"
            closes += is_close
        at += size + constants.FRAME_OVERHEAD
    assert closes <= 1


TARGETS: dict[str, Callable[[bytes], Steps]] = {
    "frames": frames,
    "tables": tables,
    "headers": headers,
    "connection": connection,
}
