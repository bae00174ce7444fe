"""The counts of one channel, and how they get to all others: all that is counted of messages is done by a channel.

How this works. On the way of most messages only one number is counted that is not needed otherwise: `count` of a
publish with remembered routes. `ChannelCounts.tally` derives what RabbitMQ counts from what there is:

    publishes                     how many times how many queues, since the routes are those since the last `tally`
    unroutable                    publishes whose routes lead to no queue
    confirms                      numbers given out, less those that are open and those that were refused
    deliveries of a consumer      delivery tags of the channel, while it was the only one that got any
    acks of a consumer            deliveries, less those that are unacked and those that were rejected or went back

What does not come that way (transactions, publishes with properties that take part in the routing, basic.get) is slow
enough to be counted at once, by the other methods here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from leveret.core.counts import MessageCounts

if TYPE_CHECKING:
    from leveret.core.confirms import Confirms
    from leveret.core.consumer import Consumer
    from leveret.core.exchanges import Exchange
    from leveret.core.queue import Queue
    from leveret.core.reply import ReplyConsumer
    from leveret.core.vhost import VirtualHost

Routed: TypeAlias = "Sequence[Queue | ReplyConsumer]"

Key = TypeVar("Key")

REMEMBERED_MAX = 1024  # publishes, or consumers that have been cancelled, before they are looked through


class CountedPublish(Protocol):
    """A publish whose routes are remembered.

    count: how often it came. counted: up to here it has been brought to the counts.
    routed_to: (exchange, queues) of all since then; None: it is not among those that a ChannelCounts knows.
    routes_generation: -1 voids the routes.
    """

    mandatory: bool
    count: int
    counted: int
    routed_to: Any
    routes_generation: int


class ChannelCounts(MessageCounts):
    """Those of one channel, and of it together with one exchange (by its name) or one queue.

    is_confirming: is the channel in confirm mode?
    """

    __slots__ = (
        "_confirmed_count", "_confirms", "_consumers", "_consumers_max", "_publishes", "_vhost", "by_exchange",
        "by_queue", "is_confirming",
    )  # fmt: skip

    def __init__(self, vhost: VirtualHost, confirms: Confirms) -> None:
        super().__init__()
        self.by_exchange: dict[str, MessageCounts] = {}
        self.by_queue: dict[Queue, MessageCounts] = {}
        self.is_confirming = False
        self._vhost = vhost
        self._confirms = confirms
        self._confirmed_count = 0
        self._publishes: list[CountedPublish] = []
        self._consumers: list[Consumer] = []
        self._consumers_max = REMEMBERED_MAX

    # -- counted in bulk --------------------------------------------------------------------------------------------

    def remember_publish(self, publish: CountedPublish, exchange: Exchange, queues: Routed) -> None:
        """From now on each `count` of it is one publish to this exchange that is routed to these queues."""
        if publish.routed_to is not None:
            self._tally_publish(publish)
        else:
            if len(self._publishes) >= REMEMBERED_MAX:
                self._tally_publishes()
            self._publishes.append(publish)
        publish.routed_to = (exchange, queues)

    def remember_consumer(self, consumer: Consumer) -> None:
        """It may get deliveries from now on, and acknowledge them until none is left, even when it is cancelled."""
        if len(self._consumers) >= self._consumers_max:
            self._tally_consumers()
            self._consumers_max = max(REMEMBERED_MAX, 2 * len(self._consumers))
        self._consumers.append(consumer)

    def tally(self) -> None:
        """Bring all counts up to this moment."""
        self._tally_publishes()
        self._tally_consumers()
        confirmed_count = self._confirms.confirmed_count
        count, self._confirmed_count = confirmed_count - self._confirmed_count, confirmed_count
        self.confirm += count
        self._vhost.counts.confirm += count
        self._vhost.node.counts.confirmed += count

    def _tally_publishes(self) -> None:
        """Each of them comes back when it is published again: so those that are not are not kept here."""
        publishes, self._publishes = self._publishes, []
        for publish in publishes:
            self._tally_publish(publish)
            publish.routed_to = None
            publish.routes_generation = -1

    def _tally_publish(self, publish: CountedPublish) -> None:
        count = publish.count - publish.counted
        if count:
            publish.counted = publish.count
            exchange, queues = publish.routed_to
            self.received(count)
            self.published(exchange.name, exchange, queues, mandatory=publish.mandatory, count=count)

    def _tally_consumers(self) -> None:
        left = []
        for consumer in self._consumers:
            self._tally_consumer(consumer)
            if consumer.unacked_count or consumer.channel.consumers.get(consumer.tag) is consumer:
                left.append(consumer)
        self._consumers = left

    def _tally_consumer(self, consumer: Consumer) -> None:
        consumer.channel.count_served()
        now = (consumer.delivered_count, consumer.redelivered_count, consumer.acked_count)
        if now == consumer.tallied:
            return
        delivered, redelivered, acked = (new - old for new, old in zip(now, consumer.tallied, strict=True))
        consumer.tallied = now
        for counts in self._of_queue(consumer.queue):
            if consumer.no_ack:
                counts.deliver_no_ack += delivered
            else:
                counts.deliver += delivered
            counts.redeliver += redelivered
            counts.ack += acked

    def queues_held(self) -> set[Queue]:
        """Those of which the channel may have something that it has not settled."""
        of_consumers = {consumer.queue for consumer in self._consumers if consumer.unacked_count}
        return of_consumers | {queue for queue, counts in self.by_queue.items() if counts.get and queue.unacked_count}

    # -- counted at once --------------------------------------------------------------------------------------------

    def received(self, count: int = 1) -> None:
        """A message has come from the publisher."""
        of_node = self._vhost.node.counts
        of_node.received += count
        if self.is_confirming:
            of_node.received_confirm += count

    def published(
        self, exchange_name: str, exchange: Exchange | None, queues: Routed, *, mandatory: bool, count: int = 1
    ) -> None:
        """It was routed. exchange: None if it is gone since."""
        vhost = self._vhost
        of_node = vhost.node.counts
        several = (self, self._with_exchange(exchange_name), vhost.counts)
        for counts in several:
            counts.publish += count
        if exchange is not None:
            exchange.counts.publish_in += count
            exchange.counts.publish_out += count * len(queues)
        of_node.routed += count * len(queues)
        for queue in queues:
            if queue.counts is not None:
                queue.counts.publish += count
                of_node.by_queue_type[queue.type_name].publish += count
                incoming = queue.counts.incoming
                if exchange_name not in incoming and len(incoming) > _most(vhost.exchanges):
                    _drop(incoming, [name for name in incoming if name not in vhost.exchanges])
                incoming[exchange_name] = incoming.get(exchange_name, 0) + count
        if not queues and mandatory:
            of_node.unroutable_returned += count
            for counts in several:
                counts.return_unroutable += count
        elif not queues:
            of_node.unroutable_dropped += count
            for counts in several:
                counts.drop_unroutable += count

    def got(self, queue: Queue, *, redelivered: bool, no_ack: bool) -> None:
        """By basic.get."""
        for counts in self._of_queue(queue):
            if no_ack:
                counts.get_no_ack += 1
            else:
                counts.get += 1
            counts.redeliver += redelivered

    def got_nothing(self, queue: Queue) -> None:
        for counts in self._of_queue(queue):
            counts.get_empty += 1

    def acked(self, queue: Queue) -> None:
        """What was taken with basic.get. Consumers count their own."""
        for counts in self._of_queue(queue):
            counts.ack += 1

    # -- whose counts -----------------------------------------------------------------------------------------------

    def _of_queue(self, queue: Queue) -> Iterable[MessageCounts]:
        with_queue = self.by_queue.get(queue)
        if with_queue is None:
            if len(self.by_queue) > _most(self._vhost.queues):
                _drop(self.by_queue, [known for known in self.by_queue if known.is_deleted])
            with_queue = self.by_queue[queue] = MessageCounts()
        vhost = self._vhost
        return self, with_queue, queue.counts, vhost.counts, vhost.node.counts.by_queue_type[queue.type_name]

    def _with_exchange(self, name: str) -> MessageCounts:
        with_exchange = self.by_exchange.get(name)
        if with_exchange is None:
            exchanges = self._vhost.exchanges
            if len(self.by_exchange) > _most(exchanges):
                _drop(self.by_exchange, [known for known in self.by_exchange if known not in exchanges])
            with_exchange = self.by_exchange[name] = MessageCounts()
        return with_exchange


def _most(there_are: Sized) -> int:
    """So many counts of objects are kept, before those of objects that are gone are dropped."""
    return 2 * len(there_are) + 64


def _drop(counts: dict[Key, Any], gone: Iterable[Key]) -> None:
    for key in gone:
        del counts[key]
