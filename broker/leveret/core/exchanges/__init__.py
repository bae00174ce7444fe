"""Exchanges: one module for each type, and the register of the types a client may declare."""

from leveret.core.exchanges.base import Exchange
from leveret.core.exchanges.consistent_hash import ConsistentHashExchange
from leveret.core.exchanges.delayed_message import DelayedMessageExchange
from leveret.core.exchanges.direct import DirectExchange
from leveret.core.exchanges.fanout import FanoutExchange
from leveret.core.exchanges.headers import HeadersExchange
from leveret.core.exchanges.local_random import LocalRandomExchange
from leveret.core.exchanges.modulus_hash import ModulusHashExchange
from leveret.core.exchanges.random import RandomExchange
from leveret.core.exchanges.recent_history import RecentHistoryExchange
from leveret.core.exchanges.registry import EXCHANGE_TYPES, exchange_class
from leveret.core.exchanges.topic import TopicExchange

__all__ = ["EXCHANGE_TYPES", "Exchange", "exchange_class"]

_TYPES: tuple[type[Exchange], ...] = (
    DirectExchange,
    FanoutExchange,
    TopicExchange,
    HeadersExchange,
    ConsistentHashExchange,
    ModulusHashExchange,
    RandomExchange,
    LocalRandomExchange,
    RecentHistoryExchange,
    DelayedMessageExchange,
)
EXCHANGE_TYPES.update({cls.type_name: cls for cls in _TYPES})
