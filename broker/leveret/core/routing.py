"""From an exchange to queues: through exchange bindings and alternate exchanges, each exchange and each queue once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, cast

from leveret.core.binding import Destination
from leveret.core.exchanges.base import Exchange
from leveret.core.message import Message

if TYPE_CHECKING:
    from leveret.core.queue import Queue
    from leveret.core.reply import ReplyConsumer


def hand_out(message: Message, queues: Iterable[Queue | ReplyConsumer]) -> list[int]:
    """Give a message to its queues; answers what each of them said (TAKEN, BACKLOG, REFUSED).

    For all messages but the plainest: this is where queues learn of an expiration.
    """
    if message.expiration_ms is not None:
        for queue in queues:
            queue.expect_expiration()
    return [queue.publish(message) for queue in queues]


def route(
    exchange: Exchange,
    routing_keys: Sequence[str],
    message: Message,
    find_exchange: Callable[[str], Exchange | None],
) -> tuple[Queue | ReplyConsumer, ...]:
    """The queues that this message goes to, each once.

    routing_keys: the primary key first, then those of CC and BCC; all apply at every exchange on the way.
    The order is that of discovery: bindings before what they lead to, first keys first.

    RabbitMQ (EX-23 and "Exchange types"): each exchange is visited once, so cycles end. The alternate exchange takes
    what an exchange's own bindings lead nowhere at all, by none of the keys; a binding to an exchange that leads
    nowhere is somewhere. That holds for every exchange on the way, and so for alternates of alternates. An alternate
    that does not exist leads nowhere, and so does the default exchange as an alternate.
    """
    queues = _walk(exchange, lambda source: source.route(routing_keys, message), find_exchange)
    assert queues is not None
    return queues


def route_by_keys(
    exchange: Exchange, routing_keys: Sequence[str], find_exchange: Callable[[str], Exchange | None]
) -> tuple[Queue | ReplyConsumer, ...] | None:
    """The same for every message with these keys, until the topology changes.

    None: there is an exchange on the way that decides by more than the keys. It has not been asked for a route, since
    it might remember that, or use up chance.
    """
    return _walk(exchange, lambda source: source.route_by_keys(routing_keys), find_exchange)


def _walk(
    exchange: Exchange,
    ask: Callable[[Exchange], Iterable[Destination] | None],
    find_exchange: Callable[[str], Exchange | None],
) -> tuple[Queue | ReplyConsumer, ...] | None:
    queues: dict[Destination, None] = {}
    visited = {exchange: None}
    unvisited = [exchange]
    for source in unvisited:  # which grows meanwhile
        answer = ask(source)
        if answer is None:
            return None
        destinations = list(answer)
        if not destinations and source.alternate:
            alternate = find_exchange(source.alternate)
            if alternate is not None:
                destinations = [alternate]
        for destination in destinations:
            if not destination.is_exchange:
                queues[destination] = None
            elif destination not in visited:
                reached = cast(Exchange, destination)
                visited[reached] = None
                unvisited.append(reached)
    return cast("tuple[Queue | ReplyConsumer, ...]", tuple(queues))
