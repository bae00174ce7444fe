"""The first eight bytes of a connection: which protocol the client wants to speak (AMQP 0-9-1 section 4.2.2).

RabbitMQ also takes the 0-9 way of writing it, `AMQP 1 1 0 9`. Everything else, AMQP 0-8 and 1.0 included, is refused:
the answer is `constants.PROTOCOL_HEADER`, which names the right version, and TCP is closed (CON-1, CON-2).
"""

import enum
from typing import Final

from leveret_protocol.constants import PROTOCOL_HEADER

_ACCEPTED: Final = (PROTOCOL_HEADER, b"AMQP\x01\x01\x00\x09")


class Negotiation(enum.Enum):
    """What became of the client's protocol header."""

    INCOMPLETE = enum.auto()
    ACCEPTED = enum.auto()
    REFUSED = enum.auto()


class ProtocolHeader:
    """Collects the eight bytes and judges them.

    outcome: INCOMPLETE until all eight are there. RabbitMQ refuses nothing earlier, however wrong the first bytes are.
    """

    def __init__(self) -> None:
        self.outcome = Negotiation.INCOMPLETE
        self._received = b""

    def feed(self, data: bytes) -> bytes:
        """Takes bytes; returns those after the header, which are for the FrameReader (clients may pipeline, CON-13)."""
        if self.outcome is not Negotiation.INCOMPLETE:
            return data
        missing = len(PROTOCOL_HEADER) - len(self._received)
        self._received += data[:missing]
        if len(self._received) == len(PROTOCOL_HEADER):
            is_accepted = self._received in _ACCEPTED
            self.outcome = Negotiation.ACCEPTED if is_accepted else Negotiation.REFUSED
        return data[missing:]
