"""Who is served: the consumers of a queue, those among them that get messages now, and whose turn it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from leveret.core.consumer import Consumer
from leveret.core.message import Entry
from leveret.core.rotation import Rotation
from leveret_protocol.errors import AMQPError, ReplyCode

if TYPE_CHECKING:
    from leveret.core.channel import Channel


class Served:
    """What a queue is to its consumers.

    consumers: in the order in which they came. rotation: those with room, and whose turn it is.
    active_consumer: of a single-active-consumer queue, the one that gets the messages.
    """

    __slots__ = ("_is_single_active", "active_consumer", "consumers", "rotation")

    # Declared only here: what a class and its base both declare, the collector's pass over a compiled one visits twice,
    # and then takes it for something that is in use.
    pump: Callable[[], None]

    def __init__(self, *, is_single_active: bool) -> None:
        self.consumers: list[Consumer] = []
        self.rotation = Rotation()
        self.active_consumer: Consumer | None = None
        self._is_single_active = is_single_active

    @property
    @abstractmethod
    def is_in_use(self) -> bool:
        """It does not expire as long as this holds; whatever ends it touches the queue."""

    @abstractmethod
    def touch(self) -> None:
        """It is in use (RabbitMQ: EXP-1)."""

    @abstractmethod
    def _serve_later(self) -> None:
        """Have `pump` called in a while."""

    def _turn(self, consumer: Consumer, entry: Entry) -> None:
        """Give the entry to the consumer at the head of the rotation, and move the rotation on."""
        active = self.rotation.active
        if consumer.deliver(entry):
            if len(active) > 1:
                active.rotate(-1)
        elif consumer.is_able:  # else its channel has been paused over it
            consumer.is_able = False
            self.rotation.leave()

    def check_consume(self, channel: Channel, *, exclusive: bool) -> None:
        """May this channel consume?

        Raises ACCESS_REFUSED (403): an exclusive consumer exists, or this one wants to be it beside others.

        A single-active-consumer queue never has one (RabbitMQ: B-14).
        """
        if (exclusive and self._is_single_active) or (self.consumers and (exclusive or self.consumers[0].exclusive)):
            raise AMQPError(ReplyCode.ACCESS_REFUSED, f"{self} in exclusive use")

    def add_consumer(self, consumer: Consumer) -> None:
        """Start a consumer, of `consumer_class`. The caller has checked, and sent consume-ok, which precedes the first
        delivery (RabbitMQ: B-11)."""
        self.consumers.append(consumer)
        if self._is_single_active and self.active_consumer is None:
            self.active_consumer = consumer
        self.refresh(consumer)
        self.pump()

    def remove_consumer(self, consumer: Consumer) -> None:
        """It was cancelled or its channel is gone. Unacked messages stay with the channel.

        Nobody is served in its place before `consumers_left`.
        """
        self.consumers.remove(consumer)
        if consumer.is_able:
            consumer.is_able = False
            self.rotation.remove(consumer)

    def hold(self) -> None:
        """Nobody is served, and nothing given up, until `release`: what stands before the rest is to come back."""
        self.rotation.hold()

    def release(self) -> None:
        """As often as it was held."""
        self.rotation.release()
        if not self.is_held:
            self.pump()

    @property
    def is_held(self) -> bool:
        return self.rotation.is_held

    def consumers_left(self) -> None:
        """Some consumers were removed. The next active one: the highest priority, then who has waited longest.

        It is served in a while: what the others held may be about to come back, and stands before the rest.
        """
        if not self.is_in_use:
            self.touch()
        if self._is_single_active and self.active_consumer not in self.consumers:
            self.active_consumer = self._successor()
            if self.active_consumer is not None and self.refresh(self.active_consumer):
                self._serve_later()

    def refresh(self, consumer: Consumer) -> bool:
        """Bring the rotation in line with whether the consumer has room. True: it came in, so `pump` is due."""
        is_able = consumer.has_room and self._is_served(consumer)
        if is_able == consumer.is_able:
            return False
        consumer.is_able = is_able
        if is_able:
            self.rotation.add(consumer)
        else:
            self.rotation.remove(consumer)
        return is_able

    def _successor(self) -> Consumer | None:
        """Who is to be the active consumer."""
        return max(self.consumers, key=_priority, default=None)

    def _is_served(self, consumer: Consumer) -> bool:
        """Is it one of those that get the messages?"""
        return not self._is_single_active or self.active_consumer is consumer

    def _send_away(self) -> list[Consumer]:
        """Answers the consumers, which are none any more."""
        orphans, self.consumers, self.rotation, self.active_consumer = self.consumers, [], Rotation(), None
        for consumer in orphans:
            consumer.is_able = False
        return orphans


def _priority(consumer: Consumer) -> int:
    return consumer.priority
