"""What a broker has promised, and whether what is there after a crash agrees with it.

The ledger follows every copy of a message (one in each queue it was published to) through the lives of a broker. What
it may conclude, and from what:

* A confirm or tx.commit-ok: the message is on the disk. It is there from now on, once, until it is acknowledged.
* A delivery in a later life: it was on the disk, so this is as good as a confirm; and an ack or reject sent in an
  earlier life was lost.
* An ack that was sent: it may have been lost in a crash, and the message come back, but as redelivered. So it is after
  every delivery, acked or not.
* An ack before a publish on the same channel whose confirm means that something was written: it is written as
  well, for what comes first is written no later. The message never comes back.
* The same for a reject, which moves the copy to the dead letter queue: it is in one of the two, and then in that one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

DEAD = "dead"


@dataclass(eq=False)
class Settling:
    """An ack, or a reject to the dead letters. is_certain: it is on the disk."""

    life: int
    is_certain: bool = False


@dataclass(eq=False)
class Copy:
    """A message in a queue.

    number: rises with each publish, death with each reject. is_kept: it is on the disk, unless it was acked since.
    move: to the dead letters, where there is only one copy of a message.
    """

    id: int
    queue: str
    number: int
    priority: int
    life: int
    is_kept: bool = False
    delivered_from: set[str] = field(default_factory=set)
    death: int = 0
    move: Settling | None = None
    ack: Settling | None = None

    @property
    def places(self) -> set[str]:
        """Where it may be after a crash, if it is anywhere."""
        if self.move is None:
            return {self.queue}
        return {DEAD} if self.move.is_certain else {self.queue, DEAD}


@dataclass
class Ledger:
    """life: of the broker, from 1. definitions: name -> whether it is there; None: it was asked to come, or to go."""

    life: int = 0
    copies: dict[tuple[int, str], Copy] = field(default_factory=dict)
    definitions: dict[str, bool | None] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def published(self, id: int, queues: list[str], priority: int = 0) -> list[Copy]:
        copies = [Copy(id, queue, next(self._numbers), priority, self.life) for queue in queues]
        self.copies |= {(id, copy.queue): copy for copy in copies}
        return copies

    def delivered(self, id: int, place: str, *, redelivered: bool) -> Copy:
        """place: the queue it came from."""
        copy = self._find(id, place, redelivered=redelivered)
        copy.delivered_from.add(place)
        if copy.life < self.life:
            copy.is_kept = True
        if copy.move is not None and copy.move.life < self.life:
            if place == DEAD:
                copy.move.is_certain = True
            else:
                copy.move = None
                copy.delivered_from.discard(DEAD)  # what it was there is gone; the next dead letter is a new message
        copy.ack = None
        return copy

    def acked(self, copy: Copy) -> Settling:
        copy.ack = Settling(self.life)
        return copy.ack

    def rejected(self, copy: Copy) -> Settling:
        copy.death = next(self._numbers)
        copy.move = Settling(self.life)
        return copy.move

    def _find(self, id: int, place: str, *, redelivered: bool) -> Copy:
        copy = self.copies.get((id, place))
        if copy is None:
            copy = next(copy for copy in self.copies.values() if copy.id == id and place == DEAD)
        where = f"message {id} of {copy.queue}, found in {place}"
        assert place in copy.places, f"{where}: it should be in {copy.places}"
        if copy.move is not None and place == copy.queue:
            assert copy.move.life < self.life, f"{where}: it was rejected, and the broker has not died since"
        if copy.ack is not None:
            assert not copy.ack.is_certain, f"{where}: it was acked, and that was on the disk"
            assert copy.ack.life < self.life, f"{where}: it was acked, and the broker has not died since"
        if place in copy.delivered_from:
            assert redelivered, f"{where}: it was delivered before, and comes as new"
        return copy

    # -- the end ------------------------------------------------------------------------------------------------------

    def check(self, contents: dict[str, list[tuple[int, bool]]]) -> None:
        """contents: by queue what is in it at last, in order, as (id, redelivered)."""
        found: dict[Copy, list[str]] = {}
        for place, messages in contents.items():
            order: list[tuple[int, int]] = []
            for id, redelivered in messages:
                copy = self._find(id, place, redelivered=redelivered)
                found.setdefault(copy, []).append(place)
                order.append((0, copy.death) if place == DEAD else (-copy.priority, copy.number))
            assert order == sorted(order), f"{place} is not in order: {order}"
        for copy in self.copies.values():
            places = found.get(copy, [])
            assert len(places) <= 1, f"message {copy.id} of {copy.queue} is there more than once: {places}"
            may_be_gone = not copy.is_kept or copy.ack is not None
            assert places or may_be_gone, f"message {copy.id} of {copy.queue} was confirmed and is lost: {copy}"
