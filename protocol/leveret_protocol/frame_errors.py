"""Everything that can be wrong with frames and the bytes in them, in RabbitMQ's words (FRM-1 to FRM-21).

Each function makes the error; the caller raises it.
"""

from leveret_protocol import erlang_text
from leveret_protocol.constants import BODY_SIZE_CEILING, CLASS_BASIC, FRAME_METHOD, FRAME_OVERHEAD
from leveret_protocol.errors import AMQPError, FramingLost, ReplyCode

# RabbitMQ prints at most 255 bytes of a reply; of an octet it prints at least a digit and a comma.
_OCTETS_WORTH_PRINTING = 128


def bad_frame_end(kind: int, payload: bytes, frame_end: int) -> FramingLost:
    """FRM-1, 501: the byte after the payload is not 0xCE."""
    return FramingLost(
        ReplyCode.FRAME_ERROR,
        f"type {kind}, {erlang_text.octets(payload)}: {{invalid_frame_end_marker,{frame_end}}}",
        0,
        0,
    )


def frame_too_large(kind: int, payload_size: int, frame_max: int) -> FramingLost:
    """FRM-2, 501: known from the frame's first seven bytes, so no octets are shown."""
    return FramingLost(
        ReplyCode.FRAME_ERROR,
        f"type {kind}, {erlang_text.octets(b'')}: {{frame_too_large,{payload_size},{frame_max - FRAME_OVERHEAD}}}",
        0,
        0,
    )


def unknown_frame(kind: int, payload: bytes) -> AMQPError:
    """FRM-3, 4, 5, 501: no such type, or too short for its type, or a heartbeat with a payload."""
    return AMQPError(ReplyCode.FRAME_ERROR, f"type {kind}, {erlang_text.octets(payload)}: unknown_frame", 0, 0)


def unexpected_frame(kind: int, payload: bytes) -> AMQPError:
    """FRM-6, 7, 505: heartbeat on a channel, content on channel 0, anything on a channel before connection.open."""
    return AMQPError(ReplyCode.UNEXPECTED_FRAME, f"type {kind}, {erlang_text.octets(payload)}", 0, 0)


def unknown_method(class_id: int, method_id: int) -> AMQPError:
    """FRM-8, 503. RabbitMQ: resets TCP and says nothing; a word costs nothing and no client depends on the silence."""
    return AMQPError(ReplyCode.COMMAND_INVALID, "unimplemented method", class_id, method_id)


def malformed_arguments(payload: bytes, channel_number: int) -> AMQPError:
    """FRM-9, FRM-10, 501 with the method's ids; on channel 0 a bare 541.

    RabbitMQ: resets TCP for a malformed table (FRM-10); here it is told like the other malformed arguments.
    """
    if channel_number == 0:
        return AMQPError(ReplyCode.INTERNAL_ERROR, "", 0, 0)
    arguments = erlang_text.decimals(payload[4 : 4 + _OCTETS_WORTH_PRINTING])
    return AMQPError(ReplyCode.FRAME_ERROR, f"cannot decode {arguments}", *_ids(payload))


def not_utf8(payload: bytes, channel_number: int) -> AMQPError:
    """FRM-11, 501: a short string of a method is not UTF-8. Only on channel 0 the reply names the method."""
    class_id, method_id = _ids(payload) if channel_number == 0 else (0, 0)
    return AMQPError(ReplyCode.FRAME_ERROR, "Malformed UTF-8 in shortstr", class_id, method_id)


def method_expected() -> AMQPError:
    """FRM-12, FRM-16, 505: a header or body frame that belongs to no content."""
    return AMQPError(ReplyCode.UNEXPECTED_FRAME, "expected method frame, got non method frame instead", 0, 0)


def header_expected(class_id: int, method_id: int) -> AMQPError:
    """FRM-13, 505: anything but a sound header frame after a method with content."""
    text = f"expected content header for class {CLASS_BASIC}, got non content header frame instead"
    return AMQPError(ReplyCode.UNEXPECTED_FRAME, text, class_id, method_id)


def header_of_other_class(header_class_id: int, class_id: int, method_id: int) -> AMQPError:
    """FRM-14, 505: a header frame whose class is not basic."""
    text = f"expected content header for class {CLASS_BASIC}, got one for class {header_class_id} instead"
    return AMQPError(ReplyCode.UNEXPECTED_FRAME, text, class_id, method_id)


def body_expected(class_id: int, method_id: int) -> AMQPError:
    """FRM-15, 505: another frame of the channel before the body is complete."""
    text = "expected content body, got non content body frame instead"
    return AMQPError(ReplyCode.UNEXPECTED_FRAME, text, class_id, method_id)


def body_overrun(class_id: int, method_id: int) -> AMQPError:
    """FRM-17, 501 (RabbitMQ 4.2.6, 4.3 and later): more body bytes than the header announced."""
    text = "content body frame exceeds remaining content size"
    return AMQPError(ReplyCode.FRAME_ERROR, text, class_id, method_id)


def body_beyond_ceiling(body_size: int, class_id: int, method_id: int) -> AMQPError:
    """FRM-18, 501 (RabbitMQ 4.2.6, 4.3 and later): known from the header frame."""
    text = f"content body size {body_size} exceeds maximum allowed size {BODY_SIZE_CEILING}"
    return AMQPError(ReplyCode.FRAME_ERROR, text, class_id, method_id)


def malformed_properties() -> AMQPError:
    """FRM-20, 541, bare: found when the message is handled, hence an internal error and not 501."""
    return AMQPError(ReplyCode.INTERNAL_ERROR, "", 0, 0)


def short_method(payload: bytes) -> AMQPError:
    """FRM-4, 501: a method frame too short to name a method."""
    return unknown_frame(FRAME_METHOD, payload)


def _ids(payload: bytes) -> tuple[int, int]:
    return int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big")
