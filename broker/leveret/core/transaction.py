"""What a transactional channel holds back until tx.commit: publishes, and acks and rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leveret.core.message import Message

if TYPE_CHECKING:
    from leveret.core.channel import Delivery

    HeldPublish = tuple[Message, tuple[str, ...], bool]
    HeldSettling = tuple[list[tuple[int, Delivery]], bool | None]


class Transaction:
    """publishes: (message, names of the queues it was routed to, mandatory). Names, because queues are looked up at
    commit: one that came back under its name gets the message (TX-3)..

    Settlings are (deliveries, None for ack or the requeue flag of a reject), in the order in which they came.
    """

    __slots__ = ("publishes", "settlings")

    def __init__(self) -> None:
        self.publishes: list[HeldPublish] = []
        self.settlings: list[HeldSettling] = []

    def hold(self, deliveries: list[tuple[int, Delivery]], requeue: bool | None) -> None:
        if deliveries:
            self.settlings.append((deliveries, requeue))

    def take_publishes(self) -> list[HeldPublish]:
        publishes, self.publishes = self.publishes, []
        return publishes

    def release(self) -> list[HeldSettling]:
        """The held acks and rejects, which are no longer held."""
        settlings, self.settlings = self.settlings, []
        return settlings

    def drop(self) -> None:
        self.publishes = []
        self.settlings = []
