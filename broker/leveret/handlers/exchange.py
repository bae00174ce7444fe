"""The exchange class: declare, delete, bind, unbind."""

from __future__ import annotations

from leveret.core.topology import refuse_default_exchange, refuse_deletion
from leveret.handlers.access import require_source
from leveret.handlers.channel import Channel
from leveret.handlers.names import arguments_of, stripped
from leveret_protocol.methods import Exchange, Frame, make


def declare(channel: Channel, method: Exchange.Declare) -> Frame | None:
    """exchange.declare; errors as VirtualHost.declare_exchange and check_exchange raise them."""
    vhost = channel.core.vhost
    name = stripped(method.exchange)
    if method.passive:
        vhost.check_exchange(name)
    else:
        vhost.declare_exchange(
            name, method.exchange_type, durable=method.durable, auto_delete=method.auto_delete,
            internal=method.internal, arguments=arguments_of(method), user=channel.user, access=channel.access,
        )  # fmt: skip
    return None if method.nowait else make(Exchange.DeclareOk)


def delete(channel: Channel, method: Exchange.Delete) -> Frame | None:
    """exchange.delete; errors as VirtualHost.delete_exchange raises them; ACCESS_REFUSED (403): configure."""
    name = stripped(method.exchange)
    refuse_deletion(channel.core.vhost, name)
    channel.access.require_exchange("configure", name)
    channel.core.vhost.delete_exchange(name, if_unused=method.if_unused, user=channel.user)
    return None if method.nowait else make(Exchange.DeleteOk)


def bind(channel: Channel, method: Exchange.Bind) -> Frame | None:
    """exchange.bind (RabbitMQ extension).

    Raises: ACCESS_REFUSED (403): write on the destination, the default exchange on either side, read on the source;
    NOT_FOUND (404), PRECONDITION_FAILED (406).
    """
    vhost = channel.core.vhost
    source, destination = _ends(channel, method)
    vhost.exchange(source)
    vhost.bind(source, vhost.exchange(destination), method.routing_key, arguments_of(method), channel.user)
    return None if method.nowait else make(Exchange.BindOk)


def unbind(channel: Channel, method: Exchange.Unbind) -> Frame | None:
    """exchange.unbind: what is not there is unbound already (RabbitMQ: EX-21, EX-22). Raises 403 as bind."""
    vhost = channel.core.vhost
    source, destination = _ends(channel, method)
    exchange = vhost.exchanges.get(destination)
    if exchange is not None:
        binding = vhost.find_binding(source, exchange, method.routing_key, arguments_of(method))
        if binding is not None:
            vhost.unbind(binding, channel.user)
    return None if method.nowait else make(Exchange.UnbindOk)


def _ends(channel: Channel, method: Exchange.Bind | Exchange.Unbind) -> tuple[str, str]:
    """Names of source and destination. Raises ACCESS_REFUSED (403), in RabbitMQ's order (PERM-4)."""
    source, destination = stripped(method.source), stripped(method.destination)
    channel.access.require_exchange("write", destination)
    refuse_default_exchange(destination)
    require_source(channel, source, method.routing_key)
    return source, destination
