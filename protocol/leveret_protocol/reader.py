"""What a client sends, from bytes to methods with their content.

How this works. Every frame is type (1 byte), channel number (2), payload size (4), payload, frame end 0xCE. There are
two ways through the loop in `_events`, and both give the same events and the same errors.

*Frame by frame.* `_whole_frame` finds the end of the next frame and checks its size as soon as its first seven bytes
are there, before anything is buffered; `_take_frame` sorts out what no channel has to do with; the ContentAssembler
knows what each channel is due. This way is complete and does for all input.

*Quick.* Programs send the same publish over and over, with the same properties and size. Then everything up to the
first byte of the body repeats, and is recognised by one comparison. Such a "run" begins with any publish whose method
frame, header frame and beginning of the one body frame lie side by side in the data (`_run_at`); header and body frame
are cut out in one piece, as they are kept. A basic.ack is recognised as a whole, and several in a row come as one
event. At any doubt (another size, another
channel, a bit that should be 0, the wrong frame end) nothing is decided here, and the frame goes the other way.

The quick way is open only while nothing special is on. `_quick_size_max`, the most bytes a publish may have there, is
worked out whenever a setting changes, and is -1 while the way is closed, so the loop asks one question and not four.
"""

import struct
from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

from leveret_protocol import frame_errors
from leveret_protocol.acks import ACK_FRAME_SIZE, ACK_PAYLOAD_SIZE, Acks, tags_of_acks
from leveret_protocol.assembly import HEADER_SIZE_MIN, ContentAssembler, Event, Oversize
from leveret_protocol.constants import (
    CLASS_BASIC,
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_HEARTBEAT,
    FRAME_METHOD,
    FRAME_OVERHEAD,
    HANDSHAKE_FRAME_MAX,
    MESSAGE_SIZE_MAX,
)
from leveret_protocol.errors import AMQPError
from leveret_protocol.methods import Basic, Connection, decode_method
from leveret_protocol.publish import PUBLISH_INDEX, Publish

_FRAME_START: Final = struct.Struct(">BHI")  # type, channel number, payload size
_FRAME_START_SIZE: Final = 7
# What the quick ways unpack. Header and body are looked at from the frame end before them on.
_unpack_method_start: Final = struct.Struct(">BHII").unpack_from  # type, channel number, size, class and method id
_unpack_header_start: Final = struct.Struct(">IIIQ").unpack_from  # mark, size, class id and weight, body size
_unpack_body_start: Final = struct.Struct(">II").unpack_from  # mark, size
_unpack_ack_rest: Final = struct.Struct(">QB").unpack_from  # delivery tag, bits
_HEADER_START_SIZE: Final = 20
_BODY_START_SIZE: Final = 8
_ACK_TAG_AT: Final = 11
# A mark: frame end, frame type, channel number (0 here).
_HEADER_MARK: Final = FRAME_END << 24 | FRAME_HEADER << 16
_BODY_MARK: Final = FRAME_END << 24 | FRAME_BODY << 16

_BODY_SIZE_AT: Final = 11  # in the frames of a content: after the header frame's start, class and weight
_BODY_SIZE_END: Final = 19
_CLASS_AND_WEIGHT: Final = CLASS_BASIC << 16
_ACK_INDEX: Final = Basic.Ack.index
_new_ack: Final = Basic.Ack.__new__
_ACK_SIZE: Final = ACK_PAYLOAD_SIZE
_ACK_FRAME_SIZE: Final = ACK_FRAME_SIZE
_CLOSING_METHODS: Final = (Connection.Close.index.to_bytes(4, "big"), Connection.CloseOk.index.to_bytes(4, "big"))

# Of publishes with bodies of 1 KiB a read of the usual size brings few, and then the read costs more than they do. So
# many are wanted, or so much. Where that is not even a few, the rests of their frames are wanted, and cost no join.
PUBLISHES_WANTED: Final = 128
PUBLISHES_WANTED_MIN: Final = 8
PUBLISHES_WANTED_BYTES_MAX: Final = 128 * 1024


class Sizes(Protocol):
    """Counts the sizes of bodies."""

    def add(self, body_size: int, count: int) -> None:
        """So many of this size."""


class _Uncounted:
    def add(self, body_size: int, count: int) -> None:
        """Nobody wants to know."""


_UNCOUNTED: Final = _Uncounted()

# A publish, and how to tell that the next one is equal but for the body: the bytes from its method frame to the first
# byte of its body (None never comes again), the size of these, of all its frames, of its method frame; then channel
# number, publish and header_size for the event. A plain tuple: one is made for each publish unlike the one before.
_Run: TypeAlias = tuple[bytes | None, int, int, int, int, Publish, int]
_NO_RUN: Final[_Run] = (None, 0, 0, 0, 0, Publish.of("", ""), 0)


class FrameReader:
    """Splits what a client sends into methods with their content.

    frame_max: largest frame accepted, in bytes; 0 is no limit. RabbitMQ forgives the overhead: it is compared with the
        size of the payload (FRM-2).
    message_size_max: larger bodies are not kept, see `Oversize`.
    channels_allowed: False until connection.open is through.
    discarding: True once the server sent connection.close (CLS-2).

    sizes: told of the sizes of the bodies of publishes, when the size changes and by `tally_sizes`: of as many as
        `Publish.count` has grown by meanwhile, those that were taken.

    The other four may be changed at any time, also between two events of one `feed`; the next frame goes by the new
    value.
    """

    def __init__(
        self, frame_max: int = HANDSHAKE_FRAME_MAX, message_size_max: int = MESSAGE_SIZE_MAX,
        sizes: Sizes = _UNCOUNTED,
    ) -> None:  # fmt: skip
        self._frame_max = frame_max
        self._message_size_max = message_size_max
        self._channels_allowed = False
        self._discarding = False
        self._quick_size_max = -1  # see `_choose_way`
        self._assembler = ContentAssembler()
        self._run = _NO_RUN
        self._is_lost = False
        self._sizes = sizes
        # The publish that is, or was last, handed out, its count at the first one of this size, and the size.
        self._sized, self._sized_from, self._body_size = _NO_RUN[5], 0, 0
        # Bytes carried over. They are joined when the frame at their head is complete, and not at each arrival: that
        # would be quadratic for a large frame that comes in small pieces.
        self._carried: list[bytes] = []
        self._carried_size = 0
        self._carried_size_wanted = 0

    @property
    def frame_max(self) -> int:
        return self._frame_max

    @frame_max.setter
    def frame_max(self, frame_max: int) -> None:
        self._frame_max = frame_max
        self._choose_way()

    @property
    def message_size_max(self) -> int:
        return self._message_size_max

    @message_size_max.setter
    def message_size_max(self, message_size_max: int) -> None:
        self._message_size_max = message_size_max
        self._choose_way()

    @property
    def channels_allowed(self) -> bool:
        return self._channels_allowed

    @channels_allowed.setter
    def channels_allowed(self, channels_allowed: bool) -> None:
        self._channels_allowed = channels_allowed
        self._choose_way()

    @property
    def discarding(self) -> bool:
        return self._discarding

    @discarding.setter
    def discarding(self, discarding: bool) -> None:
        self._discarding = discarding
        self._assembler.unfinished.clear()
        self._choose_way()

    @property
    def bytes_wanted(self) -> int:
        """So many bytes should come at once: the rest of a frame or of a body, which is no method yet, or some more
        publishes, if they are like the last one.
        """
        rest = max(self._carried_size_wanted - self._carried_size, self._assembler.body_bytes_due)
        is_large = self._body_size > PUBLISHES_WANTED_BYTES_MAX // PUBLISHES_WANTED_MIN
        return rest if is_large else max(rest, min(PUBLISHES_WANTED * self._body_size, PUBLISHES_WANTED_BYTES_MAX))

    @property
    def has_unfinished_body(self) -> bool:
        """A body frame has come, and not the last one of its body."""
        return any(content.received_size for content in self._assembler.unfinished.values())

    def _choose_way(self) -> None:
        """Open the quick way for what the settings cannot object to, or close it."""
        if not self._channels_allowed or self._discarding:
            self._quick_size_max = -1
        else:
            # All frames of a publish together stay below both limits. The few that would pass each for itself, and
            # those that make use of the forgiven overhead, go the other way.
            self._quick_size_max = min(self._frame_max or self._message_size_max, self._message_size_max)

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that `data` completes, each as (channel number, method, frames, header_size).

        A method without content has frames b"" and header_size 0; with content it comes when that is complete, in the
        form that `content.py` describes. A publish is a `Publish`. Instead of a method whose body is too large comes
        an `Oversize`, instead of several basic.ack in a row an `Acks`. Heartbeats are no events.

        The iterator has to be exhausted or closed before the next `feed`. When it raised, the rest of the data is kept:
        `feed(b"")` goes on after the frame that was wrong, except after FramingLost, which ends all.

        While `discarding`, connection.close and close-ok are the only events, and only FramingLost is raised.

        Raises: AMQPError
            FRAME_ERROR (501)       as FramingLost: wrong frame end, too large a frame (FRM-1, FRM-2)
            FRAME_ERROR (501)       FRM-3, 4, 5, 9, 10, 11, 17, 18
            COMMAND_INVALID (503)   FRM-8
            UNEXPECTED_FRAME (505)  FRM-6, 7, 12 to 16; on a channel before connection.open
            INTERNAL_ERROR (541)    FRM-9 on channel 0
        """
        if self._is_lost:
            return iter(())
        self._carried.append(data)
        self._carried_size += len(data)
        if self._carried_size < self._carried_size_wanted:
            return iter(())
        self._carried_size_wanted = 0
        return self._events(b"".join(self._carried))

    def _events(self, data: bytes) -> Iterator[Event]:
        position, end = 0, len(data)
        unfinished = self._assembler.unfinished
        run = self._run
        try:
            run_start, run_start_size, run_size, run_method_size, run_number, run_publish, run_header_size = run
            while True:
                if data[position : position + run_start_size] == run_start and run_size <= self._quick_size_max:
                    # A publish like the one before it.
                    start, after = position + run_method_size, position + run_size
                    if after > end:
                        self._carried_size_wanted = run_size
                        break
                    if data[after - 1] == FRAME_END:
                        position = after
                        yield run_number, run_publish, data[start:after], run_header_size
                        continue
                elif end - position >= _ACK_FRAME_SIZE <= self._quick_size_max:
                    kind, number, size, index = _unpack_method_start(data, position)
                    if kind != FRAME_METHOD or number == 0 or number in unfinished:
                        pass
                    elif index == PUBLISH_INDEX:
                        # Another publish. What comes of it is for the lines above.
                        run = self._run_at(data, position, end, number, size)
                        (
                            run_start,
                            run_start_size,
                            run_size,
                            run_method_size,
                            run_number,
                            run_publish,
                            run_header_size,
                        ) = run
                        if run_start is not None:
                            continue
                    elif (
                        index == _ACK_INDEX and size == _ACK_SIZE and data[position + _ACK_FRAME_SIZE - 1] == FRAME_END
                    ):
                        tags = tags_of_acks(data, position, end)
                        if len(tags) > 1:
                            position += _ACK_FRAME_SIZE * len(tags)
                            yield number, Acks(tags), b"", 0
                            continue
                        ack = _new_ack(Basic.Ack)
                        ack.delivery_tag, bits = _unpack_ack_rest(data, position + _ACK_TAG_AT)
                        ack.multiple = bits & 1 == 1
                        position += _ACK_FRAME_SIZE
                        yield number, ack, b"", 0
                        continue

                # Frame by frame. A content may begin on the channel of the run, so the run is over.
                after = self._whole_frame(data, position, end)
                if after == 0:
                    break
                start, position, run, run_start = position, after, _NO_RUN, None
                event = self._take_frame(data, start, after)
                if event is not None:
                    if type(event[1]) is Publish:
                        self._begin_size(event[1], int.from_bytes(event[2][_BODY_SIZE_AT:_BODY_SIZE_END], "big"))
                    yield event
        finally:
            self._run = run
            self._carry(data[position:])

    def _run_at(self, data: bytes, position: int, end: int, channel_number: int, method_size: int) -> _Run:
        """The run that begins with the publish at `position`; _NO_RUN if it is not there up to its body, or not sound.

        All bytes before the body are checked here, except the properties, which do not concern the reader.
        """
        method_end = position + _FRAME_START_SIZE + method_size
        if method_end + _HEADER_START_SIZE >= end:
            return _NO_RUN
        mark, header_size, class_and_weight, body_size = _unpack_header_start(data, method_end)
        header_end = method_end + header_size + FRAME_OVERHEAD
        start_end = header_end + _BODY_START_SIZE if body_size else header_end
        size = start_end + body_size + 1 - position
        if not (
            mark == _HEADER_MARK | channel_number
            and class_and_weight == _CLASS_AND_WEIGHT
            and header_size >= HEADER_SIZE_MIN
            and size <= self._quick_size_max
            and start_end <= end
            and (not body_size or _unpack_body_start(data, header_end) == (_BODY_MARK | channel_number, body_size))
        ):
            return _NO_RUN
        try:
            publish = self._assembler.publishes[data[position + 1 : method_end]]
        except AMQPError:
            return _NO_RUN  # the other way raises it again, with the position after the method frame
        self._begin_size(publish, body_size)
        start_size = start_end - position
        method_frame_size = method_size + FRAME_OVERHEAD
        return data[position:start_end], start_size, size, method_frame_size, channel_number, publish, header_size

    def _begin_size(self, publish: Publish, body_size: int) -> None:
        """Publishes of this size begin to be handed out."""
        if publish is not self._sized or body_size != self._body_size:
            self.tally_sizes()
            self._sized, self._sized_from, self._body_size = publish, publish.count, body_size

    def tally_sizes(self) -> None:
        """Tell `sizes` of all that was taken until now."""
        count = self._sized.count
        if count != self._sized_from:
            self._sizes.add(self._body_size, count - self._sized_from)
            self._sized_from = count

    def _whole_frame(self, data: bytes, position: int, end: int) -> int:
        """The offset after the frame at `position`, or 0 if it is not complete.

        Raises: FramingLost FRAME_ERROR (501) FRM-1, FRM-2.
        """
        if end - position < _FRAME_START_SIZE:
            self._carried_size_wanted = _FRAME_START_SIZE
            return 0
        kind: int
        size: int
        kind, _, size = _FRAME_START.unpack_from(data, position)
        if size > self._frame_max > 0:
            self._is_lost = True
            raise frame_errors.frame_too_large(kind, size, self._frame_max)
        after = position + size + FRAME_OVERHEAD
        if after > end:
            self._carried_size_wanted = after - position
            return 0
        if data[after - 1] != FRAME_END:
            self._is_lost = True
            raise frame_errors.bad_frame_end(kind, data[position + _FRAME_START_SIZE : after - 1], data[after - 1])
        return after

    def _take_frame(self, data: bytes, start: int, after: int) -> Event | None:
        """The event that this whole frame completes, if it does.

        Raises: AMQPError as `feed`.
        """
        kind, channel_number, _ = _FRAME_START.unpack_from(data, start)
        if kind == FRAME_BODY and channel_number and self._channels_allowed and not self._discarding:
            payload_view = memoryview(data)[start + _FRAME_START_SIZE : after - 1]
            return self._assembler.body(channel_number, payload_view, self._frame_max)
        payload = data[start + _FRAME_START_SIZE : after - 1]
        if self._discarding:
            return self._closing_method(kind, channel_number, payload)
        if channel_number and not self._channels_allowed:
            raise frame_errors.unexpected_frame(kind, payload)
        if kind == FRAME_METHOD:
            return self._assembler.method(channel_number, payload)
        is_header = kind == FRAME_HEADER and len(payload) >= HEADER_SIZE_MIN
        is_heartbeat = kind == FRAME_HEARTBEAT and not payload
        if not (is_header or is_heartbeat or kind == FRAME_BODY):
            raise frame_errors.unknown_frame(kind, payload)
        if is_heartbeat != (channel_number == 0):  # heartbeats belong to channel 0, contents to the others
            raise frame_errors.unexpected_frame(kind, payload)
        if is_heartbeat:
            return None
        assert is_header
        return self._assembler.header(channel_number, payload, self._message_size_max)

    def _closing_method(self, kind: int, channel_number: int, payload: bytes) -> Event | None:
        """connection.close or close-ok, the only frames that still count (CLS-2)."""
        if kind != FRAME_METHOD or channel_number != 0 or payload[:4] not in _CLOSING_METHODS:
            return None
        try:
            return 0, decode_method(payload, 0), b"", 0
        except AMQPError:
            return None  # RabbitMQ: an error after its connection.close is logged and nothing else

    def _carry(self, rest: bytes) -> None:
        """Keep what was not used, for the next `feed`."""
        self._carried = [rest] if rest and not self._is_lost else []
        self._carried_size = len(rest)


__all__ = ["Acks", "Event", "FrameReader", "Oversize"]
