"""A channel as the core sees it: its consumers, what it was given and has not settled, its limits, its mode."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from leveret.core.confirms import Confirms
from leveret.core.consumer_timeout import ConsumerTimeout
from leveret.core.event_details import channel_closed, consumer_created, consumer_deleted
from leveret.core.message import Entry
from leveret.core.names import INTERNAL_USER
from leveret.core.returning import Returning, share_of_a_slice
from leveret.core.tally import ChannelCounts
from leveret.core.transaction import Transaction
from leveret_protocol.errors import AMQPError, ReplyCode

if TYPE_CHECKING:
    from leveret.core.consumer import Consumer
    from leveret.core.queue import Queue
    from leveret.core.reply import ReplyConsumer
    from leveret.core.vhost import VirtualHost

# A message under a delivery tag: the entry, the queue it goes back to, the consumer that got it (None: basic.get).
Delivery = tuple[Entry, "Queue", "Consumer | None"]


class Origin(NamedTuple):
    """Whose channel it is, for those who are told of what it does.

    connection_name: RabbitMQ's, `<peer> -> <local>`; connection_pid: see Node.new_pid.
    """

    connection_name: str
    connection_pid: str
    channel_number: int
    user_name: str


OURSELVES = Origin("", "", 0, INTERNAL_USER)


def _nobody_listens(timeout_ms: int) -> None:
    """A channel without a client."""


class ChannelMode(enum.Enum):
    PLAIN = "plain"
    CONFIRM = "confirm"
    TX = "tx"


class Channel:
    """One channel of one connection.

    origin: whose it is; pid: what it is called in events.
    unacked: delivery tag -> Delivery, in the order of the tags.
    prefetch_count: for consumers started from now on (basic.qos global=false).
    served_last: whose the last delivery tags are, see `serve`.
    limit_count: messages that all its consumers together may hold (basic.qos global=true), 0 for no limit.
    consumed_count: messages its consumers hold; what basic.get took does not count (RabbitMQ: B-24).
    is_paused: the connection cannot take more output now. is_closed: it has begun to end.
    counts: see `leveret.core.counts`.
    timed_out(timeout_ms): ends the channel, because something was not acknowledged within so many milliseconds.
    """

    __slots__ = (
        "_oldest_tag", "_returning", "_served_until", "confirms", "consumed_count", "consumer_timeout", "consumers",
        "counts", "is_closed", "is_paused", "last_delivery_tag", "limit_count", "mode", "origin", "pid",
        "prefetch_count", "reply_consumer", "served_last", "transaction", "unacked", "vhost",
    )  # fmt: skip

    def __init__(
        self, vhost: VirtualHost, origin: Origin = OURSELVES, timed_out: Callable[[int], None] = _nobody_listens
    ) -> None:
        self.vhost = vhost
        self.origin = origin
        self.pid = vhost.node.new_pid()
        self.consumer_timeout = ConsumerTimeout(self, timed_out)
        self.mode = ChannelMode.PLAIN
        self.consumers: dict[str, Consumer] = {}
        self.unacked: dict[int, Delivery] = {}
        self.last_delivery_tag = 0
        self.served_last: Consumer | None = None
        self._served_until = 0  # the last delivery tag that has been counted
        self.prefetch_count = 0
        self.limit_count = 0
        self.consumed_count = 0
        self.is_paused = False
        self.is_closed = False
        self.reply_consumer: ReplyConsumer | None = None
        self.confirms = Confirms()
        self.counts = ChannelCounts(vhost, self.confirms)
        self.transaction = Transaction()
        self._returning: Returning | None = None  # what goes back by slices
        self._oldest_tag = 1  # no lower tag is unacked: keeps ack multiple from looking at settled tags again

    # -- modes ------------------------------------------------------------------------------------------------------

    def select_confirm(self) -> None:
        """confirm.select. Raises PRECONDITION_FAILED (406) on a transactional channel."""
        if self.mode is ChannelMode.TX:
            raise AMQPError(ReplyCode.PRECONDITION_FAILED, "cannot switch from tx to confirm mode")
        self.counts.tally()
        self.counts.is_confirming = True
        self.mode = ChannelMode.CONFIRM

    def select_tx(self) -> None:
        """tx.select. Raises PRECONDITION_FAILED (406) on a channel in confirm mode."""
        if self.mode is ChannelMode.CONFIRM:
            raise AMQPError(ReplyCode.PRECONDITION_FAILED, "cannot switch from confirm to tx mode")
        self.mode = ChannelMode.TX

    # -- limits -----------------------------------------------------------------------------------------------------

    def set_prefetch(self, count: int) -> None:
        """basic.qos global=false. It also removes the channel's limit (RabbitMQ: B-30)."""
        self.prefetch_count = count
        if self.limit_count:
            self.set_limit(0)

    def set_limit(self, count: int) -> None:
        """basic.qos global=true: in force at once for all consumers of the channel; 0 removes it."""
        self.limit_count = count
        self._refresh_consumers()

    def limit_reached(self, deliverer: Consumer) -> None:
        """The last free place of the channel's limit is taken: its other consumers stand back as well.

        The deliverer stays at the head of its queue's rotation; its queue takes it out itself.
        """
        for consumer in self.consumers.values():
            if consumer is not deliverer:
                consumer.queue.refresh(consumer)

    def pause(self) -> None:
        self.is_paused = True
        self._refresh_consumers()

    def resume(self) -> None:
        self.is_paused = False
        self._refresh_consumers()

    def _refresh_consumers(self) -> None:
        for queue in {c.queue: None for c in self._by_turn() if c.queue.refresh(c)}:
            queue.pump()

    def _by_turn(self) -> list[Consumer]:
        """Its consumers in the order in which they come back to their queues: round robin goes on where it stopped."""
        return sorted(self.consumers.values(), key=_last_served)

    def serve(self, consumer: Consumer | None) -> None:
        """From the last delivery tag on they are given to this consumer; None: to nobody who counts its deliveries.

        So nobody has to count them one by one: most channels have one consumer.
        """
        self._count_served(self.last_delivery_tag - 1)
        self.served_last = consumer

    def count_served(self) -> None:
        """Bring `delivered_count` of its consumers up to this moment."""
        self._count_served(self.last_delivery_tag)

    def _count_served(self, until: int) -> None:
        if self.served_last is not None:
            self.served_last.delivered_count += until - self._served_until
        self._served_until = until

    def deliveries_held(self) -> Iterator[tuple[Entry, Queue]]:
        """What it was given and has not settled for good, as it is now; whoever asks may take his time."""
        held = [deliveries for deliveries, _ in self.transaction.settlings]
        for entry, queue, _ in list(self.unacked.values()):
            yield entry, queue
        for _, (entry, queue, _) in chain.from_iterable(held):
            yield entry, queue

    # -- settling ---------------------------------------------------------------------------------------------------

    def take(self, entry: Entry, queue: Queue, *, no_ack: bool) -> int:
        """basic.get took this entry: answers its delivery tag."""
        self.last_delivery_tag += 1
        self.serve(None)
        self.counts.got(queue, redelivered=entry.redelivered, no_ack=no_ack)
        if not no_ack:
            self.unacked[self.last_delivery_tag] = (entry, queue, None)
            self.consumer_timeout.watch(queue)
        return self.last_delivery_tag

    def ack(self, delivery_tag: int, *, multiple: bool) -> None:
        """basic.ack. Raises PRECONDITION_FAILED (406): unknown delivery tag."""
        deliveries = self._outstanding(delivery_tag, multiple=multiple)
        if self.mode is ChannelMode.TX:
            self.transaction.hold(deliveries, None)
        else:
            self.settle_deliveries(deliveries)

    def ack_each(self, delivery_tags: list[int]) -> None:
        """One basic.ack after the other, each of one tag; consumers get their room back once, after the last one.

        Raises PRECONDITION_FAILED (406): unknown delivery tag. Those before it count.
        """
        pop = self.unacked.pop
        deliveries: list[tuple[int, Delivery]] = []
        try:
            for tag in delivery_tags:
                deliveries.append((tag, pop(tag)))
        except KeyError:
            raise _unknown(tag) from None
        finally:
            if self.mode is ChannelMode.TX:
                self.transaction.hold(deliveries, None)
            else:
                self.settle_deliveries(deliveries)

    def reject(self, delivery_tag: int, *, multiple: bool, requeue: bool, has_more: bool = False) -> None:
        """basic.reject and basic.nack. has_more: of what is rejected the rest comes next, before anything else.

        Raises PRECONDITION_FAILED (406): unknown delivery tag.
        """
        deliveries = self._outstanding(delivery_tag, multiple=multiple)
        if self.mode is ChannelMode.TX:
            self.transaction.hold(deliveries, requeue)
        else:
            self.reject_deliveries(deliveries, requeue=requeue, has_more=has_more)

    def settle_deliveries(self, deliveries: list[tuple[int, Delivery]]) -> None:
        for _, (entry, queue, _) in deliveries:
            queue.settle(entry)
        self._make_room(deliveries, are_acked=True)

    def reject_deliveries(
        self, deliveries: list[tuple[int, Delivery]], *, requeue: bool, has_more: bool = False
    ) -> None:
        if requeue:
            self._requeue(deliveries, has_more=has_more)
            return
        for _, (entry, queue, consumer) in deliveries:
            queue.reject(entry)
            if consumer is not None:
                consumer.returned_count += 1
        self._make_room(deliveries)

    @property
    def is_returning(self) -> bool:
        """Something goes back to its queues, and more of it will."""
        return self._returning is not None

    def recover(self) -> bool:
        """basic.recover with requeue: everything unacked goes back, and may come again at once. One slice of it.

        True: there is more, and this is to be called again before anything else.
        """
        if self._returning is None:
            self._returning = Returning(next(reversed(self.unacked), 0))
        tag, has_more = self.share(self._returning.until_tag, requeue=True)
        self._requeue(self._outstanding(tag, multiple=True) if tag else [], has_more=has_more)
        return has_more

    def share(self, delivery_tag: int, *, requeue: bool) -> tuple[int, bool]:
        """Up to which tag a turn should go, of all that are rejected up to this one; and whether there is more."""
        return share_of_a_slice(self.unacked, delivery_tag, requeue=requeue)

    def undo_settling(self) -> None:
        """tx.rollback: held acks and rejects are outstanding again under their tags (RabbitMQ: TX-5)."""
        held = self.transaction.release()
        if not held:
            return
        restored = dict(self.unacked)
        for deliveries, _ in held:
            restored.update(deliveries)
        self.unacked = dict(sorted(restored.items()))
        self._oldest_tag = min(self._oldest_tag, next(iter(self.unacked)))

    def _outstanding(self, delivery_tag: int, *, multiple: bool) -> list[tuple[int, Delivery]]:
        """Take what this tag means out of `unacked`. Tag 0 with multiple: everything (RabbitMQ: B-36)."""
        unacked = self.unacked
        if not multiple:
            delivery = unacked.pop(delivery_tag, None)
            if delivery is None:
                raise _unknown(delivery_tag)
            return [(delivery_tag, delivery)]
        if delivery_tag == 0:
            everything = list(unacked.items())
            unacked.clear()
            self._oldest_tag = self.last_delivery_tag + 1
            return everything
        if delivery_tag not in unacked:
            raise _unknown(delivery_tag)
        tags: Sequence[int] = range(self._oldest_tag, delivery_tag + 1)
        if len(tags) > len(unacked):  # many of them have been acked one by one
            tags = [tag for tag in unacked if tag <= delivery_tag]
        self._oldest_tag = delivery_tag + 1
        pop = unacked.pop
        return [(tag, delivery) for tag in tags if (delivery := pop(tag, None)) is not None]

    def _make_room(self, deliveries: Iterable[tuple[int, Delivery]], *, are_acked: bool = False) -> None:
        """Settled deliveries give their places back; consumers that got room are served."""
        waiting: dict[Consumer, None] = {}
        limit_was_reached = 0 < self.limit_count <= self.consumed_count
        consumed_count = 0
        for _, (_, queue, consumer) in deliveries:
            if consumer is not None:
                consumer.unacked_count -= 1
                consumed_count += 1
                if not consumer.is_able:
                    waiting[consumer] = None
            elif are_acked:
                self.counts.acked(queue)
        self.consumed_count -= consumed_count
        if limit_was_reached:  # all of them wait, and come back in the order of their turns
            self._refresh_consumers()
            return
        alive = [consumer for consumer in waiting if self.consumers.get(consumer.tag) is consumer]
        for queue in {consumer.queue: None for consumer in alive if consumer.queue.refresh(consumer)}:
            queue.pump()

    def _requeue(self, deliveries: list[tuple[int, Delivery]], *, has_more: bool = False) -> None:
        """Back to their queues, all of them before anything is delivered again, so that the order is restored."""
        returning = self._returning = self._returning or Returning()
        returning.limit_was_reached |= 0 < self.limit_count <= self.consumed_count
        self.consumed_count -= returning.put_back(delivery for _, delivery in deliveries)
        if has_more:
            return
        self._returning = None
        for consumer in self._by_turn():
            if not consumer.is_able and (returning.limit_was_reached or consumer.queue in returning.queues):
                consumer.queue.refresh(consumer)
        returning.release()
        if returning.limit_was_reached:
            self._pump_all()

    def _pump_all(self) -> None:
        for queue in {consumer.queue: None for consumer in self.consumers.values()}:
            queue.pump()

    # -- consumers --------------------------------------------------------------------------------------------------

    def add_consumer(self, consumer: Consumer) -> None:
        """basic.consume. The caller has sent consume-ok already: it precedes the first delivery (RabbitMQ: B-11)."""
        self.consumers[consumer.tag] = consumer
        if not consumer.no_ack:
            self.consumer_timeout.watch(consumer.queue)
        self.vhost.firehose.tap(consumer, consumer.queue.name)
        self.counts.remember_consumer(consumer)
        consumer.queue.add_consumer(consumer)
        self.vhost.node.events.tell("consumer.created", consumer_created, consumer)

    def cancel(self, consumer_tag: str) -> Consumer | None:
        """basic.cancel: None if there is no such consumer. Unacked messages stay. May delete an auto-delete queue."""
        consumer = self.consumers.pop(consumer_tag, None)
        if consumer is not None:
            consumer.queue.remove_consumer(consumer)
            user = INTERNAL_USER if _tells_itself(consumer) else self.origin.user_name
            self.vhost.node.events.tell("consumer.deleted", consumer_deleted, consumer, user)
            self.vhost.consumer_gone(consumer.queue)
        return consumer

    def set_reply_consumer(self, consumer: ReplyConsumer | None) -> None:
        """Start or end the channel's direct reply-to."""
        vhost = self.vhost
        if self.reply_consumer is not None:
            self.reply_consumer.is_deleted = True
            del vhost.reply_consumers[self.reply_consumer.name]
        if consumer is not None:
            vhost.reply_consumers[consumer.name] = consumer
            vhost.firehose.tap(consumer, consumer.name)
        self.reply_consumer = consumer
        vhost.generation += 1

    # -- the end ----------------------------------------------------------------------------------------------------

    def close_consumers(self) -> None:
        """First half of the end: take its consumers out, so that nothing it gives back comes to it again.

        Their queues hand out nothing before they have it.
        """
        if self.is_closed:
            return
        self.is_closed = True
        self._returning = self._returning or Returning()
        for queue in self.counts.queues_held():
            self._returning.hold(queue)
        if self.reply_consumer is not None:
            self.set_reply_consumer(None)
        consumers, self.consumers = self.consumers, {}
        for consumer in consumers.values():
            consumer.queue.remove_consumer(consumer)
        events = self.vhost.node.events
        events.tell("channel.closed", channel_closed, self, len(consumers))
        for consumer in filter(_tells_itself, consumers.values()):
            events.tell("consumer.deleted", consumer_deleted, consumer, INTERNAL_USER)
        for queue in {consumer.queue: None for consumer in consumers.values()}:
            self.vhost.consumer_gone(queue)

    def close(self) -> None:
        """The channel ends: consumers go, unacked messages go back in order, held acks are undone (RabbitMQ: TX-6)."""
        self.consumer_timeout.stop()
        self.close_consumers()
        self.transaction.finish()
        self.undo_settling()
        self.transaction.drop(self.vhost.node)
        unacked, self.unacked = self.unacked, {}
        if self._returning is not None:
            returning, self._returning = self._returning, None
            returning.put_back_all(self.vhost.node, unacked)
        self.counts.tally()


def _tells_itself(consumer: Consumer) -> bool:
    """RabbitMQ: a quorum queue tells of each consumer that goes, and never who did it."""
    return consumer.queue.type_name == "quorum"


def _last_served(consumer: Consumer) -> int:
    return consumer.last_delivery_tag


def _unknown(delivery_tag: int) -> AMQPError:
    return AMQPError(ReplyCode.PRECONDITION_FAILED, f"unknown delivery tag {delivery_tag}")
