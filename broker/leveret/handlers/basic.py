"""The basic class, without publish: qos, consume, cancel, get, and the settling of what was delivered."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final

from leveret.core import names
from leveret.core.arguments import check_integer
from leveret.core.channel import ChannelMode
from leveret.core.consumer import Send
from leveret.core.queue import Queue
from leveret.core.reply import ReplyConsumer
from leveret.handlers.access import await_returns, readable_queue
from leveret.handlers.channel import Channel
from leveret.handlers.content import PublishedMessage
from leveret.handlers.names import arguments_of
from leveret.handlers.outgoing import TurnIsOver
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.fields import Table
from leveret_protocol.methods import Basic, Frame, encode_method, make

SETTLED_IN_A_TURN: Final = 10_000  # take some 6 ms
STREAM_ARGUMENTS = ("x-stream-offset", "x-stream-filter", "x-stream-match-unfiltered")


def qos(channel: Channel, method: Basic.Qos) -> Frame:
    """basic.qos. Raises NOT_IMPLEMENTED (540) for a prefetch size."""
    if method.prefetch_size:
        raise AMQPError(ReplyCode.NOT_IMPLEMENTED, f"prefetch_size!=0 ({method.prefetch_size})")
    if method.global_:
        channel.core.set_limit(method.prefetch_count)
    else:
        channel.core.set_prefetch(method.prefetch_count)
    return make(Basic.QosOk)


def consume(channel: Channel, method: Basic.Consume) -> None:
    """basic.consume. consume-ok precedes the first delivery (RabbitMQ: B-11), so it is sent here.

    Raises:
        ACCESS_REFUSED (403): read; exclusive use.
        NOT_FOUND (404), RESOURCE_LOCKED (405).
        NOT_ALLOWED (530): the consumer tag is in use on this channel.
        PRECONDITION_FAILED (406): x-priority is not an integer; an argument is for streams.
        NOT_IMPLEMENTED (540): a quorum queue, and the channel has a limit for all its consumers together.
    """
    core = channel.core
    tag = method.consumer_tag
    if tag in core.consumers:
        raise AMQPError(ReplyCode.NOT_ALLOWED, f"attempt to reuse consumer tag '{tag}'")
    if method.queue == names.REPLY_TO:
        _consume_replies(channel, method)
        return
    queue = readable_queue(channel, method.queue)
    arguments = arguments_of(method)
    priority = _priority(str(queue), arguments)
    _check_no_stream_arguments(queue, arguments)
    queue.check_consume(core, exclusive=method.exclusive)
    tag = tag or names.unique("amq.ctag")
    consumer = queue.consumer_class(
        tag, queue, core, no_ack=method.no_ack, exclusive=method.exclusive, priority=priority, arguments=arguments,
        send=channel.connection.deliverer(channel.number, tag), cancelled=_canceller(channel, tag),
    )  # fmt: skip
    if not method.nowait:
        channel.send(make(Basic.ConsumeOk, consumer_tag=tag))
    core.add_consumer(consumer)


def _priority(subject: str, arguments: Table) -> int:
    field = arguments.get("x-priority")
    return 0 if field is None else check_integer("x-priority", field, subject)


def _check_no_stream_arguments(queue: Queue, arguments: Table) -> None:
    """Arguments that only stream queues know are refused, unknown ones are not (RabbitMQ: B-18)."""
    for name in STREAM_ARGUMENTS:
        if name in arguments:
            reason = f"invalid arg '{name}' for {queue} of queue type rabbit_{queue.type_name}_queue"
            raise AMQPError(ReplyCode.PRECONDITION_FAILED, reason)


def _canceller(channel: Channel, tag: str) -> Callable[[], None]:
    def cancelled() -> None:
        """Only clients that said they understand it are told (RabbitMQ: B-13)."""
        if channel.connection.has_capability("consumer_cancel_notify"):
            channel.send(make(Basic.Cancel, consumer_tag=tag, nowait=True))

    return cancelled


def _consume_replies(channel: Channel, method: Basic.Consume) -> None:
    """Direct reply-to (RabbitMQ: DRT-1). Raises PRECONDITION_FAILED (406): with acks, or a second one."""
    core = channel.core
    if core.reply_consumer is not None:
        raise AMQPError(ReplyCode.PRECONDITION_FAILED, "reply consumer already set")
    if not method.no_ack:
        raise AMQPError(ReplyCode.PRECONDITION_FAILED, "reply consumer cannot acknowledge")
    tag = method.consumer_tag or names.unique("amq.ctag")
    send: Send = channel.connection.deliverer(channel.number, tag)
    core.set_reply_consumer(ReplyConsumer(core, tag, send))
    if not method.nowait:
        channel.send(make(Basic.ConsumeOk, consumer_tag=tag))


def cancel(channel: Channel, method: Basic.Cancel) -> Frame | None:
    """basic.cancel; an unknown tag is no error (RabbitMQ: B-12)."""
    core = channel.core
    if core.reply_consumer is not None and core.reply_consumer.tag == method.consumer_tag:
        core.set_reply_consumer(None)
    else:
        core.cancel(method.consumer_tag or "")
    return None if method.nowait else make(Basic.CancelOk, consumer_tag=method.consumer_tag)


def cancelled_by_client(channel: Channel, method: Basic.CancelOk) -> None:
    """basic.cancel-ok from a client: accepted, and that consumer goes (RabbitMQ from 4.3, VER-32)."""
    channel.core.cancel(method.consumer_tag or "")


def get(channel: Channel, method: Basic.Get) -> None:
    """basic.get: get-ok with the content and the ready messages left, or get-empty.

    Raises: ACCESS_REFUSED (403): read; NOT_FOUND (404); RESOURCE_LOCKED (405), also for a quorum queue with a single
    active consumer; TurnIsOver: much before the first message has to be given up.
    """
    queue = readable_queue(channel, method.queue)
    await_returns(queue)
    if not queue.see_to_head():
        raise TurnIsOver(has_more=True)
    entry = queue.get(no_ack=method.no_ack)
    if entry is None:
        channel.core.counts.got_nothing(queue)
        channel.send(make(Basic.GetEmpty))
        return
    message = entry.message
    assert isinstance(message, PublishedMessage)
    reply = make(
        Basic.GetOk, delivery_tag=channel.core.take(entry, queue, no_ack=method.no_ack),
        redelivered=entry.redelivered, exchange=message.exchange, routing_key=message.routing_key,
        message_count=queue.message_count,
    )  # fmt: skip
    connection, core = channel.connection, channel.core
    connection.send(encode_method(channel.number, reply) + connection.framed(message, channel.number))
    if core.vhost.firehose.is_on:
        core.vhost.firehose.delivered(message, queue.name, entry.redelivered, core.origin)


def ack(channel: Channel, method: Basic.Ack) -> None:
    """basic.ack. Raises: PRECONDITION_FAILED (406): unknown delivery tag; TurnIsOver: there is more."""
    tag, has_more = _settled_now(channel, method)
    channel.core.ack(tag, multiple=method.multiple)
    if has_more:
        raise TurnIsOver(has_more=True)


def reject(channel: Channel, method: Basic.Reject) -> None:
    """basic.reject. Raises PRECONDITION_FAILED (406): unknown delivery tag."""
    channel.core.reject(method.delivery_tag or 0, multiple=False, requeue=method.requeue)


def nack(channel: Channel, method: Basic.Nack) -> None:
    """basic.nack (RabbitMQ extension). Raises: as `ack`."""
    tag, has_more = _rejected_now(channel, method)
    channel.core.reject(tag, multiple=method.multiple, requeue=method.requeue, has_more=has_more)
    if has_more:
        raise TurnIsOver(has_more=True)


def _settled_now(channel: Channel, method: Basic.Ack) -> tuple[int, bool]:
    """Up to which tag this turn settles, and whether there is more. What is delivered in between is not meant."""
    core = channel.core
    if not method.multiple or len(core.unacked) <= SETTLED_IN_A_TURN or core.mode is ChannelMode.TX:
        return method.delivery_tag, False
    if method.delivery_tag == 0:
        method.delivery_tag = next(reversed(core.unacked))
    tag = next(islice(core.unacked, SETTLED_IN_A_TURN - 1, None))
    if tag < method.delivery_tag and method.delivery_tag in core.unacked:
        return tag, True
    return method.delivery_tag, False


def _rejected_now(channel: Channel, method: Basic.Nack) -> tuple[int, bool]:
    """The same for what is rejected, which may take longer."""
    core = channel.core
    if not method.multiple or core.mode is ChannelMode.TX:
        return method.delivery_tag, False
    if method.delivery_tag == 0:
        method.delivery_tag = next(reversed(core.unacked), 0)
    if method.delivery_tag not in core.unacked:
        return method.delivery_tag, False
    return core.share(method.delivery_tag, requeue=method.requeue)


def recover(channel: Channel, method: Basic.Recover) -> None:
    """basic.recover: recover-ok, then the redeliveries (RabbitMQ: B-42).

    Raises: NOT_IMPLEMENTED (540); TurnIsOver: there is more.
    """
    _check_requeue(requeue=method.requeue)
    if not channel.core.is_returning:
        channel.send(make(Basic.RecoverOk))
    _recover(channel)


def recover_async(channel: Channel, method: Basic.RecoverAsync) -> None:
    """basic.recover-async: the same without a reply."""
    _check_requeue(requeue=method.requeue)
    _recover(channel)


def _recover(channel: Channel) -> None:
    if channel.core.recover():
        raise TurnIsOver(has_more=True)


def _check_requeue(*, requeue: bool) -> None:
    if not requeue:
        raise AMQPError(ReplyCode.NOT_IMPLEMENTED, "requeue=false")
