"""basic.publish, basic.deliver, basic.ack: the methods that carry the traffic, by hand."""


class Publish:
    """A basic.publish. Equal publishes of one connection share one object, so never change its first five fields."""

    __slots__ = (
        "exchange",
        "routing_key",
        "mandatory",
        "immediate",
        "deliver_suffix",
        "routes",
        "routes_generation",
    )

    exchange: str
    routing_key: str
    mandatory: bool
    immediate: bool
    deliver_suffix: tuple[bytes, bytes]
    routes: object | None
    routes_generation: int

    @classmethod
    def decode(cls, payload: bytes) -> "Publish":
        """The publish in the payload of a method frame."""
        raise NotImplementedError

    @classmethod
    def of(cls, exchange: str, routing_key: str) -> "Publish":
        """The publish the broker itself makes: not mandatory."""
        raise NotImplementedError


def deliver_prefix(channel_number: int, consumer_tag: str, suffix_size: int) -> bytes:
    """The bytes of a basic.deliver frame before the delivery tag."""
    raise NotImplementedError


def confirm_frame(channel_number: int, delivery_tag: int, multiple: bool) -> bytes:
    """basic.ack from the server."""
    raise NotImplementedError


def nack_frame(channel_number: int, delivery_tag: int, multiple: bool) -> bytes:
    """basic.nack from the server."""
    raise NotImplementedError
