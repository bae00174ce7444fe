"""The first eight bytes of a connection."""

import enum


class Negotiation(enum.Enum):
    """What became of the client's protocol header."""

    INCOMPLETE = enum.auto()
    ACCEPTED = enum.auto()
    REFUSED = enum.auto()


class ProtocolHeader:
    """Collects the first eight bytes of a connection and judges them."""

    def __init__(self) -> None:
        self.outcome = Negotiation.INCOMPLETE

    def feed(self, data: bytes) -> bytes:
        """Takes bytes; returns those after the header, which are the FrameReader's."""
        raise NotImplementedError
