"""basic.publish: the hot path of the broker.

How this works. The reader hands out one `Publish` object for all equal publishes of a connection, and each content as
its frames. What a publish comes to (which queues take it) is remembered on the `Publish` object and holds until the
virtual host's generation moves on. What a message's properties ask of the broker (`Traits`) is remembered by their
bytes; most ask for nothing. So the usual message costs two lookups, one object, and the queue's own work. Everything
else (CC, reply-to, transactions, headers exchanges ...) takes the plain road in `_publish_slowly`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from leveret.core.channel import ChannelMode
from leveret.core.message import Message
from leveret.core.names import REPLY_TO_PREFIX
from leveret.core.queue import BACKLOG, PENDING, REFUSED
from leveret.core.routing import hand_out
from leveret.handlers.access import require_topics
from leveret.handlers.channel import Channel
from leveret.handlers.content import PublishedMessage
from leveret.handlers.traits import PERSISTENT, PLAIN, Traits, traits_of
from leveret.handlers.waiting import AwaitedConfirm
from leveret_protocol.errors import AMQPError, ReplyCode
from leveret_protocol.methods import Basic, encode_method, make
from leveret_protocol.publish import Publish

if TYPE_CHECKING:
    from leveret.core.queue import Queue
    from leveret.core.reply import ReplyConsumer

    Routes = tuple[Callable[[Message], int], ...]

# Asked for each message: a member of an Enum takes eight times as long to be looked up where it lives.
_TX, _CONFIRM = ChannelMode.TX, ChannelMode.CONFIRM

NO_PROPERTIES = b"\0\0"  # the flags of a header without any
PROPERTIES_START = 19  # frame header (7), class, weight and body size (12): then the flags
TRAITS_REMEMBERED = 512  # per connection; RabbitMQ has nothing like it, it decodes every header
TRAITS_SIZE_MAX = 512  # bytes of properties worth remembering
# A read of 32 KiB to more queues than these may fill a turn. DELIVERY_BYTES: what a delivery takes besides the content.
FEW_QUEUES = 32
DELIVERY_BYTES = 100
# What a binding counts as that each message is held against; 5,000 of a headers exchange take 5 to 15 ms.
BINDING_BYTES = 200


def publish(channel: Channel, method: Publish, frames: bytes, header_size: int) -> None:
    """Route a message and hand it to its queues.

    Raises:
        NOT_IMPLEMENTED (540): immediate.
        ACCESS_REFUSED (403): write on the exchange, and on the topic; an internal exchange.
        NOT_FOUND (404): no such exchange.
        PRECONDITION_FAILED (406): CC, BCC, user-id, expiration or reply-to are not valid.
        INTERNAL_ERROR (541): the properties cannot be decoded.
        TurnIsOver: it is done, and may have put out a great deal.
    """
    core = channel.core
    if method.routes_generation != core.vhost.generation:
        _resolve(channel, method)
    routes: Routes | None = method.routes  # type: ignore[assignment]
    properties = frames[PROPERTIES_START : 7 + header_size]
    known = channel.connection.traits
    traits = PLAIN if properties == NO_PROPERTIES else known.get(properties)
    if traits is None:
        traits = traits_of(frames, header_size)
        if len(properties) <= TRAITS_SIZE_MAX:
            if len(known) >= TRAITS_REMEMBERED:
                known.clear()
            known[properties] = traits
    message = PublishedMessage(method, frames, header_size, channel.number)
    if routes is None or traits is not PLAIN or core.mode is _TX:
        is_plain = (traits is PLAIN or traits is PERSISTENT) and core.mode is not _TX
        if routes is not None and traits.is_request and core.mode is not _TX:
            message, _ = traits.admit(message, channel.connection.user, core)
            is_plain = True
        if is_plain and method.kept_routes is not None:
            _publish_and_keep(channel, message, method.kept_routes)  # type: ignore[arg-type]
            return
        if routes is None or not is_plain:
            _publish_slowly(channel, method, message, traits)
            return
    method.count += 1
    is_refused = False
    for take in routes:
        outcome = take(message)
        if outcome:
            if outcome == BACKLOG:
                channel.connection.publishes_into_backlog = True
            elif outcome == REFUSED:
                is_refused = True
    if not routes and method.mandatory:
        return_message(channel, message)
    if core.mode is _CONFIRM:
        _confirm(channel, is_refused=is_refused)
    if len(routes) > FEW_QUEUES:
        _count_output(channel, message, len(routes))


def _count_output(channel: Channel, message: Message, queues: int) -> None:
    """Raises TurnIsOver. What comes of it may not all be output, and hardly ever all that of one connection."""
    channel.connection.puts_out(queues * (message.size_bytes + DELIVERY_BYTES))


def _confirm(channel: Channel, *, is_refused: bool) -> None:
    """One more publish is settled; a refusal by any of its queues is a nack (RabbitMQ: CFM-5)."""
    confirms = channel.core.confirms
    confirms.last += 1
    if is_refused:
        confirms.owe(confirms.last, 1)
        confirms.reject(confirms.last)
    else:
        confirms.settle(confirms.last)
    if not channel.has_confirms_to_tell:
        channel.connection.tell_confirms_later(channel)


def _publish_and_keep(channel: Channel, message: PublishedMessage, routes: Routes) -> None:
    """To queues of which some keep the message; they answer for it once it is on the disk (RabbitMQ: CFM-4)."""
    channel.connection.publishes_to_disk = True
    message.publish.count += 1
    number = _owe(channel, message, len(routes))
    for take in routes:
        outcome = take(message)
        if outcome != PENDING:
            _account(channel, number, outcome)
    if len(routes) > FEW_QUEUES:
        _count_output(channel, message, len(routes))


def _owe(channel: Channel, message: PublishedMessage, queues: int) -> int:
    """Answers the number of the publish, of which so many queues are to answer; 0 if nobody wants to know."""
    core = channel.core
    if core.mode is not _CONFIRM:
        return 0
    confirms = core.confirms
    confirms.last = number = confirms.last + 1
    if queues:
        confirms.owe(number, queues)
        message.waiter = AwaitedConfirm(channel, number)
    else:
        confirms.settle(number)
        channel.connection.tell_confirms_later(channel)
    return number


def _account(channel: Channel, number: int, outcome: int) -> None:
    """One queue has answered. A refusal by any of them is a nack (RabbitMQ: CFM-5)."""
    if outcome & BACKLOG:
        channel.connection.publishes_into_backlog = True
    if outcome & PENDING:
        channel.connection.publishes_to_disk = True
    if number and not outcome & PENDING:
        confirms = channel.core.confirms
        if outcome == REFUSED:
            confirms.reject(number)
        elif not confirms.confirm(number):
            return
        if not channel.has_confirms_to_tell:
            channel.connection.tell_confirms_later(channel)


def _resolve(channel: Channel, method: Publish) -> None:
    """Find out what this publish comes to, and remember it on the Publish object. Routes are None: ask each time.

    Whether it is allowed is found out here, too, and holds until the generation moves on.
    """
    vhost = channel.core.vhost
    if method.immediate:
        raise AMQPError(ReplyCode.NOT_IMPLEMENTED, "immediate=true")
    channel.access.require_exchange("write", method.exchange)
    exchange = vhost.exchange_to_publish(method.exchange)
    require_topics(channel, "write", exchange, (method.routing_key,))
    is_plain = not vhost.firehose.is_on and not (method.mandatory and _is_reply(method))
    queues = vhost.route_by_keys(exchange, (method.routing_key,)) if is_plain else None
    method.routes = method.kept_routes = None
    if queues is not None:
        channel.core.counts.remember_publish(method, exchange, queues)
        if not any(queue.keeps_transient for queue in queues):
            method.routes = tuple(queue.publish for queue in queues)
        elif any(queue.publish != queue.publish_persistent for queue in queues):
            queues = ()  # some keep a transient message and some do not: each is asked for
        if any(queue.keeper is not None for queue in queues):
            method.kept_routes = tuple(queue.publish_persistent for queue in queues)
    method.routes_generation = vhost.generation


def _publish_slowly(channel: Channel, method: Publish, message: PublishedMessage, traits: Traits) -> None:
    """All that is not a plain message with a remembered route."""
    core = channel.core
    exchange = core.vhost.exchange_to_publish(method.exchange)
    message, more_keys = traits.admit(message, channel.connection.user, channel.core)
    require_topics(channel, "write", exchange, more_keys)
    routing_keys = (method.routing_key, *more_keys)
    queues = core.vhost.route(exchange, routing_keys, message)
    mandatory = method.mandatory and not _is_reply(method)
    core.counts.received()
    method.count += 1
    method.counted += 1
    if core.vhost.firehose.is_on:
        queue_names = sorted({*_queue_names(method, routing_keys, queues)})
        core.vhost.firehose.published(message, routing_keys, queue_names, core.origin)
    if core.mode is _TX:
        core.transaction.publishes.append((message, _queue_names(method, routing_keys, queues), mandatory))
    else:
        core.counts.published(exchange.name, exchange, queues, mandatory=mandatory)
        number = _owe(channel, message, len(queues))
        for outcome in hand_out(message, queues):
            _account(channel, number, outcome)
        if mandatory and not queues:
            return_message(channel, message)
        if len(queues) > FEW_QUEUES:
            _count_output(channel, message, len(queues))
    if method.routes is None:
        channel.connection.puts_out(len(exchange.bindings) * BINDING_BYTES)


def _queue_names(
    method: Publish, routing_keys: tuple[str, ...], queues: Iterable[Queue | ReplyConsumer]
) -> tuple[str, ...]:
    """RabbitMQ: the routes of the default exchange are names, whether there are such queues or not."""
    return routing_keys if method.exchange == "" else tuple(queue.name for queue in queues)


def deliver_committed(channel: Channel, message: Message, queue_names: tuple[str, ...], mandatory: bool) -> list[int]:
    """Hand out a message at tx.commit, to the queues that have these names now (TX-3). Answers what they said."""
    vhost = channel.core.vhost
    queues = vhost.queues_named(queue_names)
    exchange = vhost.exchanges.get(message.exchange)
    channel.core.counts.published(message.exchange, exchange, queues, mandatory=mandatory)
    outcomes = hand_out(message, queues)
    if any(outcome & BACKLOG for outcome in outcomes):
        channel.connection.publishes_into_backlog = True
    if mandatory and not queues:
        return_message(channel, message)
    return outcomes


def return_message(channel: Channel, message: Message) -> None:
    """basic.return: mandatory and unroutable; exchange, key and content as published (RabbitMQ: B-3)."""
    assert isinstance(message, PublishedMessage)
    method = make(
        Basic.Return, reply_code=ReplyCode.NO_ROUTE, reply_text="NO_ROUTE", exchange=message.exchange,
        routing_key=message.routing_key,
    )  # fmt: skip
    channel.connection.send(encode_method(channel.number, method) + channel.connection.framed(message, channel.number))


def _is_reply(method: Publish) -> bool:
    """To a direct reply-to key: from 4.2 on never returned, even if nobody waits for it any more (DRT-4)."""
    return method.exchange == "" and method.routing_key.startswith(REPLY_TO_PREFIX)
