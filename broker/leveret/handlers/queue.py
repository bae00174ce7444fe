"""The queue class: declare, bind, unbind, purge, delete."""

from __future__ import annotations

from leveret.core import names
from leveret.handlers.access import await_returns, readable_queue, require_source
from leveret.handlers.channel import Channel
from leveret.handlers.names import arguments_of, stripped
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.methods import Frame, Queue, make


def declare(channel: Channel, method: Queue.Declare) -> Frame | None:
    """queue.declare: errors as VirtualHost.declare_queue raises them; passive: NOT_FOUND (404), RESOURCE_LOCKED (405).

    Returns: queue name, ready messages, consumers; None with nowait.
    """
    vhost = channel.core.vhost
    name = stripped(method.queue)
    if name == names.REPLY_TO or name.startswith(names.REPLY_TO_PREFIX):
        return _declare_reply_queue(channel, method, name)
    if method.passive:
        queue = vhost.queue(name, channel.connection)
        await_returns(queue)
        queue.declared_again()
    else:
        if not name and not channel.name_by_server:
            channel.name_by_server = names.unique("amq.gen")  # the same one when it is declared again, see Unanswered
        queue = vhost.declare_queue(
            name, durable=method.durable, exclusive=method.exclusive, auto_delete=method.auto_delete,
            arguments=arguments_of(method), owner=channel.connection, user=channel.user, access=channel.access,
            name_by_server=channel.name_by_server,
        )  # fmt: skip
        await_returns(queue)
        channel.name_by_server = ""
        vhost.node.counts.queue_declared += 1
    channel.last_queue = queue.name
    if method.nowait:
        return None
    return make(
        Queue.DeclareOk, queue=queue.name, message_count=queue.message_count, consumer_count=len(queue.consumers)
    )


def _declare_reply_queue(channel: Channel, method: Queue.Declare, name: str) -> Frame | None:
    """Asks whether the requester is still there (RabbitMQ: DRT-5). Raises NOT_FOUND (404) if it is not."""
    vhost = channel.core.vhost
    if name != names.REPLY_TO and name not in vhost.reply_consumers:
        raise AMQPError(ReplyCode.NOT_FOUND, f"no queue '{name}' in vhost '{vhost.name}'")
    channel.last_queue = name
    return None if method.nowait else make(Queue.DeclareOk, queue=name, message_count=0, consumer_count=1)


def bind(channel: Channel, method: Queue.Bind) -> Frame | None:
    """queue.bind.

    Raises: ACCESS_REFUSED (403): write on the queue, the default exchange, read on the exchange; NOT_FOUND (404) for
    the exchange first, then the queue, RESOURCE_LOCKED (405), PRECONDITION_FAILED (406) by the exchange type.
    """
    vhost = channel.core.vhost
    queue_name, routing_key = _bound_names(channel, method)
    exchange = stripped(method.exchange)
    channel.access.require_queue("write", queue_name)
    require_source(channel, exchange, routing_key)
    if queue_name.startswith(names.REPLY_TO_PREFIX):
        raise AMQPError(ReplyCode.ACCESS_REFUSED, "cannot bind or unbind to a volatile (direct reply-to) queue")
    vhost.exchange(exchange)
    queue = vhost.queue(queue_name, channel.connection)
    vhost.bind(exchange, queue, routing_key, arguments_of(method), channel.user)
    return None if method.nowait else make(Queue.BindOk)


def unbind(channel: Channel, method: Queue.Unbind) -> Frame:
    """queue.unbind: what is not there is unbound already (RabbitMQ: QU-20).

    Raises: ACCESS_REFUSED (403) as bind; RESOURCE_LOCKED (405), but only for an existing binding.
    """
    vhost = channel.core.vhost
    queue_name, routing_key = _bound_names(channel, method)
    exchange = stripped(method.exchange)
    channel.access.require_queue("write", queue_name)
    require_source(channel, exchange, routing_key)
    queue = vhost.queues.get(queue_name)
    if queue is not None:
        binding = vhost.find_binding(exchange, queue, routing_key, arguments_of(method))
        if binding is not None:
            vhost.queue(queue_name, channel.connection)
            vhost.unbind(binding, channel.user)
    return make(Queue.UnbindOk)


def _bound_names(channel: Channel, method: Queue.Bind | Queue.Unbind) -> tuple[str, str]:
    """Queue name and binding key: with an empty queue name an empty key stands for the queue too (RabbitMQ: M-13)."""
    name = stripped(channel.queue_name(method.queue))
    return name, name if method.queue == "" and method.routing_key == "" else method.routing_key


def purge(channel: Channel, method: Queue.Purge) -> Frame | None:
    """queue.purge: ready messages go, unacked ones stay.

    Raises ACCESS_REFUSED (403): read; NOT_FOUND (404), RESOURCE_LOCKED (405).
    """
    queue = readable_queue(channel, method.queue)
    await_returns(queue)
    message_count = queue.purge()
    return None if method.nowait else make(Queue.PurgeOk, message_count=message_count)


def delete(channel: Channel, method: Queue.Delete) -> None:
    """queue.delete: a missing queue is no error; answers the ready messages that went with it.

    Raises: ACCESS_REFUSED (403): configure; RESOURCE_LOCKED (405), PRECONDITION_FAILED (406): not empty, in use;
    NOT_IMPLEMENTED (540): a quorum queue, with a condition.
    Consumers are told after delete-ok (RabbitMQ: QU-32), so the reply is sent here.
    """
    vhost = channel.core.vhost
    name = stripped(channel.queue_name(method.queue))
    channel.access.require_queue("configure", name)
    orphans = []
    message_count = 0
    if name in vhost.queues:
        queue = vhost.queue(name, channel.connection)
        await_returns(queue)
        message_count = queue.message_count
        orphans = vhost.delete_queue(queue, if_unused=method.if_unused, if_empty=method.if_empty, user=channel.user)
    if not method.nowait:
        channel.send(make(Queue.DeleteOk, message_count=message_count))
    for consumer in orphans:
        consumer.cancelled()
