"""Questions of permission that several methods ask in the same way (RabbitMQ: PERM-3, PERM-4, PERM-6)."""

from __future__ import annotations

from collections.abc import Iterable

from leveret.core.exchanges import Exchange
from leveret.core.queue import Queue
from leveret.core.topology import refuse_default_exchange
from leveret.handlers.channel import Channel
from leveret.handlers.outgoing import TurnIsOver


def readable_queue(channel: Channel, name: str) -> Queue:
    """The queue, to take from.

    Raises: ACCESS_REFUSED (403): read; NOT_FOUND (404), RESOURCE_LOCKED (405).
    """
    name = channel.queue_name(name)
    channel.access.require_queue("read", name)
    return channel.core.vhost.queue(name, channel.connection)


def await_returns(queue: Queue) -> None:
    """RabbitMQ: a queue's process answers what it is asked after it has taken back what came before.

    Raises TurnIsOver: the method is to be tried again.
    """
    if queue.is_held:
        raise TurnIsOver(has_more=True)


def require_source(channel: Channel, exchange: str, binding_key: str) -> None:
    """May bindings from this exchange come and go? Whether there is one is asked later.

    Raises ACCESS_REFUSED (403): the default exchange; read on it, and on the topic.
    """
    refuse_default_exchange(exchange)
    channel.access.require_exchange("read", exchange)
    source = channel.core.vhost.exchanges.get(exchange)
    if source is not None:
        require_topics(channel, "read", source, (binding_key,))


def require_topics(channel: Channel, right: str, exchange: Exchange, routing_keys: Iterable[str]) -> None:
    """Of a topic exchange only. Raises ACCESS_REFUSED (403)."""
    if exchange.type_name == "topic":
        for routing_key in routing_keys:
            channel.access.require_topic(right, exchange.name, routing_key)
