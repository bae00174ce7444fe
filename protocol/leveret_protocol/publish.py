"""The methods that carry the traffic, by hand: basic.publish in; basic.deliver and the confirms out.

A basic.deliver frame is cut in three: the part before the delivery tag depends on the consumer only (`deliver_prefix`),
the part after it on the publish only (`Publish.deliver_suffix`). So a delivery is two ready pieces around eight bytes.
"""

import struct
from typing import Any, ClassVar, Final

from leveret_protocol import frame_errors
from leveret_protocol.constants import CLASS_BASIC, FRAME_END, FRAME_METHOD, METHOD_BASIC_PUBLISH

PUBLISH_INDEX: Final = CLASS_BASIC << 16 | METHOD_BASIC_PUBLISH

# Own choice: at most 1 MiB a connection, as a payload has at most 519 bytes and its strings about as many.
PUBLISHES_MAX: Final = 1024

_MANDATORY: Final = 0x01
_IMMEDIATE: Final = 0x02
_FRAME_END: Final = bytes((FRAME_END,))

_DELIVER_INDEX: Final = 0x003C003C
_ACK_INDEX: Final = 0x003C0050
_NACK_INDEX: Final = 0x003C0078
_MULTIPLE: Final = 0x01
_REQUEUE: Final = 0x02

_METHOD_FRAME_START: Final = struct.Struct(">BHII")  # type, channel number, payload size, class and method id
_SETTLE_FRAME: Final = struct.Struct(">BHIIQBB")  # the same, then delivery tag, bits, frame end
_SETTLE_SIZE: Final = 4 + 8 + 1
_TAG_SIZE: Final = 8
_NUMBER_AND_SIZE_SIZE: Final = 6


class Publish:
    """A basic.publish.

    Equal publishes of one channel share one object, so nobody changes its first five attributes.

    exchange, routing_key: any bytes (RabbitMQ: FRM-11 exempts this method from the UTF-8 check), `surrogateescape`.
    deliver_suffix: the bytes of a basic.deliver frame after the delivery tag, for redelivered 0 and 1: redelivered
        octet, exchange, routing key, frame end.
    routes, kept_routes, routes_generation: for whoever routes, to remember where this leads; not touched here.
    count: how often it came, counted by whoever takes it; counted, routed_to: for them, not touched here.
    """

    __slots__ = (  # noqa: RUF023 - in the order of the docstring
        "exchange",
        "routing_key",
        "mandatory",
        "immediate",
        "deliver_suffix",
        "routes",
        "kept_routes",
        "routes_generation",
        "count",
        "counted",
        "routed_to",
    )

    name: ClassVar[str] = "Basic.Publish"
    index: ClassVar[int] = PUBLISH_INDEX

    exchange: str
    routing_key: str
    mandatory: bool
    immediate: bool
    deliver_suffix: tuple[bytes, bytes]
    routes: object | None
    kept_routes: object | None
    routes_generation: int
    count: int
    counted: int
    routed_to: Any

    def __init__(self, arguments: bytes, exchange_size: int, bits: int) -> None:
        """From the two short strings as they are on the wire; see `decode` and `of`."""
        self.exchange = arguments[1 : 1 + exchange_size].decode("utf-8", "surrogateescape")
        self.routing_key = arguments[2 + exchange_size :].decode("utf-8", "surrogateescape")
        self.mandatory = bits & _MANDATORY != 0
        self.immediate = bits & _IMMEDIATE != 0
        end = arguments + _FRAME_END
        self.deliver_suffix = (b"\x00" + end, b"\x01" + end)
        self.routes = None
        self.kept_routes = None
        self.routes_generation = -1
        self.count = self.counted = 0
        self.routed_to = None

    @classmethod
    def decode(cls, payload: bytes) -> "Publish":
        """The basic.publish in the payload of a method frame (ids, ticket, exchange, routing key, bits).

        Raises: AMQPError FRAME_ERROR (501) 60/40 if a length does not fit or bytes are left over (FRM-9).
        """
        size = len(payload)
        # The shortest one has both names empty: 4 bytes of ids, 2 of ticket, two lengths, the bits.
        if size >= 9:
            exchange_size = payload[6]
            key_at = 7 + exchange_size
            if key_at < size and key_at + payload[key_at] + 2 == size:
                return cls(payload[6:-1], exchange_size, payload[-1])
        raise frame_errors.malformed_arguments(payload, 1)

    @classmethod
    def of(cls, exchange: str, routing_key: str) -> "Publish":
        """A publish of the broker itself (dead-lettering, the HTTP API): neither mandatory nor immediate.

        Raises: ValueError for a name of more than 255 bytes.
        """
        octets = _shortstr(exchange)
        return cls(octets + _shortstr(routing_key), len(octets) - 1, 0)

    def __repr__(self) -> str:
        return f"<basic.publish exchange={self.exchange!r} routing_key={self.routing_key!r}>"


class Publishes(dict[bytes, Publish]):
    """The publishes of a connection by their channel number, payload size and payload, as they are in the frame:
    `publishes[these]` decodes what it does not know.

    Programs publish to few places, so nearly every publish is found here; see `PUBLISHES_MAX` for those that do not.

    Raises: AMQPError as `Publish.decode`.
    """

    def __missing__(self, frame_part: bytes) -> Publish:
        publish = Publish.decode(frame_part[_NUMBER_AND_SIZE_SIZE:])
        if len(self) >= PUBLISHES_MAX:
            self.clear()  # whoever uses this many keys gains nothing from a finer choice
        self[frame_part] = publish
        return publish


def deliver_prefix(channel_number: int, consumer_tag: str, suffix_size: int) -> bytes:
    """The bytes of a basic.deliver frame before the 8-byte delivery tag.

    Args:
        suffix_size: bytes of the `Publish.deliver_suffix` that will follow the tag.

    Raises: ValueError for a consumer tag of more than 255 bytes.
    """
    tag = _shortstr(consumer_tag)
    size = 4 + len(tag) + _TAG_SIZE + suffix_size - 1  # the suffix includes the frame end
    return _METHOD_FRAME_START.pack(FRAME_METHOD, channel_number, size, _DELIVER_INDEX) + tag


def confirm_frame(channel_number: int, delivery_tag: int, multiple: bool) -> bytes:
    """A whole basic.ack frame from the server."""
    bits = _MULTIPLE if multiple else 0
    return _SETTLE_FRAME.pack(FRAME_METHOD, channel_number, _SETTLE_SIZE, _ACK_INDEX, delivery_tag, bits, FRAME_END)


def nack_frame(channel_number: int, delivery_tag: int, multiple: bool) -> bytes:
    """A whole basic.nack frame from the server. RabbitMQ: sets the requeue bit, which means nothing here (CFM-5)."""
    bits = _REQUEUE | _MULTIPLE if multiple else _REQUEUE
    return _SETTLE_FRAME.pack(FRAME_METHOD, channel_number, _SETTLE_SIZE, _NACK_INDEX, delivery_tag, bits, FRAME_END)


def _shortstr(text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    if len(octets) > 255:
        raise ValueError(f"a short string takes at most 255 bytes, not {len(octets)}")
    return bytes((len(octets),)) + octets
