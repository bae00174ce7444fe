"""Numbers of the protocol, and the limits a peer runs into. Each limit names its precedent."""

from typing import Final

# AMQP 0-9-1, section 4.2.3 "general frame format"
FRAME_METHOD: Final = 1
FRAME_HEADER: Final = 2
FRAME_BODY: Final = 3
FRAME_HEARTBEAT: Final = 8
FRAME_END: Final = 0xCE
FRAME_OVERHEAD: Final = 8  # type, channel number and size before the payload, frame end after it

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"

CLASS_CONNECTION: Final = 10
CLASS_BASIC: Final = 60
METHOD_BASIC_ACK: Final = 80
METHOD_BASIC_PUBLISH: Final = 40

FRAME_MIN_SIZE: Final = 4096  # AMQP 0-9-1: a peer "MUST be able to" take this much; RabbitMQ up to 4.0 refuses less
FRAME_MAX: Final = 131072  # RabbitMQ's default `frame_max`
HANDSHAKE_FRAME_MAX: Final = 8192  # until tune-ok: RabbitMQ 4.1 raised 4096 to this for long JWTs (CON-15)
CHANNEL_MAX: Final = 2047  # RabbitMQ's default `channel_max`
HEARTBEAT_SECONDS: Final = 60  # RabbitMQ's default `heartbeat`

TABLE_DEPTH_MAX: Final = 100  # no precedent in RabbitMQ (Erlang's stack grows); JSON parsers stop at 100 to 512
MESSAGE_SIZE_MAX: Final = 16 * 1024 * 1024  # RabbitMQ's default `max_message_size` from 4.0 on
BODY_SIZE_CEILING: Final = 536870912  # RabbitMQ: no body may be larger whatever the configuration (FRM-18)
