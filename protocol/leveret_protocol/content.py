"""The content of a message as it is on the wire: a header frame and body frames."""

from leveret_protocol.fields import Table


class Properties:
    """The fourteen properties of a message; None is absent."""

    __slots__ = (
        "content_type",
        "content_encoding",
        "headers",
        "delivery_mode",
        "priority",
        "correlation_id",
        "reply_to",
        "expiration",
        "message_id",
        "timestamp",
        "type",
        "user_id",
        "app_id",
        "cluster_id",
    )

    content_type: str | None
    content_encoding: str | None
    headers: Table | None
    delivery_mode: int | None
    priority: int | None
    correlation_id: str | None
    reply_to: str | None
    expiration: str | None
    message_id: str | None
    timestamp: int | None
    type: str | None
    user_id: str | None
    app_id: str | None
    cluster_id: str | None


def decode_properties(header_payload: bytes) -> Properties:
    """The properties in the payload of a header frame."""
    raise NotImplementedError


def encode_header(properties: Properties, body_size: int) -> bytes:
    """The payload of a header frame."""
    raise NotImplementedError


def frames_body(frames: bytes, header_size: int) -> bytes:
    """The body."""
    raise NotImplementedError


def frames_body_size(frames: bytes, header_size: int) -> int:
    """Bytes in the body."""
    raise NotImplementedError


def frames_header(frames: bytes, header_size: int) -> bytes:
    """The payload of the header frame."""
    raise NotImplementedError


def content_frames(channel_number: int, header_payload: bytes, body: bytes, frame_max: int) -> bytes:
    """The frames of a content."""
    raise NotImplementedError


def reframe(frames: bytes, header_size: int, channel_number: int, frame_max: int) -> bytes:
    """The same content for another channel number and frame_max."""
    raise NotImplementedError


def frames_fit(frames: bytes, header_size: int, frame_max: int) -> bool:
    """Whether no body frame is larger than frame_max allows."""
    raise NotImplementedError
