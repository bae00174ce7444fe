"""Exchanges: one module for each type, and the register of the types a client may declare."""

from leveret.core.exchanges.base import Exchange
from leveret.core.exchanges.direct import DirectExchange
from leveret.core.exchanges.fanout import FanoutExchange
from leveret.core.exchanges.headers import HeadersExchange
from leveret.core.exchanges.topic import TopicExchange
from leveret_protocol.errors import AMQPError, ReplyCode

__all__ = ["EXCHANGE_TYPES", "Exchange", "exchange_class"]

_TYPES: tuple[type[Exchange], ...] = (DirectExchange, FanoutExchange, TopicExchange, HeadersExchange)

EXCHANGE_TYPES: dict[str, type[Exchange]] = {cls.type_name: cls for cls in _TYPES}


def exchange_class(type_name: str) -> type[Exchange]:
    """Raises: PRECONDITION_FAILED (406): no such type (RabbitMQ: EX-1; before 3.13.3 it was COMMAND_INVALID)."""
    cls = EXCHANGE_TYPES.get(type_name)
    if cls is None:
        raise AMQPError(ReplyCode.PRECONDITION_FAILED, f"unknown exchange type '{type_name}'")
    return cls
