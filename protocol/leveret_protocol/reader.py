"""Bytes from a client to methods and contents."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from leveret_protocol.constants import HANDSHAKE_FRAME_MAX, MESSAGE_SIZE_MAX
from leveret_protocol.methods import Frame
from leveret_protocol.publish import Publish


class Oversize(NamedTuple):
    """A content whose body was larger than message_size_max; the body was not kept."""

    method: "Publish | Frame"
    body_size: int


# channel number, method, content frames (b"" without content), size of the header frame's payload
Event: TypeAlias = tuple[int, "Publish | Frame | Oversize", bytes, int]


class FrameReader:
    """Splits what a client sends into methods with their content."""

    def __init__(self, frame_max: int = HANDSHAKE_FRAME_MAX, message_size_max: int = MESSAGE_SIZE_MAX) -> None:
        self.frame_max = frame_max
        self.message_size_max = message_size_max
        self.channels_allowed = False
        self.discarding = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that `data` completes."""
        raise NotImplementedError
