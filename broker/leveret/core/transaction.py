"""What a transactional channel holds back until tx.commit: publishes, and acks and rejects."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from leveret.core.freeing import free_in_slices
from leveret.core.message import Message

if TYPE_CHECKING:
    from leveret.core.channel import Delivery
    from leveret.core.node import Node

    HeldPublish = tuple[Message, tuple[str, ...], bool]
    HeldSettling = tuple[list[tuple[int, Delivery]], bool | None]


class Transaction:
    """publishes: (message, names of the queues it was routed to, mandatory). Names, because queues are looked up at
    commit: one that came back under its name gets the message (TX-3)..

    Settlings are (deliveries, None for ack or the requeue flag of a reject), in the order in which they came.
    commit: what is left of a tx.commit that takes several turns, None if there is none.
    """

    __slots__ = ("commit", "publishes", "settlings")

    def __init__(self) -> None:
        self.publishes: list[HeldPublish] = []
        self.settlings: list[HeldSettling] = []
        self.commit: Generator[None, None, int] | None = None

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

    def commit_a_slice(self) -> int | None:
        """None: there is more. Else what the generator answers, and the commit is over."""
        assert self.commit is not None
        try:
            next(self.commit)
        except StopIteration as done:
            self.commit = None
            outcomes: int = done.value
            return outcomes
        return None

    def finish(self) -> None:
        """The channel ends: a commit that has begun is carried out to its end."""
        while self.commit is not None:
            self.commit_a_slice()

    def drop(self, node: Node) -> None:
        self.drop_publishes(node)
        self.settlings = []

    def drop_publishes(self, node: Node) -> None:
        free_in_slices(node, self.take_publishes())
