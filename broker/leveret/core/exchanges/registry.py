"""The register of exchange types; the package fills it. Here, so that a type can look up another one."""

from __future__ import annotations

from typing import Final

from leveret.core.exchanges.base import Exchange
from leveret_protocol.errors import AMQPError, ReplyCode

EXCHANGE_TYPES: Final[dict[str, type[Exchange]]] = {}


def exchange_class(type_name: str) -> type[Exchange]:
    """Raises: PRECONDITION_FAILED (406): no such type (RabbitMQ: EX-1; before 3.13.3 it was COMMAND_INVALID)."""
    cls = EXCHANGE_TYPES.get(type_name)
    if cls is None:
        raise AMQPError(ReplyCode.PRECONDITION_FAILED, f"unknown exchange type '{type_name}'")
    return cls
