"""Names that the broker makes, and names that it keeps for itself."""

from __future__ import annotations

import base64
import secrets

from leveret_protocol.errors import AMQPError, ReplyCode

RESERVED_PREFIX = "amq."
INTERNAL_USER = "rmq-internal"  # RabbitMQ: who does what the broker does of its own accord
REPLY_TO = "amq.rabbitmq.reply-to"
REPLY_TO_PREFIX = REPLY_TO + "."


def unique(prefix: str) -> str:
    """`<prefix>-` and 22 characters of URL-safe base64: 16 random bytes, as RabbitMQ makes them (QU-1, B-9)."""
    return f"{prefix}-{base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()[:22]}"


def check_not_reserved(kind: str, name: str) -> None:
    """Raises ACCESS_REFUSED (403) for names starting with `amq.`. kind: "queue" or "exchange"."""
    if name.startswith(RESERVED_PREFIX):
        raise AMQPError(ReplyCode.ACCESS_REFUSED, f"{kind} name '{name}' contains reserved prefix 'amq.*'")
