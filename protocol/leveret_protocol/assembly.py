"""From frames to methods with their content: the state machine of each channel number.

A method with content is followed by one header frame and by body frames until the announced size is reached; no other
frame of the same channel may come in between, those of other channels may (AMQP 0-9-1 section 4.2.6).

| content of the channel | method frame            | header frame               | body frame                          |
| ---------------------- | ----------------------- | -------------------------- | ----------------------------------- |
| none                   | event, or a content     | FRM-12                     | FRM-12, FRM-16                      |
|                        | begins                  |                            |                                     |
| header is due          | FRM-13                  | event if size 0, else body | FRM-13                              |
|                        |                         | is due; FRM-13, 14, 18     |                                     |
| body is due            | FRM-15                  | FRM-15                     | event if complete; FRM-17           |

An error ends the content it happened in.
"""

import struct
from typing import Final, NamedTuple, TypeAlias

from leveret_protocol import frame_errors
from leveret_protocol.acks import Acks
from leveret_protocol.constants import BODY_SIZE_CEILING, CLASS_BASIC, FRAME_OVERHEAD
from leveret_protocol.content import content_frames, frames_of
from leveret_protocol.errors import AMQPError
from leveret_protocol.methods import Basic, Frame, decode_method, method_class, method_ids
from leveret_protocol.publish import Publish, Publishes

_VIEW_SIZE_MIN: Final = 32 * 1024  # of a piece of a body that is kept where it was read

_NUMBER_AND_SIZE: Final = struct.Struct(">HI")
_HEADER_START: Final = struct.Struct(">HHQ")  # class id, weight, body size
HEADER_SIZE_MIN: Final = _HEADER_START.size

# The last three are sent by servers only, but a client may send them all the same (RabbitMQ: M-5).
_METHODS_WITH_CONTENT: Final = frozenset((Basic.Publish, Basic.Return, Basic.Deliver, Basic.GetOk))


class Oversize(NamedTuple):
    """Stands for a method whose content is complete, but whose body was larger than message_size_max and not kept."""

    method: Publish | Frame
    body_size: int


# channel number, method, frames of its content (b"" for none), header_size (see content.py; 0 for none)
Event: TypeAlias = tuple[int, Publish | Frame | Oversize | Acks, bytes, int]


class _Content:
    """A content that has begun. `header` is empty while it is due; `pieces` of the body is None if it is not kept."""

    __slots__ = ("body_size", "header", "method", "pieces", "received_size")

    def __init__(self, method: Publish | Frame) -> None:
        self.method = method
        self.header = b""
        self.body_size = 0
        self.received_size = 0
        self.pieces: list[memoryview | bytearray] | None = None


class ContentAssembler:
    """The contents in progress on a connection.

    unfinished: by channel number; a channel that is in here is not due a method frame.
    body_bytes_due: what is still to come of the body that the last body frame belonged to.
    """

    def __init__(self) -> None:
        self.unfinished: dict[int, _Content] = {}
        self.publishes = Publishes()
        self.body_bytes_due = 0

    def method(self, channel_number: int, payload: bytes) -> Event | None:
        """A method frame. Returns the event unless content has to come first.

        Channel 0 has no content: a content method there is an event at once, for the handler to refuse.

        Raises: AMQPError as `decode_method`; UNEXPECTED_FRAME (505) FRM-13, FRM-15.
        """
        cls = method_class(payload)  # an unknown method is found before the state is looked at
        content = self.unfinished.pop(channel_number, None)
        if content is not None:
            raise _interrupted(content)
        if channel_number == 0 or cls not in _METHODS_WITH_CONTENT:
            return channel_number, decode_method(payload, channel_number), b"", 0
        if cls is Basic.Publish:
            method: Publish | Frame = self.publishes[_NUMBER_AND_SIZE.pack(channel_number, len(payload)) + payload]
        else:
            method = decode_method(payload)
        self.unfinished[channel_number] = _Content(method)
        return None

    def header(self, channel_number: int, payload: bytes, message_size_max: int) -> Event | None:
        """A header frame of at least HEADER_SIZE_MIN bytes. Returns the event if there is no body.

        Raises: AMQPError UNEXPECTED_FRAME (505) FRM-12 to 15; FRAME_ERROR (501) FRM-18.
        """
        content = self.unfinished.pop(channel_number, None)
        if content is None:
            raise frame_errors.method_expected()
        if content.header:
            raise _interrupted(content)
        class_id, weight, body_size = _HEADER_START.unpack_from(payload)
        if weight != 0:
            raise _interrupted(content)
        if class_id != CLASS_BASIC:
            raise frame_errors.header_of_other_class(class_id, *method_ids(content.method))
        if body_size > BODY_SIZE_CEILING:
            raise frame_errors.body_beyond_ceiling(body_size, *method_ids(content.method))
        content.header = payload
        content.body_size = body_size
        if body_size == 0:
            return channel_number, content.method, content_frames(channel_number, payload, b"", 0), len(payload)
        if body_size <= message_size_max:
            content.pieces = []
        self.unfinished[channel_number] = content
        return None

    def body(self, channel_number: int, payload: memoryview, frame_max: int) -> Event | None:
        """A body frame. Returns the event if the body is complete, its body frames as large as frame_max allows.

        Raises: AMQPError UNEXPECTED_FRAME (505) FRM-12, FRM-13; FRAME_ERROR (501) FRM-17.
        """
        content = self.unfinished.pop(channel_number, None)
        if content is None:
            raise frame_errors.method_expected()
        if not content.header:
            raise _interrupted(content)
        content.received_size += len(payload)
        if content.received_size > content.body_size:
            raise frame_errors.body_overrun(*method_ids(content.method))
        if content.pieces is not None:
            _keep(content.pieces, payload)
        self.body_bytes_due = content.body_size - content.received_size
        if self.body_bytes_due:
            self.unfinished[channel_number] = content
            return None
        if content.pieces is None:
            return channel_number, Oversize(content.method, content.body_size), b"", 0
        return channel_number, content.method, _frames(channel_number, content, frame_max), len(content.header)


def _keep(pieces: list[memoryview | bytearray], payload: memoryview) -> None:
    """One more piece of a body. A small one is copied: it would keep all that it was read with, and costs more."""
    if len(payload) >= _VIEW_SIZE_MIN:
        pieces.append(payload)
    elif pieces and isinstance(pieces[-1], bytearray):
        pieces[-1] += payload
    else:
        pieces.append(bytearray(payload))


def _frames(channel_number: int, content: _Content, frame_max: int) -> bytes:
    """With body frames as large as frame_max allows, all but the last one: most clients send them so."""
    pieces = content.pieces or []
    full_size = frame_max - FRAME_OVERHEAD if frame_max else content.body_size
    if all(len(piece) == full_size for piece in pieces[:-1]) and 0 < len(pieces[-1]) <= full_size:
        return frames_of(channel_number, content.header, pieces)
    return content_frames(channel_number, content.header, b"".join(pieces), frame_max)


def _interrupted(content: _Content) -> AMQPError:
    """FRM-13 or FRM-15: the frame is not the one that is due."""
    error = frame_errors.body_expected if content.header else frame_errors.header_expected
    return error(*method_ids(content.method))
