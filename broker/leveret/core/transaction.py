"""What a transactional channel holds back until tx.commit: publishes, and acks and rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leveret.core.message import Message

if TYPE_CHECKING:
    from leveret.core.channel import Delivery
    from leveret.core.queue import Queue
    from leveret.core.reply import ReplyConsumer

    HeldPublish = tuple[Message, tuple[Queue | ReplyConsumer, ...], bool]
    HeldSettling = tuple[list[tuple[int, Delivery]], bool | None]


class Transaction:
    """publishes: (message, the queues it was routed to when it was published, mandatory).

    Settlings are (deliveries, None for ack or the requeue flag of a reject), in the order in which they came.
    """

    __slots__ = ("_settlings", "publishes")

    def __init__(self) -> None:
        self.publishes: list[HeldPublish] = []
        self._settlings: list[HeldSettling] = []

    def hold(self, deliveries: list[tuple[int, Delivery]], requeue: bool | None) -> None:
        if deliveries:
            self._settlings.append((deliveries, requeue))

    def take_publishes(self) -> list[HeldPublish]:
        publishes, self.publishes = self.publishes, []
        return publishes

    def release(self) -> list[HeldSettling]:
        """The held acks and rejects, which are no longer held."""
        settlings, self._settlings = self._settlings, []
        return settlings

    def drop(self) -> None:
        self.publishes = []
        self._settlings = []
